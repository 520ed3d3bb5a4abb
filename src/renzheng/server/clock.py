"""The server's time: unix seconds that do not jump when the machine's clock is set."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable

RATE = 0.005
"""How fast a changed clock is followed, in seconds per second: six seconds of an action are off by 1/30 s at most."""
TOLD_FROM = 2.0
"""Seconds of difference from which a change of the clock is logged. Less is the clock's own drift."""


NEAR = 1e-3
"""Seconds of difference that are not corrected: one millisecond changes no interval that is judged."""
_BOOT = getattr(time, "CLOCK_BOOTTIME", None)


uptime: Callable[[], float] = time.monotonic if _BOOT is None else functools.partial(time.clock_gettime, _BOOT)
"""Seconds since the machine started, including sleep if the system has such a clock."""


class SteadyClock:
    """The wall time at the start plus the seconds that have passed since.

    Setting the wall clock during an attempt changes no interval: no deadline, no lease, no pace of frames. The
    difference is made up slowly, and a restart begins with the wall's time. `told(seconds)` is called once each time
    that the wall clock was set.
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
        if -NEAR < difference < NEAR and not self._left:  # the usual case, twice for each request
            self._seen = up
            return self._offset + up
        if abs(difference - self._left) >= TOLD_FROM:
            self._told(difference - self._left)
        most = RATE * (up - self._seen)
        made_up = min(max(difference, -most), most)
        self._seen, self._left = up, difference - made_up
        self._offset += made_up
        return self._offset + up
