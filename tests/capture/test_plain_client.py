"""A client from the protocol page alone, with nothing but the standard library's sockets, completes a verification.

It is written in another style than the SDK and the command line's device: one thread, one loop, no library.
"""

from __future__ import annotations

import base64
import json
import os
import select
import socket
import struct
import time
from typing import Any

import cv2

from renzheng.evaluation.performance import Performance
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import PATIENCE, Server, result
from tests.support.server import token as issue


class PlainSocket:
    """RFC 6455 as far as the page needs it: masked text, binary and pong out, text, ping and close in."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.socket = socket.create_connection((host, port), timeout=PATIENCE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        assert head.startswith(b"HTTP/1.1 101")

    def send(self, kind: int, data: bytes) -> None:
        mask = os.urandom(4)
        size = len(data)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + struct.pack(">H", size)
        if size > 0xFFFF:
            length = b"\xff" + struct.pack(">Q", size)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
        self.socket.sendall(bytes([0x80 | kind]) + length + mask + masked)

    def exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "the server went away"
            data += more
        return data

    def receive(self) -> tuple[int, bytes]:
        first, second = self.exactly(2)
        size = second & 0x7F
        if size == 126:
            (size,) = struct.unpack(">H", self.exactly(2))
        elif size == 127:
            (size,) = struct.unpack(">Q", self.exactly(8))
        return first & 0x0F, self.exactly(size)

    def ready(self, seconds: float) -> bool:
        return bool(select.select([self.socket], [], [], seconds)[0])


def verify(server: Server, token: str, seed: int) -> tuple[bool | None, int]:
    """Run a token's verification; passed or failed, and the close code."""
    scene = Performance(sample_puppet(), "head", seed=seed)
    line = PlainSocket("127.0.0.1", server.port, "/capture/v1")

    def say(**message: Any) -> None:
        line.send(1, json.dumps(message).encode())

    say(type="hello", protocol=1, token=token)
    passed: bool | None = None
    step: dict[str, Any] | None = None
    shown_at = next_frame = time.monotonic()
    sequence = 0
    while True:
        while line.ready(max(0.0, next_frame - time.monotonic()) if step else 5.0):
            kind, data = line.receive()
            if kind == 8:
                return passed, int.from_bytes(data[:2], "big")
            if kind == 9:  # a ping of RFC 6455, on a line that is open for long
                line.send(10, data)
                continue
            message = json.loads(data)
            match message["type"]:
                case "welcome" | "attempt_over":
                    step = None
                    say(type="start")
                case "ping":
                    say(type="pong", id=message["id"])
                case "step":
                    step, shown_at = message, time.monotonic()
                    next_frame = shown_at
                case "judging":
                    step = None
                case "outcome":
                    passed = message["passed"]
        if step:
            picture = scene.frame(step["action"], time.monotonic() - shown_at, step["seconds"])
            jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
            sequence += 1
            line.send(2, b"\x01" + bytes.fromhex(step["nonce"]) + struct.pack(">I", sequence) + jpeg)
            next_frame = max(time.monotonic(), next_frame + 0.1)


def test_a_client_written_from_the_page_alone_completes_a_verification(server: Server, key: tuple[str, str]) -> None:
    client = server.sdk(key)
    for seed in range(3):  # on a busy machine too few frames may come
        token = issue(client, CompareLib="LOCAL", ImageBase64=base64_of(sample()))
        passed, code = verify(server, token, seed)
        assert code == 1000
        fetched = result(client, token)
        assert passed == (fetched.Result == "0")
        if passed:
            assert fetched.Similarity >= 70
            return
        assert fetched.Result == "1005"
    raise AssertionError("no verification passed in three tries")
