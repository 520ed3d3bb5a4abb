"""Photos as they come from phones and programs: what every viewer shows is taken, and shown the same."""

from __future__ import annotations

import struct
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import MediaError, decode, foreign_format, probe, whole
from renzheng.engine.runtimes import Image
from tests.support.photos import app1, cmyk, exif, jpeg_of_sampling, jpeg_of_scans, png_chunk, png_with

from .conftest import jpeg, png

LIMITS = MediaLimits()


def seen(data: bytes) -> Image:
    """The picture as OpenCV shows it."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def apart(data: bytes, shown: Image) -> float:
    image = decode(data, LIMITS).image
    assert image.shape == shown.shape
    return float(np.abs(image.astype(int) - shown).mean())


def encoded(image: Image, *options: int) -> bytes:
    return bytes(cv2.imencode(".jpg", image, list(options))[1].tobytes())


def no_scan_parameters(data: bytes) -> bytes:
    """Write a baseline scan's parameters as some phones do: 0, 0, 0 instead of 0, 63, 0."""
    at = data.index(b"\xff\xda")
    at += 5 + 2 * data[at + 4]
    return data[:at] + b"\0\0\0" + data[at + 3 :]


def damaged(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]


def before_tables(data: bytes, more: bytes) -> bytes:
    at = data.index(b"\xff\xdb")
    return data[:at] + more + data[at:]


def after_frame(data: bytes, more: bytes) -> bytes:
    at = data.index(b"\xff\xc0")
    at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return data[:at] + more + data[at:]


PROGRESSIVE = (cv2.IMWRITE_JPEG_PROGRESSIVE, 1)
RESTARTS = (cv2.IMWRITE_JPEG_RST_INTERVAL, 3)
VIDEO = b"\0\0\0\x18ftypmp42" + b"\xff\xda\xff\xd8\xff" * 500
KINDS: dict[str, Callable[[Image], bytes]] = {
    "scan parameters 0 0 0": lambda image: no_scan_parameters(encoded(image)),
    "a video behind": lambda image: encoded(image) + VIDEO,
    "a video behind a progressive one": lambda image: encoded(image, *PROGRESSIVE) + VIDEO * 20,
    "a second picture behind": lambda image: encoded(image) + encoded(image[::-1]),
    "restart markers": lambda image: encoded(image, *RESTARTS),
    "a damaged byte": lambda image: damaged(encoded(image)),
    "a damaged byte between restarts": lambda image: damaged(encoded(image, *RESTARTS)),
    "the rest is missing but for the end": lambda image: encoded(image)[:9000] + b"\xff\xd9",
    "fill bytes": lambda image: before_tables(encoded(image), b"\xff" * 16),
    "stray bytes in the header": lambda image: before_tables(encoded(image), bytes(100)),
    "fill bytes before the end": lambda image: encoded(image)[:-2] + b"\xff" * 50 + b"\xff\xd9",
    "zeros before the end": lambda image: encoded(image)[:-2] + bytes(50) + b"\xff\xd9",
    "no JFIF block": lambda image: encoded(image)[:2] + encoded(image)[20:],
    "stored as RGB": lambda image: encoded(image)[:2] + b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0" + encoded(image)[20:],
    "4:1:1": lambda image: encoded(image, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_411),
    "4:4:0": lambda image: encoded(image, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_440),
    "one grey plane": lambda image: encoded(image[:, :, 1]),
    "extended sequential": lambda image: encoded(image).replace(b"\xff\xc0", b"\xff\xc1", 1),
    "four inks": cmyk,
    "16 bits": lambda image: png(image.astype(np.uint16) * 257),
    "transparent": lambda image: png(np.dstack([image, np.full(image.shape[:2], 90, np.uint8)])),
    "bytes behind a PNG": lambda image: png(image) + b"more" * 99,
    "a still in an APNG's clothes": lambda image: (
        png(image)[:33] + png_chunk(b"acTL", struct.pack(">II", 1, 0)) + png(image)[33:]
    ),
    "a palette of 16 colours": lambda image: png_with(
        image.shape[1],
        image.shape[0],
        8,
        3,
        b"".join(b"\0" + row.tobytes() for row in image[:, :, 1] >> 4),
        png_chunk(b"PLTE", b"".join(bytes([17 * n] * 3) for n in range(16))) + png_chunk(b"tRNS", b"\0\0"),
    ),
    "two colours": lambda image: png_with(
        image.shape[1],
        image.shape[0],
        1,
        0,
        b"".join(b"\0" + np.packbits(row > 128).tobytes() for row in image[:, :, 1]),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_every_viewer_shows_is_taken_and_shown_the_same(portrait: Image, kind: str) -> None:
    data = KINDS[kind](portrait[:480, :400])
    assert apart(data, seen(data)) <= 2
    assert whole(data) is True


@pytest.mark.parametrize(
    "factors", [((2, 2), (2, 1), (1, 1)), ((4, 2), (1, 1), (1, 1)), ((3, 1), (1, 1), (1, 1)), ((1, 1), (2, 2), (1, 1))]
)
def test_colour_planes_of_unusual_sizes_are_taken(factors: tuple[tuple[int, int], ...]) -> None:
    data = jpeg_of_sampling(100, 80, factors)
    assert apart(data, seen(data)) <= 2
    assert apart(jpeg_of_sampling(3000, 2000, factors), np.full((853, 1280, 3), seen(data)[0, 0])) <= 2


def test_an_interlaced_png_is_taken() -> None:
    """Seven passes (PNG, 8.2): of 64 x 64 grey points, all of one value in each pass."""
    passes = [(8, 8), (8, 8), (16, 8), (16, 16), (32, 16), (32, 32), (64, 32)]
    rows = b"".join((b"\0" + bytes([30 * n] * across)) * down for n, (across, down) in enumerate(passes, 1))
    data = bytearray(png_with(64, 64, 8, 0, rows))
    data[28] = 1
    data[16:33] = png_chunk(b"IHDR", bytes(data[16:29]))[8:]
    assert seen(bytes(data)) is not None
    assert apart(bytes(data), seen(bytes(data))) == 0


def test_a_missing_end_is_a_fault_only_where_pixels_are_missing_too(portrait: Image) -> None:
    data = jpeg(portrait[:480, :400])
    assert whole(data[:-2]) is None  # its markers cannot tell: it has to be decoded
    assert apart(data[:-2], seen(data)) == 0
    for share in (0.99, 0.5, 0.1):
        with pytest.raises(MediaError) as caught:
            decode(data[: int(len(data) * share)], LIMITS)
        assert caught.value.kind == "truncated"


def test_a_progressive_photo_or_a_png_without_its_end_is_cut_off(portrait: Image) -> None:
    for data in (encoded(portrait, *PROGRESSIVE)[:-2], png(portrait)[:-12]):
        assert whole(data) is False
        with pytest.raises(MediaError) as caught:
            decode(data, LIMITS)
        assert caught.value.kind == "truncated"


BLOCKS = {
    "SHORT": exif(6),
    "SHORT, big-endian": exif(6, order=">"),
    "LONG": exif(6, 4),
    "LONG, big-endian": exif(6, 4, order=">"),
    "BYTE": exif(6, 1),
    "a wrong count": exif(6, count=7),
    "no count": exif(6, count=0),
}


@pytest.mark.parametrize("block", BLOCKS)
def test_an_orientation_is_read_however_a_camera_wrote_it(portrait: Image, block: str) -> None:
    data, tiff = jpeg(portrait[:480, :400]), BLOCKS[block]
    turned = np.rot90(decode(data, LIMITS).image, -1)
    again = b"\xff\xe1" + struct.pack(">H", len(tiff) + 8) + b"Exif\0\0" + tiff
    xmp = b"<x:xmpmeta/>"
    for written in (
        app1(data, tiff),
        app1(data, tiff, b"Exif\0\xff"),
        app1(app1(data, exif(3)), tiff),
        app1(app1(data, tiff), xmp, b"http://ns.adobe.com/xap/1.0/\0"),
        app1(app1(data, xmp, b"http://ns.adobe.com/xap/1.0/\0"), tiff),
        after_frame(data, again),
    ):
        assert probe(written).size == (480, 400)
        assert apart(written, turned) == 0


@pytest.mark.parametrize("block", BLOCKS)
def test_an_orientation_is_read_in_a_png_wherever_it_stands(portrait: Image, block: str) -> None:
    data, tiff = png(portrait[:480, :400]), BLOCKS[block]
    turned = np.rot90(portrait[:480, :400], -1)
    for body in (tiff, b"Exif\0\0" + tiff):
        assert apart(data[:33] + png_chunk(b"eXIf", body) + data[33:], turned) == 0
        assert apart(data[:-12] + png_chunk(b"eXIf", body) + data[-12:], turned) == 0


@pytest.mark.parametrize("block", [exif(0), exif(9), exif(6)[:12], b"", b"II*\0" + b"\xff" * 40])
def test_an_orientation_that_says_nothing_is_none(portrait: Image, block: bytes) -> None:
    assert decode(app1(jpeg(portrait), block), LIMITS).info.orientation == 1


FOREIGN = (
    *((brand, "HEIC") for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")),
    *((brand, "AVIF") for brand in (b"avif", b"avis")),
    (b"crx ", "CR3"),
    (b"qt  ", "MOV"),
    (b"isom", "MP4"),
    (b"RIFF\x24\0\0\0WEBPVP8 ", "WebP"),
    (b"GIF89a\1\0\1\0", "GIF"),
    (b"BM\x36\0\0\0", "BMP"),
    (b"II*\0\x08\0\0\0", "TIFF"),
    (b"MM\0+\0\x08\0\0", "TIFF"),
    (b"\0\0\1\0\1\0", "ICO"),
    (b"8BPS\0\1", "PSD"),
    (b"%PDF-1.7", "PDF"),
    (b"<svg xmlns=", "SVG"),
    (b"\xef\xbb\xbf<?xml version", "XML"),
    (b"\r\n<!DOCTYPE html>", "HTML"),
    (b'{"error": 404}', "JSON"),
    (b"PK\3\4", "ZIP"),
    (b"\x1f\x8b\x08", "gzip"),
)


@pytest.mark.parametrize(("start", "name"), FOREIGN)
def test_another_format_is_named(start: bytes, name: str) -> None:
    data = b"\0\0\0\x24ftyp" + start if len(start) == 4 and name in ("HEIC", "AVIF", "CR3", "MOV", "MP4") else start
    assert foreign_format(data) == name
    with pytest.raises(MediaError, match=name) as caught:
        decode(data + bytes(500), LIMITS)
    assert (caught.value.kind, caught.value.foreign) == ("format", name)


@pytest.mark.parametrize(
    ("process", "bits", "name"),
    [
        (0xC9, 8, "JPEG (arithmetic coding)"),
        (0xCA, 8, "JPEG (arithmetic coding)"),
        (0xC3, 8, "JPEG (lossless)"),
        (0xC3, 16, "JPEG (lossless)"),
        (0xC5, 8, "JPEG (hierarchical)"),
        (0xF7, 8, "JPEG-LS"),
        (0xC1, 12, "JPEG (12 bit)"),
    ],
)
def test_a_jpeg_that_no_browser_shows_is_named(portrait: Image, process: int, bits: int, name: str) -> None:
    data = bytearray(encoded(portrait))
    at = data.index(b"\xff\xc0")
    data[at + 1], data[at + 4] = process, bits
    with pytest.raises(MediaError, match="baseline or progressive") as caught:
        probe(bytes(data))
    assert (caught.value.kind, caught.value.foreign) == ("format", name)


def test_a_png_of_apples_own_form_is_named(portrait: Image) -> None:
    data = png(portrait)
    with pytest.raises(MediaError) as caught:
        probe(data[:8] + png_chunk(b"CgBI", b"\x50\0\x20\2") + data[8:])
    assert (caught.value.kind, caught.value.foreign) == ("format", "PNG (CgBI)")


def test_what_breaks_a_png_for_every_decoder_is_seen_without_decoding(portrait: Image) -> None:
    """So that it is told when the photo is sent."""
    data = png(portrait)
    assert whole(data)
    assert whole(data[: len(data) // 2] + data[-12:]) is False
    with pytest.raises(MediaError, match="no picture"):
        whole(data[:33] + data[-12:])
    with pytest.raises(MediaError, match="header is damaged"):
        probe(data[:29] + bytes([data[29] ^ 1]) + data[30:])
    for changed in (data.replace(b"\r\n", b"\n"), b"\r\n" + data, b"\xef\xbb\xbf" + encoded(portrait)):
        with pytest.raises(MediaError, match="on its way") as caught:
            probe(changed)
        assert caught.value.kind == "corrupt"


def test_what_costs_too_much_to_follow_is_refused() -> None:
    header = b"\xff\xd8" + (b"\xff\xe0\0\2" + b"\xff\0" * 2000) * 1999
    with pytest.raises(MediaError) as caught:
        probe(header)
    assert caught.value.kind == "corrupt"
    parts = jpeg_of_scans(64, 64, 2)[:-2] + b"\xff\xfe\0\2" * 5000 + b"\xff\xd9"
    with pytest.raises(MediaError) as caught:
        decode(parts, LIMITS)
    assert caught.value.kind == "corrupt"
