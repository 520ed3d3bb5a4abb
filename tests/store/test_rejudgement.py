"""`renzheng rejudge`: which recorded numbers are others now."""

from __future__ import annotations

from renzheng.cli.session import Rejudgement, changed_numbers

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
