"""Every golden request against the whole server, its clock moved to the request: what comes after the gateway."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import uvicorn

from renzheng.accounts.keys import Key
from renzheng.server.app import App
from renzheng.settings import Settings, load_settings
from renzheng.store.open import open_store
from tests.gateway.support import SECRET_ID, SECRET_KEY, Clock, Vector, load, raw_request, read_answer, vectors
from tests.support.server import PATIENCE

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

# The vectors of one client that were observed together: what comes of each follows from what it sends.
BY_RULE = ("cpp_", "dotnet_", "go_", "java_", "php_", "ruby_")


def afterwards(vector: Vector) -> str:
    """The code that the whole server answers to a request whose verdict is `ok`; empty for a success."""
    if vector.id in AFTERWARDS or not vector.id.startswith(BY_RULE):
        return AFTERWARDS.get(vector.id, ("", ""))[0]
    given = vector.expect["params"]
    if vector.header("X-TC-Token"):
        return "AuthFailure.TokenFailure"  # PERMANENT
    if vector.expect["action"] == "GetFaceIdResult":
        return "InvalidParameterValue.BizTokenIllegal"  # UNKNOWN
    if "Encryption" in given:
        return "FailedOperation.DecryptSystemError"  # STRANGE
    refused = "ImageBase64" in given or str(given.get("UseCos")).lower() == "true"  # IMAGE, COS
    return "InvalidParameter" if refused else ""


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
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
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
        assert code == afterwards(vector), response
    elif verdict == "skip-sign":
        assert code == "AuthFailure.InvalidAuthorization"
    else:
        assert code == verdict


def test_the_table_names_golden_requests() -> None:
    assert AFTERWARDS.keys() <= {vector.id for vector in ALL if vector.expect["verdict"] == "ok"}


PATHS = ("/v2/", "/v2", "//", "/faceid/2018-03-01/x.json", "/explorer/")


@pytest.mark.parametrize(
    ("name", "path"),
    [
        *itertools.product(("java_tc3_post_json", "php_hmacsha1_post"), (*PATHS, "/verify")),
        *itertools.product(("go_tc3_get", "ruby_hmacsha1_get"), PATHS),  # what a GET reads at /verify is our page
    ],
)
def test_an_endpoint_may_have_a_path_which_is_not_signed(name: str, path: str, house: tuple[Clock, int]) -> None:
    clock, port = house
    vector = load(name)
    clock.now = vector.clock
    moved = replace(vector, target=path + vector.target.removeprefix("/"))
    error = answer(port, moved).get("Error")
    assert (error["Code"] if isinstance(error, dict) else "") == afterwards(vector)


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("POST", "/v2/", "MissingParameter"),
        ("PUT", "/v2/", "UnsupportedProtocol"),
        ("DELETE", "/x", "UnsupportedProtocol"),
        ("GET", "/v2/?Action=GetFaceIdToken", "MissingParameter"),
        ("GET", "/v2/", "ResourceNotFound"),
    ],
)
def test_no_client_of_the_api_reads_a_page_or_a_text(
    method: str, path: str, code: str, house: tuple[Clock, int]
) -> None:
    with socket.create_connection(("127.0.0.1", house[1]), timeout=PATIENCE) as connection:
        connection.sendall(raw_request(method, path, [(b"Host", b"127.0.0.1"), (b"Accept", b"*/*")], b""))
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")
    assert b"content-type: application/json\r\n" in head.lower() + b"\r\n"
    assert json.loads(body)["Response"]["Error"]["Code"] == code
    assert (b" 404 " in head.split(b"\r\n")[0]) == (code == "ResourceNotFound")


def test_a_browser_is_told_in_words_that_there_is_no_such_page(house: tuple[Clock, int]) -> None:
    with socket.create_connection(("127.0.0.1", house[1]), timeout=PATIENCE) as connection:
        headers = [(b"Host", b"127.0.0.1"), (b"Accept", b"text/html,*/*;q=0.8")]
        connection.sendall(raw_request("GET", "/v2/", headers, b""))
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")
    assert b" 404 " in head.split(b"\r\n")[0]
    assert body == b"Not Found\n"
