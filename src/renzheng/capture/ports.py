"""What every part of the capture is handed: the time, the funnel's counter, and the judge's news."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from renzheng.verification.session import Session

Clock = Callable[[], float]
"""Unix seconds."""


class Verdicts(Protocol):
    """Wakes the judge, and waits for what it records."""

    def wake(self) -> None: ...
    async def decided(self, token: str) -> Session | None: ...


class News(Protocol):
    """What processes on the same records tell each other: (topic, number); an empty topic: anything may have come."""

    def tell(self, topic: str, number: int = 0) -> None: ...
    def listen(self, heard: Callable[[str, int], None]) -> None: ...


class Nodes(Protocol):
    """The servers on the same records. `number`: of this one; 0 where there can be no other."""

    @property
    def number(self) -> int: ...
    async def is_gone(self, number: int) -> bool:
        """Whether a node has ended, is about to, or stands still; takes seconds where it does."""
        ...


class OneNode:
    """There is no other."""

    number = 0

    async def is_gone(self, number: int) -> bool:
        return False


class FunnelCounter(Protocol):
    """Counts steps of the funnel; labels never hold personal data."""

    def step(self, name: str, reason: str = "", browser: str = "") -> None: ...
