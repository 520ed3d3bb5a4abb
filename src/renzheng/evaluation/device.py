"""A device without a person: a client of the capture channel, written from `docs/capture-protocol.md` alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlunsplit

import simplejpeg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from renzheng.base.addresses import split_url
from renzheng.engine.runtimes import Image

PROTOCOL = 1
FRAME_MARK = b"\x01"
COME_BACK = frozenset({1001, 1006, 1012, 4408, 4503})
"""Close codes after which the protocol page tells a device to connect again."""


class Scene(Protocol):
    """What stands before the camera, such as a `Performance`."""

    def frame(self, instruction: str, seconds: float, allowed: float) -> Image:
        """(H, W, 3) uint8 BGR, unmirrored, `seconds` after `instruction` came up, of `allowed` in all."""
        ...


class DeviceError(Exception):
    """The verification did not reach an outcome. `code`: the close code, or None without a connection."""

    def __init__(self, sentence: str, code: int | None = None) -> None:
        super().__init__(sentence)
        self.code = code


class NoOutcomeError(DeviceError):
    """The time was over before the server had anything to judge."""


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """One thing that happened on the device, `at` seconds after it began: a message's type and its fields."""

    at: float
    kind: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeviceOutcome:
    """How a verification ended for the device, which learns no more than `passed`.

    `actions`: what was asked, attempt by attempt, without `neutral`; `frames`: sent in all; `acknowledged`: the last
    sequence that the server stored; `rate`: frames a second while a step was on the screen.
    """

    passed: bool
    attempts: int
    actions: tuple[tuple[str, ...], ...]
    hints: tuple[str, ...]
    frames: int
    acknowledged: int
    rate: float
    seconds: float


@dataclass(frozen=True, slots=True)
class DeviceLimits:
    """`fps`: frames a second; `quality`: of the JPEGs, 1-100; `seconds`: for the whole verification;
    `reconnects`: how often a lost connection is opened again; `silence`: seconds without any message."""

    fps: float = 10.0
    quality: int = 80
    seconds: float = 180.0
    reconnects: int = 3
    silence: float = 90.0


@dataclass(slots=True)
class _Step:
    action: str
    nonce: bytes
    shown_at: float
    allowed: float


@dataclass
class _State:
    """What survives a reconnect."""

    began: float
    secret: str | None = None
    step: _Step | None = None
    sequence: int = 0
    acknowledged: int = -1
    actions: list[list[str]] = field(default_factory=list)
    hints: list[str] = field(default_factory=list)
    showing: float = 0.0  # seconds in which a step was on the screen
    late: float = 0.0


class Device:
    """Runs the verification of one token.

    `server`: http(s) or ws(s) address; `scene`: what the camera sees, None only for a device that overrides
    `picture`; `tell` is called with every event. Times are
    those of `clock`, in seconds.
    """

    def __init__(
        self,
        server: str,
        token: str,
        scene: Scene | None,
        *,
        limits: DeviceLimits | None = None,
        tell: Callable[[DeviceEvent], None] = lambda event: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = capture_address(server)
        self._token = token
        self._scene = scene
        self._limits = limits or DeviceLimits()
        self._tell = tell
        self._clock = clock
        self._state = _State(clock())
        self._socket: ClientConnection | None = None

    @property
    def late(self) -> float:
        """The most seconds by which a frame was taken too late, which is this machine's fault."""
        return self._state.late

    async def run(self) -> DeviceOutcome:
        """Run to the outcome. DeviceError if the server refuses or the connection fails, NoOutcomeError at the time
        limit."""
        self._state = _State(self._clock())
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._until_outcome()
        except TimeoutError:
            raise NoOutcomeError(f"no outcome within {self._limits.seconds:g} seconds") from None

    async def drop(self) -> None:
        """Cut the connection without a close, as a dead spot does. `run` connects again."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def _until_outcome(self) -> DeviceOutcome:
        left = self._limits.reconnects
        while True:
            try:
                async with connect(
                    self._address, max_size=1 << 20, open_timeout=10, ping_interval=None, compression=None
                ) as socket:
                    return self._outcome(await self._talk(socket))
            except ConnectionClosed as closed:
                code = closed.rcvd.code if closed.rcvd else 1006
                reason = closed.rcvd.reason if closed.rcvd else ""
                if code not in COME_BACK or left == 0:
                    raise DeviceError(reason or f"the server closed the connection ({code})", code) from None
            except (OSError, InvalidHandshake) as error:
                if left == 0 or self._state.secret is None:
                    raise DeviceError(f"no connection to {self._address}: {type(error).__name__}") from None
            left -= 1
            self._say("reconnect", {"left": left})
            await asyncio.sleep(1.0)

    async def _talk(self, socket: ClientConnection) -> bool:
        """Handle one socket's conversation, and return `passed`. Raises ConnectionClosed."""
        self._socket = socket
        hello = {"type": "hello", "protocol": PROTOCOL, "token": self._token}
        if self._state.secret:
            hello["device"] = self._state.secret
        await socket.send(json.dumps(hello))
        camera = asyncio.create_task(self._film(socket))
        try:
            while True:
                async with asyncio.timeout(self._limits.silence):
                    text = await socket.recv()
                message = json.loads(text)
                kind = str(message.pop("type", ""))
                self._say(kind, message)
                answer = self._understand(kind, message)
                if answer is not None:
                    # Messages that the server sent before it closed must still be read.
                    with contextlib.suppress(ConnectionClosed):
                        await socket.send(json.dumps(answer))
                if kind == "outcome":
                    return bool(message["passed"])
                if camera.done():
                    await camera  # a fault of the scene; a closed socket shows at the next recv
        finally:
            camera.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await camera

    def _understand(self, kind: str, message: dict[str, Any]) -> dict[str, Any] | None:
        """Handle a message, and return the message that answers it, or None."""
        state = self._state
        match kind:
            case "welcome":
                state.secret = str(message["device"])
                if message["state"] == "ready":
                    return {"type": "start"}
            case "ping":
                return {"type": "pong", "id": message["id"]}
            case "step":
                self._show(message)
            case "hint":
                if message["code"] is not None:
                    state.hints.append(str(message["code"]))
            case "ack":
                state.acknowledged = max(state.acknowledged, int(message["sequence"]))
            case "attempt_over":
                self._hide()
                if message["attempts_left"] > 0:
                    return {"type": "start"}
            case "judging":
                self._hide()
        return None

    def _show(self, message: dict[str, Any]) -> None:
        """Show a step on the screen."""
        self._hide()
        state, now = self._state, self._clock()
        action, index = str(message["action"]), int(message["index"])
        state.step = _Step(action, bytes.fromhex(message["nonce"]), now, float(message["seconds"]))
        if index == 0:
            state.actions.append([])
        elif state.actions:
            state.actions[-1][index - 1 :] = [action]

    def _hide(self) -> None:
        if self._state.step is not None:
            self._state.showing += self._clock() - self._state.step.shown_at
        self._state.step = None

    async def _film(self, socket: ClientConnection) -> None:
        """Send frames while a step is on the screen, each with the nonce that was shown when it was taken."""
        interval = 1 / self._limits.fps
        due = self._clock()
        while True:
            due = max(due + interval, self._clock() - interval)
            await asyncio.sleep(max(0.0, due - self._clock()))
            step = self._state.step
            if step is None:
                continue
            now = self._clock()
            self._state.late = max(self._state.late, now - max(due, step.shown_at))
            jpeg = await self.picture(step.action, now - step.shown_at, step.allowed)
            head = FRAME_MARK + step.nonce + self._state.sequence.to_bytes(4, "big")
            self._state.sequence += 1
            await socket.send(head + jpeg)

    async def picture(self, action: str, seconds: float, allowed: float) -> bytes:
        """Return the camera's JPEG at this moment of an instruction."""
        if self._scene is None:
            raise ValueError("a device without a scene has to say what its pictures are")
        return await asyncio.to_thread(self._take, self._scene, action, seconds, allowed)

    def _take(self, scene: Scene, action: str, seconds: float, allowed: float) -> bytes:
        frame = scene.frame(action, seconds, allowed)
        return bytes(simplejpeg.encode_jpeg(frame, quality=self._limits.quality, colorspace="BGR"))

    def _say(self, kind: str, fields: dict[str, Any]) -> None:
        self._tell(DeviceEvent(self._clock() - self._state.began, kind, fields))

    def _outcome(self, passed: bool) -> DeviceOutcome:
        state = self._state
        return DeviceOutcome(
            passed=passed,
            attempts=len(state.actions),
            actions=tuple(tuple(attempt) for attempt in state.actions),
            hints=tuple(state.hints),
            frames=state.sequence,
            acknowledged=state.acknowledged,
            rate=state.sequence / state.showing if state.showing > 0 else 0.0,
            seconds=self._clock() - state.began,
        )


def capture_address(server: str) -> str:
    """Return the WebSocket's address of a server. Raises ValueError for another kind of address."""
    parts = split_url(server if "//" in server else f"http://{server}")
    scheme = parts and {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}.get(parts.scheme)
    if parts is None or scheme is None or not parts.netloc:
        raise ValueError(f"not an address of a server: {server}")
    path = parts.path.rstrip("/")
    return urlunsplit((scheme, parts.netloc, path if path.endswith("/capture/v1") else path + "/capture/v1", "", ""))
