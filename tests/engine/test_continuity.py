"""A sequence that loops, stands still, jumps or changes the person is named for it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from renzheng.engine.continuity import (
    Moment,
    Picture,
    allowances,
    fastest,
    mean_interval,
    measure_continuity,
    without_face,
)
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
    seen[8], seen[9] = (replace(seen[n], glance=replace(NEUTRAL, yaw=yaw)) for n, yaw in ((8, -0.5), (9, 0.6)))
    assert "yaw_speed" in measured(seen).faults
    # A quick turn to the profile and back, 250 degrees a second on a face whose proxy grows fast: people do so.
    quick = moments()
    for number, yaw in enumerate((0.6, 0.85, 0.85, 0.3), start=9):
        quick[number] = replace(quick[number], glance=replace(NEUTRAL, yaw=yaw))
    assert measured(quick).passed


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
def test_an_exchange_of_pictures_is_too_fast_where_frames_are_close(frames_a_second: int) -> None:
    """At ten frames a second it is no faster than a quick turn, and found by what is not seen between its ends."""
    seen = [
        Moment(
            number / frames_a_second,
            replace(NEUTRAL, yaw=0.6 if number / frames_a_second > 1.0 else 0.0),
            Picture(number.to_bytes(2, "big")),
        )
        for number in range(2 * frames_a_second)
    ]
    assert measured(seen).faults == (("yaw_speed",) if frames_a_second > 16 else ())


def test_a_burst_lengthens_no_time_without_a_face() -> None:
    gone = replace(NEUTRAL, faces=0, box=None)
    seen = [Moment(m.at + (0.9 if n >= 10 else 0.0), m.glance, m.picture) for n, m in enumerate(moments())]
    seen = [replace(m, glance=gone) if 10 <= n < 14 else m for n, m in enumerate(seen)]
    assert measured(seen).passed


def test_a_face_that_is_gone_for_long_is_found() -> None:
    seen = moments(40)
    gone = replace(NEUTRAL, faces=0, box=None)
    for last, faults in ((9, ()), (18, ()), (33, ("gap",))):  # a turn to the profile hides a face for over a second
        hidden = [replace(m, glance=gone) if 5 <= n < last else m for n, m in enumerate(seen)]
        assert measured(hidden).faults == faults


@pytest.mark.parametrize(("frontal", "turned", "fault"), [(0.2, 0.7, "frontal"), (0.9, 0.2, "turned")])
def test_another_person_is_found_among_the_frames_and_in_the_turn(frontal: float, turned: float, fault: str) -> None:
    assert measured(moments(), frontal, turned).faults == (fault,)


def test_without_anything_to_compare_nothing_passes() -> None:
    found = measure_continuity(moments(), [], [], LIMITS)
    assert (found.frontal, found.turned, found.passed) == (None, None, False)


def restless() -> list[Moment]:
    """A sequence of which every measure is more than nothing: it moves, grows, turns, repeats, freezes and loses."""
    seen = moments()
    for number in range(3, 30):
        box = (220.0 + number, 120.0, 200.0 + number, 240.0 + number)
        seen[number] = replace(seen[number], glance=replace(NEUTRAL, box=box, yaw=0.01 * (number % 3)))
    seen[20] = replace(seen[20], picture=seen[4].picture)
    seen[11] = replace(seen[11], picture=seen[10].picture)
    seen[25] = replace(seen[25], glance=replace(NEUTRAL, faces=0, box=None))
    return seen


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *((name, True) for name in ("speed", "growth", "yaw_speed", "gap", "repeated", "frozen")),
        *((name, False) for name in ("frontal", "turned", "link")),
    ],
)
def test_what_is_just_at_its_limit_passes_and_what_is_past_it_is_named(name: str, more: bool) -> None:
    loose = ContinuityLimits(
        frontal=-1, turned=-1, link=-1, speed=1e9, growth=1e9, yaw_speed=1e9, gap=1e9, repeated=10**9, frozen=1e9
    )
    value = getattr(measure_continuity(restless(), [0.9, 0.8], [0.7, 0.6], loose, link=0.5), name)
    assert value > 0
    for limit, faults in ((value, ()), (value - 0.001 if more else value + 0.001, (name,))):
        limits = replace(loose, **{name: limit})
        assert measure_continuity(restless(), [0.9, 0.8], [0.7, 0.6], limits, link=0.5).faults == faults


def test_silence_of_just_the_limit_counts_as_time_without_a_face_and_longer_is_the_lines() -> None:
    gone = replace(NEUTRAL, faces=0, box=None)
    for wait, gap in ((1.0, 1.0), (1.001, 0.0)):
        seen = [Moment(0.0, NEUTRAL, Picture(b"a")), Moment(wait, gone, Picture(b"b"))]
        assert without_face(seen, silence=1.0) == gap


def test_a_face_that_comes_back_begins_a_new_time_without_one() -> None:
    gone = replace(NEUTRAL, faces=0, box=None)
    glances = [NEUTRAL, gone, gone, NEUTRAL, gone, NEUTRAL]
    seen = [Moment(0.25 * n, glance, Picture(bytes([n]))) for n, glance in enumerate(glances)]
    assert without_face(seen, silence=1.0) == 0.75


@pytest.mark.parametrize(("times", "mean"), [([], math.inf), ([1.0], math.inf), ([0, 1, 2], 1.0), ([0, 0.5, 9], 0.5)])
def test_the_mean_interval_leaves_silences_out(times: list[float], mean: float) -> None:
    assert mean_interval(times) == mean


def test_between_frames_no_less_time_is_allowed_than_a_tenth_of_a_second() -> None:
    assert allowances([1.0, 1.0]) == [0.1]
    assert allowances([0.0, 1.0, 2.0]) == [2.0, 2.0]
    assert allowances([0.0, 1.0, 1.01]) == [2.0, pytest.approx(1.01)]


def test_a_face_of_no_size_is_no_division_by_nothing() -> None:
    speed, growth = fastest([(0.0, replace(NEUTRAL, box=(0, 0, 0, 0))), (1.0, replace(NEUTRAL, box=(2, 0, 0, 0)))])
    assert (speed, growth) == (1.0, 1.0)


def test_frames_of_one_and_the_same_time_are_in_order() -> None:
    seen = moments()
    seen[8] = replace(seen[8], at=seen[7].at)
    assert measured(seen).disorder == 0
    seen[8] = replace(seen[8], at=seen[7].at - 0.001)
    assert measured(seen).disorder == 1


def test_of_each_wait_without_a_face_so_much_counts_as_pauses_may_last() -> None:
    gone = replace(NEUTRAL, faces=0, box=None)
    seen = [Moment(0.5 * n, gone, Picture(bytes([n]))) for n in range(4)]
    assert without_face(seen, silence=1.0) == 1.5
    assert without_face(seen, silence=1.0, pause=0.25) == 0.75


def test_what_comes_in_one_burst_has_the_time_since_before_it_and_what_comes_quickly_has_not() -> None:
    assert allowances([0.0, 1.0, 1.01, 1.02]) == pytest.approx([2.0, 1.01, 1.02])
    assert allowances([0.0, 1.5, 1.54, 1.58]) == pytest.approx([3.0, 1.54, 0.1])


def test_the_longest_of_several_standstills_counts() -> None:
    seen = moments()
    for first, last in ((3, 8), (15, 17)):
        for number in range(first + 1, last + 1):
            seen[number] = replace(seen[number], picture=seen[first].picture)
    assert measured(seen).frozen == pytest.approx(0.5)
    assert measured(seen).repeated == 0


def test_a_face_that_grows_and_one_that_shrinks_change_as_fast() -> None:
    small, large = replace(NEUTRAL, box=(0, 0, 100, 80)), replace(NEUTRAL, box=(0, 0, 160, 200))
    for first, second in ((small, large), (large, small)):
        assert fastest([(0.0, first), (1.0, second)])[1] == pytest.approx(1.5)


def test_a_face_that_grows_around_its_middle_does_not_move_and_one_whose_box_moves_does() -> None:
    small, large = replace(NEUTRAL, box=(100, 140, 100, 40)), replace(NEUTRAL, box=(50, 120, 200, 80))
    assert fastest([(0.0, small), (1.0, large)]) == (0.0, 1.5)
    for box in ((150, 140, 100, 40), (100, 190, 100, 40)):
        moved = replace(NEUTRAL, box=box)
        assert fastest([(0.0, small), (1.0, moved)]) == (0.25, 1.0)


def test_what_does_not_move_has_no_speed_and_a_frame_without_a_face_says_nothing_of_it() -> None:
    far = replace(NEUTRAL, box=(0, 0, 20, 20))
    gone = replace(NEUTRAL, box=None)
    for others in ([], [(1.0, NEUTRAL)], [(0.5, gone), (1.0, gone)]):
        assert fastest([(0.0, NEUTRAL), *others]) == (0.0, 1.0)
    assert fastest([(0.0, far), (0.5, gone), (1.0, NEUTRAL)]) == (0.0, 1.0)
    assert measured(moments(1)).yaw_speed == 0.0


def test_a_face_of_a_pixel_is_measured_as_it_is() -> None:
    dot, larger = replace(NEUTRAL, box=(0, 0, 1, 1)), replace(NEUTRAL, box=(0, 0, 1.5, 1.5))
    for first, second in ((dot, larger), (larger, dot)):
        assert fastest([(0.0, first), (1.0, second)])[1] == 1.25


def test_the_first_two_frames_are_taken_to_come_at_the_pace_of_the_second() -> None:
    assert allowances([5.0, 6.0]) == [2.0]
    assert allowances([5.0]) == []


@pytest.mark.parametrize(
    ("times", "last"),
    [
        ((0.0, 0.03125, 0.125), 0.1875),  # at half of the mean interval, as this first wait, it is a burst
        ((0.0, 0.5, 0.6, 1.1), 0.6),  # a tenth of a second is none, however slow the others come
        ((0.0, 0.5, 0.54, 1.04), 1.04),  # a twentieth is one
    ],
)
def test_frames_that_come_together_share_the_time_since_before_them(times: tuple[float, ...], last: float) -> None:
    assert allowances(times)[-1] == pytest.approx(last)


def test_a_pause_counts_as_three_usual_intervals_without_a_face() -> None:
    gone = replace(NEUTRAL, faces=0, box=None)
    times = [0.125 * number for number in range(9)] + [1.875, 2.0, 2.125]
    shown = [NEUTRAL] * 9 + [gone] + [NEUTRAL] * 2
    seen = [Moment(at, glance, Picture(bytes([n]))) for n, (at, glance) in enumerate(zip(times, shown, strict=True))]
    interval = mean_interval(times)
    assert measured(seen).gap == pytest.approx(3 * interval + 0.125)


def test_a_picture_is_known_by_every_thirty_second_row() -> None:
    plain = np.zeros((70, 4, 3), np.uint8)
    for row, differs in ((0, True), (31, False), (32, True), (33, False), (64, True), (69, False)):
        other = plain.copy()
        other[row, 2, 1] = 1
        assert (Picture.of(other) != Picture.of(plain)) is differs
    assert len(Picture.of(plain).digest) == 16
