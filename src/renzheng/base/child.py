"""Sets up a child process, before it has anybody's data in memory."""

from __future__ import annotations

import ctypes
import os
import signal

from renzheng.base.dumps import forbid_dumps

_PR_SET_PDEATHSIG = 1  # sys/prctl.h


def become_child(parent: int) -> None:
    """End with the parent, ignore Ctrl-C, and forbid core dumps. `parent`: its process number.

    If the parent has ended already, this process ends at once.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    forbid_dumps()
