"""What a capture channel is built from: its bounds, and the parts that the composition root hands in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from renzheng.capture.course import CoursePace
from renzheng.capture.ports import Accounts, Clock, Counter, Lookout, Sessions, Verdicts
from renzheng.capture.socket import ChannelLimits
from renzheng.verification.challenge import Entropy


@dataclass(frozen=True, slots=True)
class ChannelSettings:
    limits: ChannelLimits
    pace: CoursePace
    device_grace_seconds: float = 10.0
    handover_seconds: float = 120.0
    evidence_days: float = 3.0
    result_seconds: float = 3 * 24 * 3600
    public_url: str = ""
    light_colours: int = 7


@dataclass(frozen=True, slots=True)
class ChannelParts:
    """What the channel works with. `day` names a day; `is_bound(meta)` gives the public key that a Meta carries,
    `proves(key, nonce, token, signature)` checks a device's identity; `qr(text)` gives a QR code's rows of 0 and 1."""

    sessions: Sessions
    accounts: Accounts
    lookout: Lookout
    verdicts: Verdicts
    counter: Counter
    clock: Clock
    entropy: Entropy
    day: Callable[[float], str]
    bound_key: Callable[[str], Any]
    proves: Callable[[Any, str, str, str], bool]
    qr: Callable[[str], list[str]]
