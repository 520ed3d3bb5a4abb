"""One request on its way through the gateway: what each handler has found out, for those behind it."""

from __future__ import annotations

from typing import Any

import msgspec

from renzheng.gateway.body import Body, ReadInto, Receive
from renzheng.gateway.contract import Action, Key, Language
from renzheng.gateway.encryption import SealingKey
from renzheng.gateway.explanation import Captured
from renzheng.gateway.parameters import MessageReader
from renzheng.gateway.signature import Authorization

_LOOPBACK_NAMES = (b"localhost", b"127.", b"[::1]")
_PROXY_MARKS = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")


_NO_NAMES: frozenset[bytes] = frozenset()
_NOTHING: dict[str, Any] = {}


def _repeated(headers: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    names = [name for name, _ in headers]
    return frozenset(name for name in names if names.count(name) > 1)


class Request:
    """Handlers write to it in the order of the pipeline; a field is meaningful from its handler on.

    `headers`: the last value of each name, as received. `repeated`: names that came more than once.
    `parameters`: the decoded pairs of a v1 request, None for TC3. `timestamp`: as the client wrote it,
    `seconds`: its number.
    `is_tc3`: whether the common parameters are in headers, and not among the v1 pairs. `sealing_key`: the key that
    the caller sent for the reply. `cause`: why the request was refused, for the log.
    """

    __slots__ = (
        "action",
        "action_name",
        "address",
        "authorization",
        "body",
        "cause",
        "content_type",
        "headers",
        "is_tc3",
        "key",
        "language",
        "message",
        "method",
        "now",
        "parameters",
        "query",
        "read_into",
        "reader",
        "receive",
        "region",
        "repeated",
        "reply",
        "request_id",
        "sealing_key",
        "seconds",
        "secret_id",
        "timestamp",
        "token",
        "version",
    )

    action: Action
    action_name: str
    authorization: Authorization
    is_tc3: bool
    key: Key
    message: msgspec.Struct
    now: float
    reader: MessageReader[Any]
    region: str | None
    reply: msgspec.Struct | dict[str, Any]
    request_id: str
    secret_id: str
    seconds: int
    timestamp: str
    token: str | None
    version: str

    def __init__(self, scope: dict[str, Any], receive: Receive, body: Body) -> None:
        self.receive = receive
        self.read_into: ReadInto | None = scope.get("extensions", _NOTHING).get("renzheng.read_into")
        self.body = body
        self.cause = ""
        self.sealing_key: SealingKey | None = None
        self.method: str = scope["method"]
        self.query: bytes = scope["query_string"]
        client = scope.get("client")
        self.address: str = client[0] if client else ""
        given: list[tuple[bytes, bytes]] = scope["headers"]
        self.headers = headers = dict(given)
        self.repeated = _repeated(given) if len(headers) != len(given) else _NO_NAMES
        self.language: Language = "zh-CN" if self.header(b"x-tc-language") == "zh-CN" else "en-US"
        content_type = headers.get(b"content-type", b"")
        if content_type != b"application/json":
            content_type = content_type.partition(b";")[0].strip().lower()
        self.content_type = content_type
        self.parameters: dict[str, str] | None = None

    def header(self, name: bytes) -> str:
        """A header's trimmed value, empty where it is absent."""
        value = self.headers.get(name)
        return value.strip().decode("latin-1") if value else ""

    @property
    def announced(self) -> int | None:
        """Content-Length, None where there is none that is a number."""
        value = self.headers.get(b"content-length", b"")
        return int(value) if value.isdigit() and len(value) < 20 else None

    def captured(self, body_bytes: int) -> Captured:
        """The request as it came, its body by its hash alone where that is larger than `body_bytes`."""
        small = self.body.size <= body_bytes
        return Captured(
            self.method,
            self.query,
            list(self.headers.items()),
            bytes(self.body.data) if small else b"",
            None if small else self.body.sha256,
        )

    @property
    def is_local(self) -> bool:
        """A connection from the machine itself, to a loopback name, with no sign of a proxy in between."""
        if not (self.address.startswith("127.") or self.address == "::1"):
            return False
        host = self.headers.get(b"host", b"").removeprefix(b"http://").lower()
        return host.startswith(_LOOPBACK_NAMES) and not any(mark in self.headers for mark in _PROXY_MARKS)
