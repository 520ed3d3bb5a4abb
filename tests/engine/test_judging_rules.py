"""The judge's own rules over numbers, without a model: what was done, what was not asked, what frames are fit for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest

from renzheng.engine.continuity import Picture
from renzheng.engine.frames import FrameMeasurement
from renzheng.engine.judging import SequenceJudge, run
from renzheng.engine.limits import JudgingLimits
from renzheng.engine.liveness import Baseline, Glance
from renzheng.engine.measurement import Measurement

from .test_liveness import ACTED, NEUTRAL

LIMITS = JudgingLimits()


class NoModels:
    """Nothing to embed, no network of an operator's."""

    passive = None


def judged(rows: list[tuple[int, str, Glance]]) -> SequenceJudge:
    judge = SequenceJudge(cast(Any, NoModels()), LIMITS)
    picture = Picture.of(np.zeros((48, 64, 3), np.uint8))
    for number, (step, action, glance) in enumerate(rows):
        judge.add(FrameMeasurement(glance, picture), step, action, 0.1 * number)
    return judge


def course(action: str, *during: Glance) -> list[tuple[int, str, Glance]]:
    return [*[(0, "neutral", NEUTRAL)] * 8, (1, action, NEUTRAL), *[(1, action, one) for one in during]]


def found(action: str, *during: Glance) -> Measurement:
    return concluded(judged(course(action, *during)))


def concluded(judge: SequenceJudge) -> Measurement:
    return run(judge.conclude(), lambda index: None)


def test_the_asked_action_there_and_back_is_an_answer() -> None:
    measured = found("open_mouth", ACTED["open_mouth"], ACTED["open_mouth"], NEUTRAL)
    assert measured.challenge_passed
    assert [(one.step, one.action, one.answered, one.unasked) for one in measured.actions] == [
        (1, "open_mouth", True, ())
    ]


def test_an_action_that_nobody_asked_for_spoils_the_answer() -> None:
    aside = replace(NEUTRAL, yaw=-0.9)
    measured = found("open_mouth", ACTED["open_mouth"], NEUTRAL, NEUTRAL, aside, aside, aside, NEUTRAL)
    assert measured.actions[0].answered
    assert measured.actions[0].unasked == ("turn_right",)
    assert not measured.challenge_passed


@pytest.mark.parametrize(("before", "unasked"), [(NEUTRAL, ("turn_right",)), (ACTED["turn_right"], ())])
def test_an_action_that_began_between_two_steps_spoils_the_second(before: Glance, unasked: tuple[str, ...]) -> None:
    aside = [ACTED["turn_right"]] * 2
    first = [*course("open_mouth", ACTED["open_mouth"], NEUTRAL), (1, "open_mouth", before)]
    rows = [*first, *((2, "blink", glance) for glance in (*aside, NEUTRAL, ACTED["blink"], NEUTRAL))]
    measured = concluded(judged(rows))
    assert [one.answered for one in measured.actions] == [True, True]
    assert measured.actions[1].unasked == unasked
    at_once = [*[(0, "neutral", NEUTRAL)] * 8, (0, "neutral", before)]
    at_once += [(1, "blink", glance) for glance in (*aside, NEUTRAL, ACTED["blink"], NEUTRAL)]
    assert concluded(judged(at_once)).actions[0].unasked == unasked


def test_an_answer_that_is_missing_is_none() -> None:
    assert not found("open_mouth", NEUTRAL, NEUTRAL).challenge_passed
    assert not concluded(judged([(0, "neutral", NEUTRAL)] * 9)).challenge_passed  # nothing was asked
    without_baseline = concluded(judged([(1, "open_mouth", ACTED["open_mouth"]), (1, "open_mouth", NEUTRAL)]))
    assert without_baseline.baseline is None
    assert not without_baseline.challenge_passed
    both = concluded(judged([*course("open_mouth", ACTED["open_mouth"], NEUTRAL), (2, "nod", NEUTRAL)]))
    assert [one.answered for one in both.actions] == [True, False]
    assert not both.challenge_passed


def test_what_could_not_be_measured_has_no_depth_and_no_continuity() -> None:
    measured = found("turn_left", ACTED["turn_left"], NEUTRAL)
    assert measured.depth is None or not measured.depth.passed
    assert measured.continuity is None
    assert measured.light is None
    assert measured.best is None


ONE = replace(NEUTRAL)
NONE = Glance(640, 480)
TWO = replace(NEUTRAL, faces=2)
CUT = replace(NEUTRAL, box=(500, 120, 200, 240))
SMALL = replace(NEUTRAL, box=(220, 120, 60, 60))
LOW = replace(NEUTRAL, width=360, height=203, box=(130, 40, 90, 110))  # a wide picture on a slow line


@pytest.mark.parametrize(
    ("others", "of", "undecodable", "status"),
    [
        (NONE, 0, 0, "usable"),
        (NONE, 20, 0, "usable"),  # half may be without a face
        (NONE, 21, 0, "no_face"),
        (NONE, 0, 20, "usable"),
        (NONE, 0, 21, "no_face"),
        (NONE, 10, 11, "no_face"),
        (TWO, 3, 0, "usable"),
        (TWO, 4, 0, "several_faces"),
        (SMALL, 20, 0, "usable"),
        (SMALL, 21, 0, "too_few_pixels"),
        (LOW, 40, 0, "usable"),  # the face counts, not the picture around it
    ],
)
def test_frames_are_fit_up_to_a_share_of_unfit_ones(others: Glance, of: int, undecodable: int, status: str) -> None:
    good = 20
    judge = judged([*[(0, "neutral", ONE)] * good, *[(0, "neutral", others)] * of])
    for _ in range(undecodable):
        judge.add(None, 0, "neutral", 10.0)
    assert concluded(judge).frames_status == status


@pytest.mark.parametrize(("frames", "status"), [(7, "no_face"), (8, "usable")])
def test_a_least_number_of_frames_shows_a_whole_face(frames: int, status: str) -> None:
    assert concluded(judged([(0, "neutral", ONE)] * frames)).frames_status == status


def test_a_baseline_is_of_the_neutral_step_alone() -> None:
    rows = [*[(0, "neutral", NEUTRAL)] * 6, *[(1, "open_mouth", ACTED["open_mouth"])] * 30]
    assert concluded(judged(rows)).baseline == Baseline.from_glances([NEUTRAL] * 6, thresholds=LIMITS.actions)
