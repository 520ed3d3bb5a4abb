"""For how long the server did not watch, from its own clock and the frames that it received, never from a device.

Nobody saw what the person did in that time, so an attempt that fails then is the server's fault.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass

from renzheng.capture.ports import Clock

MAX_GAP_SECONDS = 0.4
"""A blink takes about as long: a shorter gap hides no action."""

MISSED_FRAMES = 2
"""Frames of a gap that were received and not looked at. If there are fewer, the device sent too few."""

PULSE_SECONDS = 0.1
REMEMBERED_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Missed:
    """Frames that were received and not looked at: how many, and when the first of them arrived."""

    frames: int = 0
    since: float = 0.0

    def __add__(self, later: Missed) -> Missed:
        first = self if self.frames else later
        return Missed(self.frames + later.frames, first.since)

    def seconds(self, until: float) -> float:
        """Return for how long the server did not look; 0 if that hides no action."""
        gap = until - self.since if self.frames >= MISSED_FRAMES else 0.0
        return gap if gap > MAX_GAP_SECONDS else 0.0


class Watch:
    """Tracks which frames of one step were looked at.

    A gap begins with a frame that was received and not looked at. So a device that sends nothing for a while, and then
    much at once, makes no gap.
    """

    def __init__(self, began_at: float = 0.0, shown_at: float = 0.0) -> None:
        """`began_at`: when the step's time began. `shown_at`: when it was shown to the device."""
        self.began_at = began_at
        self.shown_at = shown_at
        self._missed = Missed()
        self._blind = 0.0
        self._looked = self._lost = 0

    def looked(self, at: float, missed: Missed) -> None:
        """Record that the frame received at `at` was looked at. `missed`: frames since the one before that were not."""
        self._looked += 1
        self._blind += (self._missed + missed).seconds(at)
        self._missed = Missed()

    def lost(self, at: float, missed: Missed) -> None:
        """Record that the look at the frame received at `at` was lost, as were the looks at `missed` before it."""
        self._lost += 1
        self._missed = self._missed + missed + Missed(1, at)

    def recalled(self, looked: int, lost: int) -> None:
        """Record the looks at stored frames, whose times do not matter."""
        self._looked, self._lost = looked, lost

    def blind_seconds(self, now: float, waiting: Missed) -> float:
        """Return for how long frames arrived and none was looked at. `waiting`: those that arrived since the last
        look."""
        return self._blind + (self._missed + waiting).seconds(now)

    def failed(self, now: float, waiting: Missed) -> bool:
        """Return whether most looks were lost, none was made for a while, or the step was shown late."""
        is_late = self.shown_at - self.began_at > MAX_GAP_SECONDS
        return self._lost > self._looked or self.blind_seconds(now, waiting) > 0 or is_late


class Pulse:
    """Beats as long as the server's event loop runs. If a beat is late, the server stood still.

    Frames that arrive meanwhile get the time at which the loop continues, so measurements of their times are wrong.
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
        """Return for how many seconds after `since` the server stood still."""
        return sum(until - max(begun, since) for begun, until in self._stalls if until > since)
