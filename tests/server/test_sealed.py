"""Sealed fields against the running server: our client, the official Python SDK, and what must not pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.faceid.v20180301 import models

from renzheng.client import ApiError, Client, open_reply, seal_request
from renzheng.gateway.encryption import SealingKey
from renzheng.gateway.public_keys import load_public_key
from tests.support.images import base64_of, drawn
from tests.support.server import REGION, Server, result, token

NAME, ID_CARD = "韦小宝", "11204416541220243X"
BUSINESS = {"CompareLib": "BUSINESS", "IdCard": ID_CARD, "Name": NAME}
FORMS = ["rsa_pem", "rsa_spki_pem", "sm2_pem", "sm2_hex"]


@pytest.fixture(scope="module")
def shown(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.json("encryption", "show")
    return found


@pytest.fixture
def client(server: Server, key: tuple[str, str], shown: dict[str, Any], request: Any) -> Iterator[Client]:
    with Client(*key, endpoint=server.url, region=REGION, public_key=shown[request.param]) as made:
        yield made


def sdk_call(server: Server, key: tuple[str, str], action: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The official SDK's typed request and reply, as dictionaries."""
    sent = getattr(models, f"{action}Request")()
    sent.from_json_string(json.dumps(fields))
    reply: dict[str, Any] = json.loads(getattr(server.sdk(key), action)(sent).to_json_string())
    return reply


@pytest.mark.parametrize("client", FORMS, indirect=True)
def test_our_client_seals_the_request_and_opens_the_result_by_field_and_whole(client: Client) -> None:
    made = client.get_face_id_token(name=NAME, id_card=ID_CARD, extra="order 7")
    for whole in (False, True):
        fetched = client.get_face_id_result(made, whole_body=whole)
        assert (fetched.name, fetched.id_card, fetched.extra) == (NAME, ID_CARD, "order 7")
        assert (fetched.result, fetched.description) == ("17", "本次流程未完成")


@pytest.mark.parametrize("form", ["rsa_pem", "sm2_pem"])
def test_the_official_sdk_carries_sealed_fields_and_gets_none_in_the_clear(
    server: Server, key: tuple[str, str], shown: dict[str, Any], form: str
) -> None:
    sealed, _ = seal_request({**BUSINESS, "Extra": "x"}, shown[form])
    assert NAME not in json.dumps(sealed, ensure_ascii=False)
    made = sdk_call(server, key, "GetFaceIdToken", sealed)["FaceIdToken"]
    assert result(server.sdk(key), made).Name == NAME  # who does not ask gets it as it is
    for whole in (None, True):
        wish, own = seal_request({"FaceIdToken": made, "IsEncryptResponse": whole}, shown[form], ())
        reply = sdk_call(server, key, "GetFaceIdResult", wish)
        text = json.dumps(reply, ensure_ascii=False)
        assert NAME not in text
        assert ID_CARD not in text
        assert reply["Encryption"]["CiphertextBlob"] == wish["Encryption"]["CiphertextBlob"]
        assert bool(reply["EncryptedBody"]) is bool(whole)
        if whole:  # the helpers of Java and Go read the first tag of either algorithm
            assert len(reply["Encryption"]["TagList"]) == 1
            assert reply["Result"] is None
        opened = open_reply(reply, own)
        assert (opened["Name"], opened["IdCard"], opened["Result"]) == (NAME, ID_CARD, "17")


@pytest.mark.parametrize("form", ["rsa_pem", "sm2_pem"])
def test_a_sealed_photo_is_taken_up_to_the_limit(
    server: Server, key: tuple[str, str], shown: dict[str, Any], form: str
) -> None:
    plain = {"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn())}
    sealed, _ = seal_request(plain, shown[form], ("ImageBase64",))
    assert token(server.sdk(key), **sealed)
    # Before it is opened: 6.3 MB of Base64 are over 8,388,608 characters once sealed.
    large, _ = seal_request({**plain, "ImageBase64": "QUJD" * 1_600_000}, shown[form], ("ImageBase64",))
    assert len(large["ImageBase64"]) > 8_388_608
    with pytest.raises(TencentCloudSDKException) as refused:
        token(server.sdk(key), **large)
    assert (refused.value.code, refused.value.message) == ("FailedOperation.ImageSizeTooLarge", "图片尺寸过大。")


def test_what_is_sealed_is_checked_once_it_is_open(server: Server, key: tuple[str, str], shown: dict[str, Any]) -> None:
    for fields, names in (
        ({**BUSINESS, "IdCard": "1120441654122024X"}, ("IdCard",)),
        ({"CompareLib": "LOCAL", "ImageBase64": "####"}, ("ImageBase64",)),
    ):
        sealed, _ = seal_request(fields, shown["rsa_pem"], names)
        with pytest.raises(TencentCloudSDKException) as refused:
            token(server.sdk(key), **sealed)
        assert refused.value.code == "InvalidParameter"


def test_what_cannot_be_opened_or_may_not_be_sealed_has_its_code(
    server: Server, key: tuple[str, str], shown: dict[str, Any]
) -> None:
    sealed, _ = seal_request(BUSINESS, shown["rsa_pem"])
    damaged = {**sealed, "Encryption": {**sealed["Encryption"], "CiphertextBlob": "AAAA"}}
    extra, _ = seal_request({**BUSINESS, "Extra": "x"}, shown["rsa_pem"], ("Extra",))
    for fields, code, message in (
        (damaged, "FailedOperation.DecryptSystemError", "解密失败。"),
        (extra, "InvalidParameter.UnsupportEncryptField", "存在不加密的字段，请参考文档修改。"),
    ):
        with pytest.raises(TencentCloudSDKException) as refused:
            token(server.sdk(key), **fields)
        assert (refused.value.code, refused.value.message) == (code, message)


@pytest.mark.parametrize(
    "fields", [{"IsEncryptResponse": True}, {"Encryption": {"Algorithm": "SM4-GCM", "EncryptList": []}}]
)
def test_who_asks_for_a_sealed_result_and_sends_no_key_gets_no_plain_one(
    server: Server, key: tuple[str, str], fields: dict[str, Any]
) -> None:
    made = token(server.sdk(key), **BUSINESS)
    with pytest.raises(TencentCloudSDKException) as refused:
        result(server.sdk(key), made, **fields)
    assert (refused.value.code, refused.value.message) == ("InvalidParameter", "参数错误。")


def test_a_struct_of_zero_values_asks_for_nothing(server: Server, key: tuple[str, str]) -> None:
    empty = {"EncryptList": [], "CiphertextBlob": "", "Iv": "", "Algorithm": "", "TagList": []}
    made = token(server.sdk(key), **BUSINESS, Encryption=empty)
    assert result(server.sdk(key), made, Encryption=empty).Name == NAME


def test_what_is_sealed_for_one_account_opens_for_no_other(
    server: Server, key: tuple[str, str], shown: dict[str, Any]
) -> None:
    """Whoever sees another merchant's request cannot have its sealed fields opened by sending them as its own."""
    server.command("account", "create", "other")
    made = server.json("key", "create", "--account", "other")
    theirs = server.json("encryption", "show", "--account", "other")
    assert {shown[form] for form in FORMS}.isdisjoint(theirs[form] for form in FORMS)
    server.follow()
    other = (made["secret_id"], made["secret_key"])
    for form in ("rsa_pem", "sm2_pem"):
        sealed, _ = seal_request(BUSINESS, shown[form])
        assert token(server.sdk(key), **sealed)
        with pytest.raises(TencentCloudSDKException) as refused:
            token(server.sdk(other), **sealed)
        assert refused.value.code == "FailedOperation.DecryptSystemError"
        own, _ = seal_request(BUSINESS, theirs[form])
        assert result(server.sdk(other), token(server.sdk(other), **own)).Name == NAME


@pytest.mark.parametrize("listed", [[], None, ["EncryptionBody"]], ids=["Node", "Java", "Go"])
def test_each_helpers_way_of_asking_for_a_sealed_result(
    server: Server, key: tuple[str, str], shown: dict[str, Any], listed: list[str] | None
) -> None:
    made = token(server.sdk(key), **BUSINESS)
    own = SealingKey.make(load_public_key(shown["sm2_pem"]))
    wish = {**msgspec.to_builtins(own.without_fields()), "EncryptList": listed, "Iv": None, "TagList": None}
    reply = sdk_call(server, key, "GetFaceIdResult", {"FaceIdToken": made, "Encryption": wish})
    assert open_reply(reply, own)["Name"] == NAME


def test_a_result_takes_no_sealed_fields(server: Server, key: tuple[str, str], shown: dict[str, Any]) -> None:
    wish, _ = seal_request({"FaceIdToken": token(server.sdk(key), **BUSINESS)}, shown["rsa_pem"], ())
    wish["Encryption"]["EncryptList"] = ["Name"]
    with pytest.raises(TencentCloudSDKException) as refused:
        sdk_call(server, key, "GetFaceIdResult", wish)
    assert refused.value.code == "InvalidParameter.UnsupportEncryptField"


def test_after_a_rotation_old_and_new_keys_open_and_the_new_is_shown(server: Server, key: tuple[str, str]) -> None:
    before = server.json("encryption", "show", "--account", "default")
    rotated = server.json("encryption", "rotate", "--rsa-bits", "1024", "--account", "default")
    assert rotated == server.json("encryption", "show", "--account", "default")
    assert len(rotated["generations"]) == len(before["generations"]) + 1
    assert {before[form] for form in FORMS}.isdisjoint(rotated[form] for form in FORMS)
    server.follow()
    for shown in (before, rotated):
        for form in ("rsa_pem", "sm2_pem"):
            with Client(*key, endpoint=server.url, region=REGION, public_key=shown[form]) as client:
                made = client.get_face_id_token(name=NAME, id_card=ID_CARD)
                assert client.get_face_id_result(made, whole_body=True).name == NAME


def test_the_keys_outlive_a_restart_and_are_never_printed(tmp_path: Any) -> None:
    server = Server(tmp_path)
    server.command("account", "create", "shop")
    server.command("key", "create")
    made = server.json("encryption", "show")  # before the first start too
    server.start()
    try:
        assert server.json("encryption", "show") == made
        assert "PRIVATE" not in server.command("encryption", "show")
        assert "PRIVATE" not in server.log.read_text()
        with Client(*server.key(), endpoint=server.url, region=REGION, public_key=made["sm2_hex"]) as client:
            assert client.get_face_id_token(name=NAME, id_card=ID_CARD).face_id_token
            with pytest.raises(ApiError):
                client.get_face_id_token(name=NAME, id_card="1")
    finally:
        server.stop()
