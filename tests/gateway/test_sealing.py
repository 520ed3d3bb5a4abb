"""Sealed requests and replies through the whole gateway."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.encryption import Encryption, KeyPairs, SealingKey
from renzheng.gateway.parameters import text_of
from renzheng.gateway.public_keys import Algorithm
from tests.gateway.signing import BUSINESS, signed_json
from tests.gateway.support import GOLDEN, SECRET_ID, SECRET_KEY, House, build, call

VECTORS = json.loads((GOLDEN / "crypto_request_vectors.json").read_text())["vectors"]
KEYS = KeyPairs.from_pem("".join(vector["private_key_pem"] for vector in VECTORS))
ALGORITHMS: list[Algorithm] = ["AES-256-CBC", "SM4-GCM"]
by_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)
RESULT = {"FaceIdToken": "t"}


def house() -> House:
    return build(key_pairs=lambda _: KEYS)


def new_key(algorithm: Algorithm) -> SealingKey:
    return SealingKey.make(KEYS.public.sm2 if algorithm == "SM4-GCM" else KEYS.public.rsa)


def sealed(key: SealingKey, fields: dict[str, str], rest: dict[str, Any]) -> dict[str, Any]:
    values, encryption = key.seal(fields)
    content = rest | values | {"Encryption": msgspec.to_builtins(encryption)}
    return {name: value for name, value in content.items() if value is not None}


@pytest.mark.parametrize("vector", VECTORS, ids=ALGORITHMS)
async def test_what_the_official_helper_sealed_reaches_the_action_opened(vector: dict[str, Any]) -> None:
    rooms = house()
    assert (await call(rooms.gateway, **signed_json(vector["request"]))).code == ""
    ((_, message),) = rooms.seen
    assert {"IdCard": message.id_card, "Name": message.name} == vector["plaintext"]


@pytest.mark.parametrize("vector", VECTORS, ids=ALGORITHMS)
async def test_a_reply_alone_is_sealed_for_the_official_helper(vector: dict[str, Any]) -> None:
    answer = await call(
        house().gateway, **signed_json(vector["response_only_request"], action="GetFaceIdResult", region=None)
    )
    assert set(answer.response) == {"Encryption", "EncryptedBody", "RequestId"}
    assert "韦小宝" not in answer.body.decode()
    assert (
        answer.response["Encryption"]["CiphertextBlob"]
        == (vector["response_only_request"]["Encryption"]["CiphertextBlob"])
    )


@by_algorithm
async def test_a_whole_reply_opens_to_the_fields_that_it_would_have_had(algorithm: Algorithm) -> None:
    key = new_key(algorithm)
    content = RESULT | {"IsEncryptResponse": True, "Encryption": msgspec.to_builtins(key.without_fields())}
    answer = await call(house().gateway, **signed_json(content, action="GetFaceIdResult"))
    encryption = msgspec.convert(answer.response["Encryption"], Encryption)
    opened = json.loads(key.open_body(answer.response["EncryptedBody"], encryption))
    assert (opened["Result"], opened["Name"], opened["Similarity"]) == ("0", "韦小宝", 87.5)


@by_algorithm
async def test_sensitive_fields_of_a_reply_are_sealed_by_their_paths(algorithm: Algorithm) -> None:
    key = new_key(algorithm)
    content = RESULT | {"Encryption": msgspec.to_builtins(key.without_fields())}
    response = (await call(house().gateway, **signed_json(content, action="GetFaceIdResult"))).response
    assert response["Encryption"]["EncryptList"] == ["Response.IdCard", "Response.Name"]
    assert (response["Result"], response["VideoBase64"]) == ("0", None)
    values = {"Response.IdCard": response["IdCard"], "Response.Name": response["Name"]}
    opened = key.open(values, msgspec.convert(response["Encryption"], Encryption))
    assert opened == {"Response.IdCard": "11204416541220243X", "Response.Name": "韦小宝"}


@by_algorithm
async def test_a_sealed_photo_arrives_as_the_text_that_was_sealed(algorithm: Algorithm) -> None:
    rooms = house()
    photo = "QUJD" * 1000
    content = sealed(new_key(algorithm), {"ImageBase64": photo}, {"CompareLib": "LOCAL"})
    assert (await call(rooms.gateway, **signed_json(content))).code == ""
    assert bytes(text_of(rooms.seen[0][1].image_base64)) == photo.encode()


async def test_a_sealed_photo_is_measured_before_it_is_opened() -> None:
    content = sealed(new_key("AES-256-CBC"), {"ImageBase64": "QUJD" * (1024 * 1600)}, {"CompareLib": "LOCAL"})
    assert len(content["ImageBase64"]) > 8 * 1024 * 1024
    answer = await call(house().gateway, **signed_json(content))
    assert answer.code == "FailedOperation.ImageSizeTooLarge"


def blob() -> str:
    return new_key("AES-256-CBC").ciphertext_blob


@pytest.mark.parametrize(
    ("encryption", "code"),
    [
        ({"EncryptList": ["Extra"], "CiphertextBlob": "x", "Iv": "x"}, "InvalidParameter.UnsupportEncryptField"),
        ({"EncryptList": ["Nothing"], "CiphertextBlob": "x", "Iv": "x"}, "InvalidParameter.UnsupportEncryptField"),
        ({"EncryptList": ["Name"], "CiphertextBlob": "x", "Iv": "x"}, "FailedOperation.DecryptSystemError"),
        ({"EncryptList": ["Name"], "CiphertextBlob": "", "Iv": ""}, "FailedOperation.DecryptSystemError"),
        (
            {"EncryptList": ["Name"], "CiphertextBlob": "x", "Iv": "x", "Algorithm": "ROT13"},
            "FailedOperation.DecryptSystemError",
        ),
        ({"EncryptList": [], "CiphertextBlob": "x", "Iv": ""}, "FailedOperation.DecryptSystemError"),
        ({"EncryptList": [], "CiphertextBlob": "", "Iv": ""}, ""),
    ],
)
async def test_what_cannot_be_opened_has_its_code_and_its_chinese_text(encryption: dict[str, Any], code: str) -> None:
    answer = await call(house().gateway, **signed_json(BUSINESS | {"Encryption": encryption}))
    assert answer.code == code
    if code == "FailedOperation.DecryptSystemError":
        assert answer.message == "解密失败。"
    elif code:
        assert answer.message == "存在不加密的字段，请参考文档修改。"


async def test_wrong_padding_wrong_key_and_wrong_form_are_answered_alike() -> None:
    key = new_key("AES-256-CBC")
    good = sealed(key, {"Name": "韦小宝", "IdCard": "11204416541220243X"}, {"CompareLib": "BUSINESS"})
    damaged = []
    for change in (
        {"Name": "AAAAAAAAAAAAAAAAAAAAAA=="},
        {"Name": "AAAA"},
        {"Name": "%"},
        {"Encryption": good["Encryption"] | {"CiphertextBlob": "A" * 172}},
        {"Encryption": good["Encryption"] | {"CiphertextBlob": blob()}},
        {"Encryption": good["Encryption"] | {"Iv": "AAAA"}},
    ):
        answer = await call(house().gateway, **signed_json(good | change))
        damaged.append((answer.code, answer.message, len(answer.body)))
    assert set(damaged) == {("FailedOperation.DecryptSystemError", "解密失败。", damaged[0][2])}


async def test_without_keys_an_encryption_reaches_the_action_as_it_came() -> None:
    rooms = build()
    content = BUSINESS | {"Encryption": {"EncryptList": ["Name"], "CiphertextBlob": "x", "Iv": "x"}}
    assert (await call(rooms.gateway, **signed_json(content))).code == ""
    assert rooms.seen[0][1].encryption.encrypt_list == ["Name"]


async def test_private_key_work_runs_where_it_is_told_to() -> None:
    threads: list[str] = []

    class Watched(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **options: Any) -> Any:
            threads.append("submitted")
            return super().submit(*arguments, **options)

    with Watched(1) as executor:
        rooms = build(key_pairs=lambda _: KEYS, executor=executor)
        await call(rooms.gateway, **signed_json(VECTORS[0]["request"]))
        await call(rooms.gateway, **signed_json(BUSINESS))
    assert threads == ["submitted"]


@by_algorithm
async def test_fields_open_by_the_keys_of_the_callers_account_alone(algorithm: Algorithm) -> None:
    content = sealed(new_key(algorithm), {"Name": "韦小宝", "IdCard": "11204416541220243X"}, {"CompareLib": "BUSINESS"})
    for account, code in ((7, ""), (8, "FailedOperation.DecryptSystemError")):
        rooms = build(Key(SECRET_ID, SECRET_KEY, account), key_pairs=lambda asked: KEYS if asked == 7 else None)
        assert (await call(rooms.gateway, **signed_json(content))).code == code
        assert [message.name for _, message in rooms.seen] == (["韦小宝"] if account == 7 else [])


@by_algorithm
async def test_of_a_name_that_is_listed_again_and_again_no_copy_is_made(
    algorithm: Algorithm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A photo of megabytes, named a hundred thousand times, would be copied as often, on the event loop."""
    copied: list[int] = []

    def counted(raw: msgspec.Raw) -> memoryview:
        copied.append(len(raw))
        return text_of(raw)

    monkeypatch.setattr("renzheng.gateway.sealing.text_of", counted)
    content = sealed(new_key(algorithm), {"ImageBase64": "QUJD"}, {"CompareLib": "LOCAL"})
    assert (await call(house().gateway, **signed_json(content))).code == ""
    assert len(copied) == 1
    for times in (12, 1000):
        content["Encryption"] |= {"EncryptList": ["ImageBase64"] * times}
        answer = await call(house().gateway, **signed_json(content))
        assert answer.code == "FailedOperation.DecryptSystemError"
    assert len(copied) == 1
