"""A PNG's chunks: what is no part of its picture never reaches a decoder, and its pixels inflate to no more than it."""

from __future__ import annotations

import zlib
from typing import Any

import cv2
import numpy as np
import pytest

from renzheng.engine import png
from renzheng.engine.jpeg import LayoutError
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import MediaError, decode, whole
from tests.support.photos import png_chunk, png_with

ROWS = b"".join(b"\0" + bytes([row, 7, 200] * 64) for row in range(48))
PACKED = zlib.compress(bytes(2_000_000), 9)


def of_pixels(packed: bytes) -> bytes:
    """A colour picture of 64 x 48 whose compressed pixels these are."""
    head = png_with(64, 48, 8, 2, b"").partition(b"IDAT")[0][:-4]
    return head + png_chunk(b"IDAT", packed) + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    "chunk",
    [
        png_chunk(b"zTXt", b"a\0\0" + PACKED),
        png_chunk(b"iTXt", b"a\0\1\0\0\0" + PACKED),
        png_chunk(b"iCCP", b"a\0\0" + PACKED),
        png_chunk(b"gAMA", b"\0\0\0\1"),
    ],
    ids=["text", "international text", "profile", "gamma"],
)
def test_what_is_no_part_of_the_picture_never_reaches_a_decoder(chunk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine hundred packed texts of 8 kB held the decoder up for half a minute."""
    seen: list[bytes] = []
    usual = cv2.imdecode

    def noting(data: Any, how: int) -> Any:
        seen.append(data.tobytes())
        return usual(data, how)

    monkeypatch.setattr(cv2, "imdecode", noting)
    plain, more = png_with(64, 48, 8, 2, ROWS), png_with(64, 48, 8, 2, ROWS, chunk * 3)
    one, other = decode(plain, MediaLimits()), decode(more, MediaLimits())
    assert np.array_equal(one.image, other.image)
    assert seen == [plain, plain]


def test_pixels_may_inflate_to_little_more_than_the_picture() -> None:
    for beside in (0, 1, png.MAX_BESIDE):
        assert decode(of_pixels(zlib.compress(ROWS + bytes(beside))), MediaLimits()).image.shape == (48, 64, 3)
    too_much = ROWS + bytes(png.MAX_BESIDE + 48 * png.INTERLACED)
    for packed in (zlib.compress(too_much), zlib.compress(ROWS + bytes(9_000_000), 9)):
        assert whole(of_pixels(packed)), "its markers say nothing of it"
        with pytest.raises(MediaError) as caught:
            decode(of_pixels(packed), MediaLimits())
        assert caught.value.kind == "corrupt"
        assert "inflates" in caught.value.message


def test_of_pixels_that_inflate_without_end_little_is_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    body = png.read_body(memoryview(of_pixels(zlib.compress(bytes(9_000_000), 9))))
    assert body is not None
    inflated: list[int] = []
    usual = zlib.decompressobj

    class Counting:
        def __init__(self) -> None:
            self._real = usual()

        def decompress(self, data: bytes, most: int) -> bytes:
            out = self._real.decompress(data, most)
            inflated.append(len(out))
            return out

        @property
        def eof(self) -> bool:
            return self._real.eof

        @property
        def unconsumed_tail(self) -> bytes:
            return self._real.unconsumed_tail

    monkeypatch.setattr(zlib, "decompressobj", Counting)
    with pytest.raises(LayoutError):
        png.check_inflated(body, 48, 64 * 24)
    assert sum(inflated) <= png.AT_ONCE


def test_pixels_in_several_chunks_and_of_few_bits_are_counted_together() -> None:
    packed = zlib.compress(ROWS)
    head = png_with(64, 48, 8, 2, b"").partition(b"IDAT")[0][:-4]
    parts = b"".join(png_chunk(b"IDAT", packed[start : start + 5]) for start in range(0, len(packed), 5))
    assert decode(head + parts + png_chunk(b"IEND", b""), MediaLimits()).image.shape == (48, 64, 3)
    bits = png_with(65, 48, 1, 0, (b"\0" + bytes(9)) * 48)
    assert decode(bits, MediaLimits()).image.shape == (48, 65, 3)
