"""Every golden request against the running gateway, byte for byte over a socket."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator

import pytest

from renzheng.accounts.keys import Key
from tests.gateway.support import House, Vector, build, load, raw_request, read_answer, serving, vectors
from tests.support.server import PATIENCE

# What the server answers after the signature, where it is not simply the action's reply, and why.
AFTER_AUTHENTICATION = {
    "node_tc3_post_empty": ("MissingParameter", "the body is {}"),
    "node_tc3_post_token": ("MissingParameter", "the action is offered by region, and the client sent none"),
    "py_tc3_post_noregion": ("MissingParameter", "the action is offered by region, and the client sent none"),
    "py_tc3_multipart": ("MissingParameter", "its Encryption holds an algorithm only"),
    "py_tc3_octet": ("UnsupportedOperation", "no action of this product takes octets"),
}
# Verdicts that the documentation leaves open, and what was chosen.
INFERRED = {"neg_method_put": "UnsupportedProtocol is answered before anything else of the request is looked at"}

ALL = [vector for vector in vectors() if not vector.id.startswith("doc_")]


@pytest.fixture(scope="module")
def house_and_port() -> Iterator[tuple[House, int]]:
    house = build()
    with serving(house.gateway) as port:
        yield house, port


@pytest.mark.parametrize("vector", ALL, ids=str)
def test_each_golden_request_is_answered_as_its_verdict_says(vector: Vector, house_and_port: tuple[House, int]) -> None:
    house, port = house_and_port
    house.clock.now = vector.clock
    house.keys.by_id.clear()
    unsigned = vector.header("X-TC-Content-SHA256") is not None
    for secret_id, secret_key in vector.keys.items():
        key = Key(secret_id, secret_key, 1, token=vector.header("X-TC-Token"), unsigned_payload=unsigned)
        house.keys.by_id[secret_id] = key
    house.seen.clear()
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(raw_request(vector.method, vector.target, vector.headers, vector.body))
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert head.lower().count(b"\r\ncontent-type: application/json\r\n") == 1
    response = json.loads(body)["Response"]
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", response["RequestId"])
    verdict = vector.expect["verdict"]
    code = response.get("Error", {}).get("Code")
    if verdict == "ok":
        assert code == AFTER_AUTHENTICATION.get(vector.id, (None,))[0], response
        if code is None:
            check_what_reached_the_action(vector, house)
    elif verdict == "skip-sign":
        assert code == "AuthFailure.InvalidAuthorization"
    else:
        assert code == verdict
        check_message(vector, response["Error"]["Message"])
        assert body.startswith(b'{"Response":{"Error":{"Code":"')
        assert b'},"RequestId":"' in body
        assert not house.seen


def check_what_reached_the_action(vector: Vector, house: House) -> None:
    ((caller, message),) = house.seen
    expected = vector.expect.get("params")
    assert caller.language == vector.expect.get("language", "en-US")
    if expected:
        for name, value in expected.items():
            field = {"ImageBase64": "image_base64"}.get(name) or re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
            given = getattr(message, field)
            if name == "ImageBase64":
                given = json.loads(bytes(given))
            elif isinstance(given, bool):
                value = value in (True, "True", "true", "1")
            elif name == "Encryption":
                assert given.encrypt_list == value["EncryptList"]
                continue
            assert given == value


def check_message(vector: Vector, message: str) -> None:
    language = vector.header("X-TC-Language") or "en-US"
    expected = vector.expect.get("message_zh" if language == "zh-CN" else "message_en")
    if expected:
        assert message == expected


def test_the_bare_get_is_answered_in_exactly_the_captured_length(house_and_port: tuple[House, int]) -> None:
    vector = load("neg_bare_get")
    _, port = house_and_port
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall(raw_request(vector.method, vector.target, vector.headers, vector.body))
        head, _, body = read_answer(connection).partition(b"\r\n\r\n")
    assert len(body) == vector.expect["content_length"]
    assert b"content-length: 170" in head.lower()


def test_both_languages_have_the_published_texts() -> None:
    from renzheng.gateway import errors

    for vector in ALL:
        texts = (vector.expect.get("message_en"), vector.expect.get("message_zh"))
        kinds = [
            kind
            for kind in vars(errors).values()
            if isinstance(kind, type) and getattr(kind, "code", None) == vector.expect["verdict"]
        ]
        for text, attribute in zip(texts, ("en", "zh"), strict=True):
            if text:
                assert any(matches(getattr(kind, attribute), text) for kind in kinds), text


def matches(template: str, text: str) -> bool:
    pattern = re.sub(r"\\\{\w+\\\}", ".+", re.escape(template))
    return re.fullmatch(pattern, text) is not None


def test_the_tables_of_this_test_name_golden_requests() -> None:
    names = {vector.id for vector in ALL}
    assert AFTER_AUTHENTICATION.keys() <= names
    assert INFERRED.keys() <= names
    assert len(ALL) >= 130
