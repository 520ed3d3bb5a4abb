"""What a rule may say, and which moves it knows."""

from __future__ import annotations

from typing import Any

import pytest

from renzheng.accounts.rules import RULE_MOVES, RuleState, RuleTerms
from renzheng.verification.policy import Policy


@pytest.mark.parametrize(
    ("fields", "days", "said"),
    [
        ({"threshold": 59.9}, None, "60 to 100"),
        ({"challenge_length": 0}, None, "challenge length"),
        ({"challenge_kinds": ("blink",)}, None, "needs a turn"),
        ({"attempts": 11}, None, "1 to 10"),
        ({}, -1, "evidence days"),
        ({}, 3651, "evidence days"),
        ({}, float("nan"), "evidence days"),
    ],
)
def test_terms_out_of_range_are_refused_with_a_sentence(fields: dict[str, Any], days: float | None, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RuleTerms(Policy(**fields), days)


def test_only_a_submitted_rule_is_approved_and_every_state_but_one_can_be_left() -> None:
    assert RULE_MOVES["approve"][0] == {RuleState.SUBMITTED}
    assert {move for move, (_, target) in RULE_MOVES.items() if target is RuleState.APPROVED} == {"approve"}
    assert frozenset().union(*(sources for sources, _ in RULE_MOVES.values())) == set(RuleState)
