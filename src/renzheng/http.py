"""A short way through uvicorn for the signed API: one write a reply, and bodies that are not copied on their way.

Everything but `/` takes uvicorn's own way. The signed API is one path, always answered with status 200 and a length
that is known, and it is what a merchant's server calls a hundred times a second with up to 10 MiB: uvicorn's checks
of every header, its two writes a reply and its three copies of a body cost more there than the signature does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGIReceiveEvent, ASGISendEvent

HIGH_WATER = 256 * 1024  # bytes that wait to be read before the connection is told to wait


class ApiProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1, with an `Exchange` where the path is `/`."""

    _left = 0
    """Bytes that are still to come of an exchange's body, where its length was announced."""

    def data_received(self, data: bytes) -> None:
        """What is known to be body needs no parser, which would copy it."""
        if not self._left:
            super().data_received(data)
            return
        self._unset_keepalive_if_required()
        body, rest = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
        self.on_body(body)
        if not self._left:
            self.parser = new_parser(self)  # the old one still waits for this body
            self.on_message_complete()
            if rest:
                super().data_received(rest)

    def on_headers_complete(self) -> None:
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
        self._start_asgi_task(self.cycle, self.app)

    def on_body(self, body: bytes) -> None:
        cycle = self.cycle
        if not isinstance(cycle, Exchange):
            super().on_body(body)
            return
        self._left = max(0, self._left - len(body))
        if not cycle.response_complete:
            cycle.arrived(body)


def new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """A parser with uvicorn's one leniency: a connection's first request is answered whatever comes after it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _announced(headers: list[tuple[bytes, bytes]]) -> int:
    """Content-Length, which the parser has found to be a number; 0 without one."""
    return next((int(value) for name, value in headers if name == b"content-length"), 0)


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
        """The parts as they came, none of them joined or copied."""
        if self.waiting_for_100_continue and not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.waiting_for_100_continue = False
        while not self._chunks and self.more_body and not self.disconnected and not self.response_complete:
            self.flow.resume_reading()
            self.message_event.clear()
            await self.message_event.wait()
        if self.disconnected or self.response_complete:
            return {"type": "http.disconnect"}
        chunk = self._chunks.popleft() if self._chunks else b""
        self._waiting -= len(chunk)
        return {"type": "http.request", "body": chunk, "more_body": self.more_body or bool(self._chunks)}

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
