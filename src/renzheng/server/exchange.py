"""One request to the signed API and its reply, and how a large body is read into its buffer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

OK = b"HTTP/1.1 200 OK"  # the head of every answer of the signed API
JSON = (b"content-type", b"application/json")
HIGH_WATER = 256 * 1024  # unread bytes at which the connection is paused
MANY = 16  # unread parts from which they are joined: each alone costs as much as a packet


class ExchangeProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, extended for a body that bypasses its parser."""

    def counted(self, size: int) -> None:
        """Record that so many expected bytes of the body have arrived."""
        raise NotImplementedError

    def body_complete(self) -> None:
        """Record that the whole body has arrived."""
        raise NotImplementedError


class _Filling(asyncio.BufferedProtocol):
    """Replaces a connection's protocol while the rest of a body arrives, so that it is written directly into its
    buffer."""

    def __init__(self, protocol: ExchangeProtocol, buffer: memoryview, size: int) -> None:
        self._protocol = protocol
        self._buffer = buffer
        self._reading = False
        self.size = size

    def begin(self) -> None:
        if self.size < len(self._buffer) and not self._protocol.transport.is_closing():
            self._reading = True
            self._hand_to(self)

    def end(self) -> None:
        if self._reading:
            self._reading = False
            self._hand_to(self._protocol)
        self._buffer = memoryview(b"")  # the loop keeps this object until the next body, and would keep the last buffer

    def _hand_to(self, protocol: asyncio.BaseProtocol) -> None:
        transport = self._protocol.transport
        if not transport.is_closing():
            transport.pause_reading()  # the loop checks a protocol's kind when it begins to read
            transport.set_protocol(protocol)
            transport.resume_reading()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._buffer[self.size :]

    def buffer_updated(self, nbytes: int) -> None:
        self.size += nbytes
        self._protocol.counted(nbytes)
        if self.size == len(self._buffer):
            self.end()
            self._protocol.body_complete()
        self._protocol.cycle.message_event.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()


class Exchange(RequestResponseCycle):
    """One request to `/` and its reply, as ASGI's `receive` and `send`."""

    def __init__(self, protocol: ExchangeProtocol, keep_alive: bool) -> None:
        super().__init__(
            scope=protocol.scope,
            transport=protocol.transport,
            flow=protocol.flow,
            logger=protocol.logger,
            access_logger=protocol.access_logger,
            access_log=False,
            default_headers=protocol.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=protocol.expect_100_continue,
            keep_alive=keep_alive,
            on_response=protocol.on_response_complete,
        )
        self._protocol = protocol
        self._chunks: deque[bytes] = deque()
        self._waiting = 0
        self._head: list[tuple[bytes, bytes]] = []
        self._status = 200

    def arrived(self, chunk: bytes) -> None:
        """Add a part of the body, as the parser found it."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        if self._waiting > HIGH_WATER:
            self.flow.pause_reading()
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """Return the parts as they came. Only many small parts are joined or copied."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not self._chunks and self.more_body and not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        if len(self._chunks) > MANY:
            chunk = b"".join(self._chunks)
            self._chunks.clear()
        else:
            chunk = self._chunks.popleft() if self._chunks else b""
        self._waiting -= len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": self.more_body or bool(self._chunks)}

    async def read_into(self, buffer: memoryview) -> AsyncGenerator[int, None]:
        """Fill `buffer`, which is as long as the announced body. Yields how much of it has arrived, at each change.

        It ends when the buffer is full, or early if the client disconnected. Used instead of `receive`, and before it.
        """
        size = 0
        while self._chunks and size < len(buffer):  # the part that came with the head
            message = cast("dict[str, Any]", await self.receive())
            buffer[size : size + len(message["body"])] = message["body"]
            size += len(message["body"])
            yield size
        if self.waiting_for_100_continue:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        filling = _Filling(self._protocol, buffer, size)
        self.flow.resume_reading()
        filling.begin()
        try:
            while size < len(buffer) and not self.disconnected:
                self.message_event.clear()
                await self.message_event.wait()
                if filling.size > size:
                    size = filling.size
                    yield size
        finally:
            filling.end()

    def whole(self) -> bytes | None:
        """Return the whole body if it came with its head, so that nothing has to be awaited. Used instead of `receive`.

        None if more is to come, or the client disconnected.
        """
        if self.more_body or len(self._chunks) > 1 or self.disconnected:
            return None
        self._waiting = 0
        return self._chunks.popleft() if self._chunks else b""

    async def reply(self, payload: bytes) -> None:
        """Send the whole reply, JSON with status 200. Used instead of `send`."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if not self.disconnected:
            self._head = [JSON, (b"content-length", b"%d" % len(payload))]
            self._write(payload, more=False)

    async def send(self, message: ASGISendEvent) -> None:
        """Send a message. The head is kept until the body comes, and both are written at once."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        given = cast("dict[str, Any]", message)
        if given["type"] == "http.response.start":
            self._head, self._status = given["headers"], given["status"]
            return
        self._write(given["body"], given.get("more_body", False))

    def _write(self, body: bytes, more: bool) -> None:
        if self.scope["method"] == "HEAD":
            body = b""  # the client would take anything after the head for its next reply
        if self.response_started:
            self.transport.write(body)
        else:
            self.response_started = True
            self.waiting_for_100_continue = False
            self.transport.write(self._head_bytes() + body)
        if not more:
            self.scope.pop("extensions", None)  # they refer to this object, so only the garbage collector would free it
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _head_bytes(self) -> bytes:
        lines = [OK if self._status == 200 else f"HTTP/1.1 {self._status} {HTTPStatus(self._status).phrase}".encode()]
        lines += [name + b": " + value for name, value in (*self.default_headers, *self._head)]
        if (b"connection", b"close") in self._head:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        lines += [b"", b""]
        return b"\r\n".join(lines)
