"""Bounded decoding of images that strangers send.

``probe`` reads only headers, imports neither numpy nor OpenCV and is fit for a server's hot path. ``decode`` checks the
probe against the limits before a pixel is decoded, refuses what is truncated or not a still picture, decodes large
JPEGs at reduced scale and turns the result upright by its EXIF orientation.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import jpeg, png
from .exif import orientation_of
from .limits import MediaLimits

if TYPE_CHECKING:
    from .runtimes import Image

PNG_END = b"\0\0\0\0IEND"
END_OF_IMAGE = b"\xff\xd9"
OTHER_REST = b"\x5a\x33\xc6\x0f" * 4096
"""Appended to a JPEG without an end marker: a complete picture does not change by it."""
MISSING = 0.001
"""Share of the pixels that may change by that: the last block of a small picture."""
BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"), "HEIC"),
    **dict.fromkeys((b"mif1", b"msf1", b"mif2", b"miaf"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
    b"crx ": "CR3",
    b"qt  ": "MOV",
}
"""The first brand of an ISO media file (ISO/IEC 14496-12, 4.3) -> format; any other brand is a video's, MP4."""
FOREIGN = (
    (8, b"WEBP", "WebP"),
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (0, b"8BPS", "PSD"),
    (0, b"\0\0\1\0", "ICO"),
    (0, b"%PDF", "PDF"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
    (0, b"<", "HTML"),
    (0, b"{", "JSON"),
    (0, b"PK\3\4", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
)
"""Other formats that people send as photos: offset, the bytes there, and the format's name."""


class MediaError(Exception):
    """An image cannot be used. ``kind`` is one of KINDS; the text contains no bytes of the image."""

    KINDS = ("format", "corrupt", "truncated", "too_many_bytes", "too_many_pixels", "too_small", "animated")

    def __init__(self, kind: str, message: str, foreign: str = "") -> None:
        """``foreign``: the name of the image's actual format, if it is known."""
        super().__init__(kind, message)
        self.kind = kind
        self.message = message
        self.foreign = foreign

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The content of an image's header. Width and height are the stored ones, before ``orientation`` (1-8). ``header``:
    a JPEG's, so that it is read once."""

    format: str
    width: int
    height: int
    components: int
    bits: int
    orientation: int = 1
    animated: bool = False
    progressive: bool = False
    header: jpeg.Header | None = None

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) as the picture is displayed."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


def probe(data: bytes | bytearray | memoryview) -> ImageInfo:
    """Read the header of a JPEG or PNG. Raises MediaError (format, corrupt, truncated)."""
    view = memoryview(data)
    if bytes(view[:3]) == b"\xff\xd8\xff":
        return _probe_jpeg(view)
    if bytes(view[:8]) == png.SIGNATURE:
        return _probe_png(view)
    if bytes(view[:4]) == png.SIGNATURE[:4]:  # its line ends reveal a transfer as text, which changes them
        raise MediaError("corrupt", "the PNG was changed on its way: its first bytes are damaged")
    if bytes(view[:32]).lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"\xff\xd8\xff", png.SIGNATURE)):
        raise MediaError("corrupt", "the image was changed on its way: bytes of a text stand before it")
    if name := foreign_format(view):
        raise MediaError("format", f"the image is {name}; send a JPEG or PNG", name)
    raise MediaError("format", "the image is neither a JPEG nor a PNG")


def foreign_format(data: bytes | bytearray | memoryview) -> str:
    """Return the name of an unsupported format by its first bytes; empty if it is not known."""
    head = bytes(data[:32])
    if head[4:8] == b"ftyp":
        return BRANDS.get(head[8:12], "MP4")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip() if head[:1] in b"\xef \t\r\n" else head
    return next((name for at, mark, name in FOREIGN if text[at : at + len(mark)] == mark), "")


def whole(data: bytes) -> bool | None:
    """Return whether a probed image is complete, by its markers alone; None if only decoding can tell.

    It searches from the back, where the end of most images is, and decodes no pixel. Raises MediaError (corrupt).
    """
    if data[:1] == png.SIGNATURE[:1]:
        return data.rfind(PNG_END) >= 0 and _png_body(memoryview(data)) is not None
    head = _header(memoryview(data))
    if data.rfind(END_OF_IMAGE, head.scans_at) >= 0:
        return True
    # A picture of one scan may have all its pixels even if its end marker is missing.
    return None if jpeg.is_single(data, head) else False


def _body(view: memoryview, head: jpeg.Header, most_scans: int) -> jpeg.Body:
    try:
        return jpeg.read_body(view, head, most_scans)
    except jpeg.LayoutError as error:
        raise MediaError(error.kind, error.message) from None


def _probe_jpeg(view: memoryview) -> ImageInfo:
    head = _header(view)
    return ImageInfo(
        "jpeg",
        head.width,
        head.height,
        head.components,
        head.bits,
        head.orientation,
        progressive=head.process == jpeg.PROGRESSIVE,
        header=head,
    )


def _header(view: memoryview) -> jpeg.Header:
    try:
        head = jpeg.read_header(view)
    except jpeg.LayoutError as error:
        raise MediaError(error.kind, error.message) from None
    if head.process not in jpeg.DECODABLE or head.bits != 8 or head.components not in (1, 3, 4):
        text = "this kind of JPEG is not supported; send a baseline or progressive one"
        raise MediaError("format", text, _rare_kind(head))
    if not head.width or not head.height:
        raise MediaError("corrupt", "the JPEG's header has no size")
    return head


def _rare_kind(head: jpeg.Header) -> str:
    """Return the name of a JPEG kind that browsers cannot show either."""
    if head.process == jpeg.LS:
        return "JPEG-LS"
    if head.process in jpeg.LOSSLESS:
        return "JPEG (lossless)"
    if head.process in jpeg.HIERARCHICAL:
        return "JPEG (hierarchical)"
    if head.process in jpeg.ARITHMETIC:
        return "JPEG (arithmetic coding)"
    return f"JPEG ({head.bits} bit)" if head.bits != 8 else ""


def _probe_png(view: memoryview) -> ImageInfo:
    offset, orientation, animated = 8, 0, False
    head: tuple[int, ...] | None = None
    for _ in range(jpeg.MAX_SEGMENTS):
        if offset + 8 > len(view):
            raise MediaError("truncated", "the PNG ends within its header")
        size, kind = int.from_bytes(view[offset : offset + 4], "big"), bytes(view[offset + 4 : offset + 8])
        body = view[offset + 8 : offset + 8 + size]
        if kind == b"IHDR" and head is None and size == 13 and len(body) == 13:
            head = struct.unpack(">IIBBBBB", body)
            if zlib.crc32(view[12:29]) != int.from_bytes(view[29:33], "big"):  # no decoder ignores this one
                raise MediaError("corrupt", "the PNG's header is damaged")
        elif head is None and kind == b"CgBI":
            raise MediaError("format", "the PNG is in Apple's form, which only its devices read", "PNG (CgBI)")
        elif head is None:
            raise MediaError("corrupt", "the PNG does not begin with its header")
        elif kind == b"acTL":
            animated = int.from_bytes(body[:4], "big") > 1
        elif kind == b"eXIf" and not orientation:  # only the first: there may be only one
            orientation = orientation_of(body) or 1
        elif kind in (b"IDAT", b"IEND"):
            break
        offset += 12 + size
    else:
        raise MediaError("corrupt", "the PNG's header is too long")
    width, height, bits, colour = head[:4]
    components = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour, 0)
    if not width or not height or not components or bits not in (1, 2, 4, 8, 16):
        raise MediaError("corrupt", "the PNG's header is damaged")
    return ImageInfo("png", width, height, components, bits, orientation or 1, animated)


@dataclass(frozen=True)
class Decoded:
    """An upright image, and its scale relative to the original (``scale`` <= 1)."""

    image: Image
    info: ImageInfo
    scale: float


def check(data: bytes | bytearray | memoryview, *, max_bytes: int, max_pixels: int, min_side: int) -> ImageInfo:
    """Probe and check against bounds. Raises MediaError. Decodes no pixel."""
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
    """Decode a photo, or a frame of the capture channel, to BGR. Raises MediaError for everything that is unfit.

    The longer side of the result is ``photo_side`` (``frame_side``), or the original's if that is less.
    """
    max_pixels, side = (limits.frame_pixels, limits.frame_side) if frame else (limits.max_pixels, limits.photo_side)
    info = check(data, max_bytes=limits.max_bytes, max_pixels=max_pixels, min_side=limits.min_side)
    if info.format == "jpeg":
        if frame and info.progressive:
            raise MediaError("format", "a frame is a baseline JPEG, not a progressive one")
        most = limits.frame_scans if frame else limits.max_scans
        image = _decode_jpeg(data, info, most, side, quick=frame)
    else:
        image, info = _decode_png(data, info)
    image = _shrink(image, side)
    scale = max(image.shape[:2]) / max(info.width, info.height)
    return Decoded(_upright(image, info.orientation), info, scale)


def _decode_jpeg(data: bytes, info: ImageInfo, max_scans: int, side: int, *, quick: bool) -> Image:
    """Decode the picture from its start to its end marker. A decoder's warnings are ignored; a missing end is a fault.

    ``quick``: the halved colour planes are doubled without smoothing, which saves a third of the time for a frame.
    """
    view = memoryview(data)
    body = _body(view, info.header or _header(view), max_scans)
    if body.scans > max_scans:
        raise MediaError("format", f"the JPEG has more than {max_scans} scans")
    if body.end is None and not body.single:
        raise MediaError("truncated", "the JPEG is cut off")
    picture = data[: body.end]
    image = _jpeg_pixels(picture + END_OF_IMAGE, info, side, quick)
    if body.end is None and _differs(image, _jpeg_pixels(picture + OTHER_REST + END_OF_IMAGE, info, side, quick)):
        raise MediaError("truncated", "the JPEG is cut off")
    return image


def _differs(one: Image, other: Image) -> bool:
    """Return whether more than the last block of a picture depends on what follows its bytes: then bytes are
    missing."""
    import numpy as np

    changed = (np.abs(one.astype(np.int16) - other) > 2).any(axis=2)
    return bool(changed.mean() > MISSING)


def _jpeg_pixels(data: bytes, info: ImageInfo, side: int, quick: bool) -> Image:
    import simplejpeg

    shrink = min(1.0, side / max(info.width, info.height))
    smallest = {"min_height": max(1, int(info.height * shrink)), "min_width": max(1, int(info.width * shrink))}
    space = {1: "GRAY", 3: "BGR", 4: "CMYK"}[info.components]
    try:
        # The decoder reads the header in its own way: its result must be the one that was checked.
        height, width, _, _ = simplejpeg.decode_jpeg_header(data, strict=False)
        if (width, height) != (info.width, info.height):
            raise MediaError("corrupt", "the JPEG names two different sizes")
        return _as_bgr(simplejpeg.decode_jpeg(data, space, strict=False, fastupsample=quick, **smallest))
    except ValueError:
        return _odd_jpeg_pixels(data, info, side)


def _odd_jpeg_pixels(data: bytes, info: ImageInfo, side: int) -> Image:
    """Decode with OpenCV, which accepts stray bytes in a header, and colour planes of every legal size."""
    import cv2
    import numpy as np

    reduced = {1: cv2.IMREAD_COLOR, 2: cv2.IMREAD_REDUCED_COLOR_2, 4: cv2.IMREAD_REDUCED_COLOR_4}
    part = next(n for n in (4, 2, 1) if n == 1 or max(info.width, info.height) >= n * side)
    pixels: Image | None = cv2.imdecode(np.frombuffer(data, np.uint8), reduced[part] | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None or pixels.shape[:2] != (-(-info.height // part), -(-info.width // part)):
        raise MediaError("corrupt", "the JPEG is damaged")
    return pixels


def _decode_png(data: bytes, info: ImageInfo) -> tuple[Image, ImageInfo]:
    import cv2
    import numpy as np

    body = _png_body(memoryview(data))
    if body is None:
        # A cut PNG may decode to a picture whose rest is black.
        raise MediaError("truncated", "the PNG is cut off")
    try:
        png.check_inflated(body, info.height, info.width * info.components * info.bits)
    except jpeg.LayoutError as error:
        raise MediaError(error.kind, error.message) from None
    pixels: Image | None = cv2.imdecode(
        np.frombuffer(body.picture, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    )
    if pixels is None or pixels.shape[:2] != (info.height, info.width):
        raise MediaError("corrupt", "the PNG is damaged")
    return pixels, replace(info, orientation=body.orientation)


def _shrink(image: Image, side: int) -> Image:
    import cv2

    height, width = image.shape[:2]
    factor = side / max(height, width)
    if factor >= 1:
        return image
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    picture: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return picture


def _png_body(view: memoryview) -> png.Body | None:
    try:
        return png.read_body(view)
    except jpeg.LayoutError as error:
        raise MediaError(error.kind, error.message) from None


def _as_bgr(pixels: Image) -> Image:
    import cv2
    import numpy as np

    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    if channels == 1:
        picture: Image = cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR)
        return picture
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
