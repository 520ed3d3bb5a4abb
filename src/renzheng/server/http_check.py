"""Checks at start, with requests of our own, that the fast path answers like uvicorn's own path.

The fast path uses parts of uvicorn that are not a stable interface. If they have changed, a server that uses the usual
path is slower, and one that uses the fast path refuses every signed request.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

_SECONDS = 10.0
_BIG = bytes(range(256)) * 1200  # read directly into its buffer, like a photo
_CHUNKS = b"5\r\nchunk\r\n3\r\ned!\r\n0\r\n\r\n"


def _request(method: str, target: str, body: bytes = b"", *lines: str) -> bytes:
    length = () if any("chunked" in line for line in lines) else (f"Content-Length: {len(body)}",)
    return "\r\n".join([f"{method} {target} HTTP/1.1", "Host: check", *length, *lines, "", ""]).encode() + body


# The cases, each as the pieces that are sent; the last request asks to close the connection.
CASES: dict[str, tuple[bytes, ...]] = {
    "a GET": (_request("GET", "/?Action=Check&x=%20", b"", "Connection: close"),),
    "a POST": (_request("POST", "/", b"{}", "Content-Type: application/json", "Connection: close"),),
    "a POST in two pieces": (
        _request("POST", "/", b'{"a":1}', "Connection: close")[:-3],
        b":1}",
    ),
    "a chunked POST": (_request("POST", "/", _CHUNKS, "Transfer-Encoding: chunked", "Connection: close"),),
    "a large POST": (_request("POST", "/", _BIG, "Connection: close"),),
    "two requests": (_request("POST", "/", b"one") + _request("POST", "/", b"two", "Connection: close"),),
    "another path": (_request("GET", "/healthz", b"", "Connection: close"),),
}


async def _echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer with what arrived: the method, the path, the query, and the body's length and SHA-256."""
    offered = scope.get("extensions", {})
    read_into = offered.get("renzheng.read_into")
    whole = offered["renzheng.whole"]() if "renzheng.whole" in offered and read_into is None else None
    size, digest = len(whole or b""), hashlib.sha256(whole or b"")
    if read_into is not None:
        buffer = bytearray(int(dict(scope["headers"])[b"content-length"]))
        async with contextlib.aclosing(read_into(memoryview(buffer))) as arrivals:
            async for size in arrivals:  # noqa: B007 - how much of it is there
                pass
        digest.update(buffer[:size])
    more = read_into is None and whole is None
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        digest.update(message.get("body", b""))
        more = message.get("more_body", False)
    said = f"{scope['method']} {scope['path']} {scope['query_string']!r} {size} {digest.hexdigest()}".encode()
    if "renzheng.reply" in offered and scope["method"] == "POST":
        await offered["renzheng.reply"](said)
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(said)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


async def _answers(way: Any, pieces: tuple[bytes, ...]) -> list[bytes]:
    """Return the status line and the body of each answer. TimeoutError: an answer did not come."""
    config = uvicorn.Config(_echo, http=way, lifespan="off", log_config=None, access_log=False, interface="asgi3")
    config.load()
    kind: Any = config.http_protocol_class
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    make: Callable[[], Any] = lambda: kind(config=config, server_state=ServerState(), app_state={})  # noqa: E731
    transport, _ = await loop.connect_accepted_socket(make, theirs)
    try:
        async with asyncio.timeout(_SECONDS):
            for piece in pieces:
                await loop.sock_sendall(ours, piece)
                await asyncio.sleep(0)
            answer = b""
            while part := await loop.sock_recv(ours, 65536):
                answer += part
    finally:
        transport.abort()
        ours.close()
    heads_and_bodies: list[bytes] = []
    while answer:
        head, _, answer = answer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0] or len(answer))
        heads_and_bodies += [head.split(b"\r\n")[0], answer[:length]]
        answer = answer[length:]
    return heads_and_bodies


async def difference(way: Any) -> str:
    """Return the first case that `way` answers otherwise than uvicorn's own HTTP, and how; empty if there is none."""
    for name, pieces in CASES.items():
        expected = await _answers("auto", pieces)
        try:
            found = await _answers(way, pieces)
        except Exception as error:
            return f"{name}: {type(error).__name__}"
        if found != expected:
            return f"{name}: {b' '.join(found)[:120].decode('latin-1')!r}"
    return ""


def http_way(bounds: Mapping[str, Any], log: Any) -> Any:
    """Return `http` for `uvicorn.Config`: the fast path, or uvicorn's own if the two disagree.

    `bounds`: `ApiProtocol`'s limits for heads.
    """
    try:
        from renzheng.server.http import ApiProtocol  # imported here, as a part of uvicorn that it needs may be missing

        short = partial(ApiProtocol, **bounds)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            fault = runner.run(difference(short))
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    if not fault:
        return short
    log.error(
        "the fast path for signed requests is off, as it does not fit this version of uvicorn: requests use uvicorn's "
        "own path, which is slower and does not limit a request's head; install the uvicorn that was tested",
        uvicorn=uvicorn.__version__,
        fault=fault,
    )
    return "auto"
