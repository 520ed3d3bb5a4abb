"""`renzheng rejudge`: which recorded numbers are others now."""

from __future__ import annotations

from renzheng.operations.rejudging import Rejudgement, changed_numbers, is_of_another_scale

RECORDED = {"presentation": {"similarity": 80.0, "depth": {"residual": 0.1, "passed": True}}, "comparison": None}


def test_a_number_that_changed_is_named_with_its_place() -> None:
    now = {"presentation": {"similarity": 80.0, "depth": {"residual": 0.2, "passed": True}}, "comparison": None}
    assert changed_numbers(RECORDED, RECORDED) == []
    assert changed_numbers(RECORDED, now) == ["presentation.depth.residual"]
    assert not Rejudgement("0", "0", changed_numbers(RECORDED, now)).same_numbers


def test_a_number_that_is_gone_counts_and_one_that_was_never_recorded_does_not() -> None:
    now = {"presentation": {"depth": None, "appearance": {"blur": 0.4}}, "comparison": None}
    assert changed_numbers(RECORDED, now) == ["presentation.similarity", "presentation.depth"]
    newer = {"presentation": {**RECORDED["presentation"], "appearance": {"blur": 0.4}}, "comparison": None}  # type: ignore[dict-item]
    assert changed_numbers(RECORDED, newer) == []


def test_a_similarity_of_another_scale_is_said_to_be_one() -> None:
    before, now = {"similarity": 71.0}, {"similarity": 69.0, "scale": "ce081dad7320"}
    assert is_of_another_scale({"comparison": before}, {"comparison": now})
    assert is_of_another_scale({"comparison": {**now, "scale": "000000000000"}}, {"comparison": now})
    assert not is_of_another_scale({"comparison": now}, {"comparison": now})


def test_what_was_not_compared_is_of_no_scale() -> None:
    now = {"similarity": 69.0, "scale": "ce081dad7320"}
    for nothing in (None, {"similarity": None, "reference": "no_face"}):
        assert not is_of_another_scale({"comparison": nothing}, {"comparison": now})
        assert not is_of_another_scale({"comparison": now}, {"comparison": nothing})
    assert not is_of_another_scale({}, {"comparison": now})
