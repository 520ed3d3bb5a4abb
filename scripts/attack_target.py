"""The server that is attacked: one that runs on this machine, or one of our own that is started for it."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from renzheng.base import defaults
from renzheng.base.addresses import is_loopback
from renzheng.gateway.signature import sign_tc3
from tests.support.server import Server

PERSON = {"CompareLib": "BUSINESS", "Name": "韦小宝", "IdCard": "11204416541220243X"}
"""The documentation's example; without a photo, which would be looked at first."""
SECONDS = 20.0


class WrongAnswerError(Exception):
    """The server did not answer as it should; the text says what came."""


def expect(is_right: bool, came: object) -> None:
    if not is_right:
        raise WrongAnswerError(repr(came)[:200])


def head(lines: str, path: str = "/", method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{lines}\r\n".encode()


@dataclass
class Target:
    """The address of the server, and the key to use, if any."""

    host: str
    port: int
    key: tuple[str, str] = ("", "")
    other_key: tuple[str, str] = ("", "")
    public_key: str = ""
    operator_port: int = 0
    process: int = 0
    """Of the server, where it is one of our own."""
    lines: list[socket.socket] = field(default_factory=list)

    def line(self) -> socket.socket:
        """A new connection, closed at the end of the attack."""
        made = socket.create_connection((self.host, self.port), timeout=SECONDS)
        self.lines.append(made)
        return made

    def send(self, data: bytes) -> bytes:
        """The start of what is answered; empty where the connection ends first."""
        line = self.line()
        with contextlib.suppress(OSError):
            line.sendall(data)
        with contextlib.suppress(OSError):
            return line.recv(64 * 1024)
        return b""

    @property
    def operator(self) -> Target:
        """The same server's other listener. Its connections are this one's, too."""
        return replace(self, port=self.operator_port)

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def token(self, *, other: bool = False) -> str:
        """A token of the account, or of the other one."""
        reply = self.reply("GetFaceIdToken", PERSON, key=self.other_key if other else self.key)
        expect("FaceIdToken" in reply, reply)
        return str(reply["FaceIdToken"])

    def call(self, action: str, content: dict[str, Any], host: str = "", payload: bytes | None = None) -> str:
        """A signed call; the error's code, empty for a success."""
        return str(self.reply(action, content, host, payload).get("Error", {}).get("Code", ""))

    def reply(
        self,
        action: str,
        content: dict[str, Any],
        host: str = "",
        payload: bytes | None = None,
        key: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """What a signed call is answered."""
        body, host, at = json.dumps(content).encode(), host or f"{self.host}:{self.port}", int(time.time())
        signed = sign_tc3(
            *(key or self.key), timestamp=at, host=host, payload=body if payload is None else payload, service="faceid"
        )
        lines = [
            "POST / HTTP/1.1",
            f"Host: {host}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"X-TC-Action: {action}",
            "X-TC-Version: 2018-03-01",
            "X-TC-Region: ap-guangzhou",
            f"X-TC-Timestamp: {at}",
            f"Authorization: {signed}",
            *([] if payload is None else [f"X-TC-Content-SHA256: {payload.decode()}"]),
        ]
        answer = self.send("\r\n".join([*lines, "", ""]).encode() + body)
        return dict(json.loads(answer.partition(b"\r\n\r\n")[2])["Response"])

    def close(self) -> None:
        for line in self.lines:
            line.close()
        self.lines.clear()


def key_of(variable: str) -> tuple[str, str]:
    """SecretId and SecretKey of an environment variable; empty texts where it is not set."""
    secret_id, _, secret_key = os.environ.get(variable, "").partition(":")
    return secret_id, secret_key


@contextlib.contextmanager
def own_target() -> Iterator[Target]:
    """A server with its defaults but for the length of a challenge, and a second account."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), requests_per_second=defaults.REQUESTS_PER_SECOND).start(as_shipped=True)
        try:
            other = str(server.json("account", "create", "other")["id"])
            key = server.json("key", "create", "--account", other)
            public_key = server.json("encryption", "show", "--account", "1")["sm2_pem"]
            server.follow()
            keys = server.key(), (key["secret_id"], key["secret_key"])
            assert server.process is not None
            yield Target("127.0.0.1", server.port, *keys, public_key, server.operator_port, server.process.pid)
        finally:
            server.stop()


def given_target(address: str) -> Target:
    url = urlsplit(address)
    if not is_loopback(url.hostname or ""):
        sys.exit("Only a server on this machine is attacked: give a loopback address.")
    return Target(
        url.hostname or "",
        url.port or 80,
        key_of("RENZHENG_ATTACK_KEY"),
        key_of("RENZHENG_ATTACK_OTHER_KEY"),
        os.environ.get("RENZHENG_ATTACK_PUBLIC_KEY", ""),
        int(os.environ.get("RENZHENG_ATTACK_OPERATOR_PORT", "0")),
    )
