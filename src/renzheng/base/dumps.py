"""Forbids core dumps of a process that holds keys or faces."""

from __future__ import annotations

import ctypes
import resource

_PR_SET_DUMPABLE = 4  # sys/prctl.h


def forbid_dumps() -> None:
    """Forbid core dumps of this process, to a file or a pipe, and debuggers of the same user.

    The resource limit alone is not enough: the kernel ignores it if cores go to a program (core(5), `core_pattern`). A
    program that is started later must call this itself.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")
