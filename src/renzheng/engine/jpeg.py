"""Reads a JPEG's structure by its markers: its header, its scans and its end (ITU T.81, annex B).

Searches run in compiled code and each continues where the last one ended, so the work is linear in the bytes. What
decoders tolerate is tolerated here: stray bytes before a marker, and anything after the end, as in a motion photo.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from .exif import MARK, orientation_of

Bytes = bytes | bytearray | memoryview

MAX_SEGMENTS = 1000
"""Most header segments before an image is called corrupt. Real photos have fewer than a hundred."""
MAX_FILL_BYTES = 16
"""Fill bytes before a marker: the standard allows any number of FF there (T.81, B.1.1.2), encoders write none to three.
"""
MAX_EXIF_BLOCKS = 4
"""Most blocks that are searched for an orientation. Cameras write one, and editors sometimes add one."""
MAX_STRAY = 64 * 1024
"""Most bytes between segments that are skipped in search of a marker, in total."""
LS = 0xF7
SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {LS}
"""Start of frame of every JPEG process; C4, C8 and CC are tables and a reserved code (T.81, B.1), F7 is of JPEG-LS."""
PROGRESSIVE = 0xC2
LOSSLESS = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
HIERARCHICAL = frozenset({0xC5, 0xC6})
ARITHMETIC = frozenset({0xC9, 0xCA, 0xCD, 0xCE})
DECODABLE = frozenset({0xC0, 0xC1, PROGRESSIVE})
START_OF_SCAN, END_OF_IMAGE, APP1 = 0xDA, 0xD9, 0xE1
_FILL = b"\xff" * (MAX_FILL_BYTES + 1)
_MARKER = re.compile(rb"\xff[^\x00\xff]", re.DOTALL)
_END = re.compile(rb"\xff\xd9")
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]", re.DOTALL)
"""The end of a scan's data, in which an FF is stuffed with 00 and restart markers are D0 to D7."""


class LayoutError(Exception):
    """``kind``: corrupt or truncated."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass(frozen=True, slots=True)
class Header:
    """``process``: the frame's marker. ``scans_at``: offset of the first scan's marker. ``orientation``: 1-8."""

    process: int
    bits: int
    height: int
    width: int
    components: int
    orientation: int
    scans_at: int


@dataclass(frozen=True, slots=True)
class Body:
    """``scans``: how many begin, counted up to one more than asked for. ``end``: offset of the marker that ends the
    picture; None if there is none. ``single``: whether the first scan has the whole picture."""

    scans: int
    end: int | None
    single: bool


def read_header(data: Bytes) -> Header:
    """Read from the start to the first scan. LayoutError. The first block with an orientation counts."""
    frame: tuple[int, ...] | None = None
    orientation: int | None = None
    blocks = 0
    for marker, at, body in _segments(memoryview(data)):
        if marker == APP1 and orientation is None and blocks < MAX_EXIF_BLOCKS and bytes(body[:5]) == MARK:
            orientation, blocks = orientation_of(body), blocks + 1
        elif marker in SOF_MARKERS:
            if len(body) < 6:
                raise LayoutError("corrupt", "the JPEG's header is damaged")
            frame = (marker, *struct.unpack(">BHHB", body[:6]))
        elif marker == START_OF_SCAN:
            if frame is None:
                raise LayoutError("corrupt", "the JPEG's header has no size")
            process, bits, height, width, components = frame
            return Header(process, bits, height, width, components, orientation or 1, at)
    raise LayoutError("corrupt", "the JPEG's header is too long")


def _segments(view: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Yield (marker, its offset, body) of each segment."""
    offset, length, stray = 2, len(view), MAX_STRAY
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(view, offset, min(length, offset + stray + 2))
        if found is None:
            cut = offset + stray + 2 >= length
            kind = "truncated" if cut else "corrupt"
            raise LayoutError(kind, "the JPEG ends within its header" if cut else "the JPEG's header is damaged")
        at, marker = found.start(), view[found.start() + 1]
        if at - offset >= len(_FILL) and view[at - len(_FILL) : at] == _FILL:
            raise LayoutError("corrupt", f"the JPEG has more than {MAX_FILL_BYTES} fill bytes before a marker")
        stray -= at - offset
        offset = at + 2
        if marker == 0x01 or 0xD0 <= marker <= 0xD7:
            continue
        if marker in (0xD8, END_OF_IMAGE):
            raise LayoutError("corrupt", "the JPEG's header has no size")
        size = int.from_bytes(view[offset : offset + 2], "big")
        if offset + max(size, 2) > length:
            raise LayoutError("truncated", "the JPEG ends within its header")
        if size < 2:
            raise LayoutError("corrupt", "the JPEG's header is damaged")
        yield marker, at, view[offset + 2 : offset + size]
        offset += size


def is_single(data: Bytes, header: Header) -> bool:
    """Return whether the first scan has the whole picture."""
    at = header.scans_at + 4
    return header.process != PROGRESSIVE and int.from_bytes(data[at : at + 1], "big") >= header.components


def read_body(data: Bytes, header: Header, most_scans: int) -> Body:
    """Read from the first scan to the end of the picture; stops after one more than ``most_scans``. LayoutError."""
    view = memoryview(data)
    at, scans = header.scans_at, 0
    if is_single(data, header):
        # The decoder conceals damage within the scan.
        found = _END.search(view, at)
        return Body(1, found.start() if found else None, True)
    for _ in range(MAX_SEGMENTS):
        marker = view[at + 1]
        if marker == END_OF_IMAGE:
            return Body(scans, at, False)
        scans += marker == START_OF_SCAN
        if scans > most_scans:
            return Body(scans, None, False)
        size = 0 if marker == 0x01 else int.from_bytes(view[at + 2 : at + 4], "big")
        found = _AFTER_SCAN.search(view, at + 2 + size)
        if found is None:
            return Body(scans, None, False)
        at = found.start()
    raise LayoutError("corrupt", "the JPEG has too many parts")
