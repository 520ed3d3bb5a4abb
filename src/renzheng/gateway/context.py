"""One request on its way through the gateway: each handler stores here what later handlers need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from renzheng.base.addresses import is_loopback, names_loopback
from renzheng.gateway.body import ReadInto, Receive, RequestBody, TakeWhole
from renzheng.gateway.contract import Key, Language
from renzheng.gateway.encryption import SealingKey
from renzheng.gateway.explanation import CapturedRequest
from renzheng.gateway.manifest import Action, Product
from renzheng.gateway.pairs import RawPairs
from renzheng.gateway.parameters import MessageReader
from renzheng.gateway.signature import Authorization

SendReply = Callable[[bytes], Awaitable[None]]
"""Sends a whole JSON reply. Not every server offers this."""
_PROXY_MARKS = (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via")


_NO_NAMES: frozenset[bytes] = frozenset()
_NOTHING: dict[str, Any] = {}
_NO_PAIRS: RawPairs = {}


def _repeated_names(headers: list[tuple[bytes, bytes]]) -> frozenset[bytes]:
    seen: set[bytes] = set()
    repeated: set[bytes] = set()
    for name, _ in headers:
        (repeated if name in seen else seen).add(name)
    return frozenset(repeated)


class Request:
    """The handlers fill the fields in the order of the pipeline; a field is meaningful from its handler on.

    `headers`: the last value of each name, as received; `header_count`: how many came. `repeated`: names that came more
    than once. `raw_pairs`: the pairs of a v1 request as they came; `parameters`: the same decoded, None for TC3.

    `timestamp`: as the client wrote it; `seconds`: its number. `now`: the server's steady time; `wall`: the machine's
    clock, with which timestamps are compared.

    `is_tc3`: whether the common parameters are in headers, not among the v1 pairs. `sealing_key`: the key that the
    caller sent for the reply. `cause`: why the request was refused, for the log.

    `read_into`, `take_whole`, `send_reply`: what the server offers beyond ASGI.

    `places`: the places that it holds among the requests at work. `product`: the one whose version it names; before
    that is known, the gateway's first.
    """

    __slots__ = (
        "action",
        "action_name",
        "address",
        "authorization",
        "body",
        "cause",
        "content_type",
        "header_count",
        "headers",
        "is_tc3",
        "key",
        "language",
        "message",
        "method",
        "now",
        "parameters",
        "path",
        "places",
        "product",
        "query",
        "raw_pairs",
        "read_into",
        "reader",
        "receive",
        "region",
        "repeated",
        "reply",
        "request_id",
        "scheme",
        "sealing_key",
        "seconds",
        "secret_id",
        "send_reply",
        "take_whole",
        "timestamp",
        "token",
        "version",
        "wall",
    )

    action: Action
    action_name: str
    authorization: Authorization
    is_tc3: bool
    key: Key
    message: msgspec.Struct
    now: float
    product: Product
    wall: float
    reader: MessageReader[Any]
    region: str | None
    reply: msgspec.Struct | dict[str, Any]
    request_id: str
    secret_id: str
    seconds: int
    timestamp: str
    token: str | None
    version: str

    def __init__(self, scope: dict[str, Any], receive: Receive, body: RequestBody) -> None:
        self.receive = receive
        offered: dict[str, Any] = scope.get("extensions", _NOTHING)
        self.take_whole: TakeWhole | None = offered.get("renzheng.whole")
        self.read_into: ReadInto | None = offered.get("renzheng.read_into")
        self.send_reply: SendReply | None = offered.get("renzheng.reply")
        self.body = body
        self.cause = ""
        self.places = 0
        self.sealing_key: SealingKey | None = None
        self.method: str = scope["method"]
        self.scheme: str = scope.get("scheme", "http")
        self.path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.query: bytes = scope["query_string"]
        client = scope.get("client")
        self.address: str = client[0] if client else ""
        given: list[tuple[bytes, bytes]] = scope["headers"]
        self.header_count = len(given)
        self.headers = headers = dict(given)
        self.repeated = _repeated_names(given) if len(headers) != len(given) else _NO_NAMES
        language = headers.get(b"x-tc-language")
        self.language: Language = "zh-CN" if language is not None and language.strip() == b"zh-CN" else "en-US"
        content_type = headers.get(b"content-type", b"")
        if content_type != b"application/json":
            content_type = content_type.partition(b";")[0].strip().lower()
        self.content_type = content_type
        self.raw_pairs: RawPairs = _NO_PAIRS
        self.parameters: dict[str, str] | None = None

    def header(self, name: bytes) -> str:
        """Return a header's trimmed value; empty if it is absent."""
        value = self.headers.get(name)
        return value.strip().decode("latin-1") if value else ""

    @property
    def announced(self) -> int | None:
        """Content-Length; None if it is absent or not a number."""
        value = self.headers.get(b"content-length", b"")
        return int(value) if value.isdigit() and len(value) < 20 else None

    def captured(self, body_bytes: int) -> CapturedRequest:
        """Return the request as it came. A body of more than `body_bytes` is given by its hash alone."""
        small = self.body.size <= body_bytes
        return CapturedRequest(
            self.method,
            self.query,
            list(self.headers.items()),
            bytes(self.body.data) if small else b"",
            None if small else self.body.sha256,
            self.path,
        )

    @property
    def is_local(self) -> bool:
        """Whether the connection comes from the machine itself, to a loopback name, with no sign of a proxy."""
        if not is_loopback(self.address) or any(mark in self.headers for mark in _PROXY_MARKS):
            return False
        return names_loopback(self.header(b"host").lower().removeprefix("http://"))
