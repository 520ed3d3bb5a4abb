"""What is sent to pages, and to the console's sign-in, by somebody who has no key and no session."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlencode

from scripts.attack_target import Target, expect, head

LONG = 60_000
"""Bytes of one header: nearly all that a head may have."""
QUOTED = f'"{chr(92) * LONG}"'


def _worst(page: str) -> Iterator[tuple[bytes, tuple[int, ...]]]:
    """Requests for a page, and the statuses that are right."""
    for cookie in (
        f"renzheng_console={QUOTED}",
        f"renzheng_language={QUOTED}",
        "a=1;" * (LONG // 4),
        "; " * (LONG // 2),
    ):
        yield head(f"Cookie: {cookie}\r\n", page, "GET"), (200, 303)
    yield head(f"Accept-Language: {',' * LONG}\r\nAccept: {'a/b,' * 500}\r\n", page, "GET"), (200, 303)
    yield head("", f"{page}?{'%41=%41&' * (LONG // 8)}", "GET"), (414,)
    yield head("", f"{page}?origin={'%41' * (LONG // 3)}", "GET"), (414,)
    yield head("", f"{page}/{'%' * LONG}", "GET"), (414,)
    yield head(f"Content-Length: {'0' * LONG}\r\n", page, "GET"), (200, 303)


def send_pages(target: Target, pages: tuple[str, ...]) -> None:
    for page in pages:
        for data, statuses in _worst(page):
            answer = target.send(data)
            is_right = answer.startswith(tuple(b"HTTP/1.1 %d " % status for status in statuses))
            expect(is_right, (page, data[:60], answer[:80]))


def send_handshakes(target: Target) -> None:
    """Handshakes of WebSockets whose lists have thousands of tokens: each is accepted."""
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    for name in ("Connection", "Upgrade", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"):
        long = f"{name}: {'a,' * 4000}a\r\n" * 7
        lines = f"{long}{key}Connection: Upgrade\r\nUpgrade: websocket\r\n"
        answer = target.send(head(lines, "/capture/v1", "GET"))
        expect(answer.startswith(b"HTTP/1.1 101 "), (name, answer[:80]))


def send_sign_ins(target: Target) -> None:
    """Forms that nobody's page made, names that no record can have, and numbers that no record has."""
    host = f"127.0.0.1:{target.port}"
    kind = ("Content-Type: application/x-www-form-urlencoded", f"Origin: http://{host}")
    for body in (
        "&".join(["%41=%41"] * 8000), "a=" + "%41" * 20_000, "a=" + "%" * LONG, "=" * LONG,
        urlencode({"name": "a\0b", "password": "c\0d" * 80}), urlencode({"name": "é" * 9000, "password": "p"}),
    ):  # fmt: skip
        lines = (f"Content-Length: {len(body)}", f"Host: {host}", *kind)
        data = "\r\n".join(["POST /console/sign-in HTTP/1.1", *lines, "", body]).encode()
        answer = target.send(data)
        expect(answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 503 ")), (body[:40], answer[:80]))
    for path in (f"/console/people/{'9' * 1900}/link", f"/console/identities/import/{'9' * 900}/{'9' * 900}"):
        answer = target.send(head("", path, "GET"))
        expect(answer.startswith((b"HTTP/1.1 404 ", b"HTTP/1.1 303 ")), (path[:40], answer[:80]))


def send_bodies(target: Target) -> None:
    """Chunked bodies with extensions and trailers, and lengths of zeros: each is answered as a call without a key."""
    chunked = head("Transfer-Encoding: chunked\r\n")
    zeros = head(f"Content-Length: {'0' * 5000}2\r\n")
    trailers = b"1\r\n{\r\n0\r\n" + b"X-Forwarded-For: 192.0.2.1\r\nHost: there\r\n" * 20 + b"\r\n"
    for data in (chunked + trailers, chunked + b"1;a=b\r\n{\r\n0\r\n\r\n", zeros + b"{}"):
        answer = target.send(data)
        expect(b'"Code":"MissingParameter"' in answer, (data[-40:], answer[-120:]))
    for data in (chunked + b"1;" + b"a" * 100_000, chunked + b"0\r\n" + b"a:\r\n" * 20_000):
        answer = target.send(data)
        expect(not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 200 ")), (data[-40:], answer[:80]))
