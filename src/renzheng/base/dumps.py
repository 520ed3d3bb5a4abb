"""No dump of a process that holds keys or faces."""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # sys/prctl.h


def forbid_dumps() -> None:
    """From now on no core of this process is written, to a file or a pipe, and none of its user's debuggers reads it.

    The limit alone is not enough: the kernel passes it over where cores go to a program (core(5), `core_pattern`).
    A program that is started later has to ask for itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
