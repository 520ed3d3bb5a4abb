"""How often an account may call an action: fixed windows of one second."""

from __future__ import annotations


class FixedWindowQuota:
    """Counts in memory, by account and action, in the whole second that the handed-in time lies in.

    The `limits` package counts fixed windows too, but its memory storage reads the wall clock itself and runs
    a timer thread; here the second is that of the request's own clock, which is what the limit's text speaks of.
    """

    def __init__(self) -> None:
        self._second = 0
        self._counts: dict[tuple[int, str], int] = {}

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """Count one request; the number of those in the second of `now`, this one included.

        A time that lies a little behind the last one counts in the window that is open, so that no window is
        opened twice; only a clock that was set back by more than a minute starts again.
        """
        second = int(now)
        if second > self._second or second < self._second - 60:
            self._second = second
            self._counts.clear()
        scope = (account_id, action)
        count = self._counts[scope] = self._counts.get(scope, 0) + 1
        return count
