"""Bounded decoding of images that strangers send.

``probe`` reads only headers, imports neither numpy nor OpenCV and is fit for a server's hot path.
``decode`` checks the probe against the limits before a pixel is touched, refuses what is cut off or not a
still picture, decodes large JPEGs at reduced scale and turns the result upright by its EXIF orientation.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .limits import MediaLimits

if TYPE_CHECKING:
    from .runtimes import Image

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
MAX_SEGMENTS = 2000
"""Header segments read before an image is called corrupt: real photos have fewer than a hundred."""
SOF_MARKERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Start of frame of every JPEG process; C4, C8 and CC are tables and a reserved code (ITU T.81, B.1)."""
PROGRESSIVE = 0xC2
START_OF_SCAN = b"\xff\xda"
LOSSLESS_OR_ARITHMETIC = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
ORIENTATION_TAG = 0x0112


class MediaError(Exception):
    """An image that cannot be used. ``kind`` is one of KINDS; the text holds no bytes of the image."""

    KINDS = ("format", "corrupt", "truncated", "too_many_bytes", "too_many_pixels", "too_small", "animated")

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind = kind
        self.message = message

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """What an image's header says. Width and height are the stored ones, before ``orientation`` (1-8)."""

    format: str
    width: int
    height: int
    components: int
    bits: int
    orientation: int = 1
    animated: bool = False
    progressive: bool = False

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as the picture is meant to be seen."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def probe(data: bytes | bytearray | memoryview) -> ImageInfo:
    """Read the header of a JPEG or PNG; raises MediaError (format, corrupt, truncated)."""
    view = memoryview(data)
    if bytes(view[:3]) == b"\xff\xd8\xff":
        return _probe_jpeg(view)
    if bytes(view[:8]) == PNG_SIGNATURE:
        return _probe_png(view)
    raise MediaError("format", "the image is neither a JPEG nor a PNG")


def is_photo(data: bytes | bytearray | memoryview, max_pixels: int) -> bool:
    """Whether the header is that of a still JPEG or PNG of at most ``max_pixels``. Touches no pixel."""
    try:
        info = probe(data)
    except MediaError:
        return False
    return info.pixels <= max_pixels and not info.animated


def _probe_jpeg(view: memoryview) -> ImageInfo:
    offset, orientation, length = 2, 1, len(view)
    for _ in range(MAX_SEGMENTS):
        while offset < length and view[offset] != 0xFF:
            raise MediaError("corrupt", "the JPEG's header is damaged")
        while offset < length and view[offset] == 0xFF:
            offset += 1
        if offset + 3 > length:
            raise MediaError("truncated", "the JPEG ends within its header")
        marker = view[offset]
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
            offset += 1
            continue
        size = int.from_bytes(view[offset + 1 : offset + 3], "big")
        body = view[offset + 3 : offset + 1 + size]
        if size < 2 or marker in (0xD9, 0xDA):
            raise MediaError("corrupt", "the JPEG's header has no size")
        if len(body) < size - 2:
            raise MediaError("truncated", "the JPEG ends within its header")
        if marker == 0xE1 and bytes(body[:6]) == b"Exif\0\0":
            orientation = _orientation(body[6:])
        if marker in SOF_MARKERS:
            return _jpeg_frame(marker, body, orientation)
        offset += 1 + size
    raise MediaError("corrupt", "the JPEG's header is too long")


def _jpeg_frame(marker: int, body: memoryview, orientation: int) -> ImageInfo:
    if len(body) < 6:
        raise MediaError("corrupt", "the JPEG's header is damaged")
    bits, height, width, components = struct.unpack(">BHHB", body[:6])
    if marker in LOSSLESS_OR_ARITHMETIC or bits != 8 or components not in (1, 3, 4):
        raise MediaError("format", "this kind of JPEG is not supported; send a baseline or progressive one")
    if not width or not height:
        raise MediaError("corrupt", "the JPEG's header has no size")
    return ImageInfo("jpeg", width, height, components, bits, orientation, progressive=marker == PROGRESSIVE)


def _probe_png(view: memoryview) -> ImageInfo:
    offset, orientation, animated = 8, 1, False
    head: tuple[int, ...] | None = None
    for _ in range(MAX_SEGMENTS):
        if offset + 8 > len(view):
            raise MediaError("truncated", "the PNG ends within its header")
        size, kind = int.from_bytes(view[offset : offset + 4], "big"), bytes(view[offset + 4 : offset + 8])
        body = view[offset + 8 : offset + 8 + size]
        if kind == b"IHDR" and head is None and size == 13 and len(body) == 13:
            head = struct.unpack(">IIBBBBB", body)
        elif head is None:
            raise MediaError("corrupt", "the PNG does not begin with its header")
        elif kind == b"acTL":
            animated = True
        elif kind == b"eXIf":
            orientation = _orientation(body)
        elif kind in (b"IDAT", b"IEND"):
            break
        offset += 12 + size
    else:
        raise MediaError("corrupt", "the PNG's header is too long")
    width, height, bits, colour = head[:4]
    components = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour, 0)
    if not width or not height or not components or bits not in (1, 2, 4, 8, 16):
        raise MediaError("corrupt", "the PNG's header is damaged")
    return ImageInfo("png", width, height, components, bits, orientation, animated)


def _orientation(tiff: memoryview) -> int:
    """The orientation tag of the first directory of a TIFF block; 1 where there is none to be read."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(tiff[:2]))
    if order is None or len(tiff) < 14:
        return 1
    (start,) = struct.unpack_from(order + "I", tiff, 4)
    if start + 2 > len(tiff):
        return 1
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for index in range(min(count, 200)):
        entry = start + 2 + 12 * index
        if entry + 12 > len(tiff):
            return 1
        tag, kind, _, value = struct.unpack_from(order + "HHIH", tiff, entry)
        if tag == ORIENTATION_TAG:
            return value if kind == 3 and 1 <= value <= 8 else 1
    return 1


@dataclass(frozen=True)
class Decoded:
    """An upright image and how much smaller than the original it is (``scale`` <= 1)."""

    image: Image
    info: ImageInfo
    scale: float


def check(data: bytes | bytearray | memoryview, *, max_bytes: int, max_pixels: int, min_side: int) -> ImageInfo:
    """Probe and hold against bounds; raises MediaError. Touches no pixel."""
    if len(data) > max_bytes:
        raise MediaError("too_many_bytes", f"the image has more than {max_bytes} bytes")
    info = probe(data)
    if info.pixels > max_pixels:
        raise MediaError("too_many_pixels", f"the image has more than {max_pixels} pixels")
    if min(info.width, info.height) < min_side:
        raise MediaError("too_small", f"the image is less than {min_side} pixels wide or high")
    if info.animated:
        raise MediaError("animated", "the image is animated; send a still picture")
    return info


def decode(data: bytes, limits: MediaLimits, *, frame: bool = False) -> Decoded:
    """Decode a photo, or a frame of the capture channel, to BGR; raises MediaError for all that is unfit.

    The longer side of the result is ``photo_side`` (``frame_side``), or less where the original's is less.
    """
    max_pixels, side = (limits.frame_pixels, limits.frame_side) if frame else (limits.max_pixels, limits.photo_side)
    info = check(data, max_bytes=limits.max_bytes, max_pixels=max_pixels, min_side=limits.min_side)
    if info.progressive and data.count(START_OF_SCAN) > limits.max_scans:
        raise MediaError("format", f"the progressive JPEG has more than {limits.max_scans} scans")
    image = _decode_jpeg(data, info, side, quick=frame) if info.format == "jpeg" else _decode_png(data, info)
    image = _shrink(image, side)
    scale = max(image.shape[:2]) / max(info.width, info.height)
    return Decoded(_upright(image, info.orientation), info, scale)


def _decode_jpeg(data: bytes, info: ImageInfo, side: int, *, quick: bool) -> Image:
    """``quick``: the halved colour planes are doubled without smoothing, a third less time for a frame."""
    import simplejpeg

    shrink = min(1.0, side / max(info.width, info.height))
    smallest = {"min_height": max(1, int(info.height * shrink)), "min_width": max(1, int(info.width * shrink))}
    space = {1: "GRAY", 3: "BGR", 4: "CMYK"}[info.components]
    try:
        # The decoder reads the header its own way: what it found must be what the bounds were held against.
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if (width, height) != (info.width, info.height):
            raise MediaError("corrupt", "the JPEG names two different sizes")
        pixels: Image = simplejpeg.decode_jpeg(data, space, strict=True, fastupsample=quick, **smallest)
    except ValueError as error:
        kind = "truncated" if "remature end" in str(error) else "corrupt"
        raise MediaError(kind, "the JPEG is cut off or damaged") from error
    return _as_bgr(pixels)


def _decode_png(data: bytes, info: ImageInfo) -> Image:
    import cv2
    import numpy as np

    _check_png_end(memoryview(data))
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (info.height, info.width):
        raise MediaError("corrupt", "the PNG is damaged")
    return pixels


def _shrink(image: Image, side: int) -> Image:
    import cv2

    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _check_png_end(view: memoryview) -> None:
    """A cut PNG may decode to a picture whose rest is black, so its chunks must lead to the end chunk."""
    offset = 8
    while offset + 12 <= len(view):
        if bytes(view[offset + 4 : offset + 8]) == b"IEND":
            return
        offset += 12 + int.from_bytes(view[offset : offset + 4], "big")
    raise MediaError("truncated", "the PNG is cut off")


def _as_bgr(pixels: Image) -> Image:
    import cv2
    import numpy as np

    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if channels == 1:
        return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
    if channels == 4:
        # Adobe's CMYK JPEGs store the inks inverted: colour = ink x black / 255.
        colour = pixels[:, :, :3].astype(np.uint16) * pixels[:, :, 3:] // 255
        return np.ascontiguousarray(colour[:, :, ::-1].astype(np.uint8))
    return pixels


def _upright(image: Image, orientation: int) -> Image:
    """Undo an EXIF orientation (1-8; TIFF 6.0, tag 274)."""
    import numpy as np

    if orientation in (2, 4, 5, 7):
        image = image[:, ::-1]
    turns = {3: 2, 4: 2, 5: 1, 6: 3, 7: 3, 8: 1}.get(orientation, 0)
    return np.ascontiguousarray(np.rot90(image, turns)) if turns or orientation == 2 else image
