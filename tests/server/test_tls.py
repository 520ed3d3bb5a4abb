"""Connections over TLS: counted before their handshake is done, bounded as others are, and served after it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from renzheng.cli.lan import certificate
from renzheng.server.connections import Connections
from renzheng.server.http import ApiProtocol
from renzheng.server.tls import TlsEntry, context_of
from tests.support.server import until

LONG = 3600.0
REQUEST = b"GET /a HTTP/1.1\r\nHost: here\r\n\r\n"


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Says what was asked for, once all of it is there."""
    while (await receive()).get("more_body"):
        pass
    said = f"{scope['scheme']} {scope['path']}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


class Serving:
    """A server with this certificate on a port of its own. `seconds`: for a handshake."""

    def __init__(self, files: tuple[Path, Path], seconds: float, connections: Connections, inner: Any = None) -> None:
        self.connections = connections
        inner = inner or partial(ApiProtocol, connections=connections)
        way: Any = partial(TlsEntry, context_of(*files), seconds, inner, connections)
        config = uvicorn.Config(
            answer, port=0, loop="uvloop", http=way, lifespan="off", log_level="error", timeout_graceful_shutdown=20
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        until(lambda: self.server.started)
        self.port: int = self.server.servers[0].sockets[0].getsockname()[1]

    def line(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return certificate(tmp_path_factory.mktemp("keys"), ["127.0.0.1"])


@contextlib.contextmanager
def serving(files: tuple[Path, Path], seconds: float, connections: Connections, inner: Any = None) -> Iterator[Serving]:
    running = Serving(files, seconds, connections, inner)
    try:
        yield running
    finally:
        running.stop()


def asked(line: socket.socket, files: tuple[Path, Path]) -> tuple[ssl.SSLSocket, bytes]:
    """Over TLS, with the request sent as early as it can be: behind the handshake's last bytes."""
    trust = ssl.create_default_context(cafile=str(files[0]))
    secured = trust.wrap_socket(line, server_hostname="127.0.0.1")
    secured.sendall(REQUEST)
    return secured, reply_of(secured, b"https /a")


def reply_of(line: socket.socket, end: bytes) -> bytes:
    """What comes, until it ends like this or the connection does."""
    said = b""
    while not said.endswith(end) and (more := line.recv(4096)):
        said += more
    return said


def ended(line: socket.socket) -> bool:
    """Wait for its end."""
    try:
        return line.recv(1) == b""
    except ConnectionError:
        return True


def test_who_never_ends_the_handshake_gives_way_to_who_does(files: tuple[Path, Path]) -> None:
    """By address: those of another one stay."""
    with serving(files, LONG, Connections(100, 3)) as running, contextlib.ExitStack() as held:
        silent = [held.enter_context(running.line()) for _ in range(3)]
        elsewhere = held.enter_context(running.line("127.0.0.2"))
        until(lambda: running.connections.open == 4)
        for place in silent:
            secured, said = asked(running.line(), files)
            held.enter_context(secured)
            assert said.endswith(b"https /a")
            assert ended(place)
        assert running.connections.open == 4
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.recv(1)


def test_where_all_are_busy_a_new_one_is_ended_before_its_handshake(files: tuple[Path, Path]) -> None:
    connections = Connections(100, 1)
    with serving(files, LONG, connections) as running:
        secured, _ = asked(running.line(), files)
        secured.sendall(b"POST /b HTTP/1.1\r\nHost: here\r\nContent-Length: 5\r\n\r\n1234")
        until(lambda: not connections._idle)
        with secured, running.line() as refused:
            assert ended(refused)
            asked(running.line("127.0.0.2"), files)[0].close()
            secured.sendall(b"5")
            assert reply_of(secured, b"https /b").endswith(b"https /b")


def test_a_handshake_has_a_time(files: tuple[Path, Path]) -> None:
    connections = Connections(100, 10)
    with serving(files, 0.3, connections) as running, running.line() as silent, running.line() as slow:
        slow.sendall(b"\x16\x03\x01\x02\x00\x01")
        assert ended(silent)
        assert ended(slow)
        until(lambda: connections.open == 0)
        assert not running.server.server_state.connections


def test_what_is_no_tls_ends_at_once_and_counts_no_longer(files: tuple[Path, Path]) -> None:
    connections = Connections(100, 10)
    with serving(files, LONG, connections) as running:
        for sent in (REQUEST, b"\x16\x03\x01\x00\x02\x01\x00" * 200, b"\x15\x03\x01\x00\x02\x02\x00"):
            with running.line() as line:
                line.sendall(sent)
                while line.recv(4096):
                    pass
        left = running.line()
        until(lambda: connections.open == 1)
        left.close()
        until(lambda: connections.open == 0)


def test_who_gives_no_goodbye_does_not_stay(files: tuple[Path, Path]) -> None:
    connections = Connections(100, 10)
    with serving(files, 1.5, connections) as running, running.line() as line:  # a busy machine takes part of it to ask
        secured, _ = asked(line, files)
        secured.sendall(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        until(lambda: connections.open == 0)


def test_connections_in_their_handshake_do_not_hold_up_the_end(files: tuple[Path, Path]) -> None:
    """It would wait for its graceful end otherwise, and then say so."""
    running = Serving(files, LONG, Connections(100, 10))
    with running.line() as line:
        until(lambda: running.connections.open == 1)
        running.stop()
        assert ended(line)


def test_uvicorns_own_way_is_served_over_tls_too(files: tuple[Path, Path]) -> None:
    connections = Connections(100, 10)
    with serving(files, LONG, connections, "auto") as running, running.line() as line:
        secured, said = asked(line, files)
        with secured:
            assert said.endswith(b"https /a")
        until(lambda: connections.open == 0)


def test_many_that_come_and_go_leave_nothing(files: tuple[Path, Path]) -> None:
    """Each is ended at another moment of its handshake."""
    connections = Connections(8, 8)
    with serving(files, LONG, connections) as running:
        hello = ssl.MemoryBIO()
        pair = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="here")
        with contextlib.suppress(ssl.SSLWantReadError):
            pair.do_handshake()
        first = hello.read()
        lines = []
        for n in range(150):
            line = running.line()
            line.sendall(first[: n * len(first) // 100])
            lines.append(line)
            if n % 3 == 0:
                line.close()
            if n % 7 == 0:
                time.sleep(0.002)
        secured, said = asked(running.line(), files)
        assert said.endswith(b"https /a")
        for line in (*lines, secured):
            line.close()
        until(lambda: connections.open == 0)
        assert not running.server.server_state.connections
        assert not connections._idle
