"""Whether a process that has work to do does any: one that is stopped or hangs is told within seconds.

By the kernel's account of it, not by how long the work takes: a process that gets no processor on a busy machine is
ready to run and has only to wait.
"""

from __future__ import annotations

import os
from typing import NamedTuple

CHECK_SECONDS = 0.5
SILENT_CHECKS = 4
"""In a row: two seconds. A server that stood still itself makes no checks meanwhile, and kills nobody for it."""

AT_WORK = frozenset("RD")
"""States of a thread that runs, may run, or waits for a disk."""


class CpuUse(NamedTuple):
    """`ticks`: of processor time used. `at_work`: whether a thread of it runs, may run, or waits for the disk."""

    ticks: int
    at_work: bool


def sample(pid: int) -> CpuUse | None:
    """The process now; None where it is gone, or the system tells nothing of it."""
    try:
        fields = _stat(f"/proc/{pid}/stat")
        threads = [_stat(f"/proc/{pid}/task/{thread}/stat")[0] for thread in os.listdir(f"/proc/{pid}/task")]
    except (OSError, IndexError):
        return None
    return CpuUse(int(fields[11]) + int(fields[12]), any(state in AT_WORK for state in threads))


def _stat(path: str) -> list[str]:
    """The fields behind the name, which may hold anything; the first is the state."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


class Silence:
    """Follows one process over its checks."""

    def __init__(self) -> None:
        self._ticks = -1
        self._checks = 0

    def ended(self) -> None:
        """It has nothing to do any more."""
        self._ticks, self._checks = -1, 0

    def lasts(self, seen: CpuUse | None) -> bool:
        """Take in a check of a process that has work; True once it has done nothing for so many of them."""
        if seen is None or seen.at_work or seen.ticks != self._ticks:
            self._ticks, self._checks = -1 if seen is None else seen.ticks, 0
            return False
        self._checks += 1
        return self._checks >= SILENT_CHECKS
