"""The overview's data: counts of verifications, and the server's health."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


class Count(Protocol):
    """Verdicts of one bucket of time. `result`: the business code."""

    @property
    def start(self) -> float: ...
    @property
    def result(self) -> str: ...
    @property
    def count(self) -> int: ...


class Counts(Protocol):
    """Counts verifications; see `store.statistics`."""

    async def verdicts(
        self, since: float, width: float, utc_offset: float, account_id: int | None = None
    ) -> Sequence[Count]: ...

    async def states(self, since: float, account_id: int | None = None) -> Mapping[str, int]: ...


class Latency(Protocol):
    @property
    def calls(self) -> int: ...
    @property
    def half(self) -> float: ...
    @property
    def most(self) -> float: ...


class LoggedProblem(Protocol):
    """A warning or an error of the server's log."""

    @property
    def at(self) -> float: ...
    @property
    def level(self) -> str: ...
    @property
    def event(self) -> str: ...
    @property
    def text(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Health:
    """The server now. `reasons`: why it is not ready, by check. `free`: free bytes by folder. `waiting`: by queue."""

    reasons: Mapping[str, str]
    free: Mapping[str, int]
    waiting: Mapping[str, int]
    restarts: int
    steps: Mapping[tuple[str, str], int]
    latencies: Mapping[str, Latency]
    troubles: Sequence[LoggedProblem]
