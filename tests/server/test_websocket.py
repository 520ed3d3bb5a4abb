"""What a stranger can make uvicorn's WebSocket do below the level of messages."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn

from renzheng.server.websocket import FRAMES_A_SECOND, DeviceProtocol
from tests.support.server import PATIENCE

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
LONG = 64 * 1024 * 1024


class QuickProtocol(DeviceProtocol):
    """Waits a moment, not ten seconds, for the peer to read the end."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.close_timeout = 0.2


async def tells_sizes(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answers each message with its size; to `/long` it sends 64 MB and leaves."""
    if scope["type"] != "websocket":
        return
    await receive()
    await send({"type": "websocket.accept"})
    if scope["path"] == "/long":
        await send({"type": "websocket.send", "bytes": bytes(LONG)})
        return
    while (message := await receive())["type"] == "websocket.receive":
        size = len(message.get("bytes") or message.get("text"))
        await send({"type": "websocket.send", "text": str(size)})


@pytest.fixture(scope="module")
def server() -> Iterator[uvicorn.Server]:
    config = uvicorn.Config(tells_sizes, port=0, loop="uvloop", ws=QuickProtocol, lifespan="off", log_level="error")
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield running
    running.should_exit = True
    thread.join()


class Peer:
    """A connection that sends frames as it is told."""

    def __init__(self, server: uvicorn.Server, path: str = "/") -> None:
        port = server.servers[0].sockets[0].getsockname()[1]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = ("Host: here", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
        head = "\r\n".join([f"GET {path} HTTP/1.1", *lines, f"Sec-WebSocket-Key: {key}", "", ""])
        self.socket.sendall(head.encode())
        reply = b""
        while not reply.endswith(b"\r\n\r\n"):
            reply += self._exactly(1)

    def send(self, opcode: int, data: bytes = b"", *, final: bool = True, times: int = 1) -> None:
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall((bytes([0x80 * final | opcode]) + size + bytes(4) + data) * times)

    def next(self) -> tuple[int, bytes]:
        """The next frame's opcode and content; (CLOSE, b"") at the connection's end."""
        try:
            first, size = self._exactly(2)
            return first & 15, self._exactly(struct.unpack(">H", self._exactly(2))[0] if size == 126 else size)
        except (EOFError, ConnectionResetError):
            return CLOSE, b""

    def close_code(self) -> int:
        while (frame := self.next())[0] != CLOSE:
            pass
        return int.from_bytes(frame[1][:2], "big")

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ("X: " + "a" * 20_000 + "\r\n", b"HTTP/1.1 431 "),
        ("X: a\r\n" * 300, b"HTTP/1.1 431 "),
        ("Content-Length: 5\r\n", b""),
        ("Transfer-Encoding: chunked\r\n", b""),
    ],
    ids=["long line", "many lines", "length", "chunked"],
)
def test_a_head_that_opens_no_websocket_ends_the_connection(server: uvicorn.Server, lines: str, status: bytes) -> None:
    port = server.servers[0].sockets[0].getsockname()[1]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as line:
        head = "GET / HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + lines + "\r\n"
        line.sendall(head.encode())
        received = b""
        while part := line.recv(4096):
            received += part
    assert received.startswith(status)


@pytest.mark.parametrize("opcode", [PING, PONG, TEXT, BINARY])
def test_a_flood_of_small_frames_ends_the_connection(server: uvicorn.Server, opcode: int) -> None:
    """2.5 million of them, 15 MB, kept the one thread of the server busy for seven seconds."""
    with Peer(server) as peer:
        peer.send(opcode, times=2 * FRAMES_A_SECOND + 1)
        assert peer.close_code() == 4429


@pytest.mark.parametrize(
    ("opcode", "handler"), [(PING, "handle_ping"), (TEXT, "handle_text"), (BINARY, "handle_bytes")]
)
def test_of_a_packet_full_of_small_frames_few_are_parsed(
    server: uvicorn.Server, monkeypatch: pytest.MonkeyPatch, opcode: int, handler: str
) -> None:
    """Forty thousand in one packet took a third of a second of the one thread, and of messages a whole one."""
    seen: list[int] = []
    usual = getattr(DeviceProtocol, handler)

    def counting(protocol: DeviceProtocol, *event: Any) -> None:
        seen.append(1)
        usual(protocol, *event)

    monkeypatch.setattr(DeviceProtocol, handler, counting)
    with Peer(server) as peer:
        with contextlib.suppress(OSError):
            peer.send(opcode, times=40_000)
        with contextlib.suppress(OSError):
            peer.close_code()
    assert FRAMES_A_SECOND < len(seen) < 3000


def test_messages_of_a_camera_s_size_are_no_flood(server: uvicorn.Server) -> None:
    """What was sent while the line or the server stood still comes all at once."""
    with Peer(server) as peer:
        peer.send(BINARY, bytes(300), times=3 * FRAMES_A_SECOND)
        assert [peer.next() for _ in range(3 * FRAMES_A_SECOND)] == [(TEXT, b"300")] * 3 * FRAMES_A_SECOND


def test_a_message_in_endless_empty_parts_ends_the_connection(server: uvicorn.Server) -> None:
    with Peer(server) as peer:
        peer.send(BINARY, b"x", final=False)
        peer.send(CONTINUATION, final=False, times=2 * FRAMES_A_SECOND + 1)
        assert peer.close_code() == 4429


def test_pings_now_and_then_are_answered_and_a_message_in_many_parts_arrives_whole(server: uvicorn.Server) -> None:
    with Peer(server) as peer:
        peer.send(PING, b"a", times=3)
        assert [peer.next() for _ in range(3)] == [(PONG, b"a")] * 3
        peer.send(BINARY, b"x" * 1000, final=False)
        peer.send(CONTINUATION, b"y" * 1000, final=False, times=3 * FRAMES_A_SECOND)
        peer.send(CONTINUATION, b"z")
        assert peer.next() == (TEXT, str(1000 + 3000 * FRAMES_A_SECOND + 1).encode())


def test_a_peer_that_does_not_read_is_let_go_of_once_the_application_is_done(server: uvicorn.Server) -> None:
    with Peer(server, "/long"):
        deadline = time.monotonic() + PATIENCE
        while server.server_state.connections:
            assert time.monotonic() < deadline, "the connection is still held"
            time.sleep(0.05)
