"""What the server needs from an engine, wherever its processes are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from .limits import EngineLimits
from .liveness import Glance
from .measurement import Comparison, Frame, Measurement, PhotoReport


class EngineUnusableError(Exception):
    """An engine cannot be used as it is set up. The text is a sentence for the operator."""


class Engine(Protocol):
    """Call ``start`` before use, ``stop`` at the end. ``workers.EngineWorkers`` documents each call and its errors."""

    limits: EngineLimits

    async def start(self) -> None:
        """Start the processes. Raises WorkerDiedError, EngineUnusableError."""
        ...

    async def stop(self) -> None: ...

    @property
    def pids(self) -> dict[str, list[int]]: ...

    @property
    def restarts(self) -> dict[str, int]: ...

    def down(self) -> list[str]:
        """Return the parts that do not work now, by name."""
        ...

    @property
    def can_judge(self) -> bool:
        """False while the judges cannot be reached."""
        ...

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]: ...

    async def measure(self, frames: Sequence[Frame], reference: bytes | None = None) -> Measurement: ...

    async def present(
        self, frames: Sequence[Frame], reference: bytes | None = None
    ) -> tuple[Measurement, tuple[bytes, ...]]: ...

    async def compare(self, templates: Sequence[bytes], reference: bytes) -> Comparison: ...

    async def examine(self, photo: bytes) -> PhotoReport: ...

    async def decode(self, photo: bytes) -> None: ...

    async def mux(self, frames: Sequence[Frame]) -> bytes: ...
