"""What the capture sees of a frame: the engine's live side and its types.

`Glance` and `Baseline` are the engine's own plain numbers. The capture passes them on and reads none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from renzheng.engine.liveness import Baseline, Glance

__all__ = ["BadFrameError", "Baseline", "FrameHead", "Glance", "Lookout", "Sight", "SkippedError", "Watcher"]


class Watcher(Protocol):
    """Watches for one requested action. `feed` returns True once it was seen."""

    def feed(self, glance: Glance, at_seconds: float) -> bool: ...


@dataclass(frozen=True, slots=True)
class FrameHead:
    """What a frame's header says: its displayed size in pixels, and whether it is a progressive JPEG."""

    width: int
    height: int
    progressive: bool = False


class Sight(Protocol):
    """Conclusions from the numbers of frames. Nothing here waits."""

    def hint(self, glance: Glance, action: str) -> str | None: ...
    def baseline(self, glances: Sequence[Glance]) -> Baseline | None: ...
    def watcher(self, action: str, baseline: Baseline) -> Watcher: ...


class Lookout(Sight, Protocol):
    """The engine's live side.

    `look` measures a frame that was taken for this action. It returns the numbers for the capture, and the whole
    measurement for the judge. It raises BadFrameError for bytes that do not decode, and SkippedError if the engine has
    no room or lost the frame.
    """

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]: ...
    def head(self, jpeg: bytes) -> FrameHead | None: ...


class BadFrameError(Exception):
    """The frame's bytes do not decode."""


class SkippedError(Exception):
    """There are no numbers for this frame: the engine is busy or lost it. The next frame will do."""
