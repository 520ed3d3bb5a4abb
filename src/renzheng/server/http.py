"""A fast path through uvicorn for the signed API: one write per reply, and bodies that are not copied.

Everything but `/` takes uvicorn's own way. The signed API is one path, always answered with status 200 and a length
that is known, and it is what a merchant's server calls a hundred times a second with up to 10 MiB: uvicorn's checks
of every header, its two writes a reply and its three copies of a body cost more there than the signature does.

An application finds more in `scope["extensions"]` than ASGI has. `renzheng.whole()` is a body that came with its head,
which nobody need wait for. `renzheng.reply(payload)` is the whole reply. `renzheng.read_into`, where a large body's
length is announced, is handed a buffer of that length and says how much of it is there: the kernel reads the body into
the place where it stays.
"""

from __future__ import annotations

import asyncio
import re
import traceback
import uuid
from functools import partial
from typing import Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from renzheng.server.connections import Connections
from renzheng.server.exchange import Exchange, ExchangeProtocol

LARGE = 256 * 1024  # bytes of a body from which it is read directly into its buffer
INTERNAL_ERROR = (
    b'{"Response":{"Error":{"Code":"InternalError","Message":"An internal error has occurred. Retry your request, '
    b'but if the problem persists, contact us."},"RequestId":"%s"}}'
)
SLICE = 4 * 1024  # bytes that are parsed before checking again whether more requests may wait
MAX_PATH = 2048  # most bytes of a request's path: ours have less than a tenth of it
MAX_PIPELINED = 16  # requests that wait behind one that is being answered; further bytes wait unparsed
_LISTS = frozenset((b"connection", b"upgrade", b"sec-websocket-extensions", b"sec-websocket-protocol"))
_UPGRADES = re.compile(rb"(?:^|,)\s*upgrade\s*(?:,|$)", re.IGNORECASE)
STATUS = {
    400: b"HTTP/1.1 400 Bad Request",
    414: b"HTTP/1.1 414 URI Too Long",
    431: b"HTTP/1.1 431 Request Header Fields Too Large",
    503: b"HTTP/1.1 503 Service Unavailable",
}


class HeadTooLargeError(Exception):
    """A head has more bytes or headers than allowed."""


class PathTooLongError(Exception):
    """A request's path has more bytes than allowed."""


class ApiProtocol(ExchangeProtocol):
    """uvicorn's HTTP/1.1, with an `Exchange` if the path is `/`, and with limits for heads.

    `head_seconds`: from a connection's begin, or a later head's first byte, to the end of the head. Between requests
    uvicorn's `timeout_keep_alive` applies. `take_seconds`: within this time a client must read some of what waits for
    it; a kernel passes it on in large pieces. `head_bytes`: from the method to the empty line. `max_headers`: how many.
    `connections`: counts this connection.
    """

    _left = 0
    """Bytes that are still to come of an exchange's body, if its length was announced."""
    _around = 0.0
    """Bytes that the parser has taken for a head, or since the last one, that were no body: trailers and what is around
    chunks, of which an eighth of the body is free."""
    _waits_since: float | None = None
    """The loop's time since when a head is awaited; None during a request, or before the first."""
    _idle_since: float | None = None
    """The loop's time since when the next request is awaited; None before the first, and during one."""
    _timer: asyncio.TimerHandle | None = None
    _has_head = False
    """Whether the request's head is complete: later headers are a chunked body's trailers."""
    _held = b""
    """Bytes that came after `MAX_PIPELINED` requests."""
    _unread = 0
    """Bytes that the client had not read at the last look, and before which nothing more is written."""
    _taken_at = 0.0
    """The loop's time of the last look at which there were fewer than before."""

    def __init__(
        self,
        *arguments: Any,
        head_seconds: float = 10,
        take_seconds: float = 60,
        head_bytes: int = 64 * 1024,
        max_headers: int = 128,
        connections: Connections | None = None,
        **named: Any,
    ) -> None:
        super().__init__(*arguments, **named)
        self._head_seconds = head_seconds
        # Not longer than any of the limits, so that a look comes before each end and schedules the next one at it.
        self._between_looks = max(0.01, min(head_seconds, self.timeout_keep_alive))
        self._take_seconds = take_seconds
        self._head_bytes = head_bytes
        self._max_headers = max_headers
        self._places = connections

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if self._places is not None and not self._places.opened(self, self.client[0] if self.client else ""):
            self._refuse(503, "Too many connections.")
            return
        self._waits_since = self.loop.time()
        self._timer = self.loop.call_later(self._between_looks, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_looking()
        if self._places is not None:
            self._places.closed(self)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Pass the handshake on without its lists: they are read token by token, which takes 50 ms for 60 KB.

        Connection and Upgrade were checked before; no extension and no subprotocol is offered.
        """
        self._stop_looking()
        passed = [(name, value) for name, value in self.headers if name not in _LISTS]
        self.scope["headers"] = [*passed, (b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        super().handle_websocket_upgrade()
        if self._places is not None:
            self._places.busy(self)
            protocol: Any = self.transport.get_protocol()
            protocol.on_lost = partial(self._places.closed, self)

    def _look(self) -> None:
        """Close a connection whose head does not come, or whose client reads nothing of its answers.

        There is one timer per connection, as one per request costs more. A closed connection is looked at again: it
        stays until its client has read everything.
        """
        now = self.loop.time()
        left = self._between_looks
        if self._waits_since is not None:
            left = min(left, self._waits_since + self._head_seconds - now)
        if self._idle_since is not None:
            left = min(left, self._idle_since + self.timeout_keep_alive - now)
        if left <= 0:
            self.transport.close()
            left = self._between_looks
        if self._takes_nothing():
            self.transport.abort()
        else:
            self._timer = self.loop.call_later(left, self._look)

    def _takes_nothing(self) -> bool:
        """Return whether writing waits for the client to read, and the client does not."""
        unread = self.transport.get_write_buffer_size() if self.flow.write_paused or self.transport.is_closing() else 0
        now = self.loop.time()
        if not unread or unread < self._unread or not self._unread:
            self._taken_at = now
        self._unread = unread
        return now - self._taken_at >= self._take_seconds

    def pause_writing(self) -> None:
        self._unread = 0  # earlier bytes were read, or nothing more would have been written
        super().pause_writing()

    def _stop_looking(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse data. Known parts of a body bypass the parser, which would copy them."""
        self._idle_since = None
        if self._waits_since is None and (self.cycle is None or self.cycle.response_complete):
            self._waits_since = self.loop.time()
        if self._held:
            self._held += data
            self.flow.pause_reading()
            return
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
        """Parse slice by slice, as one packet may hold more requests than may wait, and a body after a head."""
        start = 0
        while start < len(data) and not self.transport.is_closing():
            if self._left:
                self.data_received(data[start:])
                return
            if len(self.pipeline) >= MAX_PIPELINED:
                self._held = data[start:]
                self.flow.pause_reading()
                return
            taken = self._feed(data[start : start + SLICE])
            if taken is None:
                return
            start += taken

    def _feed(self, piece: bytes) -> int | None:
        """Parse a piece. Returns how many bytes of it are done; None if this connection is parsed no further."""
        self._around += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as wish:
            if self._declines_upgrade():
                head = self._head_without_upgrade()
                self.parser = new_parser(self)
                self._around = 0
                return None if self._feed(head) is None else int(wish.args[0])
            if self._should_upgrade():
                self.handle_websocket_upgrade()
            return None
        except httptools.HttpParserCallbackError as fault:
            if isinstance(fault.__context__, HeadTooLargeError):
                self._refuse(431, "The head of the request is too large.")
            elif isinstance(fault.__context__, PathTooLongError):
                self._refuse(414, "The address of the request is too long.")
            elif isinstance(fault.__context__, httptools.HttpParserInvalidURLError):  # as the one of a CONNECT
                self._refuse(400, "Invalid HTTP request received.")
            else:
                self._fail(fault.__context__ or fault)
            return None
        except httptools.HttpParserError:
            self._refuse(400, "Invalid HTTP request received.")
            return None
        if self._around > self._head_bytes:
            self._refuse(431, "The head of the request is too large.")
            return None
        return len(piece)

    def on_message_begin(self) -> None:
        self._has_head = False
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header like uvicorn, without its extra call. Raises an error if the head has too many.

        Trailers are read and dropped, as the author of the head, such as a proxy, has not written them (RFC 9110,
        6.5.1).
        """
        if self._has_head:
            return
        headers = self.headers
        if len(headers) >= self._max_headers:
            raise HeadTooLargeError
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        headers.append((name, value))

    def _check_size(self) -> None:
        """Raise HeadTooLargeError, which ends the parser, if a complete head is too large.

        Its bytes are counted header by header only if they may be too many: slices begin and end anywhere in a head.
        """
        if self._around > self._head_bytes - SLICE:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > self._head_bytes:
                raise HeadTooLargeError

    def on_response_complete(self) -> None:
        """Like uvicorn's, without a timer for each request: `_look` does that."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()
            if self._places is not None:
                self._places.idle(self)
        if self._held and len(self.pipeline) < MAX_PIPELINED:
            held, self._held = self._held, b""
            self.data_received(held)

    def _refuse(self, status: int, why: str) -> None:
        self.logger.warning(why)
        head = [
            STATUS[status],
            *(name + b": " + value for name, value in self.server_state.default_headers),
            b"content-type: text/plain; charset=utf-8",
            b"content-length: %d" % len(why),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*head, b"", why.encode("ascii")]))
        self.transport.close()

    def _fail(self, fault: BaseException) -> None:
        """Answer a request at which this server failed, and log it. The error's text may contain what a caller sent."""
        last = traceback.extract_tb(fault.__traceback__)[-1:]
        where = f"{last[0].filename}:{last[0].lineno}" if last else "?"
        self.logger.error("a fault of this server, not of the client: %s in %s", type(fault).__name__, where)
        is_api = self.url == b"/" or self.url.startswith(b"/?")  # its clients read no reply with another status
        body = INTERNAL_ERROR % str(uuid.uuid4()).encode()
        lines = [
            b"HTTP/1.1 200 OK" if is_api else b"HTTP/1.1 500 Internal Server Error",
            b"content-type: application/json",
            b"content-length: %d" % len(body),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join([*lines, b"", body]))
        self.transport.close()

    def _get_upgrade(self) -> bytes | None:
        """Like uvicorn's, without a list of the options of Connection, which takes milliseconds for a long one."""
        given = dict(self.headers)
        return given.get(b"upgrade", b"").lower() or None if _UPGRADES.search(given.get(b"connection", b"")) else None

    def _should_upgrade(self) -> bool:
        """Return whether a WebSocket begins. It needs a GET; with another method its protocol would wait forever."""
        return self.parser.get_method() == b"GET" and super()._should_upgrade()

    def _declines_upgrade(self) -> bool:
        """Return whether the client offers another protocol than WebSocket, as Java's does with h2c.

        A server may ignore that. The parser does not: it would end the request before its body.
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
        """Continue after a body that bypassed the parser."""
        self._left = 0
        self.parser = new_parser(self)  # the old parser still waits for this body
        self.on_message_complete()

    def on_headers_complete(self) -> None:
        self._check_size()
        self._around = 0
        self._waits_since = None
        self._has_head = True
        if len(self.url.partition(b"?")[0]) > MAX_PATH:
            raise PathTooLongError  # before it is unquoted
        if self._places is not None:
            self._places.busy(self)
        if self._declines_upgrade():
            return  # the request comes again without the upgrade
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
        self._left = _announced_length(self.headers)
        offered = {"renzheng.whole": self.cycle.whole, "renzheng.reply": self.cycle.reply}
        if self._left >= LARGE and self.scheme == "http":
            offered["renzheng.read_into"] = self.cycle.read_into
        scope["extensions"] = cast("dict[str, Any]", offered)
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
        """Record that so many expected bytes of the body have arrived."""
        self._left = max(0, self._left - size)


def new_parser(protocol: HttpToolsProtocol) -> httptools.HttpRequestParser:
    """Return a parser with uvicorn's one leniency: a connection's first request is answered whatever follows it."""
    parser = httptools.HttpRequestParser(protocol)
    parser.set_dangerous_leniencies(lenient_data_after_close=True)
    return parser


def _announced_length(headers: list[tuple[bytes, bytes]]) -> int:
    """Return Content-Length, which the parser has found to be a number; 0 without one."""
    for name, value in headers:
        if name == b"content-length":
            return int(value.lstrip(b"0") or b"0")  # it may begin with more zeros than Python accepts
    return 0
