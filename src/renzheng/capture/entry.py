"""The handshake from hello to welcome: which session a device wants, whether it may have it, and what it is told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from renzheng.capture.bounds import ChannelSettings
from renzheng.capture.messages import PROTOCOL, Close, ClosingError, Hello, Identity
from renzheng.capture.parts import ChannelParts
from renzheng.capture.socket import DeviceSocket
from renzheng.verification.session import DAY_SECONDS, Attempt, Session, State


@dataclass(slots=True)
class Guest:
    """A device that was let in. `secret`: the device's own. `is_bound`: the token may be used on this device alone."""

    token: str
    session: Session
    secret: str
    language: str
    is_bound: bool
    is_same: bool  # the same device that had the session before

    @property
    def is_capturable(self) -> bool:
        return self.session.state in (State.ISSUED, State.CAPTURING)


class Entry:
    """Lets the device of one socket in. Raises ClosingError if it may not come in."""

    def __init__(
        self,
        parts: ChannelParts,
        settings: ChannelSettings,
        websocket: WebSocket,
        device: DeviceSocket,
        is_open: Callable[[int], bool],
        socket: int,
    ) -> None:
        """`is_open(session_id)`: whether a device of that session has a socket open in this process. `socket`: the
        number of this socket."""
        self._is_open = is_open
        self._socket = socket
        self._parts = parts
        self._settings = settings
        self._websocket = websocket
        self._device = device

    async def let_in(self) -> Guest:
        """Read hello, check who it is, and claim the session for this device."""
        hello = await self._hello()
        session = await self._parts.sessions.find(hello.token)
        if session is None:
            gone = await self._parts.sessions.is_gone(hello.token)
            raise ClosingError(Close.EXPIRED if gone else Close.UNKNOWN_TOKEN)
        self._check_origin(session.account_id, hello.embedder)
        language = "zh-CN" if (hello.language or "").lower().startswith("zh") else "en-US"
        now = self._parts.clock()
        same = hello.device is not None and self._parts.sessions.is_device(session, hello.device)
        guest = Guest(hello.token, session, "", language, False, same)
        self._device.intake.came_back = same
        if session.state is State.EXPIRED or (guest.is_capturable and not session.alive(now)):
            raise ClosingError(Close.EXPIRED)
        if not guest.is_capturable and not same:
            raise ClosingError(Close.USED)
        guest.is_bound = await self._identify(session, hello.token)
        guest.secret = hello.device if same and hello.device else self._parts.entropy(16).hex()
        if not await self._take(guest, now, hello.handover):
            raise ClosingError(Close.OTHER_DEVICE)
        return guest

    async def _take(self, guest: Guest, now: float, handover: str | None) -> bool:
        """Claim the session for this socket. False if another device has it."""
        sessions, place = self._parts.sessions, (self._parts.nodes.number, self._socket)
        if guest.is_same:
            return await sessions.return_device(guest.session.id, guest.secret, now, *place)
        grace = self._grace(guest.session.id)
        return await sessions.claim_device(guest.session.id, guest.secret, now, grace, handover, *place)

    def _grace(self, session_id: int) -> float:
        """Return for how many seconds a silent device keeps the session.

        That is forever while its socket is open in this process, however late its last heartbeat is on a busy server.
        """
        return math.inf if self._is_open(session_id) else self._settings.device_grace_seconds

    async def attempt_under_way(self, session: Session) -> Attempt | None:
        """Return the attempt that this device left, if its current step still has time; else None."""
        if session.state is not State.CAPTURING:
            return None
        attempt = await self._parts.sessions.attempt(session.id, session.attempt)
        if attempt is None or attempt.current is None:
            return None
        for step in attempt.steps:
            self._device.intake.remember(step.nonce)
        return attempt if attempt.current.deadline > self._parts.clock() and not attempt.is_spared else None

    async def _hello(self) -> Hello:
        try:
            message = await self._device.message(self._settings.limits.hello_seconds)
        except TimeoutError:
            raise ClosingError(Close.SILENT, "no hello") from None
        if not isinstance(message, Hello):
            raise ClosingError(Close.MALFORMED, "the first message is hello")
        if message.protocol != PROTOCOL:
            raise ClosingError(Close.PROTOCOL)
        return message

    def _check_origin(self, account_id: int, embedder: str | None) -> None:
        """Check the page's origin and its embedder.

        The server's own origin, those on the account's list, and a missing Origin header pass.
        """
        for origin in (self._websocket.headers.get("origin"), embedder):
            if origin is not None:
                self._check_one(origin, account_id)

    def _check_one(self, origin: str, account_id: int) -> None:
        url = urlsplit(str(self._websocket.url))
        own = {f"{'https' if url.scheme == 'wss' else 'http'}://{self._websocket.headers.get('host', '')}"}
        if self._settings.public_url:
            public = urlsplit(self._settings.public_url)
            own.add(f"{public.scheme}://{public.netloc}")
        if origin not in own and origin not in self._parts.accounts.origins(account_id):
            raise ClosingError(Close.ORIGIN)

    async def _identify(self, session: Session, token: str) -> bool:
        """Check the device if the token is bound to one, and return whether it is bound.

        A Meta with a device's public key binds the token. If another device tries, this is recorded for the merchant.
        """
        proves = self._parts.device_proof(session.details.meta)
        if proves is None:
            return False
        nonce = self._parts.entropy(16).hex()
        await self._device.send("identify", nonce=nonce)
        try:
            message = await self._device.message(self._settings.limits.hello_seconds)
        except TimeoutError:
            raise ClosingError(Close.SILENT, "no identity") from None
        if not isinstance(message, Identity):
            raise ClosingError(Close.MALFORMED, "identify is answered by identity")
        if not proves(nonce, token, message.signature):
            self._parts.counter.step("refused", "device_mismatch")
            if not session.device_mismatch:
                await self._parts.sessions.note_device_mismatch(session.id)
            raise ClosingError(Close.BOUND)
        return True

    async def welcome(self, guest: Guest, state: str, *, is_loopback: bool, eases: bool) -> None:
        """Tell the device the state of its verification. `is_loopback`: a hand-over link would open on this machine
        alone."""
        session = guest.session
        limits = self._settings.limits
        light = {"light": True} if session.policy.light else {}
        asker = self._parts.accounts.asker(session.account_id)
        told = {"privacy_url": asker.privacy_url, "contact": asker.contact}
        await self._device.send(
            "welcome",
            protocol=PROTOCOL,
            device=guest.secret,
            state=state,
            attempts_left=session.attempts_left(session.policy.attempts),
            expires_in=round(max(0.0, session.expires_at - self._parts.clock()), 1),
            account=asker.names.get(guest.language, ""),
            names=asker.names,
            **{name: text for name, text in told.items() if text},
            compares=str(session.details.compare_lib),
            retention={
                "result_seconds": self._settings.result_seconds,
                "evidence_days": self._evidence_days(session),
            },
            limits={
                "frame_bytes": limits.frame_bytes,
                "frame_pixels": limits.frame_pixels,
                "min_fps": limits.min_frames_per_second,
                "max_fps": limits.max_frames_per_second,
                "idle_seconds": limits.idle_seconds,
            },
            handover=not guest.is_bound,
            **({"loopback": True} if is_loopback else {}),
            eases=eases,
            **light,
        )

    def _evidence_days(self, session: Session) -> float:
        if session.evidence_until is None:
            return self._settings.evidence_days
        return round((session.evidence_until - session.created_at) / DAY_SECONDS, 2)
