"""How the process keeps memory. The C library has freed memory at hand for the next photo, and gives it back every few
seconds (glibc alone; elsewhere nothing is done). Python looks for garbage less often than by default."""

from __future__ import annotations

import ctypes
import gc

from renzheng.base.defaults import MIB

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h
AT_HAND = 32 * MIB
"""Blocks up to this size come from the heap: mapping fresh pages for each photo of megabytes costs more than all else
that is done with it. What is free there stays until the next `trim`."""
ARENAS = 2
"""Heaps for all threads together: each keeps what it has."""
YOUNG = 10_000
"""New objects until Python looks for cycles among them. By its default of 700 it goes through the requests at work at
every third one, and finds nothing: what a request makes is freed as it ends."""


def set_up_heaps() -> None:
    """Called once, before the server has threads."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for option, value in ((M_MMAP_THRESHOLD, AT_HAND), (M_TRIM_THRESHOLD, 2 * AT_HAND), (M_ARENA_MAX, ARENAS)):
        mallopt(option, value)


def settle_garbage() -> None:
    """Called once all parts are there: what was imported and built so far is never garbage, and is not gone through
    again and again."""
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)


def trim() -> None:
    """Give back the free pages within the heaps. Takes milliseconds: call it in a thread."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return
