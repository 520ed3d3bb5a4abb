"""Memory goes back to the system once frames and photos are let go (glibc alone; elsewhere nothing is done)."""

from __future__ import annotations

import ctypes

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGE = 64 * 1024
"""Bytes from which a block is mapped for itself, and so given back when it is freed. Left to itself glibc raises this
to 32 MiB by the first large blocks that are freed, and keeps all that is smaller."""
ARENAS = 2
"""Heaps for all threads together: each keeps what it has."""


def give_back_what_is_free() -> None:
    """Called once, before the server has threads."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for option, value in ((M_MMAP_THRESHOLD, LARGE), (M_TRIM_THRESHOLD, 2 * LARGE), (M_ARENA_MAX, ARENAS)):
        mallopt(option, value)


def trim() -> None:
    """Give back the free pages within the heaps. Takes milliseconds: for after a judgement, in a thread."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return
