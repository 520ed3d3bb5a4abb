"""A sequence that loops, stands still, jumps or changes the person is named for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renzheng.engine.continuity import Moment, Picture, measure_continuity
from renzheng.engine.limits import ContinuityLimits
from renzheng.engine.measurement import Continuity, Turn

from .test_liveness import NEUTRAL

LIMITS = ContinuityLimits()


def moments(count: int = 30) -> list[Moment]:
    """A calm sequence at ten frames a second in which no picture is like another."""
    return [Moment(0.1 * number, NEUTRAL, Picture(bytes([number]))) for number in range(count)]


def measured(seen: list[Moment], frontal: float = 0.9, turned: float = 0.7) -> Continuity:
    return measure_continuity(seen, [frontal, 0.95], [turned], LIMITS)


def test_a_calm_sequence_of_one_person_passes() -> None:
    assert measured(moments()).faults == ()
    assert measured(moments()).passed


def test_a_loop_is_found_by_its_first_repeated_picture() -> None:
    seen = moments()
    seen[20] = replace(seen[20], picture=seen[4].picture)
    assert measured(seen).repeated == 1
    assert measured(seen).faults == ("repeated",)


def test_a_slow_camera_that_is_read_twice_is_no_fault() -> None:
    seen = moments()
    for number in range(1, 30, 2):
        seen[number] = replace(seen[number], picture=seen[number - 1].picture)
    assert measured(seen).passed


def test_a_frozen_picture_is_found() -> None:
    seen = moments()
    for number in range(11, 21):
        seen[number] = replace(seen[number], picture=seen[10].picture)
    assert measured(seen).frozen == pytest.approx(1.0)
    assert measured(seen).faults == ("frozen",)


def test_times_that_run_backwards_are_found() -> None:
    seen = moments()
    seen[7], seen[8] = seen[8], seen[7]
    assert "disorder" in measured(seen).faults


def test_frames_that_arrive_in_a_burst_are_no_jump() -> None:
    seen = [
        Moment(
            1.0 + 0.001 * number, replace(NEUTRAL, box=(200.0 + 8 * number, 120, 200, 240)), Picture(bytes([number]))
        )
        for number in range(8)
    ]
    assert measured(seen).passed


def test_a_jump_and_a_sudden_change_of_size_are_found() -> None:
    seen = moments()
    seen[9] = replace(seen[9], glance=replace(NEUTRAL, box=(20, 320, 200, 240)))
    assert "speed" in measured(seen).faults
    seen[9] = replace(seen[9], glance=replace(NEUTRAL, box=(270, 180, 100, 120)))
    assert "growth" in measured(seen).faults


def test_a_turn_within_one_frame_is_faster_than_a_head() -> None:
    seen = moments()
    seen[9] = replace(seen[9], glance=replace(NEUTRAL, yaw=0.6))
    assert "yaw_speed" in measured(seen).faults
    smooth = moments()
    for number, yaw in enumerate((0.2, 0.45, 0.65, 0.65, 0.45, 0.2), start=9):
        smooth[number] = replace(smooth[number], glance=replace(NEUTRAL, yaw=yaw))
    assert measured(smooth).passed


def test_a_turn_of_which_nothing_is_seen_between_its_ends_is_found() -> None:
    for between, faults in ((0, ("sudden",)), (1, ("sudden",)), (2, ())):
        turn = Turn(degrees=34.0, jitter=0.3, between=between, misfit=0.06)
        assert measure_continuity(moments(), [0.9], [0.7], LIMITS, turn).faults == faults


QUICK = (0.0, 0.0, 0.0, 0.48, 0.66, 0.66, 0.2, 0.0, 0.0, 0.0)
"""The yaw proxy of a quick head at five frames a second: a quarter of a second from rest to 0.6."""


@pytest.mark.parametrize("held_back", range(1, 9))
@pytest.mark.parametrize("frames", [2, 3, 5])
def test_a_stalled_line_makes_no_jump_of_a_quick_turn(held_back: int, frames: int) -> None:
    taken = [0.2 * number for number in range(len(QUICK))]
    delivered = taken[min(held_back + frames - 1, len(QUICK) - 1)]
    arrived = [
        delivered + 0.004 * (number - held_back) if held_back <= number < held_back + frames else at
        for number, at in enumerate(taken)
    ]
    seen = [
        Moment(at, replace(NEUTRAL, yaw=yaw), Picture(bytes([number])))
        for number, (at, yaw) in enumerate(zip(arrived, QUICK, strict=True))
    ]
    assert measured(seen).faults == ()


@pytest.mark.parametrize("frames_a_second", [6, 10, 15, 30, 60])
def test_an_exchange_of_pictures_is_found_at_every_even_pace(frames_a_second: int) -> None:
    seen = [
        Moment(
            number / frames_a_second,
            replace(NEUTRAL, yaw=0.6 if number / frames_a_second > 1.0 else 0.0),
            Picture(number.to_bytes(2, "big")),
        )
        for number in range(2 * frames_a_second)
    ]
    assert measured(seen).faults == (("yaw_speed",) if frames_a_second > 7 else ())


def test_a_burst_lengthens_no_time_without_a_face() -> None:
    gone = replace(NEUTRAL, faces=0, box=None)
    seen = [Moment(m.at + (0.9 if n >= 10 else 0.0), m.glance, m.picture) for n, m in enumerate(moments())]
    seen = [replace(m, glance=gone) if 10 <= n < 14 else m for n, m in enumerate(seen)]
    assert measured(seen).passed


def test_a_face_that_is_gone_for_long_is_found() -> None:
    seen = moments()
    gone = replace(NEUTRAL, faces=0, box=None)
    assert measured([replace(m, glance=gone) if 5 <= n < 9 else m for n, m in enumerate(seen)]).passed
    assert "gap" in measured([replace(m, glance=gone) if 5 <= n < 18 else m for n, m in enumerate(seen)]).faults


@pytest.mark.parametrize(("frontal", "turned", "fault"), [(0.2, 0.7, "frontal"), (0.9, 0.2, "turned")])
def test_another_person_is_found_among_the_frames_and_in_the_turn(frontal: float, turned: float, fault: str) -> None:
    assert measured(moments(), frontal, turned).faults == (fault,)


def test_without_anything_to_compare_nothing_passes() -> None:
    found = measure_continuity(moments(), [], [], LIMITS)
    assert (found.frontal, found.turned, found.passed) == (None, None, False)
