"""A short way through uvicorn for the signed API: one write a reply, and bodies that are not copied on their way.

Everything but `/` takes uvicorn's own way. The signed API is one path, always answered with status 200 and a length
that is known, and it is what a merchant's server calls a hundred times a second with up to 10 MiB: uvicorn's checks
of every header, its two writes a reply and its three copies of a body cost more there than the signature does.

A large body whose length is announced is read by the kernel into the place where it stays: an application finds
`scope["extensions"]["renzheng.read_into"]`, hands it a buffer of that length, and is told how much of it is there.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

HIGH_WATER = 256 * 1024  # bytes that wait to be read before the connection is told to wait
MANY = 16  # parts that wait to be read, from which they are joined: by itself each costs as much as a packet
LARGE = 256 * 1024  # bytes of a body from which it is read into its place
HEAD_BYTES = 256 * 1024  # the longest head, from the method to the empty line; the parser itself knows no bound


class ApiProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with an `Exchange` where the path is `/`, and with bounds for heads.

    `head_seconds`: from a connection's begin, or a later head's first byte, to the end of the head. Between requests
    uvicorn's `timeout_keep_alive` counts.
    """

    _left = 0
    """Bytes that are still to come of an exchange's body, where its length was announced."""
    _around = 0.0
    """Bytes that the parser has taken for a head, or since the last one, that were no body: trailers and what is around
    chunks, of which an eighth of the body is free."""
    _waits_since: float | None = None
    """The loop's time since when a head is awaited; None while a request is under way, or none has begun."""
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, head_seconds: float = 10, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._head_seconds = head_seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waits_since = self.loop.time()
        self._timer = self.loop.call_later(self._head_seconds, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        self._stop_looking()
        super().handle_websocket_upgrade()

    def _look(self) -> None:
        """End a connection whose head does not come. One timer a connection, as one a request costs more."""
        since = self._waits_since
        left = self._head_seconds if since is None else since + self._head_seconds - self.loop.time()
        if left <= 0:
            self.transport.close()
        else:
            self._timer = self.loop.call_later(left, self._look)

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """What is known to be body needs no parser, which would copy it."""
        self._unset_keepalive_if_required()
        if self._waits_since is None and (self.cycle is None or self.cycle.response_complete):
            self._waits_since = self.loop.time()
        if not self._left:
            self._parse(data)
            return
        body, rest = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
        self.on_body(body)
        if not self._left:
            self.body_complete()
            if rest:
                self._parse(rest)

    def _parse(self, data: bytes) -> None:
        while True:
            self._around += len(data)
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as wish:
                if self._declines_upgrade():
                    data = self._head_without_upgrade() + data[wish.args[0] :]
                    self.parser = new_parser(self)
                    continue
                if self._should_upgrade():
                    self.handle_websocket_upgrade()
            except httptools.HttpParserError:
                self._refuse("Invalid HTTP request received.")
            else:
                if self._around > HEAD_BYTES:
                    self._refuse("The head of the request is too long.")
            return

    def _refuse(self, why: str) -> None:
        self.logger.warning(why)
        self.send_400_response(why)

    def _should_upgrade(self) -> bool:
        """A WebSocket begins with a GET; its protocol would wait for ever where another method came."""
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def _declines_upgrade(self) -> bool:
        """Whether the client would go on in another protocol than WebSocket, as Java's does: it asks for h2c.

        A server may pass over that wish. The parser does not: it would end the request before its body.
        """
        if not self.parser.should_upgrade() or self._should_upgrade():
            return False
        return self._get_upgrade() is not None

    def _head_without_upgrade(self) -> bytes:
        lines = [b"%b %b HTTP/1.1" % (self.parser.get_method(), self.url)]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def on_message_complete(self) -> None:
        self._around = 0
        if not self._declines_upgrade():
            super().on_message_complete()

    def body_complete(self) -> None:
        """All of a body is there that went past the parser."""
        self._left = 0
        self.parser = new_parser(self)  # the old one still waits for this body
        self.on_message_complete()

    def on_headers_complete(self) -> None:
        self._around = 0
        self._waits_since = None
        if self._declines_upgrade():
            return  # it comes again without the wish
        url = self.url
        usual = url != b"/" and not url.startswith(b"/?")
        busy = self.cycle is not None and not self.cycle.response_complete
        if usual or busy or self.parser.should_upgrade() or self.limit_concurrency is not None:
            super().on_headers_complete()
            return
        version = self.parser.get_http_version()
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = version
        scope["path"], scope["raw_path"], scope["query_string"] = "/", b"/", url[2:].partition(b"#")[0]
        self.cycle = Exchange(self, keep_alive=version != "1.0" and self.parser.should_keep_alive())
        self._left = _announced(self.headers)
        if self._left >= LARGE and self.scheme == "http":
            scope["extensions"] = cast("dict[str, Any]", {"renzheng.read_into": self.cycle.read_into})
        self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        self._around -= len(body) * 9 / 8
        cycle = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_body(body)
            return
        self.counted(len(body))
        if not cycle.response_complete:
            cycle.arrived(body)

    def counted(self, size: int) -> None:
        """So many bytes of the body are there that were still to come."""
        self._left = max(0, self._left - size)


def new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser with uvicorn's one leniency: a connection's first request is answered whatever comes after it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    """Content-Length, which the parser has found to be a number; 0 without one."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


class _Filling(asyncio.BufferedProtocol):
    """Takes a connection over from its protocol while a body's rest arrives, so that it is written where it stays."""

    def __init__(self, protocol: ApiProtocol, buffer: memoryview, size: int) -> None:
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

    def _hand_to(self, protocol: asyncio.BaseProtocol) -> None:
        transport = self._protocol.transport
        if not transport.is_closing():
            transport.pause_reading()  # the loop asks a protocol which kind it is when it begins to read
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

    def __init__(self, protocol: ApiProtocol, keep_alive: bool) -> None:
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

    def arrived(self, chunk: bytes) -> None:
        """A part of the body, as the parser found it."""
        self._chunks.append(chunk)
        self._waiting += len(chunk)
        if self._waiting > HIGH_WATER:
            self.flow.pause_reading()
        self.message_event.set()

    async def receive(self) -> ASGIReceiveEvent:
        """The parts as they came, none of them joined or copied unless they are many and so small."""
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
        """Fill `buffer`, as long as the announced body; gives how much of it is there, each time that there is more.

        Ends when it is full, or early where the client left. In place of `receive`, and before it.
        """
        size = 0
        while self._chunks and size < len(buffer):  # what came in the packets of the head
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

    async def send(self, message: ASGISendEvent) -> None:
        """The head is kept until the body comes, and both are written as one."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        given = cast("dict[str, Any]", message)
        if given["type"] == "http.response.start":
            self._head = given["headers"]
            return
        body, more = given["body"], given.get("more_body", False)
        if self.scope["method"] == "HEAD":
            body = b""  # the client would take what follows the head for its next reply
        if self.response_started:
            self.transport.write(body)
        else:
            self.response_started = True
            self.waiting_for_100_continue = False
            self.transport.write(self._head_bytes() + body)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _head_bytes(self) -> bytes:
        lines = [b"HTTP/1.1 200 OK"]
        lines += [name + b": " + value for name, value in (*self.default_headers, *self._head)]
        if (b"connection", b"close") in self._head:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close")
        lines += [b"", b""]
        return b"\r\n".join(lines)
