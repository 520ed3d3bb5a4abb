"""Places that accounts share, so that none of them can take all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator


class FairShares:
    """A number of places. An account may hold as many as remain free.

    One account alone therefore gets half of the places. Several accounts that all want more get equal shares, and one
    share stays free: the next account finds a place at once, whatever the others do.
    """

    def __init__(self, places: int) -> None:
        self.places = places
        self.taken = 0
        self._by_account: dict[int, int] = {}

    def take(self, account_id: int, count: int = 1) -> bool:
        """Take `count` places if the account may have them. An account without any gets one while any is free."""
        held, free = self._by_account.get(account_id, 0), self.places - self.taken
        if count > free or held + count > max(free, count if not held else 0):
            return False
        self.taken += count
        self._by_account[account_id] = held + count
        return True

    def release(self, account_id: int, count: int = 1) -> None:
        self.taken -= count
        left = self._by_account[account_id] - count
        if left:
            self._by_account[account_id] = left
        else:
            del self._by_account[account_id]

    @contextlib.contextmanager
    def place(self, account_id: int, refusal: Exception) -> Iterator[None]:
        """Hold one place, or raise `refusal`."""
        if not self.take(account_id):
            raise refusal
        try:
            yield
        finally:
            self.release(account_id)
