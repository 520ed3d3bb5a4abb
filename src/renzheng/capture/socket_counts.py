"""How many capture sockets one address may have open."""

from __future__ import annotations

from collections import Counter
from typing import Protocol


class SocketCounts(Protocol):
    """Counts open sockets by address (for IPv6, by /64)."""

    async def enter(self, address: str) -> str | None:
        """Count one more socket. Returns a key for giving it back; None if the address has its maximum."""
        ...

    async def leave(self, address: str, place: str) -> None: ...


class OwnSocketCounts:
    """Counts the sockets of this process alone. `most`: sockets per address."""

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
