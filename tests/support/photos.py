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


def exif(orientation: int, kind: int = 3, count: int = 1, order: str = "<") -> bytes:
    """A TIFF block that says how a picture lies; `kind`: 1 BYTE, 3 SHORT, 4 LONG."""
    value = struct.pack(order + {1: "B", 3: "H", 4: "I"}[kind], orientation).ljust(4, b"\0")
    mark = b"II" if order == "<" else b"MM"
    return mark + struct.pack(order + "HIHHHI", 42, 8, 1, 0x0112, kind, count) + value + struct.pack(order + "I", 0)


def app1(data: bytes, tiff: bytes, mark: bytes = b"Exif\0\0") -> bytes:
    """A JPEG with one more block behind its first two bytes."""
    body = mark + tiff
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + data[2:]


def jpeg_of_sampling(width: int, height: int, factors: tuple[tuple[int, int], ...]) -> bytes:
    """A baseline JPEG of one colour whose planes are sampled so: (across, down) for each."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    across, down = max(h for h, _ in factors), max(v for _, v in factors)
    units = -(-width // (8 * across)) * -(-height // (8 * down))
    # Differences of the mean: a code of four bits for the size, then the number; "0" ends every block.
    first = "".join(
        f"{size:04b}{code:0{size}b}0" + "00000" * (h * v - 1)
        for size, code, (h, v) in zip((6, 6, 6), (40, 31, 33), factors, strict=True)  # 40, -32 and 33
    )
    bits = first + "00000" * ((units - 1) * sum(h * v for h, v in factors))
    bits += "1" * (-len(bits) % 8)
    data = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    planes = b"".join(bytes([number + 1, h << 4 | v, 0]) for number, (h, v) in enumerate(factors))
    head = segment(0xDB, bytes([0] + [8] * 64)) + segment(0xC0, struct.pack(">BHHB", 8, height, width, 3) + planes)
    means = segment(0xC4, b"\0" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
    others = segment(0xC4, b"\x10" + bytes([1] + [0] * 15) + b"\0")
    scan = segment(0xDA, bytes([3, 1, 0, 2, 0, 3, 0, 0, 63, 0]))
    return b"\xff\xd8" + head + means + others + scan + data + b"\xff\xd9"


def jpeg_of_plane_scans(width: int, height: int, scans: int) -> bytes:
    """A baseline JPEG of one colour in so many scans, each of one of its three planes, over and over."""

    def segment(marker: int, body: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body

    blocks = -(-width // 8) * -(-height // 8)
    frame = struct.pack(">BHHB", 8, height, width, 3) + b"".join(bytes([c, 0x11, 0]) for c in (1, 2, 3))
    one_code = bytes([1] + [0] * 15) + b"\0"  # one bit: no difference; one bit: the end of the block
    head = segment(0xDB, bytes([0] + [1] * 64)) + segment(0xC0, frame)
    tables = segment(0xC4, b"\x00" + one_code) + segment(0xC4, b"\x10" + one_code)
    data = bytes(-(-2 * blocks // 8))
    body = b"".join(segment(0xDA, bytes([1, 1 + n % 3, 0, 0, 63, 0])) + data for n in range(scans))
    return b"\xff\xd8" + head + tables + body + b"\xff\xd9"
