"""A bare capture client: sends exactly what a test says, right or wrong."""

from __future__ import annotations

import json
import socket
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.server import PATIENCE, Server


class Wire:
    """One socket to `/capture/v1`. Answers pings by itself where `auto` is set."""

    def __init__(
        self,
        server: Server,
        origin: str | None = None,
        auto: bool = True,
        host: str | None = None,
        forwarded: str | None = None,
    ) -> None:
        """`forwarded`: the address from which it says, as a proxy would, that it comes."""
        address = f"ws://{host or '127.0.0.1'}:{server.port}/capture/v1"
        given = None if origin is None else Origin(origin)
        line = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
        headers = {"X-Forwarded-For": forwarded} if forwarded else None
        self.socket: ClientConnection = connect(
            address, sock=line, origin=given, compression=None, legacy=True, additional_headers=headers
        )
        self._auto = auto
        self._sequence = 0

    def say(self, kind: str, **fields: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **fields}))

    def hello(self, token: str, **fields: Any) -> None:
        self.say("hello", protocol=1, token=token, **fields)

    def frame(self, nonce: str, jpeg: bytes, sequence: int | None = None) -> None:
        self._sequence = self._sequence + 1 if sequence is None else sequence
        self.socket.send(b"\x01" + bytes.fromhex(nonce) + self._sequence.to_bytes(4, "big") + jpeg)

    def next(self, within: float = PATIENCE) -> dict[str, Any]:
        """The next message. TimeoutError, ConnectionClosed."""
        while True:
            message: dict[str, Any] = json.loads(self.socket.recv(within))
            if message["type"] == "ping" and self._auto:
                self.say("pong", id=message["id"])
                continue
            return message

    def until(self, kind: str, within: float = PATIENCE) -> dict[str, Any]:
        """The next message of this kind; others are passed over."""
        while (message := self.next(within))["type"] != kind:
            pass
        return message

    def closed(self, within: float = PATIENCE) -> int:
        """The close code that the server ends with."""
        try:
            while True:
                self.next(within)
        except ConnectionClosed as closed:
            if closed.rcvd is None:
                raise
            return int(closed.rcvd.code)

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
