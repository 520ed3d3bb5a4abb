"""What is sent to pages, and to the console's sign-in, by somebody who has no key and no session."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlencode

SECONDS = 20.0
LONG = 60_000
"""Bytes of one header: nearly all that a head may have."""
QUOTED = f'"{chr(92) * LONG}"'


def asked(host: str, port: int, data: bytes) -> bytes:
    """The start of what is answered; empty where the connection ends first."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), SECONDS) as line:
        with contextlib.suppress(OSError):
            line.sendall(data)
        return line.recv(64 * 1024)
    return b""


def head(path: str, *lines: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


def _worst(page: str) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """Requests for a page, and the statuses that are right."""
    for cookie in (
        f"renzheng_console={QUOTED}",
        f"renzheng_language={QUOTED}",
        "a=1;" * (LONG // 4),
        "; " * (LONG // 2),
    ):
        yield head(page, f"Cookie: {cookie}"), (200, 303)
    yield head(page, f"Accept-Language: {',' * LONG}", f"Accept: {'a/b,' * 500}"), (200, 303)
    yield head(f"{page}?{'%41=%41&' * (LONG // 8)}"), (414,)
    yield head(f"{page}?origin={'%41' * (LONG // 3)}"), (414,)
    yield head(f"{page}/{'%' * LONG}"), (414,)
    yield head(page, f"Content-Length: {'0' * LONG}"), (200, 303)


def wrong_pages(host: str, port: int, pages: tuple[str, ...]) -> str:
    """What is wrong with the answers of these pages, empty where nothing is."""
    for page in pages:
        for data, statuses in _worst(page):
            answer = asked(host, port, data)
            if not answer.startswith(tuple(b"HTTP/1.1 %d " % status for status in statuses)):
                return f"{page} {data[:60]!r}: {answer[:80]!r}"
    return ""


def wrong_handshakes(host: str, port: int) -> str:
    """Handshakes of WebSockets whose lists have thousands of tokens: each is accepted."""
    key = ("Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")
    for name in ("Connection", "Upgrade", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"):
        long = [f"{name}: {'a,' * 4000}a"] * 7
        answer = asked(host, port, head("/capture/v1", *long, *key, "Connection: Upgrade", "Upgrade: websocket"))
        if not answer.startswith(b"HTTP/1.1 101 "):
            return f"{name}: {answer[:80]!r}"
    return ""


def wrong_sign_ins(host: str, port: int) -> str:
    """Forms that nobody's page made, names that no record can have, and numbers that no record has."""
    kind = ("Content-Type: application/x-www-form-urlencoded", f"Origin: http://127.0.0.1:{port}")
    for body in (
        "&".join(["%41=%41"] * 8000), "a=" + "%41" * 20_000, "a=" + "%" * LONG, "=" * LONG,
        urlencode({"name": "a\0b", "password": "c\0d" * 80}), urlencode({"name": "é" * 9000, "password": "p"}),
    ):  # fmt: skip
        lines = (f"Content-Length: {len(body)}", f"Host: 127.0.0.1:{port}", *kind)
        data = "\r\n".join(["POST /console/sign-in HTTP/1.1", *lines, "", body]).encode()
        answer = asked(host, port, data)
        if not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 503 ")):
            return f"{body[:40]!r}: {answer[:80]!r}"
    for path in (f"/console/people/{'9' * 1900}/link", f"/console/identities/import/{'9' * 900}/{'9' * 900}"):
        answer = asked(host, port, head(path))
        if not answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 303 ")):
            return f"{path[:40]!r}: {answer[:80]!r}"
    return ""


def wrong_bodies(host: str, port: int) -> str:
    """Chunked bodies with extensions and trailers, and lengths of zeros: each is answered as a call without a key."""
    chunked = head("/", "Transfer-Encoding: chunked", method="POST")
    zeros = head("/", f"Content-Length: {'0' * 5000}2", method="POST")
    trailers = b"1\r\n{\r\n0\r\n" + b"X-Forwarded-For: 192.0.2.1\r\nHost: there\r\n" * 20 + b"\r\n"
    for data in (chunked + trailers, chunked + b"1;a=b\r\n{\r\n0\r\n\r\n", zeros + b"{}"):
        if b'"Code":"MissingParameter"' not in (answer := asked(host, port, data)):
            return f"{data[-40:]!r}: {answer[-120:]!r}"
    for data in (chunked + b"1;" + b"a" * 100_000, chunked + b"0\r\n" + b"a:\r\n" * 20_000):
        answer = asked(host, port, data)
        if answer and not answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200 ")):
            return f"{data[-40:]!r}: {answer[:80]!r}"
    return ""
