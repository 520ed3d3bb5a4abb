"""The server's time: unix seconds that no setting of the machine's clock makes jump."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

RATE = 0.005
"""How fast a set clock is followed, seconds a second: an action's six seconds are off by a thirtieth of one at most."""
TOLD_FROM = 2.0
"""Seconds of difference from which a set clock is told; what is less is the clock's own wandering."""


NEAR = 1e-3
"""Seconds of difference that are let be until they are more: one millisecond changes no interval that is judged."""
_BOOT = getattr(time, "CLOCK_BOOTTIME", None)


uptime: Callable[[], float] = time.monotonic if _BOOT is None else functools.partial(time.clock_gettime, _BOOT)
"""Seconds since the machine started, sleep included; where the system has no such clock, without."""


class SteadyClock:
    """The wall time at the start plus the seconds that have passed since.

    A wall clock that is set forward or back within an attempt changes no interval: no deadline, no lease, no pace of
    frames. The difference is made up slowly, and a restart begins with the wall's time. `told(seconds)` is called once
    for each time that the wall clock was set.
    """

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        uptime: Callable[[], float] = uptime,
        told: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._wall = wall
        self._uptime = uptime
        self._told = told
        self._seen = uptime()
        self._offset = wall() - self._seen
        self._left = 0.0

    def __call__(self) -> float:
        up = self._uptime()
        difference = self._wall() - (self._offset + up)
        if -NEAR < difference < NEAR and not self._left:  # nearly always, and asked for twice a request
            self._seen = up
            return self._offset + up
        if abs(difference - self._left) >= TOLD_FROM:
            self._told(difference - self._left)
        most = RATE * (up - self._seen)
        made_up = min(max(difference, -most), most)
        self._seen, self._left = up, difference - made_up
        self._offset += made_up
        return self._offset + up
