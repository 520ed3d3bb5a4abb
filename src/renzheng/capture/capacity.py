"""How many attempts the server can watch at once: by what a look and a judgement take it, and by what waits.

Nothing here waits or reads a clock; times are handed in, in seconds of one clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from renzheng.base import defaults

STANDSTILL_SECONDS = 1.0
"""Looks that have been under way for so long, and none of them done: nobody is let in meanwhile."""

FIRST_LOOK, FIRST_JUDGEMENT, FIRST_ATTEMPT = 0.025, 1.5, 12.0
"""Seconds that each is taken for before any was measured: a little more than on a slow machine."""


class WorkMeter:
    """Process seconds that one piece of work takes, as a mean over about the last `pieces` of them.

    Whatever is under way at once, the work that is done in a second is at most one second for each process; so the
    time is counted in which something is under way, once for each process that can be busy with it. A process that
    stands still makes each piece dearer, which is what it does.
    """

    def __init__(self, processes: int, first: float, pieces: int) -> None:
        """`first`: seconds of a piece before any was measured."""
        self._processes = processes
        self._keep = 1 - 1 / pieces
        self._busy = first * pieces / 10  # a tenth of a full memory: the first real pieces soon weigh more
        self._done = pieces / 10
        self._inside = 0
        self._counted_to = 0.0
        self._moved_at = 0.0

    @property
    def inside(self) -> int:
        """Pieces under way, those that wait for a process among them."""
        return self._inside

    def begin(self, now: float) -> None:
        self._count(now)
        if self._inside == 0:
            self._moved_at = now
        self._inside += 1

    def end(self, now: float, done: bool) -> None:
        """`done`: whether the work was done; what was lost has cost its time all the same."""
        self._count(now)
        self._inside -= 1
        if done:
            self._moved_at = now
            self._busy, self._done = self._keep * self._busy, self._keep * (self._done + 1)

    @contextmanager
    def piece(self, clock: Callable[[], float]) -> Iterator[None]:
        """One piece of work for the time of the block; one that raises was not done."""
        self.begin(clock())
        done = False
        try:
            yield
            done = True
        finally:
            self.end(clock(), done)

    def seconds(self, now: float) -> float:
        """Process seconds of one piece."""
        self._count(now)
        return self._busy / self._done

    def standing(self, now: float) -> float:
        """Seconds for which something has been under way and nothing was done."""
        return now - self._moved_at if self._inside else 0.0

    def _count(self, now: float) -> None:
        self._busy += max(0.0, now - self._counted_to) * min(self._inside, self._processes)
        self._counted_to = now


class OtherNodes(NamedTuple):
    """What other processes on the same records do: verifications that they judge in a second, attempts under way."""

    judged_per_second: float = 0.0
    attempts: int = 0


NO_OTHER_NODES = OtherNodes()


class Load(NamedTuple):
    """Verifications that wait for a judge, those that one has, and what goes on elsewhere."""

    waiting: int = 0
    judging: int = 0
    elsewhere: OtherNodes = NO_OTHER_NODES


@dataclass(frozen=True, slots=True)
class CapacityLimits:
    """`min_looks_per_second`: that each attempt needs, so that no action passes unseen. `max_verdict_seconds`: that a
    person should wait for a verdict. `hint_queue`: looks that may wait in the engine. `judge_processes`: 0 where this
    process leaves judging to others."""

    min_looks_per_second: float = defaults.MIN_LOOKS_PER_SECOND
    max_verdict_seconds: float = defaults.MAX_VERDICT_SECONDS
    hint_processes: int = defaults.HINT_PROCESSES
    judge_processes: int = defaults.JUDGE_PROCESSES
    hint_queue: int = defaults.HINT_QUEUE


class Capacity:
    """What this process carries, from its own measurements."""

    def __init__(self, limits: CapacityLimits, can_judge: Callable[[], bool] = lambda: True) -> None:
        """`can_judge`: whether those who judge for this process are within its reach."""
        self.limits = limits
        self._can_judge = can_judge
        self.looks = WorkMeter(limits.hint_processes, FIRST_LOOK, pieces=200)
        self.judgements = WorkMeter(limits.judge_processes, FIRST_JUDGEMENT, pieces=10)
        self._attempt_seconds = FIRST_ATTEMPT  # for which an attempt holds its place, on average

    def held(self, seconds: float) -> None:
        """An attempt gave its place back after so many seconds."""
        self._attempt_seconds += 0.1 * (seconds - self._attempt_seconds)

    def judged_per_second(self, now: float) -> float:
        """How many verifications this process can judge in a second."""
        return self.limits.judge_processes / self.judgements.seconds(now) if self._can_judge() else 0.0

    def places(self, now: float, load: Load) -> int:
        """How many attempts may be under way at once now.

        One at least where somebody judges, nothing stands still and nothing waits: else a slow machine would never be
        measured again.
        """
        rate = self._rate(now, load)
        if self.looks.standing(now) > STANDSTILL_SECONDS or not rate:
            return 0
        return max(min(self._watched(now), self._judged(rate, load)), 0 if load.waiting else 1)

    def _rate(self, now: float, load: Load) -> float:
        return self.judged_per_second(now) + load.elsewhere.judged_per_second

    def _watched(self, now: float) -> int:
        """As many as get their looks, of which each has one under way at most."""
        limits = self.limits
        looks = limits.hint_processes / self.looks.seconds(now)
        return min(int(looks / limits.min_looks_per_second), limits.hint_processes + limits.hint_queue)

    def _judged(self, rate: float, load: Load) -> int:
        """As many as, with those that wait already, have their verdict in time once they are through."""
        seconds = self.limits.max_verdict_seconds + self._attempt_seconds
        under_way = max(load.judging, self.judgements.inside)
        return int(seconds * rate) - load.waiting - under_way - load.elsewhere.attempts

    def wait_seconds(self, position: int, now: float, load: Load) -> float:
        """Seconds until the one at this position of the line, 1 for the next, can expect a place.

        What stands still for a moment makes nobody give up, so this goes by what is usually carried: while no judge is
        there, by what one would do.
        """
        judged_each = 1 / (self._rate(now, load) or 1 / FIRST_JUDGEMENT)
        each = max(self._attempt_seconds / max(1, self._watched(now)), judged_each)
        return position * each + max(0.0, load.waiting * judged_each - self.limits.max_verdict_seconds)
