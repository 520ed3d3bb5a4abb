"""A sequence that loops, stands still, jumps or changes the person is named for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renzheng.engine.continuity import Moment, Picture, measure_continuity
from renzheng.engine.limits import ContinuityLimits
from renzheng.engine.measurement import Continuity

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
