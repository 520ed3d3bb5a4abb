"""One test a row of the decision's table, and the order of its rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renzheng.verification import decision
from renzheng.verification.decision import Enrolment, Evidence, Frames, Reference, Result, decide
from renzheng.verification.session import Ending

GOOD = Evidence(
    Ending.COMPLETED,
    frames=Frames.USABLE,
    challenge_answered=True,
    has_depth=True,
    is_continuous=True,
    enrolment=Enrolment.FOUND,
    reference=Reference.OK,
    similarity=88.125,
)

ROWS: list[tuple[str, dict[str, object], Result]] = [
    ("all is well", {}, decision.PASSED),
    ("LOCAL asks no library", {"enrolment": Enrolment.NOT_ASKED}, decision.PASSED),
    ("at the threshold", {"similarity": 70.0}, decision.PASSED),
    ("three lost leases", {"leases_lost": True}, decision.ENGINE_LOST),
    ("too many today", {"ending": Ending.TOO_MANY_TODAY}, decision.TOO_MANY_TODAY),
    ("too few pixels", {"frames": Frames.TOO_FEW_PIXELS}, decision.TOO_FEW_PIXELS),
    ("several faces in the frames", {"frames": Frames.SEVERAL_FACES}, decision.SEVERAL_FACES),
    ("a cut face in the frames", {"frames": Frames.CUT}, decision.CUT_FACE),
    ("no usable frame", {"frames": Frames.NO_FACE}, decision.NO_USABLE_FRAME),
    ("attempts used up", {"ending": Ending.ATTEMPTS_USED}, decision.NOT_LIVE),
    ("challenge not answered", {"challenge_answered": False}, decision.NOT_LIVE),
    ("no depth", {"has_depth": False}, decision.NOT_LIVE),
    ("not one face throughout", {"is_continuous": False}, decision.NOT_LIVE),
    ("colours shown and answered", {"answered_light": True}, decision.PASSED),
    ("colours shown and not answered", {"answered_light": False}, decision.POOR_LIGHT),
    ("neither colours nor depth", {"answered_light": False, "has_depth": False}, decision.NOT_LIVE),
    ("a network that may decide refuses", {"network_refuses": True}, decision.NOT_LIVE),
    ("not enrolled", {"enrolment": Enrolment.UNKNOWN}, decision.NOT_ENROLLED),
    ("another name", {"enrolment": Enrolment.WRONG_NAME}, decision.WRONG_NAME),
    ("no photo", {"enrolment": Enrolment.NO_PHOTO}, decision.NO_PHOTO),
    ("several faces in the photo", {"reference": Reference.SEVERAL_FACES}, decision.SEVERAL_FACES),
    ("a cut face in the photo", {"reference": Reference.CUT}, decision.CUT_FACE),
    ("an undecodable photo", {"reference": Reference.UNDECODABLE}, decision.POOR_REFERENCE),
    ("no face in the photo", {"reference": Reference.NO_FACE}, decision.POOR_REFERENCE),
    ("too small a photo", {"reference": Reference.TOO_SMALL}, decision.POOR_REFERENCE),
    ("too poor a photo", {"reference": Reference.POOR}, decision.POOR_REFERENCE),
    ("no comparison", {"similarity": None}, decision.NOT_COMPARED),
    ("below the threshold", {"similarity": 69.99}, decision.BELOW_THRESHOLD),
]


@pytest.mark.parametrize(("change", "result"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_each_row_chooses_its_result(change: dict[str, object], result: Result) -> None:
    assert decide(replace(GOOD, **change), 70).result == result  # type: ignore[arg-type]


def test_every_rule_is_covered_by_a_row() -> None:
    assert {result for _, result in decision.RULES} <= {row[2] for row in ROWS}


@pytest.mark.parametrize("enrolment", list(Enrolment))
def test_a_failed_liveness_says_nothing_about_enrolment(enrolment: Enrolment) -> None:
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
        ({"tags": ("11",), "frames": Frames.SEVERAL_FACES}, ("11",)),
        ({"tags": ("04",), "network_refuses": True}, ("04",)),
        ({"tags": ("05",), "ending": Ending.ATTEMPTS_USED}, ("02", "05")),
        ({"ending": Ending.ATTEMPTS_USED, "frames": Frames.NO_FACE}, ("02",)),
    ],
)
def test_tags_say_why_liveness_failed_each_once_and_in_order(change: dict[str, object], tags: tuple[str, ...]) -> None:
    assert decide(replace(GOOD, **change), 70).tags == tags  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"similarity": 10.0},
        {"enrolment": Enrolment.UNKNOWN},
        {"leases_lost": True},
        {"ending": Ending.TOO_MANY_TODAY},
    ],
)
def test_where_liveness_did_not_fail_there_is_no_tag(change: dict[str, object]) -> None:
    assert decide(replace(GOOD, tags=("01",), **change), 70).tags == ()  # type: ignore[arg-type]
