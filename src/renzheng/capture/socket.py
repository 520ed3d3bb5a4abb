"""One device's socket: sends messages, reads and bounds what the device sends, and hands it to whoever listens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from renzheng.capture import messages
from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.intake import Intake, ReadHead
from renzheng.capture.messages import Close, ClosingError, FrameMessage, Message, Pong
from renzheng.capture.ports import Clock

BURST_SECONDS = 5
"""How long a device may send at the rate that closes its socket: as much as its usual rate brings in twenty seconds."""

Intercept = Callable[[Message], Awaitable[bool]]


class Listener(Protocol):
    """The attempt that is under way."""

    def pong(self, ping: str) -> None: ...
    def frame(self, frame: FrameMessage, read_head: ReadHead) -> None: ...


class DeviceGoneError(Exception):
    """The connection is lost; the attempt may go on in another socket."""


class DeviceSocket:
    """Wraps the WebSocket of one device. There is one reader and one writer at a time; all others wait for messages.

    `listener`: gets pongs and frames while an attempt is under way. `intake`: knows which frames count, also those of
    earlier attempts. `waits`, `waits_for_outcome`: the device waits for a place or for its verdict, so it may be
    silent.
    """

    def __init__(self, socket: WebSocket, limits: ChannelLimits, clock: Clock) -> None:
        self._socket = socket
        self._limits = limits
        self._clock = clock
        self._surplus = 0.0
        self._received_at = clock()
        self._messages: asyncio.Queue[Message] = asyncio.Queue(64)
        self._write_lock = asyncio.Lock()
        self.intake = Intake(limits)
        self.listener: Listener | None = None
        self.welcomed = False
        self.waits_for_outcome = False
        self.waits = False

    # -- writing --

    async def send(self, kind: str, **fields: object) -> None:
        """Send one message. Raises DeviceGoneError where the connection is lost."""
        async with self._write_lock:
            try:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._socket.send_text(messages.write(kind, **fields))
            except (RuntimeError, WebSocketDisconnect, TimeoutError):
                raise DeviceGoneError from None

    async def close(self, code: Close, detail: str = "") -> None:
        """Send the reason, then close. It is no error if the connection is lost or the device does not read."""
        with contextlib.suppress(DeviceGoneError, RuntimeError, WebSocketDisconnect, TimeoutError):
            if code is not Close.DONE:
                await self.send("error", code=int(code), message=detail or code.sentence)
            if self._socket.application_state is WebSocketState.CONNECTED:
                async with asyncio.timeout(self._limits.send_seconds):
                    await self._socket.close(int(code), (detail or code.sentence)[:100])

    # -- reading --

    async def read(self, head: ReadHead, intercept: Intercept) -> None:
        """Read until the connection ends: then raises DeviceGoneError, or ClosingError for what the protocol forbids.

        `head(jpeg)` returns what a JPEG's header says, None if it has none. `intercept(message)` is asked first, and
        returns whether it has handled a message. The others are kept for `message`.
        """
        while True:
            received = await self._receive()
            self._bound_rate()
            if (text := received.get("text")) is not None:
                message = messages.read_text(text)
                if isinstance(message, Pong) and self.welcomed:
                    if self.listener is not None:
                        self.listener.pong(message.id)
                elif not self.waits_for_outcome and not await intercept(message):
                    self._queue(message)
            else:
                self._take_frame(messages.read_frame(received.get("bytes") or b"", self._limits.frame_bytes), head)

    async def _receive(self) -> MutableMapping[str, Any]:
        while True:
            try:
                async with asyncio.timeout(self._limits.idle_seconds):
                    received = await self._socket.receive()
            except TimeoutError:
                if self.waits_for_outcome or self.waits:
                    continue
                raise ClosingError(Close.SILENT, f"no message for {self._limits.idle_seconds:g} s") from None
            except RuntimeError:
                raise DeviceGoneError from None
            if received["type"] == "websocket.disconnect":
                raise DeviceGoneError
            return received

    def _queue(self, message: Message) -> None:
        try:
            self._messages.put_nowait(message)
        except asyncio.QueueFull:
            raise ClosingError(Close.FLOOD, "messages come faster than they are answered") from None

    def _bound_rate(self) -> None:
        """Close a socket that sends too much on average. After a stall, an honest device's frames arrive all at
        once."""
        now, most = self._clock(), 4 * self._limits.max_frames_per_second
        self._surplus = max(0.0, self._surplus - most * max(0.0, now - self._received_at)) + 1
        self._received_at = now
        if self._surplus > most * BURST_SECONDS:
            raise ClosingError(Close.FLOOD, f"more than {most} messages a second for {BURST_SECONDS} seconds")

    def _take_frame(self, frame: FrameMessage, read_head: ReadHead) -> None:
        if not self.welcomed or self.waits_for_outcome:
            return
        if self.listener is not None:
            self.listener.frame(frame, read_head)
        else:
            self.intake.take(frame, read_head, self._clock())

    # -- messages that others wait for --

    async def message(self, within: float | None = None) -> Message:
        """Return the next message. Raises TimeoutError after `within` seconds."""
        async with asyncio.timeout(within):
            return await self._messages.get()
