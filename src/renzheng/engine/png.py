"""Reads a PNG's structure: its chunks to the last, and the inflated size of its pixels (ISO/IEC 15948)."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from .exif import orientation_of
from .jpeg import LayoutError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_CHUNKS = 20_000
"""Most chunks of a PNG. Usual chunks have some kilobytes each."""
PICTURE = frozenset({b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"})
"""Chunks that define the pixels."""
INTERLACED = 8
"""Bytes per row for its filter, and for the rounding of an interlaced picture's passes."""
MAX_BESIDE = 64 * 1024
"""Most bytes that pixels may inflate to beyond their picture. Some encoders write a few."""
AT_ONCE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """``orientation``: 1-8, which may be after the pixels. ``chunks``: the whole chunks that define the pixels."""

    orientation: int
    chunks: list[memoryview]

    @property
    def picture(self) -> bytes:
        """Return the PNG without texts and profiles: a decoder inflates each to megabytes, and there may be
        thousands."""
        return b"".join((SIGNATURE, *self.chunks))


def read_body(view: memoryview) -> Body | None:
    """Follow the chunks to the last; None if there is no end. LayoutError (corrupt)."""
    offset, orientation, has_pixels = len(SIGNATURE), 0, False
    chunks: list[memoryview] = []
    for _ in range(MAX_CHUNKS):
        if offset + 12 > len(view):
            return None
        size, kind = int.from_bytes(view[offset : offset + 4], "big"), bytes(view[offset + 4 : offset + 8])
        after = offset + 12 + size
        if kind in PICTURE:
            chunks.append(view[offset:after])
        if kind == b"IEND":
            if not has_pixels:
                raise LayoutError("corrupt", "the PNG holds no picture")
            return Body(orientation or 1, chunks)
        has_pixels = has_pixels or kind == b"IDAT"
        if kind == b"eXIf" and not orientation:  # only the first
            orientation = orientation_of(view[offset + 8 : offset + 8 + size]) or 1
        offset = after
    raise LayoutError("corrupt", "the PNG has too many parts")


def check_inflated(body: Body, rows: int, row_bits: int) -> None:
    """Raise LayoutError (corrupt) if the pixels inflate to more than so many rows of so many bits."""
    left = rows * (-(-row_bits // 8) + INTERLACED) + MAX_BESIDE
    inflating = zlib.decompressobj()
    for chunk in body.chunks:
        rest: bytes | memoryview = chunk[8:-4] if bytes(chunk[4:8]) == b"IDAT" else b""
        while rest and not inflating.eof:
            try:
                left -= len(inflating.decompress(rest, AT_ONCE))
            except zlib.error:  # the decoder decides whether it can conceal that
                return
            if left < 0:
                raise LayoutError("corrupt", "the PNG inflates to more than its picture")
            rest = inflating.unconsumed_tail
