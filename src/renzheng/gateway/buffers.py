"""Reusable buffers for large bodies. Fresh memory pages cost as much as all further work on the bytes in them."""

from __future__ import annotations

import asyncio
import mmap

from renzheng.base.defaults import MIB

MAX_KEPT = 4
"""Most unused buffers that are kept. The number in use is not bounded here."""
KEPT_SECONDS = 5.0
"""Seconds after which an unused buffer's memory is freed."""
_UNTOUCHED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class BodyBuffers:
    """Buffers of whole MiB. A buffer still holds the bytes of its last user: only newly read bytes may be used."""

    def __init__(self) -> None:
        self._kept: list[mmap.mmap] = []
        self._timer: asyncio.TimerHandle | None = None

    def take(self, size: int) -> mmap.mmap:
        """Return a buffer of at least `size` bytes. In a new one, memory that no bytes arrive for is never touched."""
        whole = -(-size // MIB) * MIB
        for number, buffer in enumerate(self._kept):
            if len(buffer) == whole:
                return self._kept.pop(number)
        return mmap.mmap(-1, whole, _UNTOUCHED)

    def give_back(self, buffer: mmap.mmap) -> None:
        """Keep the buffer for the next body, unless something still refers to it."""
        if len(self._kept) >= MAX_KEPT:
            return
        try:
            buffer.resize(len(buffer))  # raises BufferError while a view of it exists
        except (BufferError, OSError, SystemError):  # SystemError: the platform cannot resize
            return
        self._kept.append(buffer)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget)

    def _forget(self) -> None:
        self._timer = None
        self._kept.clear()
