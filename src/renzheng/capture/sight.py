"""What the capture sees of a frame: the engine's live side, and the words for it.

`Glance` and `Baseline` are the engine's own, plain numbers; the capture hands them on and reads none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from renzheng.engine.liveness import Baseline, Glance

__all__ = ["BadFrameError", "Baseline", "FrameHead", "Glance", "Lookout", "Sight", "SkippedError", "Watcher"]


class Watcher(Protocol):
    """Watches for one asked action. `feed` is True once it was seen."""

    def feed(self, glance: Glance, at_seconds: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What a frame's header says: its size in pixels as it is to be seen, and whether it comes in ever finer scans."""

    width: int
    height: int
    progressive: bool = False


class Sight(Protocol):
    """What follows from the numbers of frames; nothing here waits."""

    def hint(self, glance: Glance, action: str) -> str | None: ...
    def baseline(self, glances: Sequence[Glance]) -> Baseline | None: ...
    def watcher(self, action: str, baseline: Baseline) -> Watcher: ...


class Lookout(Sight, Protocol):
    """The engine's live side.

    `look` measures a frame that was taken for this action: its numbers, and all of its measurement for the judge. It
    raises BadFrameError for bytes that do not decode and SkippedError where the engine has no room or
    lost the frame.
    """

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]: ...
    def head(self, jpeg: bytes) -> FrameHead | None: ...


class BadFrameError(Exception):
    """The frame's bytes do not decode."""


class SkippedError(Exception):
    """No numbers for this frame: the engine is busy or lost it. The next one will do."""
