"""Hand-over codes: with one of them, another device takes over a verification."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.websockets import WebSocket

from renzheng.capture.bounds import ChannelSettings
from renzheng.capture.parts import ChannelParts


@dataclass(frozen=True, slots=True)
class Offer:
    """A hand-over code. In the first half of its life it is given again, since a QR code takes milliseconds to make."""

    code: str
    until: float
    modules: list[str]


class Handing:
    """The hand-over codes of one visit."""

    def __init__(self, parts: ChannelParts, settings: ChannelSettings, websocket: WebSocket) -> None:
        self._parts = parts
        self._settings = settings
        self._websocket = websocket
        self._offer: Offer | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether the address in a code is a loopback address, which no phone can open."""
        host = urlsplit(self._settings.public_url or self._own_address()).hostname or ""
        with contextlib.suppress(ValueError):
            return ip_address(host).is_loopback
        return host == "localhost" or host.endswith(".localhost")

    async def offer(self, session_id: int, token: str, secret: str) -> Offer | None:
        """Return the current code; None if another device has the session by now."""
        now = self._parts.clock()
        if self._offer is None or self._offer.until - now < self._settings.handover_seconds / 2:
            self._offer = await self._new_offer(session_id, token, secret, now + self._settings.handover_seconds)
        return self._offer

    async def _new_offer(self, session_id: int, token: str, secret: str, until: float) -> Offer | None:
        code = self._parts.entropy(16).hex()
        modules = self._parts.qr(f"{self._settings.public_url or self._own_address()}/verify#{token}.{code}")
        if not await self._parts.sessions.offer_handover(session_id, secret, code, until):
            return None
        return Offer(code, until, modules)

    def _own_address(self) -> str:
        """Return the server's address as the device knows it. It is one of the server's own names, as no other is
        accepted."""
        url = urlsplit(str(self._websocket.url))
        host = self._websocket.headers.get("host", url.netloc)
        return f"{'https' if url.scheme == 'wss' else 'http'}://{host}"
