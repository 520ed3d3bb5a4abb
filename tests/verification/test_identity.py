"""The form of ID numbers, how names are compared, and masking."""

from __future__ import annotations

import unicodedata
from typing import Literal

import pytest

from renzheng.verification import identity, spelling


@pytest.mark.parametrize("text", ["11204416541220243X", "11204416541220243x", "440111111111111111"])
def test_seventeen_digits_and_a_digit_or_x_are_an_id_number(text: str) -> None:
    assert identity.is_id_card(text)


@pytest.mark.parametrize(
    "text",
    ["", "1120441654122024X", "11204416541220243Y", "11204416541220243X\n"],
)
def test_anything_else_is_none(text: str) -> None:
    assert not identity.is_id_card(text)


@pytest.mark.parametrize("other", ["买买提·吐尔逊", "买买提•吐尔逊", "买买提・吐尔逊", " 买买提 ·吐尔逊"])
def test_the_dots_of_a_name_are_one(other: str) -> None:
    assert identity.normal_name(other) == identity.normal_name("买买提·吐尔逊")


DOTS = "·•・‧∙.⸱⸰⸳᛫⋅●⚫。．｡･ꞏ◦∘ㆍᐧ⁃﹅﹒․·˙⦁▪°"


@pytest.mark.parametrize("dot", DOTS)
def test_every_dot_between_the_parts_of_a_name_is_one(dot: str) -> None:
    assert identity.normal_name(f"买买提{dot}吐尔逊") == identity.normal_name("买买提·吐尔逊")


UNSEEN = [
    *map(chr, range(0x200B, 0x2010)),
    *map(chr, range(0x202A, 0x202F)),
    *map(chr, range(0x2060, 0x2070)),
    *"\u00ad\u034f\u061c\u115f\u1160\u17b4\u180e\u2800\u3164\uffa0\ufeff\ufe00\ufe0f\U000e0100\U000e0001",
    *"\0\x7f\x85\t\n\r \u00a0\u2002\u2007\u2009\u202f\u205f\u3000",
]


@pytest.mark.parametrize("mark", [mark for mark in UNSEEN if mark not in "\u2065"], ids=lambda mark: f"{ord(mark):04X}")
def test_what_cannot_be_seen_in_a_name_does_not_count(mark: str) -> None:
    for name in (f"{mark}韦小宝", f"韦{mark}小宝", f"韦小宝{mark}", f"韦小{mark}{mark}宝"):
        assert identity.normal_name(name) == "韦小宝"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("王\ue863", "王䶮"),
        ("\ue81a", "㑳"),
        ("李\ue816", "李𠂇"),
        ("李\ue81e", "李龴"),
        ("李\ue864", "李龻"),
        ("李\ue83e", "李⺻"),
        ("⻩⻰", "黄龙"),
        ("⻢⾦", "马金"),
        ("⻁⻤⻣", "虎鬼骨"),
        ("⾭青靑", "青青青"),
        ("⿈⼾", "黄户"),
        ("李○", "李〇"),
        ("O’Brien", "O'Brien"),
        ("O´Brien", "O＇Brien"),
        ("Anne–Marie", "Anne-Marie"),
        ("Anne‐Marie", "Anne－Marie"),
        ("\uf90a", "金"),
        ("\U0002f800", "丽"),
        ("Ａｌｉ", "ali"),
        ("Jose\u0301", "JOSÉ"),
    ],
)
def test_a_character_of_a_font_or_a_copied_document_is_the_one_that_is_meant(written: str, meant: str) -> None:
    assert identity.normal_name(written) == identity.normal_name(meant)


def test_all_eighty_private_characters_of_gbk_are_known() -> None:
    names = {identity.normal_name(chr(code)) for code in range(0xE815, 0xE865)}
    assert len(names) == 80
    assert all(not "\ue000" <= name <= "\uf8ff" for name in names)


@pytest.mark.parametrize(
    "written",
    [
        "１１２０４４１６５４１２２０２４３Ｘ",
        "11204416541220243ｘ",
        " 112044 16541220243X ",
        "11204416541220243X\u200b",
        "\u00a011204416541220243x",
        "11204416541220243х",
        "11204416541220243Χ",
        "11204416541220243×",
    ],
)
def test_a_number_is_looked_up_as_it_is_meant(written: str) -> None:
    assert identity.normal_id_card(written) == "11204416541220243X"


@pytest.mark.parametrize("written", ["", "1120441654122024X", "11204416541220243-", "²1204416541220243X2", "身份证号"])
def test_what_is_meant_as_no_number_stays_none(written: str) -> None:
    assert not identity.is_id_card(identity.normal_id_card(written))


def test_different_names_stay_different() -> None:
    assert identity.normal_name("韦小宝") != identity.normal_name("韦大宝")


def test_masks_show_the_ends_only() -> None:
    assert identity.mask_id_card("11204416541220243X") == "1****************X"
    assert identity.mask_name("韦小宝") == "**宝"


def test_a_name_that_is_taken_as_it_is_would_be_spelled_the_same_in_every_character() -> None:
    for code in range(0x4E00, 0xA000):
        character = chr(code)
        assert spelling.name_as_meant(character) == spelling._as_meant(character), hex(code)
    assert spelling.name_as_meant("黃") == "黄"
    assert spelling.name_as_meant("韦\n") == "韦"


def test_no_more_is_folded_than_somebody_may_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of a character that stands for eighteen would stop the server for half a minute."""
    folded: list[int] = []

    def counted(form: Literal["NFKC"], text: str) -> str:
        folded.append(len(text))
        return normalize(form, text)

    normalize = unicodedata.normalize
    monkeypatch.setattr(unicodedata, "normalize", counted)
    for text in ("ﷺ" * 2_000_000, "ﷺ" * 1001, "\u0301\u0316" * 1_000_000, "１" * 1_000_000, "９" * 201):
        assert not identity.is_id_card(identity.normal_id_card(text))
        assert identity.normal_name(text)
    assert max(folded) == 201
    assert identity.normal_name("Ａ" * 1000) == "a" * 1000
    assert identity.is_id_card(identity.normal_id_card("\u200b" * 182 + "１" * 17 + "X"))
