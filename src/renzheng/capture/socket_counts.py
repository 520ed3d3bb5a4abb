"""How many capture sockets one address may have open."""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class SocketCounts(Protocol):
    """Counts by address (of IPv6 one /64)."""

    async def enter(self, address: str) -> str | None:
        """Take a place for one more socket, which is given back by what is returned; None where all are taken."""
        ...

    async def leave(self, address: str, place: str) -> None: ...


class OwnSocketCounts:
    """Those of this process alone. `most`: of one address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()

    async def enter(self, address: str) -> str | None:
        if self._counts[address] >= self._most:
            return None
        self._counts[address] += 1
        return address

    async def leave(self, address: str, place: str) -> None:
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]
