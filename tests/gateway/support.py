"""What the gateway's tests share: golden requests, a clock, keys, two actions, ways in with and without a socket."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import structlog
import uvicorn

from renzheng.accounts.keys import Key
from renzheng.actions.errors import ImageSizeTooLargeError
from renzheng.actions.product import REGIONS
from renzheng.gateway.contract import Caller, GatewaySettings
from renzheng.gateway.manifest import Action, Manifest, Product, Run, Service
from renzheng.gateway.parameters import text_of
from renzheng.gateway.pipeline import Gateway

GOLDEN = Path(__file__).parent.parent / "golden"
SECRET_ID = "AKIDEXAMPLE0000000000000000000000000"
SECRET_KEY = "GoldenSecretKey000000000000000000"
SEALABLE = frozenset({"Name", "IdCard", "ImageBase64"})
TOKEN_REGIONS = frozenset({"ap-beijing", "ap-chengdu", "ap-guangzhou", "ap-shanghai"})
NOW = 1795497000.0


@dataclass
class Vector:
    """One golden request: `expect` and `derivation` as in its file, the body as bytes."""

    id: str
    keys: dict[str, str]
    clock: float
    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes
    expect: dict[str, Any]
    derivation: dict[str, Any]

    def __str__(self) -> str:
        return self.id

    def header(self, name: str) -> str | None:
        return next((v.decode() for k, v in self.headers if k.lower() == name.lower().encode()), None)


def load(name: str) -> Vector:
    raw = json.loads((GOLDEN / f"{name}.json").read_text("utf-8"))
    request = raw["request"]
    return Vector(
        raw["id"],
        raw["keys"],
        raw["clock_unix"],
        request["method"],
        request["target"],
        [(name.encode(), value.encode()) for name, value in request["headers"]],
        base64.b64decode(request.get("body_b64") or ""),
        raw["expect"],
        raw.get("derivation") or {},
    )


def vectors() -> list[Vector]:
    """All golden requests."""
    return [load(path.stem) for path in sorted(GOLDEN.glob("*.json")) if not path.stem.startswith("crypto_")]


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Keys:
    def __init__(self, *keys: Key) -> None:
        self.by_id = {key.secret_id: key for key in keys}

    def find(self, secret_id: str) -> Key | None:
        return self.by_id.get(secret_id)


class Encryption(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    encrypt_list: list[str]
    ciphertext_blob: str
    iv: str
    algorithm: str | None = None
    tag_list: list[str] | None = None


class TokenRequest(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    """As the API's schema has it, with the photo left undecoded."""

    compare_lib: str
    id_card: str | None = None
    name: str | None = None
    image_base64: msgspec.Raw = msgspec.field(default=msgspec.Raw(), name="ImageBase64")
    meta: str | None = None
    extra: str | None = None
    use_cos: bool | None = None
    encryption: Encryption | None = None
    rule_id: str | None = None
    meta_data: str | None = None


class AnyEncryption(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    """As official helpers send it where only the reply is to be sealed."""

    encrypt_list: list[str] | None = None
    ciphertext_blob: str | None = None
    iv: str | None = None
    algorithm: str | None = None
    tag_list: list[str] | None = None


class TokenReply(msgspec.Struct, rename="pascal"):
    face_id_token: str


class ResultRequest(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    face_id_token: str
    is_need_video: bool | None = None
    is_need_best_frame: bool | None = None
    is_encrypt_response: bool | None = None
    encryption: AnyEncryption | None = None


class ResultReply(msgspec.Struct, rename="pascal"):
    result: str
    description: str
    similarity: float
    video_base64: str | None = msgspec.field(default=None, name="VideoBase64")
    id_card: str = ""
    name: str = ""


def check_photo(request: TokenRequest) -> None:
    if len(text_of(request.image_base64)) > 8 * 1024 * 1024:
        raise ImageSizeTooLargeError


def make_action(name: str, request: type[msgspec.Struct], run: Run, **more: Any) -> Action:
    """An action that has no product's parts to be made from."""
    manifest = Manifest(
        name=name, request=request, reply=msgspec.Struct, make=lambda parts: run, text=(name, name), **more
    )
    return Action(manifest, run)


def make_service(*actions: Action, service: str = "faceid", version: str = "2018-03-01") -> Service:
    product = Product(
        service=service,
        version=version,
        title=(service, service),
        regions=REGIONS,
        example_region="ap-guangzhou",
        actions=tuple(action.manifest for action in actions),
    )
    return Service(product, actions)


@dataclass
class House:
    """A gateway in front of two actions that keep what reaches them, and whatever a test wants to look at."""

    gateway: Gateway
    clock: Clock
    keys: Keys
    log: io.StringIO
    seen: list[tuple[Caller, Any]] = field(default_factory=list)
    failing: list[BaseException] = field(default_factory=list)

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in lines if event in (None, line["event"])]


def build(*keys: Key, now: float = NOW, settings: GatewaySettings | None = None, **parts: Any) -> House:
    clock, finder, text = Clock(now), Keys(*(keys or (Key(SECRET_ID, SECRET_KEY, 1),))), io.StringIO()
    log = structlog.wrap_logger(
        structlog.PrintLogger(file=text), processors=[structlog.processors.JSONRenderer(ensure_ascii=False)]
    )
    generator = random.Random(8)

    async def mint(caller: Caller, request: TokenRequest) -> TokenReply:
        house.seen.append((caller, request))
        if house.failing:
            raise house.failing.pop()
        return TokenReply("CE661F1A-0F1E-45BD-BE13-34C05CEA7681")

    async def fetch(caller: Caller, request: ResultRequest) -> ResultReply:
        house.seen.append((caller, request))
        return ResultReply("0", "成功", 87.5, id_card="11204416541220243X", name="韦小宝")

    actions = [
        make_action(
            "GetFaceIdToken",
            TokenRequest,
            mint,
            regions=TOKEN_REGIONS,
            sealable=SEALABLE,
            check_sealed=check_photo,
        ),
        make_action("GetFaceIdResult", ResultRequest, fetch, sealed_reply=frozenset({"IdCard", "Name", "VideoBase64"})),
    ]
    gateway = Gateway(
        keys=finder,
        services=[make_service(*actions)],
        clock=clock,
        entropy=generator.randbytes,
        log=log,
        settings=settings,
        **parts,
    )
    house = House(gateway, clock, finder, text)
    return house


@dataclass
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def response(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.body)["Response"]
        return content

    @property
    def code(self) -> str:
        code: str = self.response.get("Error", {}).get("Code", "")
        return code

    @property
    def message(self) -> str:
        message: str = self.response["Error"]["Message"]
        return message


async def call(
    gateway: Gateway,
    method: str = "POST",
    target: str = "/",
    headers: list[tuple[bytes, bytes]] | None = None,
    body: bytes = b"",
    *,
    client: str = "127.0.0.1",
    chunks: list[bytes] | None = None,
) -> Answer:
    """One request through ASGI, without a socket."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.lower(), value) for name, value in headers or []],
        "client": (client, 50000),
    }
    pending = list(chunks if chunks is not None else [body])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not pending:
            await asyncio.sleep(3600)
        return {"type": "http.request", "body": pending.pop(0), "more_body": bool(pending)}

    async def send(message: Any) -> None:
        sent.append(message)

    await gateway(scope, receive, send)
    return Answer(sent[0]["status"], sent[0]["headers"], b"".join(message.get("body", b"") for message in sent[1:]))


async def replay(gateway: Gateway, vector: Vector) -> Answer:
    return await call(gateway, vector.method, vector.target, vector.headers, vector.body)


def raw_request(
    method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes, *, length: bool = True
) -> bytes:
    """The request as it stands on the wire."""
    lines = [f"{method} {target} HTTP/1.1".encode(), *(name + b": " + value for name, value in headers)]
    if length and not any(name.lower() == b"content-length" for name, _ in headers):
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", b""]) + body


@contextmanager
def serving(application: Any, **options: Any) -> Iterator[int]:
    """The application on uvicorn on a port of its own, which is yielded."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(application, log_level="error", lifespan="off", http="httptools", **options)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wait_for(lambda: server.started)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def read_answer(connection: socket.socket) -> bytes:
    """One whole HTTP answer with a Content-Length: head and body."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )
    while len(body) < length:
        body += _some(connection)
    return head + b"\r\n\r\n" + body


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("closed before the answer was whole")
    return data
