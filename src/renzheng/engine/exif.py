"""Reads the orientation that a camera stored with a picture (TIFF 6.0, tag 274), as leniently as viewers do."""

from __future__ import annotations

import struct

ORIENTATION_TAG = 0x0112
MARK = b"Exif\0"
"""The start of a block in a JPEG. One more byte follows, which is not always zero."""
MAX_ENTRIES = 200
WHOLE_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 7: "B", 8: "h", 9: "i"}
"""TIFF's integer types in `struct`'s notation. Most cameras write SHORT, and some LONG."""


def orientation_of(block: memoryview) -> int | None:
    """Return the orientation 1-8 in a TIFF block, with or without its mark in front; None if there is none."""
    tiff = block[6:] if bytes(block[:5]) == MARK else block
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None or len(tiff) < 14:
        return None
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return None
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for index in range(min(count, MAX_ENTRIES)):
        entry = start + 2 + 12 * index
        if entry + 12 > len(tiff):
            return None
        tag, kind = struct.unpack_from(order + "HH", tiff, entry)
        if tag == ORIENTATION_TAG:
            # The count is ignored: a wrong one does not move a value that fits into the entry.
            form = WHOLE_NUMBERS.get(kind)
            value = struct.unpack_from(order + form, tiff, entry + 8)[0] if form else 0
            return value if 1 <= value <= 8 else None
    return None
