"""How a JPEG is laid out, marker by marker."""

from __future__ import annotations

import struct

import pytest

from renzheng.engine.jpeg import (
    DECODABLE,
    MAX_EXIF_BLOCKS,
    MAX_SEGMENTS,
    MAX_STRAY,
    SOF_MARKERS,
    LayoutError,
    is_single,
    read_body,
    read_header,
)

START, END = b"\xff\xd8", b"\xff\xd9"


def segment(marker: int, body: bytes = b"") -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


def sof(marker: int = 0xC0, width: int = 640, height: int = 480, components: int = 3) -> bytes:
    return segment(marker, struct.pack(">BHHB", 8, height, width, components) + bytes(3 * components))


def sos(components: int = 3) -> bytes:
    return segment(0xDA, bytes([components]) + bytes(2 * components + 3))


def exif(orientation: int) -> bytes:
    entry = struct.pack(">HHIHH", 0x0112, 3, 1, orientation, 0)
    return segment(0xE1, b"Exif\0\0MM\0\x2a\0\0\0\x08" + struct.pack(">H", 1) + entry + bytes(4))


WHOLE = START + sof() + sos() + b"data" + END


def refused(data: bytes) -> tuple[str, str]:
    with pytest.raises(LayoutError) as caught:
        read_header(data)
    return caught.value.kind, caught.value.message


def test_a_header_is_read_up_to_its_first_scan() -> None:
    header = read_header(WHOLE)
    assert (header.process, header.bits, header.width, header.height, header.components) == (0xC0, 8, 640, 480, 3)
    assert header.orientation == 1
    assert WHOLE[header.scans_at : header.scans_at + 2] == b"\xff\xda"


@pytest.mark.parametrize("marker", sorted(SOF_MARKERS))
def test_every_process_names_a_size_whether_it_can_be_decoded_or_not(marker: int) -> None:
    assert read_header(START + sof(marker) + sos()).process == marker
    assert (marker in DECODABLE) is (marker in (0xC0, 0xC1, 0xC2))


@pytest.mark.parametrize("marker", [0xC4, 0xC8, 0xCC])
def test_tables_are_no_start_of_a_frame(marker: int) -> None:
    assert refused(START + sof(marker) + sos()) == ("corrupt", "the JPEG's header has no size")


@pytest.mark.parametrize("before", [b"\xff\x01", b"\xff\xd0", b"\xff\xd7", b"\xff\xd3\xff\x01"])
def test_markers_without_a_body_are_passed_over(before: bytes) -> None:
    assert read_header(START + before + sof() + sos()).width == 640


@pytest.mark.parametrize("marker", [0xD8, 0xD9])
def test_a_picture_that_begins_again_or_ends_before_its_scan_is_none(marker: int) -> None:
    assert refused(START + sof() + bytes([0xFF, marker]) + sos())[0] == "corrupt"


def test_a_start_of_frame_that_is_too_short_for_a_size_is_damaged() -> None:
    assert refused(START + segment(0xC0, bytes(5)) + sos()) == ("corrupt", "the JPEG's header is damaged")
    assert read_header(START + segment(0xC0, b"\x08\0\x01\0\x01\x01") + sos(1)).components == 1


@pytest.mark.parametrize("size", [0, 1])
def test_a_length_that_does_not_hold_itself_is_damaged(size: int) -> None:
    assert refused(START + b"\xff\xe0" + struct.pack(">H", size) + sof() + sos())[0] == "corrupt"


def test_a_length_of_two_is_an_empty_segment() -> None:
    assert read_header(START + segment(0xFE) + sof() + sos()).width == 640


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 10])
def test_bytes_that_end_within_the_header_are_truncated(cut: int) -> None:
    assert refused((START + sof() + sos())[:-cut] if cut > 2 else START + sof()[:-cut])[0] == "truncated"
    assert refused(START)[0] == "truncated"
    assert refused(START + sof())[0] == "truncated"


def test_a_segment_may_reach_just_to_the_end_and_no_further() -> None:
    assert read_header(START + sof() + sos()).width == 640
    whole = segment(0xDA, bytes(10))
    assert read_header(START + sof() + whole).width == 640
    assert refused(START + sof() + whole[:-1])[0] == "truncated"


@pytest.mark.parametrize(("fill", "fits"), [(1, True), (16, True), (17, False), (400, False)])
def test_sixteen_fill_bytes_may_stand_before_a_marker(fill: int, fits: bool) -> None:
    data = START + b"\xff" * fill + sof() + sos()
    if fits:
        assert read_header(data).width == 640
    else:
        assert refused(data)[1].startswith("the JPEG has more than 16 fill bytes")


def test_other_stray_bytes_are_passed_over_up_to_a_bound_all_together() -> None:
    stray = b"\0" * (MAX_STRAY // 2)
    assert read_header(START + stray + sof() + stray + sos()).width == 640
    assert refused(START + stray + sof() + stray + b"\0" + sos() + bytes(10))[0] == "corrupt"
    assert refused(START + b"\0" * (MAX_STRAY + 10))[0] == "corrupt"
    assert refused(START + b"\0" * (MAX_STRAY - 10))[0] == "truncated"


def test_so_many_segments_are_read() -> None:
    assert read_header(START + segment(0xFE) * (MAX_SEGMENTS - 2) + sof() + sos()).width == 640
    assert refused(START + segment(0xFE) * (MAX_SEGMENTS - 1) + sof() + sos()) == (
        "corrupt",
        "the JPEG's header is too long",
    )


def test_the_first_exif_block_that_names_an_orientation_counts() -> None:
    nameless = segment(0xE1, b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0" + bytes(4))
    assert read_header(START + exif(6) + exif(3) + sof() + sos()).orientation == 6
    assert read_header(START + nameless + exif(3) + sof() + sos()).orientation == 3
    assert read_header(START + segment(0xE1, b"http://ns") + exif(3) + sof() + sos()).orientation == 3
    assert read_header(START + segment(0xE2, exif(6)[4:]) + sof() + sos()).orientation == 1


def test_so_many_exif_blocks_are_searched() -> None:
    nameless = segment(0xE1, b"Exif\0\0MM\0\x2a\0\0\0\x08\0\0" + bytes(4))
    for blocks, orientation in ((MAX_EXIF_BLOCKS - 1, 6), (MAX_EXIF_BLOCKS, 1)):
        assert read_header(START + nameless * blocks + exif(6) + sof() + sos()).orientation == orientation


def body_of(data: bytes, most: int = 10) -> tuple[int, int | None, bool]:
    found = read_body(data, read_header(data), most)
    return found.scans, found.end, found.single


def test_a_scan_of_all_components_is_the_whole_picture_and_what_follows_the_end_is_not_minded() -> None:
    assert body_of(WHOLE + b"motion photo" + END) == (1, len(WHOLE) - 2, True)
    assert body_of(WHOLE[:-2]) == (1, None, True)
    progressive = START + sof(0xC2) + sos() + b"data" + END
    assert not is_single(progressive, read_header(progressive))
    assert body_of(progressive) == (1, len(progressive) - 2, False)


def test_scans_are_counted_up_to_one_more_than_asked_for() -> None:
    planes = START + sof() + 3 * (sos(1) + b"data\xff\x00\xff\xd0data") + END
    assert body_of(planes) == (3, len(planes) - 2, False)
    assert body_of(planes, 3) == (3, len(planes) - 2, False)
    assert body_of(planes, 2) == (3, None, False)
    assert body_of(planes[:-2]) == (3, None, False)


def test_tables_between_scans_are_no_scans() -> None:
    data = START + sof() + sos(1) + b"data" + segment(0xC4, b"table" + END) + b"\xff\x01" + sos(2) + b"data" + END
    assert body_of(data) == (2, len(data) - 2, False)


def test_a_picture_of_too_many_parts_is_corrupt() -> None:
    data = START + sof() + sos(1) + b"x" + segment(0xFE) * MAX_SEGMENTS + END
    with pytest.raises(LayoutError, match="too many parts"):
        read_body(data, read_header(data), 10)


def test_a_header_that_runs_out_of_stray_bytes_says_whether_it_is_cut_or_damaged() -> None:
    assert refused(START + sof()) == ("truncated", "the JPEG ends within its header")
    assert refused(START + b"\0" * (MAX_STRAY + 2)) == ("truncated", "the JPEG ends within its header")
    assert refused(START + b"\0" * (MAX_STRAY + 3)) == ("corrupt", "the JPEG's header is damaged")


def test_only_exif_blocks_use_up_the_search() -> None:
    other = segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0")
    assert read_header(START + other * (2 * MAX_EXIF_BLOCKS) + exif(6) + sof() + sos()).orientation == 6


def test_a_segment_that_ends_with_ff_is_no_fill() -> None:
    assert read_header(START + segment(0xFE, b"\xff" * 40) + sof() + sos()).width == 640
