"""For how long the server did not watch: told from its own clock and from what had reached it, never by a device.

What a person did in that time nobody saw, so an attempt that fails in it is the server's fault.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from renzheng.capture.ports import Clock

MAX_GAP_SECONDS = 0.4
"""An eye is closed for about as long: what is shorter hides no action."""

MISSED_FRAMES = 2
"""Frames that came in a gap and were not looked at: with fewer of them it was the device that sent none."""

PULSE_SECONDS = 0.1
REMEMBERED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Missed:
    """Frames that came and were not looked at: how many, and when the first of them had come."""

    frames: int = 0
    since: float = 0.0

    def __add__(self, later: Missed) -> Missed:
        first = self if self.frames else later
        return Missed(self.frames + later.frames, first.since)

    def seconds(self, until: float) -> float:
        """For how long the server did not look; 0 where that hides no action."""
        gap = until - self.since if self.frames >= MISSED_FRAMES else 0.0
        return gap if gap > MAX_GAP_SECONDS else 0.0


class Watch:
    """One step: which of its frames were looked at.

    A gap begins with a frame that has reached the server and passes unseen. So a device that sends nothing for a
    while, and then much at once, makes none.
    """

    def __init__(self) -> None:
        self._missed = Missed()
        self._blind = 0.0

    def looked(self, at: float, missed: Missed) -> None:
        """A frame that came at `at` was looked at; `missed`: those that came since the one before and were not."""
        self._blind += (self._missed + missed).seconds(at)
        self._missed = Missed()

    def lost(self, at: float, missed: Missed) -> None:
        """A frame that came at `at` was to be looked at and was not, as `missed` before it."""
        self._missed = self._missed + missed + Missed(1, at)

    def blind_seconds(self, now: float, waiting: Missed) -> float:
        """Seconds for which frames came and none was looked at. `waiting`: those that came since the last look."""
        return self._blind + (self._missed + waiting).seconds(now)


class Pulse:
    """Beats as long as the server's loop runs; where it was late, the server stood still.

    Frames that came meanwhile have the time at which it went on, so nothing that is measured by their times holds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._stalls: deque[tuple[float, float]] = deque()
        self._last = clock()

    async def run(self) -> None:
        """Beat until cancelled."""
        self._last = self._clock()
        while True:
            await asyncio.sleep(PULSE_SECONDS)
            self.beat()

    def beat(self) -> None:
        now = self._clock()
        if now - self._last - PULSE_SECONDS > MAX_GAP_SECONDS:
            self._stalls.append((self._last, now))
        self._last = now
        while self._stalls and self._stalls[0][1] < now - REMEMBERED_SECONDS:
            self._stalls.popleft()

    def stalled_seconds(self, since: float) -> float:
        """Seconds since then in which the server stood still."""
        return sum(until - max(begun, since) for begun, until in self._stalls if until > since)
