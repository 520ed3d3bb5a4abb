"""The worst inputs known of every parser that a stranger reaches, each by its size."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import uvicorn
from starlette.requests import Request as Page
from uvicorn.server import ServerState

from renzheng.actions.photos import from_base64
from renzheng.capture.messages import read_frame, read_text
from renzheng.console.door import SESSION_COOKIE
from renzheng.console.rendering import language
from renzheng.engine.media import check, whole
from renzheng.gateway.context import Request
from renzheng.gateway.explain import explain
from renzheng.gateway.explanation import CapturedRequest
from renzheng.gateway.pairs import parse_pairs
from renzheng.gateway.parameters import MessageReader, split_parts
from renzheng.gateway.signature import parse_authorization, sign_tc3
from renzheng.server.device_proof import device_key
from renzheng.server.http import ApiProtocol
from renzheng.server.websocket import DeviceProtocol
from renzheng.web.requests import cookie
from tests.gateway.support import SECRET_ID, SECRET_KEY, TokenRequest

KIB, MIB = 1024, 1024 * 1024
EVERY = 10**9  # a bound that bounds nothing: the work itself has to be linear
JSON = MessageReader(TokenRequest)


class Wire:
    """A transport that takes what is written to it."""

    def __init__(self) -> None:
        self.closing = False

    def write(self, data: bytes) -> None:
        pass

    def close(self) -> None:
        self.closing = True

    abort = close

    def is_closing(self) -> bool:
        return self.closing

    def get_extra_info(self, name: str) -> Any:
        return None

    def pause_reading(self) -> None:
        pass

    resume_reading = pause_reading

    def set_protocol(self, protocol: Any) -> None:
        pass


class _Task:
    def add_done_callback(self, _: Any) -> None:
        pass


class _Loop:
    """The parts of an event loop that a protocol uses. Its tasks are never run."""

    now = 0.0

    def time(self) -> float:
        return self.now

    def call_later(self, *_: Any) -> Any:
        return SimpleNamespace(cancel=lambda: None)

    def create_task(self, coroutine: Any, **_: Any) -> Any:
        coroutine.close()
        return _Task()


async def _app(scope: Any, receive: Any, send: Any) -> None:
    """Is never reached."""


def made(**bounds: Any) -> ApiProtocol:
    """A protocol whose loop never runs."""
    config = uvicorn.Config(_app, lifespan="off", log_config=None, ws=DeviceProtocol, ws_per_message_deflate=False)
    config.load()
    loop: Any = _Loop()
    return ApiProtocol(config=config, server_state=ServerState(), app_state={}, _loop=loop, **bounds)


def feed(data: bytes, **bounds: Any) -> Wire:
    """What one connection sends, in the pieces in which the loop reads it."""
    protocol, wire = made(**bounds), Wire()
    protocol.connection_made(wire)  # type: ignore[arg-type]
    for start in range(0, len(data), 256 * KIB):
        if not wire.is_closing():
            protocol.data_received(data[start : start + 256 * KIB])
    return wire


def _shake_hands(lists: bytes) -> None:
    """A WebSocket's handshake with these lines, of up to 8 KiB each."""
    head = b"GET /capture/v1 HTTP/1.1\r\nHost: here\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    asked = head + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n" + lists + b"Connection: upgrade\r\n\r\n"

    async def shake() -> None:
        feed(asked)

    asyncio.run(shake())  # uvicorn gives a WebSocket the loop that runs


def _lines(name: bytes, unit: bytes) -> Callable[[int], bytes]:
    line = name + b": " + unit * (2000 // len(unit)) + b"a\r\n"
    return lambda size: line * (size // len(line))


def _scope(headers: list[tuple[bytes, bytes]]) -> None:
    Request({"method": "POST", "path": "/", "query_string": b"", "headers": headers}, None, None)  # type: ignore[arg-type]


def _authorization(line: bytes) -> None:
    parse_authorization(line)


def _explained(query: bytes) -> None:
    headers = [(b"host", b"here"), (b"content-type", b"application/json")]
    explain(
        CapturedRequest("GET", query, headers, b"", None), {SECRET_ID: SECRET_KEY}, services=("faceid",), masked=True
    )


def _explained_body(body: bytes) -> None:
    """Whoever knows a SecretId has a body explained: the signature need not be right."""
    at = 1_700_000_000
    signed = sign_tc3(SECRET_ID, "not the key", timestamp=at, host="here", payload=body, service="faceid")
    headers = [(b"host", b"here"), (b"content-type", b"application/json"), (b"authorization", signed.encode())]
    headers.append((b"x-tc-timestamp", b"%d" % at))
    explain(
        CapturedRequest("POST", b"", headers, body, None), {SECRET_ID: SECRET_KEY}, services=("faceid",), masked=True
    )


def _nested(size: int) -> bytes:
    """A list of numbers within so many others, as deep as a parser takes, that its indentation is most of it."""
    deep = min(900, size // 8)
    return b"[" * deep + b",".join([b"1"] * ((size - 2 * deep) // 2)) + b"]" * deep


def _multipart(body: bytes) -> None:
    split_parts(body, "multipart/form-data; boundary=b")


def _photo(text: bytes) -> None:
    from_base64(memoryview(text))


def _image(data: bytes) -> None:
    check(data, max_bytes=EVERY, max_pixels=50_000_000, min_side=1)
    whole(data)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


PNG = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 640, 480, 8, 2, 0, 0, 0))
PACKED = zlib.compress(bytes(1_000_000), 9)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
SOF = b"\xff\xc0\x00\x11\x08\x01\xe0\x02\x80\x03\x01\x11\x00\x02\x11\x01\x03\x11\x01"
SOS = b"\xff\xda\x00\x0c\x03\x01\x00\x02\x11\x03\x11\x00\x3f\x00"
OPEN = b"POST / HTTP/1.1\r\nHost: here\r\n"
FREE: dict[str, Any] = {"head_bytes": EVERY, "max_headers": EVERY}


@dataclass(frozen=True)
class Hostile:
    """`make(size)`: about so many bytes, handed to `parse`, which may refuse them. `largest`: 16 n, what may come."""

    name: str
    make: Callable[[int], Any]
    parse: Callable[[Any], object]
    largest: int


def _repeated(start: bytes, unit: bytes, end: bytes = b"") -> Callable[[int], bytes]:
    return lambda size: start + unit * ((size - len(start)) // len(unit)) + end


def _frame(jpeg: Callable[[int], bytes]) -> Callable[[int], bytes]:
    return lambda size: b"\x01" + bytes(20) + jpeg(size)


def _framed(data: bytes) -> None:
    _image(read_frame(data, EVERY).jpeg)


FILL = _repeated(JPEG, b"\xff")
H2C = b"GET / HTTP/1.1\r\nUpgrade:h2c\r\nConnection:upgrade\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nHost: here\r\nUpgrade:h2c\r\nConnection:a"
CHUNKED = OPEN + b"Transfer-Encoding: chunked\r\n\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
V1 = b"SecretId=" + SECRET_ID.encode() + b"&Signature=a&"


def _pairs(size: int) -> bytes:
    return b"&".join(b"%x=1" % n for n in range(size // 8))


def _names(size: int) -> bytes:
    return V1 + b"&".join(b"a_%x=1" % n for n in range(min(250, size // 16)))


def _text(text: bytes) -> None:
    read_text(text.decode(), EVERY)


def _page(**headers: bytes) -> Page:
    given = [(name.replace("_", "-").encode(), value) for name, value in headers.items()]
    return Page({"type": "http", "headers": given})


def _cookies(text: bytes) -> None:
    page = _page(cookie=text)
    cookie(page, SESSION_COOKIE)
    language(page)


def _languages(text: bytes) -> None:
    language(_page(accept_language=text))


def _meta(text: bytes) -> None:
    device_key(text.decode())


HOSTILE = [
    Hostile("head: short headers", _repeated(OPEN, b"a:\r\n", b"\r\n"), feed, MIB),
    Hostile("head: short headers, without a bound", _repeated(OPEN, b"a:\r\n", b"\r\n"), partial(feed, **FREE), MIB),
    Hostile("head: one long header", _repeated(OPEN + b"a:", b"a"), feed, MIB),
    Hostile("head: pipelined requests", _repeated(b"", b"GET / HTTP/1.1\r\n\r\n"), feed, MIB),
    Hostile("head: pipelined requests for HTTP/2", _repeated(b"", H2C), feed, MIB),
    Hostile("head: options of Connection", _repeated(UPGRADE, b",a", b"\r\n\r\n"), feed, 64 * KIB),
    Hostile("head: blanks of Connection", _repeated(UPGRADE + b",", b" ", b"\r\n\r\n"), feed, 64 * KIB),
    Hostile("head: chunks of a byte", _repeated(CHUNKED, b"1\r\na\r\n"), feed, MIB),
    Hostile("head: a path of percent signs", _repeated(b"GET /", b"%", b" HTTP/1.1\r\n\r\n"), feed, 64 * KIB),
    Hostile("head: a length of zeros", _repeated(OPEN + b"Content-Length:", b"0", b"5\r\n\r\nhello"), feed, 64 * KIB),
    Hostile("head: trailers", _repeated(CHUNKED + b"0\r\n", b"a:\r\n", b"\r\n"), feed, MIB),
    Hostile("cookies: backslashes", _repeated(b'a="', b"\\", b'"'), _cookies, 64 * KIB),
    Hostile("cookies: pairs", _repeated(b"", b"a=1;"), _cookies, 64 * KIB),
    Hostile("cookies: blanks", _repeated(b";", b" "), _cookies, 64 * KIB),
    Hostile("Accept-Language: commas", _repeated(b"", b","), _languages, 64 * KIB),
    Hostile("head: a repeated header", lambda size: [(b"a", b"")] * (size // 4), _scope, 256 * KIB),
    Hostile("head: many headers", lambda size: [(b"%d" % n, b"") for n in range(size // 4)], _scope, 256 * KIB),
    Hostile(
        "head: blanks of Authorization", _repeated(b"TC3-HMAC-SHA256 ", b" Credential=a/"), _authorization, 64 * KIB
    ),
    Hostile(
        "head: Authorization of commas", _repeated(b"TC3-HMAC-SHA256 ", b", SignedHeaders="), _authorization, 64 * KIB
    ),
    Hostile("query: escapes", _repeated(b"a=", b"%41"), parse_pairs, 32 * KIB),
    Hostile("form: escapes", _repeated(b"a=", b"%41"), parse_pairs, MIB),
    Hostile("form: escaped pairs", _repeated(b"", b"%41=%41&"), parse_pairs, MIB),
    Hostile("form: pairs, without a bound", _pairs, partial(parse_pairs, most=EVERY), MIB),
    Hostile("form: escapes that are none", _repeated(b"a=", b"%4"), parse_pairs, MIB),
    Hostile("form: an escaped line break", _repeated(b"a=%\n", b"%41"), parse_pairs, MIB),
    Hostile("multipart: lines like a boundary", _repeated(b"--b\r\n\r\n", b"\r\n--"), _multipart, 8 * MIB),
    Hostile("multipart: almost the boundary", _repeated(PART, b"\r\n-"), _multipart, 8 * MIB),
    Hostile("multipart: empty parts", _repeated(b"", PART + b"\r\n"), _multipart, MIB),
    Hostile("multipart: options", _repeated(b"--b\r\nContent-Disposition: form-data; ", b"a=;"), _multipart, MIB),
    Hostile("JSON: nested lists", _repeated(b"", b"["), JSON.json, 8 * MIB),
    Hostile("JSON: nested objects", _repeated(b"", b'{"Encryption":'), JSON.json, 8 * MIB),
    Hostile("JSON: the same name", _repeated(b"{", b'"Name":"",', b'"Name":1}'), JSON.json, 8 * MIB),
    Hostile("JSON: escapes", _repeated(b'{"Name":"', b"\\u0041", b'"}'), JSON.json, 8 * MIB),
    Hostile("JSON: a long number", _repeated(b'{"Name":', b"1", b"}"), JSON.json, 8 * MIB),
    Hostile("Base64: line breaks", _repeated(b"", b"\\n"), _photo, 8 * MIB),
    Hostile("Base64: other characters", _repeated(b"", b"-"), _photo, 8 * MIB),
    Hostile("Base64: padding", _repeated(b"QUJD", b"="), _photo, 8 * MIB),
    Hostile("JPEG: fill bytes", FILL, _image, 8 * MIB),
    Hostile("JPEG: segments", _repeated(JPEG, b"\xff\xfe\x00\x02"), _image, 8 * MIB),
    Hostile("JPEG: scans", _repeated(JPEG + SOF, SOS), _image, 8 * MIB),
    Hostile("JPEG: restarts", _repeated(JPEG + SOF + SOS, b"\xff\xd0"), _image, 8 * MIB),
    Hostile("JPEG: stuffed bytes", _repeated(JPEG + SOF + SOS, b"\xff\x00"), _image, 8 * MIB),
    Hostile("PNG: empty chunks", _repeated(PNG, _chunk(b"tEXt", b"")), _image, 8 * MIB),
    Hostile("PNG: packed texts", _repeated(PNG, _chunk(b"zTXt", b"a\0\0" + PACKED)), _image, 8 * MIB),
    Hostile("PNG: ends", _repeated(PNG + _chunk(b"IDAT", b""), b"IEND"), _image, 8 * MIB),
    Hostile("WebSocket: options of Connection", _lines(b"Connection", b"a,"), _shake_hands, 48 * KIB),
    Hostile("WebSocket: subprotocols", _lines(b"Sec-WebSocket-Protocol", b"a,"), _shake_hands, 48 * KIB),
    Hostile("WebSocket: extensions", _lines(b"Sec-WebSocket-Extensions", b"a;b=c,"), _shake_hands, 48 * KIB),
    Hostile("WebSocket: nested text", _repeated(b"", b"["), _text, MIB),
    Hostile("WebSocket: escapes", _repeated(b'{"type":"hello","token":"', b"\\u0041", b'"}'), _text, MIB),
    Hostile("WebSocket: a frame of fill bytes", _frame(FILL), _framed, 512 * KIB),
    Hostile("Meta: nested", _repeated(b'{"key":', b"["), _meta, MIB),
    Hostile("Meta: a long number", _repeated(b'{"key":', b"1", b"}"), _meta, MIB),
    Hostile("explained: escapes", _repeated(V1 + b"a=", b"%41"), _explained, 32 * KIB),
    Hostile("explained: names", _names, _explained, 32 * KIB),
    Hostile("explained: a body of blanks", _repeated(b"", b" "), _explained_body, 16 * KIB),
    Hostile("explained: a body of tabs", _repeated(b"[", b"\t"), _explained_body, 16 * KIB),
    Hostile("explained: a body of quotation marks", _repeated(b'"', b'\\"'), _explained_body, 16 * KIB),
    Hostile("explained: a body of nested lists", _nested, _explained_body, 16 * KIB),
]
