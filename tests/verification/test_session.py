"""The one table of moves, and what follows from it."""

from __future__ import annotations

import pytest

from renzheng.verification.policy import Policy
from renzheng.verification.session import FINISHED, MOVES, CompareLib, Details, Session, State


def test_the_table_holds_the_designed_moves_and_no_other() -> None:
    arrows = {(source, move.target) for move in MOVES.values() for source in move.sources}
    assert arrows == {
        (State.ISSUED, State.CAPTURING),
        (State.CAPTURING, State.CAPTURING),
        (State.CAPTURING, State.JUDGING),
        (State.JUDGING, State.PASSED),
        (State.JUDGING, State.FAILED),
        (State.JUDGING, State.CAPTURING),
        (State.CAPTURING, State.FAILED),
        (State.ISSUED, State.EXPIRED),
        (State.CAPTURING, State.EXPIRED),
    }


def test_nothing_leaves_a_finished_state() -> None:
    assert not any(move.sources & FINISHED for move in MOVES.values())


def test_expiry_guards_only_the_moves_into_capturing_and_judging() -> None:
    guarded = {move.target for move in MOVES.values() if move.while_alive}
    free = {move.target for move in MOVES.values() if not move.while_alive}
    assert guarded == {State.CAPTURING, State.JUDGING}
    assert not guarded & free


def test_every_entry_into_capturing_raises_the_attempt_and_nothing_else_does() -> None:
    assert {name for name, move in MOVES.items() if move.new_attempt} == {"begin", "retry", "again"}
    assert all(MOVES[name].target is State.CAPTURING for name in ("begin", "retry", "again"))


def session(counted: int = 0) -> Session:
    details = Details(CompareLib.BUSINESS, "11204416541220243X", "韦小宝")
    return Session(1, 1, State.ISSUED, 1000.0, 1600.0, 0, counted, details, False, Policy())


def test_a_token_is_alive_up_to_its_expiry_and_not_at_it() -> None:
    assert session().alive(1599.999)
    assert not session().alive(1600.0)


@pytest.mark.parametrize(("counted", "left"), [(0, 3), (2, 1), (3, 0), (4, 0)])
def test_attempts_left_never_fall_below_zero(counted: int, left: int) -> None:
    assert session(counted).attempts_left(3) == left


@pytest.mark.parametrize(
    "given",
    [
        {"threshold": 59.9},
        {"threshold": 100.1},
        {"challenge_length": 0},
        {"challenge_length": 7},
        {"challenge_length": 3, "challenge_kinds": ("turn_left",)},
        {"challenge_length": 4, "step_seconds": 15.5},
        {"challenge_kinds": ("blink", "nod")},
        {"challenge_kinds": ("turn_left", "dance")},
        {"attempts": 0},
        {"attempts": 11},
        {"attempts_a_day": -1},
    ],
)
def test_a_policy_out_of_range_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must|unknown|needs|cannot|more than"):
        Policy(**given)  # type: ignore[arg-type]
