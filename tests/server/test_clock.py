"""The server's time goes on evenly, whatever is done to the machine's clock."""

from __future__ import annotations

import pytest

from renzheng.server.clock import NEAR, RATE, TOLD_FROM, SteadyClock


class Machine:
    """A machine whose clock can be set."""

    def __init__(self) -> None:
        self.up = 50.0
        self.wall = 1_700_000_000.0
        self.told: list[float] = []
        self.clock = SteadyClock(lambda: self.wall, lambda: self.up, self.told.append)

    def passes(self, seconds: float) -> float:
        self.up += seconds
        self.wall += seconds
        return self.clock()


def test_it_begins_with_the_walls_time_and_goes_on_with_it() -> None:
    machine = Machine()
    assert machine.clock() == machine.wall
    assert machine.passes(3600) == pytest.approx(machine.wall, abs=1e-6)
    assert machine.told == []


@pytest.mark.parametrize("step", [-86400.0, -3600.0, -30.0, -2.0, 2.0, 30.0, 3600.0, 86400.0])
def test_a_step_of_the_wall_clock_changes_no_interval(step: float) -> None:
    machine = Machine()
    before = machine.passes(1)
    machine.wall += step
    assert machine.clock() == before
    assert machine.passes(6) - before == pytest.approx(6, abs=6 * RATE + 1e-6)
    assert machine.told == [pytest.approx(step)]


@pytest.mark.parametrize("step", [-20.0, 20.0])
def test_the_difference_is_made_up_in_time_and_never_goes_back(step: float) -> None:
    machine = Machine()
    machine.wall += step
    times = [machine.passes(60) for _ in range(20)]
    assert abs(times[-1] - machine.wall) == pytest.approx(20 - 20 * 60 * RATE, abs=0.01)
    times += [machine.passes(60) for _ in range(80)]
    assert times == sorted(times)
    assert times[-1] == pytest.approx(machine.wall, abs=1e-6)
    assert len(machine.told) == 1


def test_small_differences_are_followed_without_a_word_and_each_step_is_told_once() -> None:
    machine = Machine()
    machine.wall += TOLD_FROM / 2
    machine.passes(1)
    assert machine.told == []
    machine.wall += 100
    machine.passes(1)
    machine.passes(1)
    machine.wall -= 50
    machine.passes(1)
    assert len(machine.told) == 2


def test_less_than_a_millisecond_is_let_be_and_what_comes_on_top_is_followed_slowly() -> None:
    machine = Machine()
    before = machine.passes(3600)
    machine.wall += 0.9 * NEAR
    assert machine.clock() == before
    machine.wall += 1.0
    assert machine.passes(6) - before == pytest.approx(6, abs=6 * RATE + 1e-6)  # not the hour's worth at once
