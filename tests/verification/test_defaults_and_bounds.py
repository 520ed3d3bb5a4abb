"""What stands where nothing was said, the ends of what is allowed, and which results are paid for."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from renzheng.verification import challenge, decision, identity
from renzheng.verification.decision import Evidence, FrameFitness, IdentityMatch, ReferenceFitness, Result, decide
from renzheng.verification.policy import Policy
from renzheng.verification.records import EnrolledPerson
from renzheng.verification.session import Attempt, CompareLib, Details, EndReason, Session, State, StepRecord

PAID = {
    "0": True, "15": False, "17": False, "1001": False, "1004": False, "1005": False, "1202": False, "2005": False,
    "2006": True, "2007": True, "2009": False, "2012": True, "2013": True, "2014": True, "2015": True, "2016": True,
    "2018": False,
}  # fmt: skip
NOT_PAID_OF_PHOTOS = {"2012", "2013"}


def test_each_result_is_paid_for_as_the_list_of_results_says() -> None:
    known = {name: value for name, value in vars(decision).items() if isinstance(value, Result)}
    for name, result in known.items():
        of_photo = name.endswith("_IN_PHOTO")
        assert result.billed is (PAID[result.code] and not of_photo), name
        assert not of_photo or result.code in NOT_PAID_OF_PHOTOS
    assert {result.code for result in known.values()} == set(PAID)


def test_evidence_of_which_nothing_is_known_speaks_for_nobody() -> None:
    nothing = Evidence(EndReason.COMPLETED)
    assert {one.name: getattr(nothing, one.name) for one in fields(nothing)} == {
        "ending": EndReason.COMPLETED,
        "leases_lost": False,
        "frames": FrameFitness.NO_FACE,
        "challenge_answered": False,
        "has_depth": False,
        "is_continuous": False,
        "enrolment": IdentityMatch.NOT_ASKED,
        "reference": ReferenceFitness.NONE,
        "similarity": None,
        "tags": (),
        "network_refuses": False,
        "answered_light": None,
        "is_doubted": False,
        "transcript_holds": False,
        "is_unwatched": False,
    }
    assert decide(nothing, 60).result is decision.NO_USABLE_FRAME
    assert decide(replace(nothing, frames=FrameFitness.USABLE, similarity=100.0), 60).result is decision.NOT_LIVE


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ({"threshold": 60}, {"threshold": 59.99}),
        ({"threshold": 100}, {"threshold": 100.01}),
        ({"attempts": 1}, {"attempts": 0}),
        ({"attempts": 10}, {"attempts": 11}),
        ({"attempts_a_day": 0}, {"attempts_a_day": -1}),
        ({"challenge_length": 1}, {"challenge_length": 0}),
        ({"challenge_length": 6}, {"challenge_length": 7}),
        ({"step_seconds": 2}, {"step_seconds": 1.99}),
        ({"step_seconds": 30, "challenge_length": 2}, {"step_seconds": 30.01, "challenge_length": 1}),
        ({"step_seconds": 15, "challenge_length": 4}, {"step_seconds": 15.01, "challenge_length": 4}),
    ],
)
def test_a_policy_may_have_the_ends_of_each_range_and_nothing_beyond(
    inside: dict[str, float], outside: dict[str, float]
) -> None:
    assert Policy(**inside)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"must|cannot|more than"):
        Policy(**outside)  # type: ignore[arg-type]


def test_a_policy_of_which_nothing_is_said_asks_for_no_colours_and_leaves_the_time_to_the_server() -> None:
    assert (Policy().light, Policy().step_seconds, Policy().challenge_kinds) == (False, None, challenge.ACTIONS)


def test_one_of_one_is_drawn_without_a_choice_and_two_bytes_serve_no_more_than_they_hold() -> None:
    assert challenge.below(1, lambda size: bytes([255] * size)) == 0
    asked: list[int] = []

    def bytes_of(size: int) -> bytes:
        asked.append(size)
        return bytes(size)

    for limit in (255, 256, 257, 65536):
        assert challenge.below(limit, bytes_of) == 0
    assert asked == [1, 1, 2, 2]


SESSION = Session(
    1,
    1,
    State.CAPTURING,
    1000.0,
    1600.0,
    1,
    1,
    Details(CompareLib.LOCAL, "11204416541220243X", "韦小宝"),
    True,
    Policy(),
)


def test_a_session_of_which_nothing_is_known_has_used_and_was_given_nothing() -> None:
    new = SESSION
    assert (new.spared, new.excused, new.judged, new.device_mismatch, new.to_bucket) == (0, 0, 0, False, False)
    assert (new.ending, new.device_hash, new.id_hash, new.evidence_until, new.eased, new.node) == (None,) * 6
    assert replace(new, counted=2, spared=3, excused=5).challenges_shown == 2  # what did not count asked the same
    assert [replace(new, spared=one, excused=2 - one).challenges_shown for one in (0, 1, 2)] == [1, 1, 1]
    assert [replace(new, counted=counted).challenges_shown for counted in (0, 1)] == [0, 1]


@pytest.mark.parametrize(
    ("change", "now", "lapsed"),
    [
        ({"judged": 1}, 1600.0, True),
        ({"judged": 1}, 1599.9, False),
        ({"judged": 0}, 1600.0, False),
        ({"judged": 1, "state": State.ISSUED}, 1600.0, False),
        ({"judged": 1, "state": State.JUDGING}, 1600.0, False),
    ],
)
def test_a_token_lapses_where_its_life_ends_between_attempts_of_which_one_was_judged(
    change: dict[str, object], now: float, lapsed: bool
) -> None:
    assert replace(SESSION, **change).lapsed(now) is lapsed  # type: ignore[arg-type]


def test_an_attempt_counts_and_is_spared_by_its_first_action() -> None:
    steps = tuple(StepRecord(index, "nod", bytes([index]) * 16, 1.0, 2.0) for index in range(3))
    attempt = Attempt(1, 1, 0.0, ("nod", "turn_left"))
    assert (attempt.counts, attempt.unwatched, attempt.current, attempt.is_spared) == (False, False, None, False)
    assert replace(attempt, steps=steps).current is steps[2]
    assert not replace(attempt, steps=steps[:1]).is_spared
    assert replace(attempt, steps=steps[:2]).is_spared
    assert not replace(attempt, steps=steps[:2], counts=True).is_spared
    faults = {(counts, unwatched): replace(attempt, counts=counts, unwatched=unwatched).is_server_fault
              for counts in (True, False) for unwatched in (True, False)}  # fmt: skip
    assert faults == {(True, True): True, (True, False): False, (False, True): False, (False, False): False}


def test_no_repr_shows_whom_it_is_about() -> None:
    person = EnrolledPerson(1, "韦小宝", b"MARKED")
    shown = repr(person) + repr(replace(SESSION, id_hash=b"MARKED")) + repr(SESSION.details)
    for secret in ("韦小宝", "MARKED", "11204416541220243X"):
        assert secret not in shown


@pytest.mark.parametrize(
    ("text", "id_card", "name"),
    [("", "", ""), ("a", "a", "a"), ("ab", "ab", "*b"), ("abc", "a*c", "**c"), ("abcd", "a**d", "***d")],
)
def test_masks_leave_the_ends_of_a_number_and_the_last_of_a_name(text: str, id_card: str, name: str) -> None:
    assert identity.mask_id_card(text) == id_card
    assert identity.mask_name(text) == name


def test_characters_that_fonts_keep_for_themselves_are_those_of_gb_18030() -> None:
    kept = "\ue816\ue817\ue818\ue81e\ue826\ue82b\ue82c\ue831\ue832\ue83b\ue843\ue854\ue855\ue864"
    assert [identity.normal_name(one) for one in kept] == list("𠂇𠂉𠃌龴龵龶龷𡗗龸𢦏龹龺𤇾龻")
