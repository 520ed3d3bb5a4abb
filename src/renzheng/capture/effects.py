"""The effects that a conversation asks its driver to carry out, the events that it receives, and the ways it can
end."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from renzheng.capture.intake import HeldFrame, Newest
from renzheng.capture.sight import Glance
from renzheng.verification.session import StepRecord


class End(enum.StrEnum):
    COMPLETED = "completed"
    TIMEOUT = "timeout"
    NOT_READY = "not_ready"
    TURNED = "turned"
    CAMERA = "camera"
    EASED = "eased"
    SLOW_LINE = "slow_line"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Send:
    """Send this message to the device."""

    kind: str
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Look:
    """Look at this frame, then call `looked`. One look at a time. `action`: the action for which the frame was
    taken."""

    frame: Newest
    action: str


@dataclass(frozen=True, slots=True)
class StoreFrames:
    """Store these frames, then call `stored`. One batch at a time."""

    frames: Sequence[HeldFrame]


@dataclass(frozen=True, slots=True)
class Reveal:
    """Store this step, then call `revealed`. `counts`: from this step on, the attempt counts."""

    step: StepRecord
    counts: bool


@dataclass(frozen=True, slots=True)
class Recall:
    """Look at the neutral frames that were stored before a reconnect, then call `recalled`."""


Effect = Send | Look | StoreFrames | Reveal | Recall


# -- events --


@dataclass(frozen=True, slots=True)
class LookResult:
    frame: Newest
    glance: Glance | None


@dataclass(frozen=True, slots=True)
class RecallResult:
    glances: Sequence[Glance]


@dataclass(frozen=True, slots=True)
class PongEvent:
    ping: str


class Signal(enum.Enum):
    TIME = enum.auto()
    STORED = enum.auto()
    REVEALED = enum.auto()


Event = LookResult | RecallResult | PongEvent | Signal
