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


class Counter(Protocol):
    """Counts steps of the funnel; labels never hold personal data."""

    def step(self, name: str, reason: str = "", browser: str = "") -> None: ...
