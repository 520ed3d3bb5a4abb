"""How the process uses memory.

The C library keeps freed memory for the next photo and returns it every few seconds (glibc alone; elsewhere nothing is
done). Python looks for garbage less often than by default.
"""

from __future__ import annotations

import ctypes
import gc

from renzheng.base.defaults import MIB

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8  # malloc.h
AT_HAND = 32 * MIB
"""Blocks up to this size come from the heap: mapping fresh pages for each photo of megabytes costs more than all other
work on it. Free heap memory stays until the next `trim`."""
ARENAS = 2
"""Heaps for all threads together: each keeps its memory."""
YOUNG = 10_000
"""New objects before Python looks for cycles among them. With its default of 700 it searches the active requests at
every third one, and finds nothing: a request's objects are freed as it ends."""


def set_up_heaps() -> None:
    """Configure the heaps. Called once, before the server has threads."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for option, value in ((M_MMAP_THRESHOLD, AT_HAND), (M_TRIM_THRESHOLD, 2 * AT_HAND), (M_ARENA_MAX, ARENAS)):
        mallopt(option, value)


def settle_garbage() -> None:
    """Exclude all existing objects from garbage collection. Called once, after all parts are built: they are never
    garbage."""
    gc.collect()
    gc.freeze()
    _, middle, old = gc.get_threshold()
    gc.set_threshold(YOUNG, middle, old)


def trim() -> None:
    """Return free pages in the heaps to the system. Takes milliseconds, so call it in a thread."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return
