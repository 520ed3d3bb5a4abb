"""A peer on a real socket that checks signatures, opens sealed fields and seals its replies."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import msgspec
import pytest

from renzheng.gateway import signature
from renzheng.gateway.encryption import Encryption, KeyPairs, OpenedFields

SECRET_ID, SECRET_KEY = "AKIDEXAMPLE0000000000000000000000000", "GoldenSecretKey000000000000000000"


class RefusedError(Exception):
    """An error reply: its code and its message."""


class Peer(ThreadingHTTPServer):
    """`seen`: every accepted call, as (action, parameters as sent, parameters opened). `raw`: answered as it is."""

    daemon_threads = True

    def __init__(self, keys: KeyPairs) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.keys = keys
        self.seen: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        self.minted: dict[str, dict[str, Any]] = {}
        self.raw: tuple[int, bytes] | None = None

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, action: str, sent: dict[str, Any]) -> dict[str, Any]:
        opened: OpenedFields | None = None
        if "Encryption" in sent:
            opened = self.keys.open(msgspec.convert(sent["Encryption"], Encryption), sent)
        clear = sent | (opened.fields if opened else {})
        self.seen.append((action, sent, clear))
        if action == "GetFaceIdToken":
            token = str(uuid4()).upper()
            self.minted[token] = clear
            return {"FaceIdToken": token}
        minted = self.minted.get(clear["FaceIdToken"])
        if minted is None:
            raise RefusedError("InvalidParameterValue.BizTokenIllegal", "BizToken不合法。")
        reply = {"Result": "0", "Description": "成功", "Similarity": 97.5, "RiskInfoTag": None, "Other": 1}
        reply |= {"Extra": minted.get("Extra"), "Name": minted.get("Name"), "IdCard": minted.get("IdCard")}
        return reply if opened is None else self.sealed(reply, opened, sent.get("IsEncryptResponse", False))

    def sealed(self, reply: dict[str, Any], opened: OpenedFields, whole: bool) -> dict[str, Any]:
        if whole:
            body, described = opened.key.seal_body(msgspec.json.encode({"Response": reply}).decode())
            return {"EncryptedBody": body, "Encryption": msgspec.to_builtins(described), "Name": None}
        paths = {f"Response.{name}": reply[name] for name in ("Name", "IdCard") if reply[name]}
        values, described = opened.key.seal(paths)
        reply |= {path.removeprefix("Response."): value for path, value in values.items()}
        return reply | {"Encryption": msgspec.to_builtins(described)}


class Handler(BaseHTTPRequestHandler):
    server: Peer
    protocol_version = "HTTP/1.1"

    def handle_call(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            content = self.server.answer(*(self.tc3(body) if "Authorization" in self.headers else self.v1(body)))
        except RefusedError as refused:
            content = {"Error": dict(zip(("Code", "Message"), refused.args, strict=True))}
        status, reply = self.server.raw or (
            200,
            msgspec.json.encode({"Response": content | {"RequestId": str(uuid4())}}),
        )
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST = handle_call  # noqa: N815

    def tc3(self, body: bytes) -> tuple[str, dict[str, Any]]:
        authorization = signature.parse_authorization(self.headers["Authorization"].encode())
        timestamp = self.headers["X-TC-Timestamp"]
        query = self.path.partition("?")[2]
        if not signature.verify_tc3(
            authorization,
            signature.signing_key(SECRET_KEY, signature.utc_date(int(timestamp)), "faceid"),
            timestamp=timestamp,
            method=self.command.encode(),
            query=query.encode(),
            headers={name.lower().encode(): value.encode() for name, value in self.headers.items()},
            payload_hash=signature._sha256(body),
        ):
            raise RefusedError("AuthFailure.SignatureFailure", "请求签名验证失败，请检查您的签名计算是否正确。")
        parameters = nested(parse_qsl(query)) if self.command == "GET" else msgspec.json.decode(body)
        return self.headers["X-TC-Action"], parameters

    def v1(self, body: bytes) -> tuple[str, dict[str, Any]]:
        text = body.decode() if self.command == "POST" else self.path.partition("?")[2]
        sent = dict(parse_qsl(text, keep_blank_values=True))
        if not signature.verify_v1(
            SECRET_KEY,
            sent,
            host=self.headers["Host"].encode(),
            method=self.command,
            algorithm=sent.get("SignatureMethod", "HmacSHA1"),
        ):
            raise RefusedError("AuthFailure.SignatureFailure", "请求签名验证失败，请检查您的签名计算是否正确。")
        return sent["Action"], nested(list(sent.items()))

    def log_message(self, *_: Any) -> None:
        pass


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`Encryption.EncryptList.0=Name` as objects and lists, two levels deep."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        outer, _, rest = name.partition(".")
        inner, _, position = rest.partition(".")
        if position:
            tree.setdefault(outer, {}).setdefault(inner, []).append(value)
        elif inner:
            tree.setdefault(outer, {})[inner] = value
        else:
            tree[outer] = {"true": True, "false": False}.get(value, value)
    return tree


@pytest.fixture(scope="session")
def keys() -> KeyPairs:
    return KeyPairs.generate()


@pytest.fixture
def peer(keys: KeyPairs) -> Iterator[Peer]:
    server = Peer(keys)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
