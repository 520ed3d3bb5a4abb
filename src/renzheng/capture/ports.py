"""What the capture needs of the store and the engine, as small Protocols; the composition root hands them in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from renzheng.verification.session import Attempt, Ending, FrameRecord, Session, StepRecord

Clock = Callable[[], float]
"""Unix seconds."""


class Sessions(Protocol):
    """The store's sessions, as far as a device's socket moves them. Every method that moves says whether it won."""

    async def find(self, token: str) -> Session | None: ...
    async def is_gone(self, token: str) -> bool: ...
    async def claim_device(
        self, session_id: int, device: str, now: float, grace: float, handover: str | None
    ) -> bool: ...
    async def touch_device(self, session_id: int, device: str, now: float) -> bool: ...
    async def note_device_mismatch(self, session_id: int) -> None: ...
    async def offer_handover(self, session_id: int, device: str, code: str, until: float) -> bool: ...
    async def begin_attempt(
        self, session_id: int, attempt: int, actions: tuple[str, ...], now: float
    ) -> int | None: ...
    async def attempt(self, session_id: int, number: int) -> Attempt | None: ...
    async def reveal(self, session_id: int, attempt: int, step: StepRecord, counts: bool, day: str | None) -> bool: ...
    async def attempts_today(self, account_id: int, id_hash: bytes, day: str) -> int: ...
    async def store_frames(
        self, session_id: int, attempt: int, frames: Sequence[tuple[FrameRecord, bytes]]
    ) -> bool: ...
    async def kept(self, session_id: int, attempt: int) -> tuple[int, int]: ...
    async def newest_frames(
        self, session_id: int, attempt: int, step: int, most: int
    ) -> list[tuple[FrameRecord, bytes]]: ...
    async def submit(self, session_id: int, attempt: int, ending: Ending, now: float) -> bool: ...


class Accounts(Protocol):
    def origins(self, account_id: int) -> Sequence[str]: ...
    def name(self, account_id: int) -> str: ...


class Glance(Protocol):
    """One frame's numbers; only the engine knows what is in it, the channel hands it on."""


class Watcher(Protocol):
    """Watches for one asked action. `feed` is True once it was seen."""

    def feed(self, glance: Any, at_seconds: float) -> bool: ...


class Lookout(Protocol):
    """The engine's live side: numbers of a frame, hints, and watchers.

    `look` raises BadFrame for bytes that do not decode and Skipped where the engine has no room or lost the frame.
    """

    async def look(self, jpeg: bytes, eyes: bool) -> Any: ...
    def hint(self, glance: Any, action: str) -> str | None: ...
    def baseline(self, glances: Sequence[Any]) -> Any: ...
    def watcher(self, action: str, baseline: Any) -> Watcher: ...
    def size(self, jpeg: bytes) -> tuple[int, int] | None: ...


class BadFrame(Exception):
    """The frame's bytes do not decode."""


class Skipped(Exception):
    """No numbers for this frame: the engine is busy or lost it. The next one will do."""


class Verdicts(Protocol):
    """Wakes the judge, and waits for what it records."""

    def wake(self) -> None: ...
    async def decided(self, token: str) -> Session | None: ...


class Counter(Protocol):
    """Counts steps of the funnel; labels never hold personal data."""

    def step(self, name: str, reason: str = "", browser: str = "") -> None: ...
