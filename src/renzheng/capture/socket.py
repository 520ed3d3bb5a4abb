"""One device's socket: reads what it sends, bounds it, and keeps its frames for storing and for the newest look."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from renzheng.capture import messages
from renzheng.capture.messages import Close, Closing, Frame, Message
from renzheng.capture.ports import Clock
from renzheng.verification.session import FrameRecord

Size = Callable[[bytes], tuple[int, int] | None]
Intercept = Callable[[Message], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class ChannelLimits:
    """The bounds of a capture; each is a setting of the same name."""

    frame_bytes: int = 512 * 1024
    frame_pixels: int = 1920 * 1080
    frames_per_second_least: float = 4.0
    frames_per_second_most: int = 15
    frames_per_attempt: int = 450
    round_trip_seconds: float = 1.5
    hello_seconds: float = 10.0
    send_seconds: float = 10.0
    idle_seconds: float = 60.0
    captures: int = 64
    captures_per_address: int = 16


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest frame of the current step, and when the server had it."""

    jpeg: bytes
    step: int
    at: float


class DeviceGone(Exception):
    """The connection is lost; the attempt may go on in another socket."""


class DeviceSocket:
    """Wraps the WebSocket of one device. One reader, one writer at a time; everything else awaits events.

    Frames with the current step's nonce go two ways: all into `pending`, to be stored, and the newest one into
    `newest`, to be looked at. An unknown nonce closes the socket; an older one is dropped.
    """

    def __init__(self, socket: WebSocket, limits: ChannelLimits, clock: Clock) -> None:
        self._socket = socket
        self._limits = limits
        self._clock = clock
        self._arrivals: deque[float] = deque()
        self._frame_times: deque[float] = deque()
        self._messages: asyncio.Queue[Message] = asyncio.Queue(64)
        self._fresh = asyncio.Event()
        self._write_lock = asyncio.Lock()
        self._nonces: dict[bytes, int] = {}
        self._step: int | None = None
        self._newest: Newest | None = None
        self._last_sequence = -1
        self.keeping = False
        self.kept = 0
        self.pending: list[tuple[FrameRecord, bytes]] = []
        self.stored = asyncio.Event()
        self.store_lock = asyncio.Lock()
        self.welcomed = False
        self.waits_for_outcome = False

    # -- writing --

    async def send(self, kind: str, **fields: Any) -> None:
        """Send one message. Raises DeviceGone where the connection is lost."""
        async with self._write_lock:
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._socket.send_text(messages.write(kind, **fields))
            except (RuntimeError, WebSocketDisconnect, TimeoutError):
                raise DeviceGone from None

    async def close(self, code: Close, detail: str = "") -> None:
        """Say why, then close. A connection that is lost already, or is not read, is no error."""
        with contextlib.suppress(DeviceGone, RuntimeError, WebSocketDisconnect, TimeoutError):
            if code is not Close.DONE:
                await self.send("error", code=int(code), message=detail or code.sentence)
            if self._socket.application_state is WebSocketState.CONNECTED:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._socket.close(int(code), (detail or code.sentence)[:100])

    # -- reading --

    async def read(self, size: Size, intercept: Intercept) -> None:
        """Read until the connection ends: raises DeviceGone then, and Closing for what the protocol forbids.

        `size(jpeg)` gives a JPEG's width and height by its header, None where it has none. `intercept(message)` is
        asked first and says whether it has dealt with a message; the others wait for whoever awaits one.
        """
        while True:
            received = await self._receive()
            self._bound_rate()
            if (text := received.get("text")) is not None:
                message = messages.read_text(text)
                if not self.waits_for_outcome and not await intercept(message):
                    self._queue(message)
            else:
                self._take_frame(messages.read_frame(received.get("bytes") or b"", self._limits.frame_bytes), size)

    async def _receive(self) -> Any:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    received = await self._socket.receive()
            except TimeoutError:
                if self.waits_for_outcome:
                    continue
                raise Closing(Close.SILENT, f"no message for {self._limits.idle_seconds:g} s") from None
            except RuntimeError:
                raise DeviceGone from None
            if received["type"] == "websocket.disconnect":
                raise DeviceGone
            return received

    def _queue(self, message: Message) -> None:
        try:
            self._messages.put_nowait(message)
        except asyncio.QueueFull:
            raise Closing(Close.FLOOD, "messages come faster than they are answered") from None

    def _bound_rate(self) -> None:
        now = self._clock()
        self._arrivals.append(now)
        while self._arrivals and self._arrivals[0] <= now - 1:
            self._arrivals.popleft()
        most = 4 * self._limits.frames_per_second_most
        if len(self._arrivals) > most:
            raise Closing(Close.FLOOD, f"more than {most} messages in a second")

    def _take_frame(self, frame: Frame, size: Size) -> None:
        if not self.welcomed or self.waits_for_outcome:
            return
        step = self._nonces.get(frame.nonce)
        if step is None:
            raise Closing(Close.UNKNOWN_NONCE)
        pixels = size(frame.jpeg)
        if pixels is None:
            raise Closing(Close.MALFORMED, "a frame that is not a JPEG")
        if pixels[0] * pixels[1] > self._limits.frame_pixels:
            raise Closing(Close.TOO_LARGE, f"a frame of more than {self._limits.frame_pixels} pixels")
        if step != self._step or frame.sequence <= self._last_sequence:
            return
        now = self._clock()
        while self._frame_times and self._frame_times[0] <= now - 1:
            self._frame_times.popleft()
        if len(self._frame_times) >= self._limits.frames_per_second_most:
            return
        self._frame_times.append(now)
        self._last_sequence = frame.sequence
        self._newest = Newest(frame.jpeg, step, now)
        self._fresh.set()
        if self.keeping and self.kept < self._limits.frames_per_attempt:
            self.kept += 1
            digest = hashlib.sha256(frame.jpeg).digest()
            self.pending.append((FrameRecord(frame.sequence, step, frame.nonce, now, digest), frame.jpeg))
            self.stored.set()

    # -- what the course of an attempt awaits --

    async def message(self, within: float | None = None) -> Message:
        """The next message. Raises TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            return await self._messages.get()

    def new_attempt(self, kept: int = 0, last_sequence: int = -1) -> None:
        """Older nonces stay known, so that frames under way do no harm; none of them counts."""
        self._nonces = dict.fromkeys(self._nonces, -1)
        self._step = None
        self._newest = None
        self._last_sequence = last_sequence
        self.keeping = False
        self.kept = kept

    def expect(self, step: int, nonce: bytes) -> None:
        """From now on frames with this nonce count, and only those."""
        self._nonces[nonce] = step
        self._step = step
        self._newest = None
        self._fresh.clear()

    def remember(self, nonce: bytes) -> None:
        """A nonce given out in an earlier socket of this attempt: known, but not current."""
        self._nonces.setdefault(nonce, -1)

    def expect_nothing(self) -> None:
        self._step = None

    def frames_per_second(self) -> int:
        """Frames of the current step within the last second."""
        now = self._clock()
        return sum(1 for at in self._frame_times if at > now - 1)

    async def newest_frames(self, until: float) -> AsyncIterator[Newest | None]:
        """The newest frame each time there is a newer one, None where half a second brings none, up to `until`."""
        while (left := until - self._clock()) > 0:
            try:
                async with asyncio.timeout(min(0.5, left)):
                    await self._fresh.wait()
            except TimeoutError:
                yield None
                continue
            self._fresh.clear()
            newest, self._newest = self._newest, None
            if newest is not None:
                yield newest
