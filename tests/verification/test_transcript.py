"""Frames are the answer to an attempt, or they are not: each guard by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renzheng.verification.session import FrameRecord, StepRecord
from renzheng.verification.transcript import TranscriptFault, faults

ACTIONS = ("turn_left", "blink")
STEPS = (
    StepRecord(0, "neutral", b"n" * 16, 100.0, 160.0),
    StepRecord(1, "turn_left", b"t" * 16, 102.0, 108.0),
    StepRecord(2, "blink", b"b" * 16, 104.0, 110.0),
)


def frame(sequence: int, step: int, at: float) -> FrameRecord:
    return FrameRecord(sequence, step, STEPS[step].nonce, at, b"d" * 32)


FRAMES = (
    frame(3, 0, 100.0),  # the moment at which it was shown
    frame(4, 0, 102.0),  # and at which the next one was
    frame(6, 1, 102.0),
    frame(7, 1, 104.0),
    frame(8, 2, 105.0),
    frame(9, 2, 105.0),  # two in one tick of the clock
    frame(10, 2, 110.0),  # the deadline itself
)


def with_frame(number: int, **change: object) -> tuple[FrameRecord, ...]:
    return (*FRAMES[:number], replace(FRAMES[number], **change), *FRAMES[number + 1 :])  # type: ignore[arg-type]


def with_step(number: int, **change: object) -> tuple[StepRecord, ...]:
    return (*STEPS[:number], replace(STEPS[number], **change), *STEPS[number + 1 :])  # type: ignore[arg-type]


def test_frames_under_their_steps_nonces_in_their_time_and_in_order_hold() -> None:
    assert faults(ACTIONS, STEPS, FRAMES) == ()


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ((), TranscriptFault.NO_FRAMES),
        (FRAMES[:4], TranscriptFault.NO_FRAMES),
        ((*FRAMES[:2], *FRAMES[4:]), TranscriptFault.NO_FRAMES),
        (with_frame(0, nonce=b"x" * 16), TranscriptFault.NONCE),
        (with_frame(4, nonce=STEPS[1].nonce), TranscriptFault.NONCE),  # the nonce of the step before
        (with_frame(6, nonce=b"b" * 15 + b"c"), TranscriptFault.NONCE),
        (with_frame(6, nonce=b"b" * 15), TranscriptFault.NONCE),
        (with_frame(0, received_at=99.999), TranscriptFault.EARLY),
        ((FRAMES[0], *with_frame(2, received_at=101.999)[2:]), TranscriptFault.EARLY),
        (with_frame(6, received_at=110.001), TranscriptFault.LATE),
        (with_frame(3, received_at=104.001), TranscriptFault.LATE),  # the next step was on the screen by then
        (with_frame(5, sequence=8), TranscriptFault.ORDER),
        (with_frame(5, sequence=7), TranscriptFault.ORDER),
        (with_frame(5, received_at=104.9), TranscriptFault.ORDER),
        ((*FRAMES[:5], FRAMES[6], replace(FRAMES[5], sequence=11)), TranscriptFault.ORDER),
    ],
)
def test_each_way_in_which_frames_do_not_fit_is_told(frames: tuple[FrameRecord, ...], fault: TranscriptFault) -> None:
    assert faults(ACTIONS, STEPS, frames) == (fault,)


def test_a_frame_of_a_step_that_was_not_shown_is_told() -> None:
    stray = replace(FRAMES[6], sequence=11, step=3)
    assert TranscriptFault.UNKNOWN_STEP in faults(ACTIONS, STEPS, (*FRAMES, stray))


def test_a_step_back_is_told_where_nothing_else_is_wrong() -> None:
    """Two steps that share their time: only the order of the frames says that one was answered after the other."""
    steps = (
        STEPS[0],
        STEPS[1],
        replace(STEPS[2], revealed_at=102.0),
    )
    frames = (frame(1, 0, 101.0), frame(2, 2, 102.0), frame(3, 1, 102.0))
    assert faults(ACTIONS, steps, frames) == (TranscriptFault.ORDER,)


def test_a_frame_in_its_deadline_but_after_the_next_step_is_late() -> None:
    steps = with_step(2, revealed_at=109.0, deadline=115.0)
    frames = (*FRAMES[:3], replace(FRAMES[3], received_at=108.5), replace(FRAMES[6], received_at=110.0))
    assert faults(ACTIONS, steps, frames) == (TranscriptFault.LATE,)  # after its own deadline, before the next step


@pytest.mark.parametrize(
    ("actions", "steps"),
    [
        (("turn_right", "blink"), STEPS),
        (("blink", "turn_left"), STEPS),
        (("turn_left",), STEPS),
        (("turn_left", "blink", "nod"), STEPS),
        (ACTIONS, with_step(2, index=3)),
        (ACTIONS, with_step(2, nonce=STEPS[1].nonce)),
        (ACTIONS, with_step(1, revealed_at=99.0)),
        (ACTIONS, (STEPS[1], STEPS[0], STEPS[2])),
    ],
)
def test_other_steps_than_were_asked_do_not_hold(actions: tuple[str, ...], steps: tuple[StepRecord, ...]) -> None:
    assert TranscriptFault.STEPS in faults(actions, steps, FRAMES)


def test_of_a_step_without_a_challenge_nothing_holds() -> None:
    assert faults(ACTIONS, (), FRAMES)
    assert faults((), (), ())
