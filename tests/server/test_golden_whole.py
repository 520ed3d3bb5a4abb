"""Every golden request against the whole server, its clock moved to the request: what comes after the gateway."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from renzheng.accounts.keys import Key
from renzheng.app import App
from renzheng.settings import Settings, load_settings
from renzheng.store.open import open_store
from tests.gateway.support import SECRET_ID, SECRET_KEY, Clock, Vector, raw_request, read_answer, vectors

ALL = [vector for vector in vectors() if not vector.id.startswith("doc_")]
IMAGE = "its ImageBase64 is a toy, no JPEG or PNG"
COS = "it asks for UseCos, which is not offered"
UNKNOWN = "its token was never issued here"
PERMANENT = "its key is a permanent one here, and has no token"
STRANGE = "it is sealed with keys that are not this server's"
REGION = "the action is offered by region, and the client sent none"

# What the whole server answers to requests whose verdict is `ok`, where it is not a success, and why.
AFTERWARDS: dict[str, tuple[str, str]] = {
    "edge_tc3_unsigned_payload_body_changed": ("InvalidParameter", "the changed body lacks what BUSINESS needs"),
    "node_hmacsha1_get": ("InvalidParameter", COS),
    "node_hmacsha256_post_form": ("InvalidParameter", COS),
    "node_tc3_get": ("InvalidParameter", COS),
    "node_tc3_localhost_ep": ("InvalidParameter", COS),
    "node_tc3_multipart": ("InvalidParameter", IMAGE),
    "node_tc3_post_empty": ("MissingParameter", "the body is {}"),
    "node_tc3_post_json": ("InvalidParameter", COS),
    "node_tc3_post_token": ("AuthFailure.TokenFailure", PERMANENT),
    "node_tc3_result": ("InvalidParameterValue.BizTokenIllegal", UNKNOWN),
    "py_endpoint_localhost": ("InvalidParameter", COS),
    "py_endpoint_url_form": ("InvalidParameter", COS),
    "py_hmacsha1_get": ("InvalidParameter", COS),
    "py_hmacsha1_post": ("InvalidParameter", COS),
    "py_hmacsha256_post_form": ("InvalidParameter", COS),
    "py_request_client": ("InvalidParameter", COS),
    "py_tc3_get": ("InvalidParameter", COS),
    "py_tc3_multipart": ("MissingParameter", "its Encryption holds an algorithm only"),
    "py_tc3_octet": ("UnsupportedOperation", "no action of this product takes octets"),
    "py_tc3_post_encryption": (
        "FailedOperation.DecryptSystemError",
        "it is sealed with keys that are not this server's",
    ),
    "py_tc3_post_json": ("InvalidParameter", COS),
    "py_tc3_post_noregion": ("MissingParameter", REGION),
    "py_tc3_post_token_en": ("AuthFailure.TokenFailure", PERMANENT),
    "py_tc3_post_unsigned": ("InvalidParameter", COS),
    "py_tc3_result": ("InvalidParameterValue.BizTokenIllegal", UNKNOWN),
    "syn_v1_case_sorted_keys": ("FailedOperation.DecryptSystemError", STRANGE),
    "tccli_http_endpoint": ("InvalidParameter", COS),
}


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clock, int]]:
    folder = tmp_path_factory.mktemp("golden")
    clock = Clock(time.time())
    settings = load_settings(data_dir=folder / "data", keys_dir=folder / "keys", requests_per_second=1000)
    asyncio.run(know_the_key(settings))
    app = App(settings, clock)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, http="httptools"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.started
    yield clock, server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join(30)


async def know_the_key(settings: Settings) -> None:
    store = open_store(settings.data_dir, settings.keys_dir, time.time, os.urandom)
    await store.start(serving=False)
    account = await store.accounts.create("golden", time.time())
    await store.accounts.add_key(Key(SECRET_ID, SECRET_KEY, account.id, unsigned_payload=True))
    await store.stop()


def answer(port: int, vector: Vector) -> dict[str, object]:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw_request(vector.method, vector.target, vector.headers, vector.body))
        body = read_answer(connection).partition(b"\r\n\r\n")[2]
    response: dict[str, object] = json.loads(body)["Response"]
    return response


@pytest.mark.parametrize("vector", ALL, ids=str)
def test_each_golden_request_gets_its_answer_from_the_whole_server(vector: Vector, house: tuple[Clock, int]) -> None:
    clock, port = house
    clock.now = vector.clock
    response = answer(port, vector)
    error = response.get("Error")
    code = error["Code"] if isinstance(error, dict) else ""
    verdict = vector.expect["verdict"]
    if verdict == "ok":
        assert code == AFTERWARDS.get(vector.id, ("", ""))[0], response
    elif verdict == "skip-sign":
        assert code == "AuthFailure.InvalidAuthorization"
    else:
        assert code == verdict


def test_the_table_names_golden_requests() -> None:
    assert AFTERWARDS.keys() <= {vector.id for vector in ALL if vector.expect["verdict"] == "ok"}
