"""How many attempts the server can watch at once, from the measured cost of a look and of a judgement, and the load.

Nothing here waits or reads a clock. Times are passed in, in seconds of one clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from renzheng.base import defaults

STANDSTILL_SECONDS = 1.0
"""If looks have been under way for this long and none has finished, nobody is admitted."""

FIRST_LOOK, FIRST_JUDGEMENT, FIRST_ATTEMPT = 0.025, 1.5, 12.0
"""Seconds assumed for each until the first is measured: a little more than on a slow machine."""


class WorkMeter:
    """Measures the process seconds that one piece of work takes: a mean over about the last `pieces`.

    The work done in one second is at most one second per process, whatever is under way. So the meter counts the time
    in which something is under way, once for each process that can be busy with it. A process that stands still
    therefore makes each piece cost more, which is correct.
    """

    def __init__(self, processes: int, first: float, pieces: int) -> None:
        """`first`: seconds per piece that are assumed before any was measured."""
        self._processes = processes
        self._keep = 1 - 1 / pieces
        self._busy = first * pieces / 10  # a tenth of the full weight: measured pieces soon outweigh it
        self._done = pieces / 10
        self._inside = 0
        self._counted_to = 0.0
        self._moved_at = 0.0

    @property
    def inside(self) -> int:
        """The number of pieces under way, including those that wait for a process."""
        return self._inside

    def begin(self, now: float) -> None:
        self._count(now)
        if self._inside == 0:
            self._moved_at = now
        self._inside += 1

    def end(self, now: float, done: bool) -> None:
        """Record that a piece ended. `done`: whether its work was done; the time of lost work counts all the same."""
        self._count(now)
        self._inside -= 1
        if done:
            self._moved_at = now
            self._busy, self._done = self._keep * self._busy, self._keep * (self._done + 1)

    @contextmanager
    def piece(self, clock: Callable[[], float]) -> Iterator[None]:
        """Measure the block as one piece of work. If the block raises, the piece counts as lost."""
        self.begin(clock())
        done = False
        try:
            yield
            done = True
        finally:
            self.end(clock(), done)

    def seconds(self, now: float) -> float:
        """Return the process seconds of one piece."""
        self._count(now)
        return self._busy / self._done

    def standing(self, now: float) -> float:
        """Return for how many seconds pieces have been under way without one finishing."""
        return now - self._moved_at if self._inside else 0.0

    def _count(self, now: float) -> None:
        self._busy += max(0.0, now - self._counted_to) * min(self._inside, self._processes)
        self._counted_to = now


class OtherNodes(NamedTuple):
    """What other processes on the same records do: verifications judged per second, and attempts under way."""

    judged_per_second: float = 0.0
    attempts: int = 0


NO_OTHER_NODES = OtherNodes()


class Load(NamedTuple):
    """Verifications that wait for a judge, verifications being judged, and what other nodes do."""

    waiting: int = 0
    judging: int = 0
    elsewhere: OtherNodes = NO_OTHER_NODES


@dataclass(frozen=True, slots=True)
class CapacityLimits:
    """`min_looks_per_second`: looks that each attempt needs, so that no action is missed. `max_verdict_seconds`: the
    longest time that a person should wait for a verdict. `hint_queue`: looks that may wait in the engine.
    `judge_processes`: 0 if this process leaves judging to others."""

    min_looks_per_second: float = defaults.MIN_LOOKS_PER_SECOND
    max_verdict_seconds: float = defaults.MAX_VERDICT_SECONDS
    hint_processes: int = defaults.HINT_PROCESSES
    judge_processes: int = defaults.JUDGE_PROCESSES
    hint_queue: int = defaults.HINT_QUEUE


class Capacity:
    """Computes how many attempts this process can run, from its own measurements."""

    def __init__(self, limits: CapacityLimits, can_judge: Callable[[], bool] = lambda: True) -> None:
        """`can_judge`: whether the judges of this process can be reached."""
        self.limits = limits
        self._can_judge = can_judge
        self.looks = WorkMeter(limits.hint_processes, FIRST_LOOK, pieces=200)
        self.judgements = WorkMeter(limits.judge_processes, FIRST_JUDGEMENT, pieces=10)
        self._attempt_seconds = FIRST_ATTEMPT  # for which an attempt holds its place, on average

    def held(self, seconds: float) -> None:
        """Record that an attempt gave its place back after this many seconds."""
        self._attempt_seconds += 0.1 * (seconds - self._attempt_seconds)

    def judged_per_second(self, now: float) -> float:
        """Return how many verifications this process can judge per second."""
        return self.limits.judge_processes / self.judgements.seconds(now) if self._can_judge() else 0.0

    def places(self, now: float, load: Load) -> int:
        """Return how many attempts may be under way at once now.

        At least one if somebody judges and nothing is stuck or waiting. Otherwise a slow machine would never be
        measured again.
        """
        rate = self._rate(now, load)
        if self.looks.standing(now) > STANDSTILL_SECONDS or not rate:
            return 0
        return max(min(self._limit_by_looks(now), self._limit_by_verdicts(rate, load)), 0 if load.waiting else 1)

    def _rate(self, now: float, load: Load) -> float:
        return self.judged_per_second(now) + load.elsewhere.judged_per_second

    def _limit_by_looks(self, now: float) -> int:
        """Return how many attempts can get all their looks. Each attempt has at most one look under way."""
        limits = self.limits
        looks = limits.hint_processes / self.looks.seconds(now)
        return min(int(looks / limits.min_looks_per_second), limits.hint_processes + limits.hint_queue)

    def _limit_by_verdicts(self, rate: float, load: Load) -> int:
        """Return how many attempts can, together with those already waiting, get their verdict in time."""
        seconds = self.limits.max_verdict_seconds + self._attempt_seconds
        under_way = max(load.judging, self.judgements.inside)
        return int(seconds * rate) - load.waiting - under_way - load.elsewhere.attempts

    def wait_seconds(self, position: int, now: float, load: Load) -> float:
        """Return the seconds until `position` in the line (1 is the next) can expect a place.

        A short standstill should make nobody give up, so this uses the usual rate. If no judge is reachable, it uses
        the rate that one judge would have.
        """
        judged_each = 1 / (self._rate(now, load) or 1 / FIRST_JUDGEMENT)
        each = max(self._attempt_seconds / max(1, self._limit_by_looks(now)), judged_each)
        return position * each + max(0.0, load.waiting * judged_each - self.limits.max_verdict_seconds)
