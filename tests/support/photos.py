"""Photos of an exact size in bytes, and photos of unusual kinds."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import simplejpeg

from renzheng.engine.runtimes import Image


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_with(width: int, height: int, bits: int, colour: int, rows: bytes, extra: bytes = b"") -> bytes:
    """A PNG of these rows; `extra` are chunks before them."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", head) + extra + png_chunk(b"IDAT", zlib.compress(rows, 9)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def png_of(size: int) -> bytes:
    """A decodable PNG of exactly `size` bytes: a small grey picture, and a text chunk as large as needed."""
    rows = b"\0" * 65 * 64
    empty = len(png_with(64, 64, 8, 0, rows, png_chunk(b"teXt", b"")))
    return png_with(64, 64, 8, 0, rows, png_chunk(b"teXt", b"x" * (size - empty)))


def with_exif(data: bytes, orientation: int, order: str = "<") -> bytes:
    """A JPEG that says how it lies."""
    mark = b"II" if order == "<" else b"MM"
    tiff = mark + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    body = b"Exif\0\0" + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def cmyk(picture: Image) -> bytes:
    """A JPEG of four inks; `picture` is BGR."""
    black = picture.max(axis=2, keepdims=True)
    inks = (picture[:, :, ::-1].astype(np.uint16) * 255 // np.maximum(black, 1)).astype(np.uint8)
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(np.dstack([inks, black])), 95, "CMYK", "444"))


def jpeg_of_scans(width: int, height: int, scans: int) -> bytes:
    """A valid progressive JPEG of one colour in so many scans, of which all but the first hold three bytes.

    Each refines one coefficient by one bit, and says by one run that it is zero in all blocks, of which there may be
    32767 (ITU T.81, G.1.2.2).
    """
    blocks = -(-width // 8) * -(-height // 8)

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    def scan(component: int, coefficient: int, bit: int) -> bytes:
        approximation = ((bit + 1) << 4 if bit < 13 else 0) | bit
        run = b"\x7f\xff\x00"  # a code of one bit, 14 bits of length, one to fill up; the last byte is stuffed
        return segment(0xDA, bytes([1, component, 0, coefficient, coefficient, approximation])) + run

    places = [(c, k, bit) for c in (1, 2, 3) for k in range(1, 64) for bit in range(13, -1, -1)]
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(bytes([c, 0x11, 0]) for c in (1, 2, 3))
    one_code = bytes([1] + [0] * 15)
    head = segment(0xDB, bytes([0] + [1] * 64)) + segment(0xC2, frame)
    tables = segment(0xC4, b"\x00" + one_code + b"\x00") + segment(0xC4, b"\x10" + one_code + b"\xe0")
    first = segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 0, 0])) + bytes(-(-3 * blocks // 8))
    return b"\xff\xd8" + head + tables + first + b"".join(scan(*place) for place in places[: scans - 1]) + b"\xff\xd9"
