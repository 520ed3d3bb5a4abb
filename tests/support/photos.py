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
