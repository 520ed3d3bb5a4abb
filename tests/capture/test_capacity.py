"""What the server carries, from its own measurements: by looks, by judging, and by what stands still."""

from __future__ import annotations

import pytest

from renzheng.capture.capacity import FIRST_LOOK, Capacity, CapacityLimits, Load, OtherNodes, WorkMeter


def work(meter: WorkMeter, seconds: float, at_once: int, pieces: int, processes: int, now: float = 0.0) -> float:
    """`at_once` pieces are always under way, and `processes` of them are worked on. Gives the time at the end."""
    for _ in range(at_once):
        meter.begin(now)
    for _ in range(pieces):
        now += seconds / min(processes, at_once)
        meter.end(now, done=True)
        meter.begin(now)
    for _ in range(at_once):
        meter.end(now, done=False)
    return now


@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize("at_once", [1, 2, 16])
def test_a_piece_costs_what_it_costs_however_many_wait(processes: int, at_once: int) -> None:
    meter = WorkMeter(processes, 0.5, 50)
    now = work(meter, 0.02, at_once, 500, processes)
    assert meter.seconds(now) == pytest.approx(0.02, rel=0.05)


def test_what_is_not_done_is_not_counted_but_its_time_is() -> None:
    meter = WorkMeter(1, 0.02, 50)
    now = work(meter, 0.02, 1, 200, 1)
    meter.begin(now)
    assert meter.standing(now + 3) == pytest.approx(3)
    assert meter.seconds(now + 3) > 2 * 0.02
    meter.end(now + 3, done=False)
    assert meter.standing(now + 4) == 0, "nothing is under way"
    assert meter.seconds(now + 100) == meter.seconds(now + 3), "idle time costs nothing"


def of(look: float, judgement: float, **limits: int) -> tuple[Capacity, float]:
    capacity = Capacity(CapacityLimits(**{"judge_processes": 1, "hint_processes": 1, **limits}))
    now = work(capacity.looks, look, 4, 2000, capacity.limits.hint_processes)
    now = work(capacity.judgements, judgement, 1, 100, 1, now)
    return capacity, now


@pytest.mark.parametrize(
    ("look", "judgement", "limits", "places"),
    [
        (0.020, 0.5, {}, 8),  # 50 looks a second, 6 for each
        (0.010, 0.5, {}, 16),
        (0.010, 0.5, {"hint_queue": 3}, 4),
        (0.020, 5.0, {}, 4),  # 22 seconds from its begin to a verdict in time, 5 a judgement
        (1.0, 30.0, {}, 1),  # one at least, or it would never be measured again
    ],
)
def test_as_many_as_are_watched_and_judged_in_time(
    look: float, judgement: float, limits: dict[str, int], places: int
) -> None:
    capacity, now = of(look, judgement, **limits)
    assert capacity.places(now, Load()) == places


def test_what_waits_for_a_judge_counts_and_nobody_is_let_in_beside_a_long_line_of_it() -> None:
    capacity, now = of(0.02, 2.0)
    assert capacity.places(now, Load()) == 8
    assert capacity.places(now, Load(6)) == 5
    assert capacity.places(now, Load(50)) == 0


def test_nobody_is_let_in_while_looks_stand_still_and_nobody_gives_up_for_it() -> None:
    capacity, now = of(0.02, 0.5)
    expected = capacity.wait_seconds(4, now, Load())
    capacity.looks.begin(now)
    assert capacity.places(now + 1.5, Load()) == 0
    assert capacity.wait_seconds(4, now + 1.5, Load()) == pytest.approx(expected, rel=0.5)
    capacity.looks.end(now + 1.5, done=True)
    assert capacity.places(now + 1.5, Load()) > 3


def test_the_wait_is_by_how_long_attempts_hold_a_place() -> None:
    capacity, now = of(0.02, 0.5)
    for _ in range(100):
        capacity.held(16.0)
    assert capacity.wait_seconds(8, now, Load()) == pytest.approx(16.0, rel=0.05)
    assert capacity.wait_seconds(8, now, Load(40)) == pytest.approx(16.0 + 40 * 0.5 - 10, rel=0.05)


def test_before_anything_is_measured_a_few_are_let_in() -> None:
    assert Capacity(CapacityLimits()).places(0.0, Load()) == int(1 / FIRST_LOOK / 6)


def test_what_others_judge_counts_and_so_do_the_attempts_that_they_let_in() -> None:
    capacity, now = of(0.02, 5.0)
    assert capacity.places(now, Load()) == 4
    assert capacity.places(now, Load(elsewhere=OtherNodes(0.2))) == 8
    assert capacity.places(now, Load(elsewhere=OtherNodes(0.2, attempts=3))) == 5
    assert capacity.places(now, Load(judging=2, elsewhere=OtherNodes(0.2, attempts=3))) == 3
    assert capacity.wait_seconds(1, now, Load(40)) > 1.9 * capacity.wait_seconds(1, now, Load(40, 0, OtherNodes(0.2)))


def test_a_server_whose_judges_are_out_of_reach_lets_in_nobody_until_they_are_back() -> None:
    reached = [True, False, True]
    capacity = Capacity(CapacityLimits(), lambda: reached[0])
    found = []
    while reached:
        found.append((capacity.places(0.0, Load()) > 0, capacity.judged_per_second(0.0) > 0))
        del reached[0]
    assert found == [(True, True), (False, False), (True, True)]


def test_a_server_that_leaves_judging_to_others_lets_in_nobody_while_there_are_none() -> None:
    capacity, now = of(0.02, 5.0, judge_processes=0)
    assert capacity.places(now, Load()) == 0
    assert capacity.wait_seconds(1, now, Load()) < 10, "a judge that starts again makes nobody give up"
    assert capacity.places(now, Load(elsewhere=OtherNodes(0.2))) == 4
