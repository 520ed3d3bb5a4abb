"""Detects a process that has work but does none: stopped or hanging processes are found within seconds.

It uses the kernel's account of the process, not the duration of the work: a process without processor time on a busy
machine is ready to run, and only waits.
"""

from __future__ import annotations

import os
from typing import NamedTuple

CHECK_SECONDS = 0.5
SILENT_CHECKS = 4
"""Consecutive checks, for two seconds. A server that itself stood still makes no checks, so it kills no process for
that."""

AT_WORK = frozenset("RD")
"""States of a thread that runs, can run, or waits for a disk."""


class CpuUse(NamedTuple):
    """`ticks`: processor time used. `at_work`: whether a thread runs, can run, or waits for the disk."""

    ticks: int
    at_work: bool


def sample(pid: int) -> CpuUse | None:
    """Return the process's use now; None if it is gone, or the system does not tell."""
    try:
        fields = _stat(f"/proc/{pid}/stat")
        threads = [_stat(f"/proc/{pid}/task/{thread}/stat")[0] for thread in os.listdir(f"/proc/{pid}/task")]
    except (OSError, IndexError):
        return None
    return CpuUse(int(fields[11]) + int(fields[12]), any(state in AT_WORK for state in threads))


def _stat(path: str) -> list[str]:
    """Return the fields after the name, which may contain anything; the first is the state."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()


class Silence:
    """Follows one process over its checks."""

    def __init__(self) -> None:
        self._ticks = -1
        self._checks = 0

    def ended(self) -> None:
        """Record that the process has no work any more."""
        self._ticks, self._checks = -1, 0

    def lasts(self, seen: CpuUse | None) -> bool:
        """Take a check of a process that has work. True once it has done nothing for that many checks."""
        if seen is None or seen.at_work or seen.ticks != self._ticks:
            self._ticks, self._checks = -1 if seen is None else seen.ticks, 0
            return False
        self._checks += 1
        return self._checks >= SILENT_CHECKS
