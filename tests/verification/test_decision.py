"""One test a row of the decision's table, and the order of its rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from renzheng.verification import decision
from renzheng.verification.decision import (
    Advice,
    Evidence,
    FrameFitness,
    IdentityMatch,
    ReferenceFitness,
    Result,
    decide,
)
from renzheng.verification.session import EndReason

GOOD = Evidence(
    EndReason.COMPLETED,
    frames=FrameFitness.USABLE,
    challenge_answered=True,
    has_depth=True,
    is_continuous=True,
    enrolment=IdentityMatch.FOUND,
    reference=ReferenceFitness.OK,
    similarity=88.125,
    transcript_holds=True,
)

ROWS: list[tuple[str, dict[str, object], Result]] = [
    ("all is well", {}, decision.PASSED),
    ("LOCAL asks no library", {"enrolment": IdentityMatch.NOT_ASKED}, decision.PASSED),
    ("at the threshold", {"similarity": 70.0}, decision.PASSED),
    ("three lost leases", {"leases_lost": True}, decision.ENGINE_LOST),
    ("the server could not watch", {"ending": EndReason.SERVER_LOST}, decision.ENGINE_LOST),
    ("passed, though not all was watched", {"is_unwatched": True}, decision.PASSED),
    ("no depth, and not all was watched", {"is_unwatched": True, "has_depth": False}, decision.ENGINE_LOST),
    ("no face, and not all was watched", {"is_unwatched": True, "frames": FrameFitness.NO_FACE}, decision.ENGINE_LOST),
    ("another person is another person", {"is_unwatched": True, "similarity": 10.0}, decision.BELOW_THRESHOLD),
    ("too many today", {"ending": EndReason.TOO_MANY_TODAY}, decision.TOO_MANY_TODAY),
    ("too few pixels", {"frames": FrameFitness.TOO_FEW_PIXELS}, decision.TOO_FEW_PIXELS),
    ("several faces in the frames", {"frames": FrameFitness.SEVERAL_FACES}, decision.SEVERAL_FACES),
    ("a cut face in the frames", {"frames": FrameFitness.CUT}, decision.CUT_FACE),
    ("no usable frame", {"frames": FrameFitness.NO_FACE}, decision.NO_USABLE_FRAME),
    ("attempts used up", {"ending": EndReason.ATTEMPTS_USED}, decision.NOT_LIVE),
    ("challenge not answered", {"challenge_answered": False}, decision.NOT_LIVE),
    ("no depth", {"has_depth": False}, decision.NOT_LIVE),
    ("not one face throughout", {"is_continuous": False}, decision.NOT_LIVE),
    ("frames under other nonces or at other times", {"transcript_holds": False}, decision.NOT_LIVE),
    ("weak measures together", {"is_doubted": True}, decision.NOT_LIVE),
    ("colours shown and answered", {"answered_light": True}, decision.PASSED),
    ("colours shown and not answered", {"answered_light": False}, decision.POOR_LIGHT),
    ("neither colours nor depth", {"answered_light": False, "has_depth": False}, decision.NOT_LIVE),
    ("a network that may decide refuses", {"network_refuses": True}, decision.NOT_LIVE),
    ("not enrolled", {"enrolment": IdentityMatch.UNKNOWN}, decision.NOT_ENROLLED),
    ("another name", {"enrolment": IdentityMatch.WRONG_NAME}, decision.WRONG_NAME),
    ("no photo", {"enrolment": IdentityMatch.NO_PHOTO}, decision.NO_PHOTO),
    ("several faces in the photo", {"reference": ReferenceFitness.SEVERAL_FACES}, decision.SEVERAL_FACES_IN_PHOTO),
    ("a cut face in the photo", {"reference": ReferenceFitness.CUT}, decision.CUT_FACE_IN_PHOTO),
    ("an undecodable photo", {"reference": ReferenceFitness.UNDECODABLE}, decision.POOR_REFERENCE),
    ("no face in the photo", {"reference": ReferenceFitness.NO_FACE}, decision.POOR_REFERENCE),
    ("too small a photo", {"reference": ReferenceFitness.TOO_SMALL}, decision.POOR_REFERENCE),
    ("too poor a photo", {"reference": ReferenceFitness.POOR}, decision.POOR_REFERENCE),
    ("no comparison", {"similarity": None}, decision.NOT_COMPARED),
    ("below the threshold", {"similarity": 69.99}, decision.BELOW_THRESHOLD),
]


@pytest.mark.parametrize(("change", "result"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_row_chooses_its_result(change: dict[str, object], result: Result) -> None:
    assert decide(replace(GOOD, **change), 70).result == result  # type: ignore[arg-type]


def test_every_rule_is_covered_by_a_row() -> None:
    assert {result for _, result in decision.RULES} <= {row[2] for row in ROWS}


@pytest.mark.parametrize("enrolment", list(IdentityMatch))
def test_a_failed_liveness_says_nothing_about_enrolment(enrolment: IdentityMatch) -> None:
    verdict = decide(replace(GOOD, has_depth=False, enrolment=enrolment), 70)
    assert verdict.result is decision.NOT_LIVE
    assert verdict.similarity == 0
    verdict = decide(replace(GOOD, answered_light=False, enrolment=enrolment), 70)
    assert verdict.result is decision.POOR_LIGHT
    assert verdict.similarity == 0


def test_the_threshold_is_the_policys() -> None:
    assert not decide(GOOD, 90).passed
    assert decide(GOOD, 60).passed


@pytest.mark.parametrize(
    ("change", "tags"),
    [
        ({"tags": ("03", "02", "03"), "has_depth": False}, ("02", "03")),
        ({"tags": ("11",), "frames": FrameFitness.SEVERAL_FACES}, ("11",)),
        ({"tags": ("04",), "network_refuses": True}, ("04",)),
        ({"tags": ("05",), "ending": EndReason.ATTEMPTS_USED}, ("02", "05")),
        ({"ending": EndReason.ATTEMPTS_USED, "frames": FrameFitness.NO_FACE}, ("02",)),
    ],
)
def test_tags_say_why_liveness_failed_each_once_and_in_order(change: dict[str, object], tags: tuple[str, ...]) -> None:
    assert decide(replace(GOOD, **change), 70).tags == tags  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"similarity": 10.0},
        {"enrolment": IdentityMatch.UNKNOWN},
        {"leases_lost": True},
        {"ending": EndReason.SERVER_LOST},
        {"is_unwatched": True, "has_depth": False},
        {"ending": EndReason.TOO_MANY_TODAY},
    ],
)
def test_where_liveness_did_not_fail_there_is_no_tag(change: dict[str, object]) -> None:
    assert decide(replace(GOOD, tags=("01",), **change), 70).tags == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "advice"),
    [
        ({}, ""),
        ({"ending": EndReason.ATTEMPTS_USED}, Advice.ACTION),
        ({"frames": FrameFitness.CUT}, Advice.FACE_CUT),
        ({"frames": FrameFitness.NO_FACE}, Advice.FACE),
        ({"frames": FrameFitness.SEVERAL_FACES}, Advice.ALONE),
        ({"frames": FrameFitness.TOO_FEW_PIXELS}, Advice.CLOSER),
        ({"reference": ReferenceFitness.SEVERAL_FACES}, Advice.PHOTO),
        ({"reference": ReferenceFitness.CUT}, Advice.PHOTO),
        ({"reference": ReferenceFitness.UNDECODABLE, "similarity": None}, Advice.PHOTO),
        ({"enrolment": IdentityMatch.NO_PHOTO, "reference": ReferenceFitness.NONE, "similarity": None}, Advice.PHOTO),
        ({"leases_lost": True}, Advice.LATER),
        ({"ending": EndReason.SERVER_LOST}, Advice.LATER),
        ({"is_unwatched": True, "has_depth": False}, Advice.LATER),
        ({"ending": EndReason.TOO_MANY_TODAY}, ""),
        ({"ending": EndReason.PHOTO_UNUSABLE, "frames": FrameFitness.NO_FACE}, Advice.PHOTO),
    ],
)
def test_advice_is_of_what_really_happened(change: dict[str, object], advice: str) -> None:
    assert decide(replace(GOOD, **change), 70).advice == advice  # type: ignore[arg-type]


def test_advice_tells_no_attacker_which_check_found_them_out() -> None:
    failures: tuple[dict[str, object], ...] = (
        {"challenge_answered": False},
        {"has_depth": False},
        {"is_continuous": False},
        {"network_refuses": True},
        {"answered_light": False},
    )
    advice = {decide(replace(GOOD, **change), 70).advice for change in failures}  # type: ignore[arg-type]
    assert advice == {Advice.LIGHT}


def test_advice_tells_nobody_who_is_enrolled_or_how_alike_they_are() -> None:
    unknown: tuple[dict[str, object], ...] = (
        {"enrolment": IdentityMatch.UNKNOWN, "reference": ReferenceFitness.NONE, "similarity": None},
        {"enrolment": IdentityMatch.WRONG_NAME, "reference": ReferenceFitness.NONE, "similarity": None},
        {"similarity": 69.9},
        {"similarity": 3.0},
    )
    assert {decide(replace(GOOD, **change), 70).advice for change in unknown} == {""}  # type: ignore[arg-type]


@pytest.mark.parametrize("ending", [EndReason.COMPLETED, EndReason.PHOTO_UNUSABLE])
@pytest.mark.parametrize("enrolment", [IdentityMatch.NOT_ASKED, IdentityMatch.FOUND])
@pytest.mark.parametrize("reference", sorted(set(ReferenceFitness) - {ReferenceFitness.OK, ReferenceFitness.NONE}))
def test_what_is_wrong_with_a_photo_is_never_billed(
    reference: ReferenceFitness, enrolment: IdentityMatch, ending: EndReason
) -> None:
    """By whatever way it is found, as late as by the judge: the person did nothing wrong, and nothing is known."""
    found = replace(GOOD, reference=reference, enrolment=enrolment, ending=ending, similarity=None)
    assert not decide(found, 70).result.billed
    assert decide(found, 70).advice == Advice.PHOTO


@pytest.mark.parametrize("frames", [FrameFitness.SEVERAL_FACES, FrameFitness.CUT, FrameFitness.TOO_FEW_PIXELS])
def test_what_the_frames_show_is_billed_as_documented(frames: FrameFitness) -> None:
    assert decide(replace(GOOD, frames=frames), 70).result.billed


@pytest.mark.parametrize(
    ("reference", "like"),
    [
        (ReferenceFitness.NO_FACE, decision.POOR_REFERENCE),
        (ReferenceFitness.POOR, decision.POOR_REFERENCE),
        (ReferenceFitness.UNDECODABLE, decision.POOR_REFERENCE),
        (ReferenceFitness.OK, decision.POOR_REFERENCE),
        (ReferenceFitness.SEVERAL_FACES, decision.SEVERAL_FACES),
        (ReferenceFitness.CUT, decision.CUT_FACE),
    ],
)
def test_a_photo_that_was_found_unusable_before_is_named_and_not_billed(
    reference: ReferenceFitness, like: decision.Result
) -> None:
    verdict = decision.decide(Evidence(EndReason.PHOTO_UNUSABLE, reference=reference), 70)
    assert (verdict.result.code, verdict.result.description) == (like.code, like.description)
    assert (verdict.result.billed, verdict.similarity, verdict.tags, verdict.passed) == (False, 0, (), False)
    lost = decision.decide(Evidence(EndReason.PHOTO_UNUSABLE, leases_lost=True, reference=reference), 70)
    assert lost.result is decision.ENGINE_LOST


@pytest.mark.parametrize(
    ("change", "may"),
    [
        ({}, False),
        ({"has_depth": False}, True),
        ({"challenge_answered": False}, True),
        ({"frames": FrameFitness.CUT}, True),
        ({"answered_light": False}, True),
        ({"network_refuses": True}, True),
        ({"similarity": 12.0}, False),
        ({"enrolment": IdentityMatch.UNKNOWN, "reference": ReferenceFitness.NONE, "similarity": None}, False),
        ({"reference": ReferenceFitness.CUT, "similarity": None}, False),
        ({"has_depth": False, "ending": EndReason.ATTEMPTS_USED}, False),
        ({"has_depth": False, "ending": EndReason.TOO_MANY_TODAY}, False),
        ({"has_depth": False, "leases_lost": True}, False),
        ({"has_depth": False, "is_unwatched": True}, True),
        ({"ending": EndReason.SERVER_LOST}, False),
    ],
)
def test_another_attempt_follows_where_liveness_alone_failed(change: dict[str, object], may: bool) -> None:
    assert decide(replace(GOOD, **change), 70).may_retry is may  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        *({"frames": one} for one in FrameFitness if one is not FrameFitness.USABLE),
        {"challenge_answered": False},
        {"has_depth": False},
        {"is_continuous": False},
        {"answered_light": False},
        {"is_doubted": True},
        {"network_refuses": True},
        {"transcript_holds": False},
        {"ending": EndReason.ATTEMPTS_USED},
        {"ending": EndReason.TOO_MANY_TODAY},
        {"leases_lost": True},
    ],
)
def test_who_was_not_live_learns_nothing_of_photo_and_library(change: dict[str, object]) -> None:
    failed = replace(GOOD, **change)  # type: ignore[arg-type]
    for enrolment, reference in product(IdentityMatch, ReferenceFitness):
        assert decide(replace(failed, enrolment=enrolment, reference=reference), 70) == decide(failed, 70)


def test_a_similarity_of_just_the_threshold_passes() -> None:
    assert decide(replace(GOOD, similarity=70.0), 70).passed
    assert decide(replace(GOOD, similarity=69.999), 70).result is decision.BELOW_THRESHOLD


def test_similarity_has_two_decimals_and_is_nothing_for_who_is_not_live() -> None:
    assert decide(replace(GOOD, similarity=88.126), 70).similarity == 88.13
    assert decide(replace(GOOD, answered_light=False), 70).similarity == 0.0
    assert decide(replace(GOOD, similarity=None), 70).similarity == 0.0
