"""The fast path of `/` through uvicorn: whatever way a request is cut into packets, its body arrives whole and once."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from renzheng.server.exchange import _Filling
from renzheng.server.http import MAX_PATH, MAX_PIPELINED, SLICE, ApiProtocol
from tests.hostile.inputs import Wire, made
from tests.support.server import PATIENCE

BIG = bytes(range(256)) * 4096  # 1 MiB
SMALL = b'{"a":1}'
LEFT: list[int] = []
"""Bytes that were there of the bodies whose client left."""


async def digests(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with the path, the length and the SHA-256 of what it read.

    `/?refuse` reads nothing, `/?half` stops half-way, `/?parts` reads part by part what could be read into its place.
    """
    if scope["type"] != "http":
        return
    size, digest = 0, hashlib.sha256()
    way = scope["query_string"]
    read_into = scope.get("extensions", {}).get("renzheng.read_into")
    more = way != b"refuse"
    if read_into is not None and way in (b"", b"half"):
        buffer = bytearray(int(dict(scope["headers"])[b"content-length"]))
        async with contextlib.aclosing(read_into(memoryview(buffer))) as arrivals:
            async for size in arrivals:
                if way == b"half" and size >= len(buffer) // 2:
                    break
        if size < len(buffer) and way != b"half":
            LEFT.append(size)
            return
        digest.update(buffer[:size] if way == b"" else b"")
        size, more = (size if way == b"" else -1), False
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size += len(message["body"])
        digest.update(message["body"])
        more = message["more_body"]
    reply = f"{scope['path']} {size} {digest.hexdigest()}".encode()
    headers = [(b"content-type", b"text/plain"), (b"content-length", str(len(reply)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


@contextlib.contextmanager
def serving(app: Any, head_seconds: float, keep_alive: int) -> Iterator[uvicorn.Server]:
    protocol: Any = partial(ApiProtocol, head_seconds=head_seconds, take_seconds=0.3)
    config = uvicorn.Config(
        app,
        port=0,
        loop="uvloop",
        http=protocol,
        lifespan="off",
        log_level="error",
        timeout_keep_alive=keep_alive,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server
    server.should_exit = True
    thread.join()


def port_of(server: uvicorn.Server) -> int:
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(digests, 1, 2) as server:
        yield port_of(server)


def request(body: bytes, path: str = "/", version: str = "1.1", *lines: str) -> bytes:
    length = () if any("chunked" in line for line in lines) else (f"Content-Length: {len(body)}",)
    head = "\r\n".join([f"POST {path} HTTP/{version}", "Host: here", *length, *lines, "", ""])
    return head.encode() + body


def answer(body: bytes, path: str = "/") -> bytes:
    return f"{path} {len(body)} {hashlib.sha256(body).hexdigest()}".encode()


class Line:
    """One connection that reads replies one by one."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._read = b""

    def reply(self) -> tuple[bytes, bytes]:
        """Head and body of the next reply."""
        while b"\r\n\r\n" not in self._read:
            self._read += self._more()
        head, _, rest = self._read.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        while len(rest) < length:
            rest += self._more()
        self._read = rest[length:]
        return head, rest[:length]

    def _more(self) -> bytes:
        part = self.socket.recv(65536)
        assert part, "closed before the reply was whole"
        return part

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@pytest.mark.parametrize("body", [b"", SMALL, BIG], ids=["none", "small", "big"])
@pytest.mark.parametrize("pieces", [1, 2, 7, 40])
@pytest.mark.parametrize("path", ["/", "/?parts"])
def test_a_body_arrives_whole_however_it_is_cut(port: int, body: bytes, pieces: int, path: str) -> None:
    whole = request(body, path)
    size = -(-len(whole) // pieces)
    with Line(port) as line:
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(whole), size):
            line.socket.sendall(whole[start : start + size])
            time.sleep(0.002)
        assert line.reply()[1] == answer(body)


def test_requests_that_follow_in_the_same_packet_are_answered_in_their_order(port: int) -> None:
    bodies = [BIG, SMALL, BIG[:70_000], b"", SMALL]
    with Line(port) as line:
        sender = threading.Thread(target=line.socket.sendall, args=(b"".join(map(request, bodies)),))
        sender.start()
        assert [line.reply()[1] for _ in bodies] == [answer(body) for body in bodies]
        sender.join()


def test_a_connection_serves_the_api_and_the_pages_in_turn(port: int) -> None:
    with Line(port) as line:
        for path in ("/", "/page", "/?a=b", "/page", "/"):
            line.socket.sendall(request(BIG, path))
            assert line.reply()[1] == answer(BIG, path.partition("?")[0])


def test_a_chunked_body_arrives_whole(port: int) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (SMALL, BIG, SMALL)) + b"0\r\n\r\n"
    with Line(port) as line:
        line.socket.sendall(request(chunks, "/", "1.1", "Transfer-Encoding: chunked"))
        assert line.reply()[1] == answer(SMALL + BIG + SMALL)
        line.socket.sendall(request(SMALL))
        assert line.reply()[1] == answer(SMALL)


def test_a_client_that_asks_first_is_told_to_go_on(port: int) -> None:
    head, body = request(BIG, "/", "1.1", "Expect: 100-continue").split(b"\r\n\r\n", 1)
    with Line(port) as line:
        line.socket.sendall(head + b"\r\n\r\n")
        assert line.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        line.socket.sendall(body)
        assert line.reply()[1] == answer(BIG)


H2C = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQBAAAA")


@pytest.mark.parametrize("body", [b"", SMALL, BIG], ids=["none", "small", "big"])
@pytest.mark.parametrize("path", ["/", "/page"])
def test_a_wish_for_http_2_is_passed_over_and_the_body_kept(port: int, body: bytes, path: str) -> None:
    with Line(port) as line:
        whole = request(body, path, "1.1", *H2C)
        for part in (whole[:60], whole[60:]):
            line.socket.sendall(part)
            time.sleep(0.01)
        assert line.reply()[1] == answer(body, path)
        line.socket.sendall(request(SMALL, path))
        assert line.reply()[1] == answer(SMALL, path)


def test_requests_that_each_wish_for_http_2_are_answered_in_their_order(port: int) -> None:
    bodies = [SMALL, b"", BIG[:1000]] * 200
    whole = b"".join(request(body, "/", "1.1", *H2C) for body in bodies)
    with Line(port) as line:
        sender = threading.Thread(target=line.socket.sendall, args=(whole,))
        sender.start()
        assert [line.reply()[1] for _ in bodies] == [answer(body) for body in bodies]
        sender.join()


@pytest.mark.parametrize("path", ["/", "/page"])
def test_a_websocket_that_begins_with_a_post_is_a_post(port: int, path: str) -> None:
    with Line(port) as line:
        line.socket.sendall(request(SMALL, path, "1.1", "Connection: Upgrade", "Upgrade: websocket"))
        assert line.reply()[1] == answer(SMALL, path)


def test_a_chunked_body_behind_a_wish_for_http_2_arrives_whole(port: int) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (SMALL, BIG)) + b"0\r\n\r\n"
    with Line(port) as line:
        line.socket.sendall(request(chunks, "/", "1.1", "Transfer-Encoding: chunked", *H2C))
        assert line.reply()[1] == answer(SMALL + BIG)


def test_a_head_request_is_answered_without_a_body(port: int) -> None:
    with Line(port) as line:
        line.socket.sendall(b"HEAD / HTTP/1.1\r\nHost: here\r\n\r\n" + request(SMALL, "/", "1.1", "Connection: close"))
        received = b""
        while part := line.socket.recv(65536):
            received += part
    first, _, rest = received.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 OK")
    assert rest.startswith(b"HTTP/1.1 200 OK")
    assert rest.endswith(answer(SMALL))


@pytest.mark.parametrize(("version", "asked"), [("1.0", ()), ("1.1", ("Connection: close",))])
def test_a_connection_ends_where_the_client_wants_it(port: int, version: str, asked: tuple[str, ...]) -> None:
    with Line(port) as line:
        line.socket.sendall(request(BIG, "/", version, *asked))
        head, body = line.reply()
        assert body == answer(BIG)
        assert b"connection: close" in head
        assert line.socket.recv(1) == b""


@pytest.mark.parametrize("line", [b"CONNECT a:1", b"GET http://[", b"GET /\xff", b"GET a"])
def test_an_address_that_cannot_be_read_is_the_clients_fault(port: int, line: bytes) -> None:
    """Else whoever sends one fills the log with faults of the server."""
    with Line(port) as connection:
        connection.socket.sendall(line + b" HTTP/1.1\r\nHost: here\r\n\r\n")
        assert connection.reply()[0].startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("connection", "upgrades"),
    [
        (b"upgrade", True),
        (b"Upgrade", True),
        (b"keep-alive, Upgrade", True),
        (b"a,\tupgrade ,b", True),
        (b"upgrades", False),
        (b"no upgrade", False),
        (b"a-upgrade,upgrade-b", False),
        (b"", False),
    ],
)
def test_an_upgrade_is_wished_for_by_an_option_of_its_own(connection: bytes, upgrades: bool) -> None:
    protocol = made()
    protocol.headers = [(b"upgrade", b"WebSocket"), (b"connection", connection)]
    assert protocol._get_upgrade() == HttpToolsProtocol._get_upgrade(protocol)
    assert protocol._get_upgrade() == (b"websocket" if upgrades else None)


def test_a_body_that_nobody_reads_does_not_stand_in_the_way_of_the_next_request(port: int) -> None:
    with Line(port) as line:
        line.socket.sendall(request(BIG, "/?refuse"))
        assert line.reply()[1] == answer(b"")
        line.socket.sendall(request(SMALL))
        assert line.reply()[1] == answer(SMALL)


def test_a_body_that_is_read_half_does_not_stand_in_the_way_either(port: int) -> None:
    with Line(port) as line:
        whole = request(BIG, "/?half")
        line.socket.sendall(whole[: len(whole) * 3 // 4])
        assert line.reply()[1].startswith(b"/ -1 ")
        line.socket.sendall(whole[len(whole) * 3 // 4 :] + request(SMALL) + request(BIG))
        assert line.reply()[1] == answer(SMALL)
        assert line.reply()[1] == answer(BIG)


def test_what_follows_a_body_and_is_no_request_is_refused(port: int) -> None:
    with Line(port) as line:
        line.socket.sendall(request(BIG))
        assert line.reply()[1] == answer(BIG)
        line.socket.sendall(b"no request at all\r\n\r\n")
        assert line.reply()[0].startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"GET /?", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\nHost: here\r\nX-Long: ", b"a" * 65_536),
        (b"GET / HTTP/1.1\r\nHost: here\r\n", b"X-Many: a\r\n" * 6_000),
        (
            b"POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            b"X-Many: a\r\n" * 6_000,
        ),
    ],
    ids=["query", "value", "headers", "trailers"],
)
def test_a_head_without_end_is_refused_before_it_has_cost_much(port: int, start: bytes, more: bytes) -> None:
    with Line(port) as line:
        line.socket.sendall(start)
        with contextlib.suppress(OSError):
            for _ in range(64):
                line.socket.sendall(more)
        with contextlib.suppress(ConnectionResetError):
            assert line.socket.recv(100).startswith(b"HTTP/1.1 431 ")
            while line.socket.recv(65_536):
                pass
    with Line(port) as line:
        line.socket.sendall(request(SMALL))
        assert line.reply()[1] == answer(SMALL)


def test_a_long_head_and_many_requests_on_one_connection_are_served(port: int) -> None:
    with Line(port) as line:
        for _ in range(3):
            line.socket.sendall(request(BIG, "/", "1.1", "X-Long: " + "a" * 60_000))
            assert line.reply()[1] == answer(BIG)
        for _ in range(40):
            line.socket.sendall(request(b"", "/?" + "a" * 30_000))
            assert line.reply()[1] == answer(b"", "/")


@pytest.mark.parametrize("path", ["/", "/page"])
@pytest.mark.parametrize(
    "lines", [(), H2C, ("Connection: Upgrade", "Upgrade: websocket")], ids=["", "h2c", "websocket"]
)
def test_a_head_has_128_headers_and_no_more(port: int, path: str, lines: tuple[str, ...]) -> None:
    own = 2 + len(lines)  # Host and Content-Length
    for more, status in ((128 - own, b"HTTP/1.1 200 "), (129 - own, b"HTTP/1.1 431 ")):
        with Line(port) as line:
            line.socket.sendall(request(b"", path, "1.1", *lines, *(f"X-{n}: a" for n in range(more))))
            assert line.reply()[0].startswith(status), more


@pytest.mark.parametrize("path", ["/", "/page"])
def test_a_head_has_64_kib_and_no_more(port: int, path: str) -> None:
    for size, status in ((64_900, b"HTTP/1.1 200 "), (65_600, b"HTTP/1.1 431 ")):
        with Line(port) as line:
            line.socket.sendall(request(b"", path, "1.1", *(f"X-{n}: {'a' * (size // 16 - 10)}" for n in range(16))))
            assert line.reply()[0].startswith(status), size


def test_of_many_headers_no_more_than_the_bound_are_read(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    usual = ApiProtocol.on_header

    def counting(protocol: ApiProtocol, name: bytes, value: bytes) -> None:
        usual(protocol, name, value)
        read.append(name)

    monkeypatch.setattr(ApiProtocol, "on_header", counting)
    with Line(port) as line:
        line.socket.sendall(b"POST / HTTP/1.1\r\nHost: here\r\n" + b"a:\r\n" * 60_000 + b"\r\n")
        assert line.reply()[0].startswith(b"HTTP/1.1 431 ")
    assert len(read) == 128


@pytest.mark.parametrize("path", ["/", "/page"])
def test_of_many_pipelined_requests_few_wait_as_requests_and_all_are_answered(
    port: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[int] = []
    usual = ApiProtocol.on_headers_complete

    def counting(protocol: ApiProtocol) -> None:
        usual(protocol)
        waiting.append(len(protocol.pipeline))

    monkeypatch.setattr(ApiProtocol, "on_headers_complete", counting)
    one = f"GET {path} HTTP/1.1\r\nHost:a\r\n\r\n".encode()
    with Line(port) as line:
        sender = threading.Thread(target=line.socket.sendall, args=(one * 2000,))
        sender.start()
        assert {line.reply()[1] for _ in range(2000)} == {answer(b"", path)}
        sender.join()
    assert max(waiting) <= MAX_PIPELINED + SLICE // len(one) + 1


def test_a_client_that_leaves_in_the_middle_of_a_body_leaves_the_server_well(port: int) -> None:
    LEFT.clear()
    for _ in range(20):
        with Line(port) as line:
            line.socket.sendall(request(BIG)[:500_000])
    deadline = time.monotonic() + PATIENCE
    while len(LEFT) < 20 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert len(LEFT) == 20, "somebody waits for a client that has left"
    with Line(port) as line:
        line.socket.sendall(request(SMALL))
        assert line.reply()[1] == answer(SMALL)


def pour(line: Line, begin: bytes, part: bytes) -> None:
    """Send without end, or until the server ends the connection. AssertionError after 64 MB."""
    line.socket.sendall(begin)
    for _ in range(64 * 1024 * 1024 // len(part)):
        try:
            line.socket.sendall(part)
        except ConnectionError:
            return
    raise AssertionError("the server took it all")


@pytest.mark.parametrize(
    ("begin", "part"),
    [
        (request(b"", "/", "1.1", "Transfer-Encoding: chunked"), b"1;" + b"a" * 60_000 + b"\r\na\r\n"),
        (request(b"", "/page", "1.1", "Transfer-Encoding: chunked"), b"2\r\naa\r\n" * 8000),
        (request(b"", "/", "1.1", "Transfer-Encoding: chunked"), b"2\r\naa\r\n" * 8000),
    ],
    ids=["extensions", "chunks of a page", "chunks"],
)
def test_a_body_that_is_mostly_something_else_is_refused(port: int, begin: bytes, part: bytes) -> None:
    """In chunks of two bytes, a megabyte took a second of the one thread."""
    with Line(port) as line:
        pour(line, begin, part)


def test_a_body_in_chunks_of_a_usual_size_is_no_matter_how_long_it_is(port: int) -> None:
    chunks = b"".join(b"40\r\n%b\r\n" % BIG[start : start + 64] for start in range(0, len(BIG), 64))
    with Line(port) as line:
        line.socket.sendall(request(chunks + b"0\r\n\r\n", "/", "1.1", "Transfer-Encoding: chunked"))
        assert line.reply()[1] == answer(BIG)


@pytest.mark.parametrize(
    ("begin", "more"),
    [(b"", b""), (b"GET / HTTP/1.1\r\nX: ", b"a"), (request(SMALL), b"\r\n"), (request(SMALL) + b"GET /", b"a")],
    ids=["silent", "slow", "later silent", "later slow"],
)
def test_a_connection_that_brings_no_whole_head_ends(port: int, begin: bytes, more: bytes) -> None:
    """However slowly it goes on: three hundred that said nothing stayed for as long as they liked."""
    with Line(port) as line:
        line.socket.sendall(begin)
        line.socket.settimeout(0.2)
        deadline = time.monotonic() + PATIENCE
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < deadline:
                with contextlib.suppress(TimeoutError):
                    if not line.socket.recv(65536):
                        break
                line.socket.sendall(more)
        assert time.monotonic() < deadline


def test_a_request_may_take_longer_than_its_head(port: int) -> None:
    with Line(port) as line:
        line.socket.sendall(request(BIG)[:-1])
        time.sleep(2.5)
        line.socket.sendall(BIG[-1:])
        assert line.reply()[1] == answer(BIG)


def test_a_connection_is_kept_between_requests_for_longer_than_a_head_may_take(port: int) -> None:
    with Line(port) as line:
        for pause in (1.3, 0.0):
            line.socket.sendall(request(SMALL))
            assert line.reply()[1] == answer(SMALL)
            time.sleep(pause)
        line.socket.sendall(request(SMALL)[:20])
        assert line.socket.recv(1) == b"", "a head that does not go on ends its connection"
    with Line(port) as line:
        line.socket.sendall(request(SMALL))
        line.reply()
        assert line.socket.recv(1) == b"", "an idle connection ends"


async def long(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers with 4 MB at once to `/`, and as a page."""
    headers = [(b"content-length", b"%d" % len(LONG))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": LONG})


LONG = bytes(4 * 1024 * 1024)


@pytest.mark.parametrize("path", ["/", "/page"])
@pytest.mark.parametrize("asks", [1, 5])
def test_a_client_that_takes_nothing_of_its_answers_is_let_go_of(path: str, asks: int) -> None:
    """It would keep its connection for ever: one that is closed stays until all is taken, and one that waits to write
    is not an idle one, so none that may go when there are too many."""
    with serving(long, 0.1, 1) as server, socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", port_of(server)))
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode() * asks)
        deadline = time.monotonic() + PATIENCE
        while not server.server_state.total_requests or server.server_state.connections:
            assert time.monotonic() < deadline, "the connection is still held"
            time.sleep(0.02)


class Slow(Wire):
    """A client that takes what waits for it in these steps, one a look."""

    def __init__(self, *waiting: int) -> None:
        super().__init__()
        self.waiting = list(waiting)

    def get_write_buffer_size(self) -> int:
        return self.waiting.pop(0)


@pytest.mark.parametrize(
    ("waiting", "looks"),
    [
        ((900, 900, 900, 900), 4),
        ((900, 900, 900, 899, 899, 899, 899), 7),
        ((900, 900, 900, 950, 950), 4),
        ((900, 900, 900, 0, 900, 900, 900, 900), 8),
        ((900, 900, 900, -1, 900, 900, 900, 900), 8),
    ],
    ids=["never", "a little", "is given more", "all", "was given more"],
)
def test_a_client_has_time_to_take_something_again_and_again(waiting: tuple[int, ...], looks: int) -> None:
    """A look a second; -1: it took all and was given more since."""
    protocol = made(head_seconds=1, take_seconds=3)
    wire = Slow(*(size for size in waiting if size >= 0))
    protocol.connection_made(wire)  # type: ignore[arg-type]
    protocol._waits_since = None  # a request is under way
    protocol.pause_writing()
    seen = 0
    for second, size in enumerate(waiting):
        protocol.loop.now = float(second)  # type: ignore[attr-defined]
        if size < 0:
            protocol.resume_writing()
            protocol.pause_writing()
        else:
            protocol._look()
        seen += 1
        if wire.closing:
            break
    assert (wire.closing, seen) == (True, looks)


def test_a_body_that_was_read_is_referred_to_no_more() -> None:
    """The loop keeps what filled it until the next one; its memory has to be free for that by then."""
    place = bytearray(5)
    filling = _Filling(None, memoryview(place), 5)  # type: ignore[arg-type]
    with pytest.raises(BufferError):
        place.append(0)
    filling.end()
    place.append(0)


def heads(data: bytes) -> tuple[ApiProtocol, Wire]:
    """What one connection's packet is taken for."""
    protocol, wire = made(), Wire()
    protocol.connection_made(wire)  # type: ignore[arg-type]
    protocol.data_received(data)
    return protocol, wire


@pytest.mark.parametrize("path", [b"/", b"/page"])
def test_trailers_are_no_headers(path: bytes) -> None:
    """A proxy that takes a client's X-Forwarded-For out of the head may pass its trailers on."""
    first = b"POST %b HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n" % path
    protocol, wire = heads(first + b"1\r\na\r\n0\r\nX-Forwarded-For: 192.0.2.1\r\nHost: there\r\n\r\n")
    names = [name for name, _ in protocol.scope["headers"]]
    assert (names, wire.closing) == ([b"host", b"transfer-encoding"], False)
    assert not protocol.cycle.more_body
    protocol, wire = heads(first + b"0\r\n" + b"a:b\r\n" * 20_000)
    assert wire.closing


def test_a_length_may_begin_with_any_number_of_zeros() -> None:
    """Python refuses to read a number of more than 4300 digits."""
    for path in (b"/", b"/page"):
        protocol, wire = heads(b"POST %b HTTP/1.1\r\nContent-Length: %b5\r\n\r\nhello" % (path, b"0" * 5000))
        assert (wire.closing, protocol.cycle.more_body) == (False, False)


@pytest.mark.parametrize("mark", [b"", b"?" + b"a" * 5000])
def test_a_path_has_a_bound_before_it_is_unquoted(mark: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, _ = heads(b"GET /%b%b HTTP/1.1\r\n\r\n" % (b"a" * (MAX_PATH - 1), mark))
    assert len(taken.scope["path"]) == MAX_PATH
    monkeypatch.setattr(urllib.parse, "unquote", None)
    for lines in (b"", b"Upgrade: websocket\r\nConnection: Upgrade\r\n"):
        protocol, wire = heads(b"GET /%b%b HTTP/1.1\r\n%b\r\n" % (b"%" * MAX_PATH, mark, lines))
        assert wire.closing
        assert "path" not in protocol.scope


async def test_a_handshake_s_lists_are_read_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """60 KB of tokens stop the loop for 50 ms, and any stranger can send them. In a loop: a handshake asks for it."""
    seen: list[str] = []

    def tokens(header: str) -> list[str]:
        seen.append(header)
        return [token.strip() for token in header.split(",")]

    for name in ("connection", "upgrade", "subprotocol", "extension"):
        monkeypatch.setattr(f"websockets.server.parse_{name}", tokens)
    long = b"a," * 3000 + b"Upgrade"
    lists = b"".join(b"%b: %b\r\n" % (name, long) for name in (
        b"Sec-WebSocket-Protocol", b"Sec-WebSocket-Extensions", b"connection", b"Connection", b"Upgrade",
    ))  # fmt: skip
    fixed = b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nUpgrade: WebSocket\r\n\r\n"
    _, wire = heads(b"GET /capture/v1 HTTP/1.1\r\n" + lists + fixed)
    assert not wire.closing
    assert seen == ["Upgrade", "websocket"]
