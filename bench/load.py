"""What the measurements share: servers as processes, one request sent many times, CPU by process."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from renzheng.base import defaults
from tests.support.server import Server, free_port

AS_SHIPPED = {"requests_per_second": 1_000_000, "challenge_length": defaults.CHALLENGE_LENGTH}
"""But for the limit of requests; the tests' servers ask for fewer actions."""

HELLO = """
import uvicorn

BODY = b'{"Response":{"RequestId":"00000000-0000-0000-0000-000000000000"}}'

async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})

uvicorn.run(app, port=PORT, loop="uvloop", http="httptools", access_log=False, log_level="error", server_header=False)
"""


@dataclass(frozen=True)
class Target:
    """A server under load: where it listens, its process, and the bytes of one request."""

    name: str
    port: int
    pid: int
    request: bytes

    def cpu(self) -> float:
        """CPU seconds of the process that answers, all its threads, without its workers.

        By the process's own clock (clock_getcpuclockid(3)): the ticks of `ps` are 10 ms, as much as 200 hellos.
        """
        return time.clock_gettime((~self.pid << 3) | 2)


def sign_tc3(host: str, key: tuple[str, str], action: str, body: bytes, region: str = "ap-guangzhou") -> bytes:
    """One whole HTTP request signed with TC3-HMAC-SHA256, independent of the server's own signer."""
    timestamp = int(time.time())
    date = datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d")
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n{digest}"
    scope = f"{date}/faceid/tc3_request"
    text = f"TC3-HMAC-SHA256\n{timestamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = f"TC3{key[1]}".encode()
    for part in (date, "faceid", "tc3_request"):
        secret = hmac.new(secret, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
    head = (
        f"POST / HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nX-TC-Action: {action}\r\n"
        f"X-TC-Version: 2018-03-01\r\nX-TC-Timestamp: {timestamp}\r\nX-TC-Region: {region}\r\n"
        f"Authorization: TC3-HMAC-SHA256 Credential={key[0]}/{scope}, SignedHeaders=content-type;host, "
        f"Signature={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def send_many(target: Target, count: int, connections: int, check: Callable[[bytes], bool]) -> list[float]:
    """`count` requests over `connections` connections; seconds each took. AssertionError for a wrong reply.

    Bare sockets and epoll: the less the load costs, the less it disturbs what is measured on the same cores.
    """
    poll = select.epoll()
    lines = {}
    for _ in range(min(connections, count)):
        line = _Line(target)
        lines[line.socket.fileno()] = line
        poll.register(line.socket, select.EPOLLIN)
        line.begin()
    seconds: list[float] = []
    begun = len(lines)
    while len(seconds) < count:
        for descriptor, _ in poll.poll(60) or _nothing(target):
            line = lines[descriptor]
            body = line.receive()
            if body is None:
                continue
            seconds.append(time.perf_counter() - line.begun)
            assert check(body), f"{target.name}: {body[:300]!r}"
            if begun == count:
                poll.unregister(line.socket)
                continue
            begun += 1
            if line.closing:  # as the peer asked for: moto's server answers one request a connection
                poll.unregister(line.socket)
                lines.pop(descriptor).socket.close()
                line = _Line(target)
                lines[line.socket.fileno()] = line
                poll.register(line.socket, select.EPOLLIN)
            line.begin()
    for line in lines.values():
        line.socket.close()
    return seconds


def send_at(target: Target, rate: float, seconds: float, check: Callable[[bytes], bool]) -> list[float]:
    """Requests at a constant rate a second, whether or not the earlier ones are answered; seconds from the moment at
    which each was due to its answer. AssertionError for a wrong reply."""
    poll = select.epoll()
    lines: dict[int, _Line] = {}
    free: list[_Line] = []
    found: list[float] = []
    count, sent, start = int(rate * seconds), 0, time.perf_counter()
    while len(found) < count:
        due = start + sent / rate
        if sent < count and time.perf_counter() >= due:
            if not free:
                free.append(_Line(target))
                lines[free[-1].socket.fileno()] = free[-1]
                poll.register(free[-1].socket, select.EPOLLIN)
            free.pop().begin(due)
            sent += 1
            continue
        # Whole milliseconds are what epoll waits for, rounded up: the rest is spent looking.
        pause = int(1000 * max(0.0, due - time.perf_counter())) / 1000 if sent < count else 60.0
        for descriptor, _ in poll.poll(pause) or (_nothing(target) if sent == count else []):
            line = lines[descriptor]
            if line in free:  # the server closes a connection that was not needed for some seconds
                free.remove(line)
                lines.pop(descriptor).socket.close()
                continue
            body = line.receive()
            if body is not None:
                found.append(time.perf_counter() - line.begun)
                assert check(body), f"{target.name}: {body[:300]!r}"
                free.append(line)
    for line in lines.values():
        line.socket.close()
    return found


def _nothing(target: Target) -> list[tuple[int, int]]:
    raise TimeoutError(f"{target.name} has not answered for a minute")


class _Line:
    """One connection: a request at a time."""

    def __init__(self, target: Target) -> None:
        self.socket = socket.create_connection(("127.0.0.1", target.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = target.request
        self._reply = b""
        self.closing = False
        self.begun = 0.0

    def begin(self, due: float | None = None) -> None:
        """Send the request; it is timed from `due`, or from now."""
        self._reply = b""
        self.begun = time.perf_counter() if due is None else due
        self.socket.sendall(self._request)

    def receive(self) -> bytes | None:
        """The body once it is whole."""
        part = self.socket.recv(262144)
        if not part:
            raise ConnectionError("closed before the answer was whole")
        self._reply += part
        head, found, body = self._reply.partition(b"\r\n\r\n")
        if not found:
            return None
        small = head.lower()
        length = int(small.split(b"content-length:")[1].split(b"\r\n")[0])
        self.closing = b"connection: close" in small
        return body if len(body) >= length else None


def measure(target: Target, count: int, connections: int, check: Callable[[bytes], bool]) -> tuple[float, list[float]]:
    """CPU seconds a request of the server's process, and the seconds each request took."""
    before = target.cpu()
    seconds = send_many(target, count, connections, check)
    return (target.cpu() - before) / count, seconds


def percentile(values: list[float], share: float) -> float:
    return statistics.quantiles(values, n=1000)[round(share * 1000) - 1]


@contextlib.contextmanager
def hello(request: bytes) -> Iterator[Target]:
    """The floor: the same HTTP server that only says hello."""
    port = free_port()
    process = subprocess.Popen([sys.executable, "-c", HELLO.replace("PORT", str(port))])
    try:
        wait_for(port)
        yield Target("hello", port, process.pid, request)
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def renzheng(**settings: object) -> Iterator[Server]:
    """Our server with its default durability, in a folder of its own, without its rate limit."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder), **{**AS_SHIPPED, **settings}).start(as_shipped=True)
        try:
            yield server
        finally:
            server.stop()


def token_request(server: Server, key: tuple[str, str] | None = None, **fields: object) -> bytes:
    """`key`: of the account that asks; that of the first start by default."""
    body = json.dumps(fields or {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}).encode()
    return sign_tc3(f"127.0.0.1:{server.port}", key or server.key(), "GetFaceIdToken", body)


def is_token(body: bytes) -> bool:
    return b'"FaceIdToken"' in body


def target_of(server: Server, request: bytes, name: str = "GetFaceIdToken") -> Target:
    assert server.process is not None
    return Target(name, server.port, server.process.pid, request)


def wait_for(port: int, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on {port}")
