"""Attack a running server from outside, on this machine only, and say how long its event loop stood still at most.

    python scripts/attack_server.py
    RENZHENG_ATTACK_KEY=SecretId:SecretKey python scripts/attack_server.py http://127.0.0.1:8400

Without an address it starts a server of its own with two accounts and tries everything. Of another server three more
variables let it try as much: RENZHENG_ATTACK_OTHER_KEY, a key of another account, RENZHENG_ATTACK_PUBLIC_KEY, one of
the first account's public keys as `renzheng encryption show` prints them, and RENZHENG_ATTACK_OPERATOR_PORT.

Each attack is bounded: it ends by itself within seconds and leaves nothing behind but failed requests and tokens. A
process beside it asks /healthz every few milliseconds on one connection; the longest answer is the longest stop. Of a
server of its own it also says how long the event loop's thread worked meanwhile, which a busy machine does not change.
Without a key only what a stranger can send is sent. The exit code is 1 where an answer was not the right one.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import multiprocessing
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from renzheng.client import seal_request
from renzheng.gateway.signature import sign_tc3
from renzheng.gateway.sm2 import Sm2PrivateKey
from scripts.attack_capture import open_many, send_old_nonces, send_progressive_frames
from scripts.attack_pages import send_bodies, send_handshakes, send_pages, send_sign_ins
from scripts.attack_target import PERSON, SECONDS, Target, WrongAnswerError, expect, given_target, head, own_target
from tests.hostile.inputs import FILL, JPEG, SOF, SOS

MIB = 1024 * 1024
MAX_MS = 50.0
MALFORMED = 4400
ATTACKS: list[tuple[str, bool, Callable[[Target], None]]] = []


class SkippedError(Exception):
    """The attack takes what was not given; the text says what."""


def attack(name: str, *, signed: bool = False) -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    def keep(run: Callable[[Target], None]) -> Callable[[Target], None]:
        ATTACKS.append((name, signed, run))
        return run

    return keep


# -- what a stranger sends -----------------------------------------------------------------------------------


@attack("a head of 60,000 headers, one repeated")
def many_headers(target: Target) -> None:
    for path in ("/", "/healthz"):
        answer = target.send(head("".join(f"x{n % 59999}:\r\n" for n in range(60_000)), path))
        expect(answer.startswith(b"HTTP/1.1 431 ") or not answer, answer)


@attack("heads of 64 KiB")
def long_heads(target: Target) -> None:
    for _ in range(50):
        expect(target.send(head(f"a: {'b' * 60_000}\r\nContent-Length: 0\r\n")) != b"", "nothing")


@attack("15,000 pipelined requests")
def pipelined(target: Target) -> None:
    expect(target.send(b"GET / HTTP/1.1\r\n\r\n" * 15_000).startswith(b"HTTP/1.1 "), "nothing")


@attack("forms of 1 MiB of escaped pairs, of nobody and of a named SecretId")
def forms(target: Target) -> None:
    start = f"Action=A&Version=1&Timestamp={int(time.time())}&Nonce=1&Signature=a&SecretId={target.key[0] or 'A'}&"
    for body in (b"%41=%41&" * 131_000, start.encode() + b"a=" + b"%41" * 340_000, b"a=" + b"%" * MIB):
        lines = f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
        expect(b'"Error"' in target.send(head(lines) + body), "no error")


@attack("300 idle connections, and heads that do not end")
def idle(target: Target) -> None:
    for n in range(300):
        with contextlib.suppress(OSError):
            target.line().sendall(b"POST / HTTP/1.1\r\nHo" if n % 2 else b"")
    time.sleep(0.5)
    expect(target.send(head("", "/healthz", "GET")).startswith(b"HTTP/1.1 200 "), "no health")


@attack("100 clients that ask for pages and take nothing")
def unread(target: Target) -> None:
    for _ in range(100):
        line = socket.socket()
        target.lines.append(line)
        line.settimeout(SECONDS)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect((target.host, target.port))
        with contextlib.suppress(OSError):
            line.sendall(head("", "/explorer", "GET") * 100)
    expect(target.send(head("", "/healthz", "GET")).startswith(b"HTTP/1.1 200 "), "no health")


@attack("addresses that cannot be read, and long options of Connection")
def odd_heads(target: Target) -> None:
    for line in (b"CONNECT a:1", b"GET http://[", b"GET /\xff"):
        answer = target.send(line + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        expect(answer.startswith(b"HTTP/1.1 400 "), answer)
    for _ in range(20):
        options = "a," * 30_000
        expect(target.send(head(f"Connection: {options}upgrade\r\nUpgrade: h2c\r\n", "/healthz", "GET")) != b"", "none")


@attack("WebSocket heads and messages that are none")
def sockets(target: Target) -> None:
    lines = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    for message in (b"[" * 16_000, b'{"type":"hello","token":"' + b"\\u0041" * 2000 + b'"}'):
        line = target.line()
        line.sendall(head(lines + key, "/capture/v1", "GET"))
        line.recv(4096)
        mask = b"\x00\x00\x00\x00"
        with contextlib.suppress(OSError):
            line.sendall(b"\x81\xfe" + len(message).to_bytes(2, "big") + mask + message)
            line.sendall((b"\x89\x80" + mask) * 5000)
            line.recv(4096)
    for kind in (b"\x81\x80", b"\x82\x80"):
        line = target.line()
        line.sendall(head(lines + key, "/capture/v1", "GET"))
        line.recv(4096)
        with contextlib.suppress(OSError):
            line.sendall((kind + mask) * 160_000)
            line.recv(4096)


@attack("pages with heads of 60 KB: cookies, languages, paths and queries")
def worst_pages(target: Target) -> None:
    send_pages(target, ("/verify", "/explorer"))


@attack("the same of the console, and forms of its sign-in")
def worst_console(target: Target) -> None:
    if not target.operator_port:
        raise SkippedError("it takes RENZHENG_ATTACK_OPERATOR_PORT")
    send_pages(target.operator, ("/console/sign-in", "/console"))
    send_sign_ins(target.operator)


@attack("handshakes of WebSockets with thousands of options")
def handshakes(target: Target) -> None:
    send_handshakes(target)


@attack("chunked bodies with extensions and trailers, and lengths of zeros")
def odd_bodies(target: Target) -> None:
    send_bodies(target)


@attack("pages under another site's name")
def rebinding(target: Target) -> None:
    for path in ("/verify", "/explorer"):
        answer = target.send(f"GET {path} HTTP/1.1\r\nHost: localhost.evil.example\r\n\r\n".encode())
        expect(answer.startswith(b"HTTP/1.1 421 "), answer)
    answer = target.send(head("", "/metrics", "GET"))
    expect(not answer.startswith(b"HTTP/1.1 200 "), answer)


# -- what takes a key ----------------------------------------------------------------------------------------


@attack("heads that announce 10 MiB under the merchant's SecretId", signed=True)
def announced(target: Target) -> None:
    at = int(time.time())
    signed = sign_tc3(target.key[0], "not the key", timestamp=at, host="here", service="faceid")
    lines = (
        f"Content-Type: application/json\r\nContent-Length: {10 * MIB}\r\nX-TC-Action: GetFaceIdToken\r\n"
        f"X-TC-Version: 2018-03-01\r\nX-TC-Timestamp: {at}\r\nAuthorization: {signed}\r\n"
    )
    for _ in range(40):
        target.line().sendall(head(lines))
    time.sleep(0.3)
    expect(
        (code := target.call("GetFaceIdToken", photo(b"x" * 300_000))) != "RequestLimitExceeded.UinLimitExceeded", code
    )


@attack("wrong signatures under the merchant's SecretId, of bodies that are long to explain", signed=True)
def explained(target: Target) -> None:
    size = 16 * 1024
    bodies = b" " * size, b"\t" * size, b'"' + b'\\"' * (size // 2 - 1), b"[" * 900 + b"1," * 7000 + b"1" + b"]" * 900
    for body in bodies:
        at = int(time.time())
        signed = sign_tc3(target.key[0], "not the key", timestamp=at, host="127.0.0.1", payload=body, service="faceid")
        lines = (
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nX-TC-Action: GetFaceIdToken\r\n"
            f"X-TC-Version: 2018-03-01\r\nX-TC-Timestamp: {at}\r\nAuthorization: {signed}\r\n"
        )
        answer = target.send(head(lines) + body)
        expect(b'"AuthFailure.SignatureFailure"' in answer, answer)
        time.sleep(0.6)  # two are explained a second


def photo(data: bytes) -> dict[str, Any]:
    return {"CompareLib": "LOCAL", "ImageBase64": base64.b64encode(data).decode()}


@attack("photos of fill bytes, and of hundreds of scans", signed=True)
def photos(target: Target) -> None:
    for data in (FILL(6 * MIB), JPEG + SOF.replace(b"\xff\xc0", b"\xff\xc2") + SOS * 300_000):
        expect((code := target.call("GetFaceIdToken", photo(data))) != "", code)


@attack("JSON of brackets and of one name", signed=True)
def nested(target: Target) -> None:
    for content in ({"CompareLib": [[[]]] * 100_000}, {"Extra": "\\" * MIB, "CompareLib": 1}):
        expect((code := target.call("GetFaceIdToken", content)).startswith("InvalidParameter"), code)


@attack("sealed requests by SM2", signed=True)
def sealed(target: Target) -> None:
    blob = base64.b64encode(Sm2PrivateKey.generate().public.encrypt(b"k" * 16)).decode()
    encryption = {
        "EncryptList": ["Name"],
        "CiphertextBlob": blob,
        "Iv": "A" * 16,
        "Algorithm": "SM4-GCM",
        "TagList": ["A" * 22 + "=="],
    }
    content = {"CompareLib": "BUSINESS", "Name": "AAAA", "Encryption": encryption}
    for _ in range(20):
        expect((code := target.call("GetFaceIdToken", content)) == "FailedOperation.DecryptSystemError", code)


@attack("names that begin like loopback ones", signed=True)
def loopback(target: Target) -> None:
    for host in ("localhost.evil.example", "127.evil.example", "127.0.0.1.evil.example:8400"):
        code = target.call("GetFaceIdToken", {"CompareLib": "LOCAL"}, host, b"UNSIGNED-PAYLOAD")
        expect(code == "AuthFailure.SignatureFailure", code)


@attack("fields that were sealed for another account", signed=True)
def stolen(target: Target) -> None:
    if not (target.public_key and target.other_key[1]):
        raise SkippedError("it takes RENZHENG_ATTACK_OTHER_KEY and RENZHENG_ATTACK_PUBLIC_KEY")
    sealed, _ = seal_request(PERSON, target.public_key)
    reply = target.reply("GetFaceIdToken", sealed)
    expect("FaceIdToken" in reply, reply)
    for _ in range(5):
        reply = target.reply("GetFaceIdToken", sealed, key=target.other_key)
        expect(reply.get("Error", {}).get("Code") == "FailedOperation.DecryptSystemError", reply)


@attack("progressive frames", signed=True)
def progressive(target: Target) -> None:
    for _ in range(3):
        expect((code := send_progressive_frames(target.url, target.token())) == MALFORMED, code)


@attack("frames under a nonce that is over", signed=True)
def old_nonces(target: Target) -> None:
    expect((came := send_old_nonces(target.url, target.token())) == (None, 0), came)


@attack("64 pages of one account that agree and start, and then one of another", signed=True)
def many_pages(target: Target) -> None:
    tokens = []
    for _ in range(64):
        tokens.append(target.token())
        time.sleep(0.06)  # under the account's requests a second
    other = target.token(other=True) if target.other_key[1] else None
    expect(not (wrong := open_many(target.url, tokens, other)), wrong)


# -- running -------------------------------------------------------------------------------------------------


def worked(process: int) -> float:
    """Seconds of CPU of a process's first thread, which has the event loop; 0 for no process."""
    if not process:
        return 0.0
    return int(Path(f"/proc/{process}/task/{process}/schedstat").read_text().split()[0]) / 1e9


def watch(target: tuple[str, int, int], longest: Any, busiest: Any, running: Any) -> None:
    """Ask for /healthz over and over: seconds of the longest answer since it was last set to nothing, and the most that
    the event loop worked while one was awaited."""
    host, port, process = target
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    line: socket.socket | None = None
    while running.value:
        begin, before = time.perf_counter(), worked(process)
        try:
            line = line or socket.create_connection((host, port), timeout=SECONDS)
            line.sendall(request)
            if not line.recv(4096):
                raise ConnectionError
        except OSError:  # an idle connection may be the one that gives way
            if line is not None:
                line.close()
            line = None
            continue
        longest.value = max(longest.value, time.perf_counter() - begin)
        busiest.value = max(busiest.value, worked(process) - before)
        time.sleep(0.003)


@contextlib.contextmanager
def watched(target: Target) -> Iterator[tuple[Any, Any]]:
    context = multiprocessing.get_context("spawn")
    longest, busiest, running = context.Value("d", 0.0), context.Value("d", 0.0), context.Value("b", True)
    asked = (target.host, target.port, target.process)
    process = context.Process(target=watch, args=(asked, longest, busiest, running))
    process.start()
    until = time.monotonic() + SECONDS
    while not longest.value and time.monotonic() < until:
        time.sleep(0.1)
    time.sleep(1)
    try:
        yield longest, busiest
    finally:
        running.value = False
        process.join(SECONDS)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("url", nargs="?", help="of a running server on this machine; without it one is started")
    url = asked.parse_args().url
    with contextlib.nullcontext(given_target(url)) if url else own_target() as target:
        failed = attack_all(target)
    sys.exit(1 if failed else 0)


def attack_all(target: Target) -> int:
    """How many answers were wrong."""
    failed, worst, most = 0, 0.0, 0.0
    with watched(target) as (longest, busiest):
        print(f"{longest.value * 1000:7.1f} ms  before the first attack")
        for name, is_signed, run in ATTACKS:
            if is_signed and not target.key[1]:
                print(f"{'':7}     skipped, as it takes a key: {name}")
                continue
            longest.value, busiest.value, said = 0.0, 0.0, ""
            try:
                run(target)
            except SkippedError as reason:
                said = f": skipped, as {reason}"
            except (WrongAnswerError, OSError, ValueError) as fault:
                failed, said = failed + 1, f": {type(fault).__name__} {fault}"
            finally:
                target.close()
            time.sleep(0.2)
            worst, most = max(worst, longest.value), max(most, busiest.value)
            spent = f" ({busiest.value * 1000:.1f} ms of work)" if target.process else ""
            print(f"{longest.value * 1000:7.1f} ms{spent}  {name}{said}", flush=True)
    spent = f", {most * 1000:.1f} ms of work" if target.process else ""
    print(f"The longest stop of the event loop: {worst * 1000:.1f} ms{spent} (at most {MAX_MS:.0f} on a calm machine)")
    return failed


if __name__ == "__main__":
    main()
