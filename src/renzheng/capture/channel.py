"""The capture channel: admits devices' sockets and tracks which are open."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.websockets import WebSocket

from renzheng.base.addresses import subscriber
from renzheng.base.unavailable import UnavailableError
from renzheng.capture.bounds import ChannelSettings
from renzheng.capture.browsers import family
from renzheng.capture.capacity import Load
from renzheng.capture.messages import Close, ClosingError
from renzheng.capture.parts import ChannelParts
from renzheng.capture.places import Places
from renzheng.capture.ports import FunnelCounter
from renzheng.capture.socket import DeviceGoneError, DeviceSocket
from renzheng.capture.socket_counts import OwnSocketCounts
from renzheng.capture.visit import Visit
from renzheng.verification.records import NoRoomError

log = structlog.get_logger("renzheng.capture")

DEVICE = "device"
"""The topic that names a session whose device has moved to another node."""
REFUSED_EVERY_SECONDS = 10.0
"""The log gets at most one line in this time about requests without Upgrade, since anybody can send them."""


class ByBrowser:
    """Counts funnel steps under one device's browser family."""

    def __init__(self, counter: FunnelCounter, user_agent: str) -> None:
        self._counter = counter
        self._browser = family(user_agent)

    def step(self, name: str, reason: str = "", browser: str = "") -> None:
        self._counter.step(name, reason, browser or self._browser)


class Channel:
    """`/capture/v1`. There is one instance per process; it knows the sockets that are open in the process."""

    def __init__(self, parts: ChannelParts, settings: ChannelSettings) -> None:
        self._parts = parts
        self._settings = settings
        self._open: dict[int, Visit] = {}
        self.places = Places(
            parts.capacity,
            settings.limits.captures,
            settings.limits.captures_share,
            settings.max_waiting,
            self._load,
            parts.clock,
        )
        self._socket_counts = parts.socket_counts or OwnSocketCounts(settings.limits.captures_per_address)
        self._refused_at = -REFUSED_EVERY_SECONDS

    def start(self) -> None:
        """Start to listen for devices that move to other nodes."""
        if self._parts.news is not None:
            self._parts.news.listen(self._heard)

    def _heard(self, topic: str, number: int) -> None:
        """Tell a visit that its device may have moved. A missed notification is noticed at the next heartbeat."""
        if topic == DEVICE and (visit := self._open.get(number)) is not None:
            visit.look()

    def moved(self, session_id: int) -> None:
        """Tell the other node that this session's device is now connected here, so that it ends its own visit."""
        if self._parts.news is not None:
            self._parts.news.tell(DEVICE, session_id)

    async def _load(self) -> Load:
        waiting, judging = await self._parts.sessions.backlog(self._parts.clock())
        return Load(waiting, judging, self._parts.elsewhere())

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one socket from its accept to its close."""
        await websocket.accept()
        device = DeviceSocket(websocket, self._settings.limits, self._parts.clock)
        address = subscriber(websocket.client.host) if websocket.client else ""
        place = await self._socket_counts.enter(address)
        if place is None:
            self._parts.counter.step("refused", "full")
            await device.close(Close.FULL)
            return
        try:
            await self._serve_visit(websocket, device)
        finally:
            await self._socket_counts.leave(address, place)

    async def _serve_visit(self, websocket: WebSocket, device: DeviceSocket) -> None:
        parts = replace(self._parts, counter=ByBrowser(self._parts.counter, websocket.headers.get("user-agent", "")))
        visit = Visit(self, self.places, parts, self._settings, websocket, device)
        try:
            code = await visit.run()
            await device.close(code)
        except ClosingError as closing:
            parts.counter.step("closed", closing.code.name.lower())
            log.info("capture_closed", code=int(closing.code), why=str(closing))
            await device.close(closing.code, str(closing))
        except NoRoomError as error:
            parts.counter.step("closed", "no_room")
            log.warning("capture_refused", why=str(error))
            await device.close(Close.FULL, "the server has no room for frames now; try again later")
        except DeviceGoneError:
            parts.counter.step("closed", "connection_lost")
        except asyncio.CancelledError:
            await device.close(Close.RESTART)
            raise
        except UnavailableError as error:
            parts.counter.step("closed", "unavailable")
            log.warning("capture_unavailable", why=str(error))
            await device.close(Close.RESTART, "the server cannot go on now; connect again")
        except Exception:
            log.exception("capture_failed")
            await device.close(Close.RESTART, "an internal error; connect again")
        finally:
            await visit.leave()

    async def refuse(self, request: Request) -> Response:
        """Answer a plain request on the WebSocket's path: a person opened it, or a proxy dropped the Upgrade header."""
        browser = family(request.headers.get("user-agent", ""))
        self._parts.counter.step("refused", "no_upgrade", browser)
        now = self._parts.clock()
        if now - self._refused_at >= REFUSED_EVERY_SECONDS:
            self._refused_at = now
            log.warning("capture_without_upgrade", browser=browser, why="no WebSocket handshake: a proxy drops Upgrade")
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Cache-Control": "no-store"}
        return PlainTextResponse(
            "This address takes WebSockets only: a proxy may have dropped Upgrade.\n", 426, headers
        )

    def entered(self, session_id: int, visit: Visit) -> Visit | None:
        """Record which visit holds a session. Returns the visit that it replaces, if that is open in this process."""
        before = self._open.get(session_id)
        self._open[session_id] = visit
        return before

    def is_open(self, session_id: int) -> bool:
        """Whether a device of this session has a socket open in this process."""
        return session_id in self._open

    def left(self, session_id: int, visit: Visit) -> None:
        if self._open.get(session_id) is visit:
            del self._open[session_id]
