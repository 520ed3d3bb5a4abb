"""The form of ID numbers, how names are compared, and masking."""

from __future__ import annotations

import pytest

from renzheng.verification import identity


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


def test_different_names_stay_different() -> None:
    assert identity.normal_name("韦小宝") != identity.normal_name("韦大宝")


def test_masks_show_the_ends_only() -> None:
    assert identity.mask_id_card("11204416541220243X") == "1****************X"
    assert identity.mask_name("韦小宝") == "**宝"
