"""What every part of the capture gets: the time, the funnel's counter, and news for judges."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from renzheng.verification.session import Session

Clock = Callable[[], float]
"""Unix seconds."""


class Verdicts(Protocol):
    """Wakes judges, and waits for the verdicts that they record."""

    def wake(self) -> None: ...
    async def decided(self, token: str) -> Session | None: ...


class News(Protocol):
    """Messages between processes on the same records: (topic, number). An empty topic: anything may have happened."""

    def tell(self, topic: str, number: int = 0) -> None: ...
    def listen(self, heard: Callable[[str, int], None]) -> None: ...


class Nodes(Protocol):
    """The servers on the same records. `number`: this node's own; 0 if there can be no other."""

    @property
    def number(self) -> int: ...
    async def is_gone(self, number: int) -> bool:
        """Return whether a node has ended, is about to end, or stands still. Takes seconds if it stands still."""
        ...


class OneNode:
    """The only node: there is no other."""

    number = 0

    async def is_gone(self, number: int) -> bool:
        return False


class FunnelCounter(Protocol):
    """Counts steps of the funnel; labels never hold personal data."""

    def step(self, name: str, reason: str = "", browser: str = "") -> None: ...
