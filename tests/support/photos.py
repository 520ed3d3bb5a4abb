"""Photos of an exact size in bytes."""

from __future__ import annotations

import struct
import zlib


def png_of(size: int) -> bytes:
    """A decodable PNG of exactly `size` bytes: a small grey picture, and a text chunk as large as needed."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 64, 8, 0, 0, 0, 0))
    tail = chunk(b"IDAT", zlib.compress(b"\0" * 65 * 64)) + chunk(b"IEND", b"")
    return head + chunk(b"teXt", b"x" * (size - len(head) - len(tail) - 12)) + tail
