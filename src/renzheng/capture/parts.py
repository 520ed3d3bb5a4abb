"""The parts of a capture channel, which the composition root hands in."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from renzheng.capture.asker import Accounts
from renzheng.capture.capacity import NO_OTHER_NODES, Capacity, CapacityLimits, OtherNodes
from renzheng.capture.photos import PhotoDesk
from renzheng.capture.ports import Clock, FunnelCounter, News, Nodes, OneNode, Verdicts
from renzheng.capture.sessions import Sessions
from renzheng.capture.sight import Lookout
from renzheng.capture.socket_counts import SocketCounts
from renzheng.capture.watching import Pulse
from renzheng.verification.challenge import Entropy

DeviceProof = Callable[[str, str, str], bool]
"""(nonce, token, signature) -> whether the bound device signed this nonce and token."""


@dataclass(frozen=True, slots=True)
class ChannelParts:
    """What the channel works with. `capacity`: how many attempts this process can run. `pulse`: whether it stands
    still. `elsewhere()`: what other processes do. `day` names a day. `device_proof(meta)` returns the check for the
    device that a Meta binds the token to, None if it binds none. `qr(text)` returns a QR code's rows of 0 and 1.
    `socket_counts`: sockets by address; None: those of this process alone."""

    sessions: Sessions
    accounts: Accounts
    lookout: Lookout
    photos: PhotoDesk
    verdicts: Verdicts
    counter: FunnelCounter
    clock: Clock
    entropy: Entropy
    day: Callable[[float], str]
    device_proof: Callable[[str], DeviceProof | None]
    qr: Callable[[str], list[str]]
    capacity: Capacity = field(default_factory=lambda: Capacity(CapacityLimits()))
    pulse: Pulse = field(default_factory=lambda: Pulse(time.time))
    elsewhere: Callable[[], OtherNodes] = lambda: NO_OTHER_NODES
    nodes: Nodes = field(default_factory=OneNode)
    news: News | None = None
    socket_counts: SocketCounts | None = None
