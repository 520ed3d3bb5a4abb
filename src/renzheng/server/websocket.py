"""uvicorn's WebSocket, with limits below the level of messages.

The capture channel limits messages once it has them. Pings, continuations, a packet full of small messages and
connections that are not read cost time before that, so they are limited here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

FLOOD = 4429  # as in `docs/capture-protocol.md`
FRAMES_A_SECOND = 100
"""Most pings, pongs, small messages and small continuations per second: each costs microseconds, however small it is. A
device sends a few small messages per second; frames of its camera are larger."""
SLICE = 4 * 1024  # bytes that are parsed before frames are counted: at most 700 of the smallest frames
END_SECONDS = 1.0  # from the end of a flood to the end of its connection
SMALL = 256  # bytes up to which a message or a continuation counts; a packet holds few larger ones


class DeviceProtocol(WebSocketsSansIOProtocol):
    """Ends floods of small frames, and soon drops a peer that does not read after the end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._second = 0
        self._frames = 0
        self.on_lost: Callable[[], None] | None = None
        """Called when the connection has ended."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self.on_lost is not None:
            self.on_lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse slice by slice: a packet may hold thousands of small frames, which are counted after parsing.

        It answers a head that cannot be parsed, which uvicorn would leave open: heads arrive here complete.
        """
        step = SLICE if self.handshake_initiated else max(1, len(data))
        for start in range(0, len(data), step):
            if self.transport.is_closing():
                break
            super().data_received(data[start : start + step])
        if not self.handshake_initiated:
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    def handle_ping(self) -> None:
        if not self._is_flood():
            super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        if not self._is_flood():
            super().handle_pong(event)

    def handle_text(self, event: Frame) -> None:
        if len(event.data) > SMALL or not self._is_flood():
            super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        if len(event.data) > SMALL or not self._is_flood():
            super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        if event.fin or len(event.data) > SMALL or not self._is_flood():
            super().handle_cont(event)

    def _is_flood(self) -> bool:
        """Count one frame. Returns True, and ends the connection, if there are too many in a second."""
        second = int(self.loop.time())
        if second != self._second:
            self._second, self._frames = second, 0
        self._frames += 1
        if self._frames > FRAMES_A_SECOND and not self.close_sent:
            self._end()
        if self._frames > 10 * FRAMES_A_SECOND:  # also after the peer was told of the end
            self.transport.abort()
        return self.close_sent

    def _end(self) -> None:
        """Tell the peer and the application, and drop what still comes: a connection that is closed at once would be
        reset, and the peer would not learn why."""
        reason = "too many frames a second"
        self.conn.fail(FLOOD, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": FLOOD, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.close_timer = self.loop.call_later(END_SECONDS, self.transport.close)

    async def run_asgi(self) -> None:
        """End the connection a while after the application, whether or not the last messages were read."""
        await super().run_asgi()
        self.loop.call_later(self.close_timeout, self.transport.abort)
