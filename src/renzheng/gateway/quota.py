"""How often an account may call an action: fixed windows of one second."""

from __future__ import annotations


class FixedWindowQuota:
    """Counts in memory, by account and action, within the whole second of the given time.

    The `limits` package counts fixed windows too, but its memory storage reads the wall clock itself and runs a timer
    thread. Here the second is that of the request's own clock, as the limit's text says.
    """

    def __init__(self) -> None:
        self._second = 0
        self._counts: dict[tuple[int, str], int] = {}

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """Count one request. Returns how many came in the second of `now`, this one included.

        A time slightly behind the last one counts in the open window, so that no window is opened twice. Only if the
        clock was set back by more than a minute does the count start again.
        """
        second = int(now)
        if second > self._second or second < self._second - 60:
            self._second = second
            self._counts.clear()
        scope = (account_id, action)
        count = self._counts[scope] = self._counts.get(scope, 0) + 1
        return count
