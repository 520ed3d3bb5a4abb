"""Where large bodies are read to: memory that was used before, as fresh pages cost as much as all that is done with
what is read into them."""

from __future__ import annotations

import asyncio
import mmap

from renzheng.base.defaults import MIB

MAX_KEPT = 4
"""Buffers that wait for the next body at most; there are as many in use as there are bodies."""
KEPT_SECONDS = 5.0
"""How long they wait before their memory is given back."""
_UNTOUCHED = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS


class BodyBuffers:
    """Buffers of whole MiB. It still holds the bytes of its last user: only what was read anew may be looked at."""

    def __init__(self) -> None:
        self._kept: list[mmap.mmap] = []
        self._timer: asyncio.TimerHandle | None = None

    def take(self, size: int) -> mmap.mmap:
        """At least `size` bytes. Of a new one, memory that nothing comes for is never touched."""
        whole = -(-size // MIB) * MIB
        for number, buffer in enumerate(self._kept):
            if len(buffer) == whole:
                return self._kept.pop(number)
        return mmap.mmap(-1, whole, _UNTOUCHED)

    def give_back(self, buffer: mmap.mmap) -> None:
        """Keep it for the next body. One that anybody still refers to is left to them."""
        if len(self._kept) >= MAX_KEPT:
            return
        try:
            buffer.resize(len(buffer))  # refused while any view of it is there
        except (BufferError, OSError, SystemError):  # the last: a platform that cannot resize
            return
        self._kept.append(buffer)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(KEPT_SECONDS, self._forget)

    def _forget(self) -> None:
        self._timer = None
        self._kept.clear()
