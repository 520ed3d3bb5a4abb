"""The socket between a server and its courier: numbered messages, one after another."""

from __future__ import annotations

import asyncio
import struct

_HEAD = struct.Struct(">QI")
"""The number of a question, and the length of what follows: a question or its answer; 0: cancel that question."""


def packed(number: int, content: bytes) -> bytes:
    return _HEAD.pack(number, len(content)) + content


async def read(reader: asyncio.StreamReader, most: int | None = None) -> tuple[int, bytes]:
    """Return the next message. `most`: largest size in bytes. Raises asyncio.IncompleteReadError and
    ConnectionError."""
    number, size = _HEAD.unpack(await reader.readexactly(_HEAD.size))
    if most is not None and size > most:
        raise ConnectionError("nonsense")
    return number, await reader.readexactly(size)
