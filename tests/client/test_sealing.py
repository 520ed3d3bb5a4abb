"""Sealing beside another client: dictionaries in, dictionaries out."""

import json
import random
from base64 import b64decode
from pathlib import Path
from typing import Any

import msgspec
import pytest

from renzheng.client import ReplyError, SealingKey, open_reply, seal_request
from renzheng.gateway.encryption import KeyPairs

VECTORS = json.loads((Path(__file__).parent.parent / "golden" / "crypto_response_vectors.json").read_text())["vectors"]


def reply_of(vector: dict[str, Any]) -> dict[str, Any]:
    """The golden reply, put together as the official helper's demonstration has it."""
    encryption = {
        "Algorithm": vector["algorithm"],
        "CiphertextBlob": vector["ciphertext_blob"],
        "EncryptList": vector["encrypt_list"],
        "Iv": vector["iv_b64"],
        "TagList": vector["tag_list"],
    }
    text = {"IdCard": vector["ciphertext"][0], "Name": vector["ciphertext"][1]}
    return {"Response": {"Encryption": encryption, "RequestId": "r", "Text": text}}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["algorithm"])
def test_the_official_replies_open_with_and_without_their_wrapper(vector: dict[str, Any]) -> None:
    key = SealingKey(vector["algorithm"], b64decode(vector["key_b64"]), vector["ciphertext_blob"])
    reply = reply_of(vector)
    before = json.dumps(reply)
    for given in (reply, reply["Response"]):
        opened = open_reply(given, key)
        assert opened["Text"] == {"IdCard": "440111111111111111", "Name": "爱新觉罗永琪"}
        assert opened["RequestId"] == "r"
    assert json.dumps(reply) == before


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["algorithm"])
@pytest.mark.parametrize(
    "listed",
    [
        ["Response.Text.IdCard", "Response.Text.Age"],
        ["Response.Text.IdCard.0", "Response.Text.Name"],
        ["Response.Nothing.IdCard", "Response.Text.Name"],
        ["", ""],
        ["Response.Text", "Response.Text.Name"],
        ["Response.RequestId", "Response.Text.Name"],
        [1, 2],
    ],
)
def test_a_reply_whose_list_does_not_fit_it_is_a_reply_error(vector: dict[str, Any], listed: list[Any]) -> None:
    key = SealingKey(vector["algorithm"], b64decode(vector["key_b64"]), vector["ciphertext_blob"])
    reply = reply_of(vector)
    reply["Response"]["Encryption"]["EncryptList"] = listed
    with pytest.raises(ReplyError, match="cannot be opened"):
        open_reply(reply, key)


def test_a_reply_under_another_key_is_a_reply_error() -> None:
    for vector in VECTORS:
        size = len(b64decode(vector["key_b64"]))
        with pytest.raises(ReplyError):
            open_reply(reply_of(vector), SealingKey(vector["algorithm"], bytes(size), ""))


def test_a_reply_that_is_not_sealed_comes_back_as_it_was(keys: KeyPairs) -> None:
    _, key = seal_request({}, keys.public.rsa, ())
    assert open_reply({"Response": {"Name": None, "Encryption": None}}, key) == {
        "Name": None,
        "Encryption": None,
    }


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_whole_body_opens_with_and_without_a_wrapper_inside(keys: KeyPairs, wrapped: bool) -> None:
    parameters, key = seal_request({"FaceIdToken": "t"}, keys.public.rsa, ())
    inner = {"Name": "韦小宝", "Result": "0"}
    text = msgspec.json.encode({"Response": inner} if wrapped else inner).decode()
    body, described = key.seal_body(text)
    reply = {"EncryptedBody": body, "Encryption": msgspec.to_builtins(described), "RequestId": "r"}
    assert open_reply(reply, key) == {**inner, "RequestId": "r"}
    assert parameters["Encryption"] == {
        "EncryptList": [],
        "CiphertextBlob": key.ciphertext_blob,
        "Algorithm": "AES-256-CBC",
        "TagList": [],
    }


def test_absent_fields_are_passed_over_and_only_text_is_sealed(keys: KeyPairs) -> None:
    parameters, _ = seal_request({"Name": "韦小宝", "IdCard": None}, keys.public.sm2_pem)
    assert parameters["Encryption"]["EncryptList"] == ["Name"]
    assert parameters["IdCard"] is None
    with pytest.raises(TypeError, match="only text"):
        seal_request({"Name": 7}, keys.public.rsa)


def test_every_request_is_sealed_under_a_key_of_its_own(keys: KeyPairs) -> None:
    first, second = (seal_request({"Name": "韦小宝"}, keys.public.rsa)[0] for _ in range(2))
    assert first["Name"] != second["Name"]
    assert first["Encryption"]["CiphertextBlob"] != second["Encryption"]["CiphertextBlob"]


def broken(rng: random.Random, value: Any) -> Any:
    """`value` with one place in it replaced by something that JSON can hold."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = rng.choice(sorted(value))
        return value | {name: broken(rng, value[name])}
    if isinstance(value, list) and value and rng.random() < 0.7:
        return [broken(rng, item) if rng.random() < 0.5 else item for item in value]
    if isinstance(value, str) and value and rng.random() < 0.6:
        position = rng.randrange(len(value))
        return value[:position] + rng.choice("A.0/=韦") + value[position + rng.randrange(2) :]
    return rng.choice([None, "", 0, -1, True, [], {}, [None], "Response", "Response.Text", {"Response": []}])


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["algorithm"])
def test_a_seeded_fuzz_of_replies_opens_or_is_a_reply_error(vector: dict[str, Any]) -> None:
    key = SealingKey(vector["algorithm"], b64decode(vector["key_b64"]), vector["ciphertext_blob"])
    rng = random.Random(20180301)
    refused = 0
    for _ in range(3000):
        try:
            reply = {"Response": broken(rng, reply_of(vector)["Response"])}
            assert isinstance(open_reply(reply, key), dict)
        except ReplyError:
            refused += 1
    assert 0 < refused < 3000
