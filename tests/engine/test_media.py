"""Images from strangers: what is fit is decoded upright, all else is refused by kind before it costs anything."""

from __future__ import annotations

import struct
from dataclasses import replace

import cv2
import numpy as np
import pytest

from renzheng.engine import jpeg as layout
from renzheng.engine import media
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import MediaError, check, decode, probe
from renzheng.engine.runtimes import Image
from tests.support.photos import (
    app1,
    cmyk,
    jpeg_of_plane_scans,
    jpeg_of_scans,
    png_chunk,
    png_with,
    with_exif,
)

from .conftest import jpeg, png

LIMITS = MediaLimits()


def kind_of(data: bytes, *, frame: bool = False) -> str:
    with pytest.raises(MediaError) as caught:
        decode(data, LIMITS, frame=frame)
    return caught.value.kind


def fits_header(data: bytes) -> bool:
    try:
        probe(data)
    except MediaError:
        return False
    return True


def test_a_header_tells_size_and_format(portrait: Image) -> None:
    info = probe(jpeg(portrait[:400, :300]))
    assert (info.format, info.width, info.height, info.components, info.bits) == ("jpeg", 300, 400, 3, 8)
    info = probe(png(portrait))
    assert (info.format, info.size, info.animated) == ("png", (512, 512), False)


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    bomb = png_with(30_000, 30_000, 1, 0, b"\0" * 3_751 * 2_000)
    assert len(bomb) < 100_000
    assert kind_of(bomb) == "too_many_pixels"


def test_a_jpeg_that_claims_too_many_pixels_is_refused(portrait: Image) -> None:
    data = bytearray(jpeg(portrait))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    assert kind_of(bytes(data)) == "too_many_pixels"


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.99])
def test_a_truncated_jpeg_is_refused(portrait: Image, share: float) -> None:
    data = jpeg(portrait)
    assert kind_of(data[: int(len(data) * share)]) in ("truncated", "corrupt")


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9, 0.9999])
def test_a_truncated_png_is_refused(portrait: Image, share: float) -> None:
    data = png(portrait)
    assert kind_of(data[: int(len(data) * share)]) in ("truncated", "corrupt")


@pytest.mark.parametrize("garbage", [b"", b"\xff\xd8\xff", b"hello", b"GIF89a" + b"\0" * 99, b"\x89PNG\r\n\x1a\n"])
def test_garbage_is_refused(garbage: bytes) -> None:
    assert kind_of(garbage) in ("format", "truncated", "corrupt")


def test_a_header_without_end_is_refused() -> None:
    assert kind_of(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 1_000_000) == "corrupt"


def test_a_grey_photo_becomes_three_channels(portrait: Image) -> None:
    grey = cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)
    for data in (jpeg(grey), png(grey)):
        image = decode(data, LIMITS).image
        assert image.shape == (512, 512, 3)
        assert float(np.abs(image[:, :, 0].astype(int) - grey).mean()) < 2


def test_a_cmyk_jpeg_keeps_its_colours(portrait: Image) -> None:
    data = cmyk(portrait)
    assert probe(data).components == 4
    assert float(np.abs(decode(data, LIMITS).image.astype(int) - portrait).mean()) < 6


def test_a_16_bit_png_is_read_as_8_bit(portrait: Image) -> None:
    data = png(portrait.astype(np.uint16) * 257)
    assert probe(data).bits == 16
    assert float(np.abs(decode(data, LIMITS).image.astype(int) - portrait).max()) <= 1


def test_an_animated_png_is_refused(portrait: Image) -> None:
    rows = b"".join(b"\0" + bytes(row) for row in portrait[:64, :64].reshape(64, -1))
    animation = png_chunk(b"acTL", struct.pack(">II", 2, 0))
    assert decode(png_with(64, 64, 8, 2, rows), LIMITS).image.shape == (64, 64, 3)
    assert kind_of(png_with(64, 64, 8, 2, rows, animation)) == "animated"


def test_a_progressive_photo_is_taken_up_to_so_many_scans(portrait: Image) -> None:
    """Two thousand scans fit into 40 kB, and took the decoder seconds."""
    usual = cv2.imencode(".jpg", portrait, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert decode(usual, LIMITS).image.shape == portrait.shape
    assert decode(jpeg_of_scans(640, 480, LIMITS.max_scans), LIMITS).image.shape == (480, 640, 3)
    assert kind_of(jpeg_of_scans(640, 480, LIMITS.max_scans + 1)) == "format"
    assert kind_of(jpeg_of_scans(640, 480, 2000)) == "format"


def test_a_frame_is_baseline(portrait: Image) -> None:
    """A browser's canvas writes nothing else, and each scan of a progressive one is a pass over the whole picture."""
    usual = cv2.imencode(".jpg", portrait, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert kind_of(usual, frame=True) == "format"
    assert kind_of(jpeg_of_scans(640, 480, 2), frame=True) == "format"
    assert decode(jpeg(portrait), LIMITS, frame=True).image.shape == portrait.shape


@pytest.mark.parametrize("extra", range(3))
def test_a_baseline_frame_has_a_scan_for_each_plane_at_most(extra: int) -> None:
    data = jpeg_of_plane_scans(64, 64, LIMITS.frame_scans - 1 + extra)
    if extra < 2:
        assert decode(data, LIMITS, frame=True).image.shape == (64, 64, 3)
    else:
        assert kind_of(data, frame=True) == "format"
    assert decode(data, LIMITS).image.shape == (64, 64, 3)


@pytest.mark.parametrize(("fill", "fits"), [(0, True), (1, True), (16, True), (17, False), (6_000_000, False)])
def test_up_to_sixteen_fill_bytes_stand_before_a_marker(portrait: Image, fill: int, fits: bool) -> None:
    data = jpeg(portrait)
    filled = data[:2] + b"\xff" * fill + data[2:]
    assert fits_header(filled) is fits
    if not fits:
        assert kind_of(filled) == "corrupt"


def test_stray_bytes_and_fill_together_are_looked_at_up_to_a_bound(portrait: Image) -> None:
    data = jpeg(portrait)
    assert not fits_header(data[:2] + b"\xff\0" * (layout.MAX_STRAY // 2 + 1) + data[2:])
    assert fits_header(data[:2] + b"\xff\0" * 100 + data[2:])


@pytest.mark.parametrize("image", ["jpeg", "png"])
def test_of_many_exif_blocks_a_few_are_searched(portrait: Image, image: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes two hundred steps at most; a thousand of them in one photo would stop the server for a while."""
    searched: list[int] = []
    for module in (layout, media):
        monkeypatch.setattr(module, "orientation_of", lambda block: searched.append(len(block)))
    block = b"MM\0*\0\0\0\x08\0\0\0\0\0\0"
    many = jpeg(portrait)
    if image == "jpeg":
        for _ in range(100):
            many = app1(many, block)
    else:
        many = png_with(64, 64, 8, 0, b"\0" * 65 * 64, png_chunk(b"eXIf", block) * 100)
    decode(many, LIMITS)
    assert len(searched) <= 4 * layout.MAX_EXIF_BLOCKS


def test_a_12_bit_jpeg_is_refused(portrait: Image) -> None:
    data = bytearray(jpeg(portrait))
    data[data.index(b"\xff\xc0") + 4] = 12
    assert kind_of(bytes(data)) == "format"


def test_an_image_too_small_for_a_face_is_refused(portrait: Image) -> None:
    assert kind_of(jpeg(portrait[:20, :20])) == "too_small"


def test_too_many_bytes_are_refused_unread(portrait: Image) -> None:
    with pytest.raises(MediaError) as caught:
        check(jpeg(portrait), max_bytes=1000, max_pixels=10**9, min_side=1)
    assert caught.value.kind == "too_many_bytes"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_exif_orientation_comes_out_upright(portrait: Image, orientation: int, order: str) -> None:
    upright = portrait[:300, :400]
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright, 1),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    decoded = decode(with_exif(jpeg(np.ascontiguousarray(stored), 98), orientation, order), LIMITS)
    assert decoded.info.size == (400, 300)
    assert float(np.abs(decoded.image.astype(int) - upright).mean()) < 4


def test_a_large_photo_comes_at_reduced_scale() -> None:
    decoded = decode(jpeg(np.full((3000, 4000, 3), 90, np.uint8)), LIMITS)
    assert decoded.image.shape == (960, 1280, 3)
    assert decoded.scale == pytest.approx(0.32)


def test_a_frame_has_tighter_bounds_than_a_photo() -> None:
    large = jpeg(np.full((2000, 2000, 3), 90, np.uint8))
    assert decode(large, LIMITS).image.shape == (1280, 1280, 3)
    assert kind_of(large, frame=True) == "too_many_pixels"


def test_no_error_text_holds_bytes_of_the_image() -> None:
    marked = b"\xff\xd8\xff\xe0" + b"MARKEDFACE" * 50
    with pytest.raises(MediaError) as caught:
        decode(marked, LIMITS)
    assert "MARKED" not in str(caught.value)


@pytest.mark.parametrize(("width", "height"), [(300, 401), (301, 400), (400, 300)])
def test_a_decoder_that_finds_another_size_than_the_bounds_were_held_against_is_not_followed(
    portrait: Image, width: int, height: int
) -> None:
    """Each reads the header its own way: one of two sizes in it could pass the bounds, and the other be decoded."""
    data = jpeg(portrait[:400, :300])
    found = replace(probe(data), width=width, height=height)
    with pytest.raises(MediaError, match="two different sizes"):
        media._jpeg_pixels(data, found, 4000, False)
    with pytest.raises(MediaError, match="damaged"):
        media._odd_jpeg_pixels(data, found, 4000)
