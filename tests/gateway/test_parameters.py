from __future__ import annotations

from typing import Any

import msgspec
import pytest

from renzheng.gateway.errors import ApiError
from renzheng.gateway.pairs import parse_pairs
from renzheng.gateway.parameters import MessageReader, split_parts, text_of, unescaped
from tests.gateway.support import ResultRequest, TokenRequest

TOKEN: MessageReader[Any] = MessageReader(TokenRequest)


def refusal(body: bytes) -> tuple[str, str, str]:
    with pytest.raises(ApiError) as caught:
        TOKEN.json(body)
    return caught.value.code, caught.value.message("en-US"), caught.value.message("zh-CN")


@pytest.mark.parametrize(
    ("body", "code", "english"),
    [
        (b'{"Foo":1}', "UnknownParameter", "The parameter `Foo` is not recognized."),
        (b'{"Encryption":{"Foo":1}}', "UnknownParameter", "The parameter `Encryption.Foo` is not recognized."),
        (b"{}", "MissingParameter", "The request is missing a required parameter `CompareLib`."),
        (b"", "MissingParameter", "The request is missing a required parameter `CompareLib`."),
        (b'{"CompareLib":null}', "MissingParameter", "The request is missing a required parameter `CompareLib`."),
        (
            b'{"CompareLib":"x","Encryption":{"EncryptList":[],"Iv":"b"}}',
            "MissingParameter",
            "The request is missing a required parameter `Encryption.CiphertextBlob`.",
        ),
        (b'{"CompareLib":1}', "InvalidParameter", "The value type of parameter `CompareLib` is not valid."),
        (
            b'{"CompareLib":"x","UseCos":"yes"}',
            "InvalidParameter",
            "The value type of parameter `UseCos` is not valid.",
        ),
        (
            b'{"CompareLib":"x","Encryption":[]}',
            "InvalidParameter",
            "The value type of parameter `Encryption` is not valid.",
        ),
        (
            b'{"CompareLib":"x","Encryption":{"EncryptList":"Name","CiphertextBlob":"","Iv":""}}',
            "InvalidParameter",
            "The value type of parameter `Encryption.EncryptList` is not valid.",
        ),
        (
            b'{"CompareLib":"x","Encryption":{"EncryptList":["a",7],"CiphertextBlob":"","Iv":""}}',
            "InvalidParameter",
            "The value type of parameter `Encryption.EncryptList.1` is not valid.",
        ),
        (
            b'{"CompareLib":"x","ImageBase64":7}',
            "InvalidParameter",
            "The value type of parameter `ImageBase64` is not valid.",
        ),
        (
            b'{"CompareLib":"x","ImageBase64":["a"]}',
            "InvalidParameter",
            "The value type of parameter `ImageBase64` is not valid.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_path(body: bytes, code: str, english: str) -> None:
    assert refusal(body)[:2] == (code, english)


def test_unknown_comes_before_missing_and_missing_before_types() -> None:
    assert refusal(b'{"UseCos":"yes","Encryption":{"Bar":1}}')[0] == "UnknownParameter"
    assert refusal(b'{"UseCos":"yes"}')[0] == "MissingParameter"
    assert refusal(b'{"UseCos":"yes","CompareLib":"x"}')[0] == "InvalidParameter"


def test_a_wrong_type_is_named_in_chinese_with_the_right_one() -> None:
    assert refusal(b'{"CompareLib":"x","UseCos":"yes"}')[2] == "参数 `UseCos` 取值类型错误。参数类型应为 `bool`。"
    assert refusal(b'{"CompareLib":"x","ImageBase64":{}}')[2].endswith("`string`。")


@pytest.mark.parametrize(
    "body",
    [b"[]", b'"x"', b"7", b"null", b"{", b'{"CompareLib":"x"', b"\xff", b'{"CompareLib":"\xff"}', b"{'a':1}", b"NaN"],
)
def test_what_is_no_json_object_is_an_invalid_parameter(body: bytes) -> None:
    assert refusal(body)[0] == "InvalidParameter"


@pytest.mark.parametrize("depth", [1_000, 100_000])
@pytest.mark.parametrize("place", [b"%s", b'{"CompareLib":%s}', b'{"CompareLib":"x","ImageBase64":%s}', b'{"Foo":%s}'])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_a_thousand_levels_are_refused_and_harm_nothing(depth: int, place: bytes, pair: tuple[bytes, bytes]) -> None:
    opening, closing = pair
    bomb = opening * depth + b"1" + closing * depth
    assert refusal(place % bomb)[0] in ("InvalidParameter", "UnknownParameter")
    assert TOKEN.json(b'{"CompareLib":"x"}').compare_lib == "x"


def test_of_a_name_that_json_gives_twice_the_last_one_counts() -> None:
    message = TOKEN.json(b'{"CompareLib":"x","Name":"a","ImageBase64":"QQ==","Name":"b","ImageBase64":"Qg=="}')
    assert (message.name, bytes(text_of(message.image_base64))) == ("b", b"Qg==")
    assert refusal(b'{"CompareLib":"x","CompareLib":null}')[0] == "MissingParameter"


def test_null_is_absent_for_every_optional_parameter() -> None:
    names = ["IdCard", "Name", "ImageBase64", "Meta", "Extra", "UseCos", "Encryption", "RuleId", "MetaData"]
    message = TOKEN.json(msgspec.json.encode({"CompareLib": "x"} | dict.fromkeys(names)))
    assert message == TOKEN.json(b'{"CompareLib":"x"}')
    assert not text_of(message.image_base64)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"\/9j\/4AAQ", b"/9j/4AAQ"),
        (b"/9j/4AAQ", b"/9j/4AAQ"),
        (rb"\u002f9j", b"/9j"),
        (b"", b""),
    ],
)
def test_a_text_left_undecoded_is_read_without_its_escapes(written: bytes, read: bytes) -> None:
    message = TOKEN.json(b'{"CompareLib":"\\u0078","ImageBase64":"' + written + b'"}')
    assert bytes(text_of(unescaped(message.image_base64))) == read


def test_a_text_left_undecoded_is_not_copied() -> None:
    body = bytearray(b'{"CompareLib":"x","ImageBase64":"QUJD"}')
    view = text_of(TOKEN.json(body).image_base64)
    body[body.index(b"QUJD")] = ord("Z")
    assert bytes(view) == b"ZUJD"


def test_pairs_become_the_same_message_as_json() -> None:
    pairs = parse_pairs(
        b"CompareLib=LOCAL&Name=%E9%9F%A6%E5%B0%8F%E5%AE%9D&Extra=a+b%26c%3Dd%2Fe%2Bf~*&UseCos=True"
        b"&ImageBase64=%2F9j%2F&Encryption.EncryptList.1=IdCard&Encryption.EncryptList.0=Name"
        b"&Encryption.CiphertextBlob=a%22b&Encryption.Iv=i"
    )
    message = TOKEN.pairs(pairs.items())
    assert message.name == "韦小宝"
    assert message.extra == "a b&c=d/e+f~*"
    assert message.use_cos is True
    assert bytes(text_of(message.image_base64)) == b"/9j/"
    assert message.encryption.encrypt_list == ["Name", "IdCard"]
    assert message.encryption.ciphertext_blob == 'a"b'


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("True", True), ("1", True), ("false", False), ("False", False), ("0", False)]
)
def test_booleans_in_pairs_are_written_as_every_client_writes_them(text: str, value: bool) -> None:
    reader = MessageReader(ResultRequest)
    assert reader.pairs([("FaceIdToken", "t"), ("IsNeedVideo", text)]).is_need_video is value


@pytest.mark.parametrize("text", ["1e999", "-1e400", "9" * 400])
def test_a_number_that_json_cannot_have_is_a_wrong_type_and_not_absent(text: str) -> None:
    reader: MessageReader[Any] = MessageReader(
        msgspec.defstruct("Priced", [("Price", float | None, None)], forbid_unknown_fields=True)
    )
    with pytest.raises(ApiError, match="InvalidParameter"):
        reader.pairs([("Price", text)])
    assert reader.pairs([("Price", "1e300")]).Price == 1e300


@pytest.mark.parametrize(
    ("pairs", "code", "english"),
    [
        ([("Foo", "1")], "UnknownParameter", "The parameter `Foo` is not recognized."),
        ([("Encryption.Foo", "1")], "UnknownParameter", "The parameter `Encryption.Foo` is not recognized."),
        ([("Encryption.EncryptList.x", "1")], "UnknownParameter", "The parameter `Encryption.EncryptList.x` is"),
        ([("CompareLib.a", "1")], "UnknownParameter", "The parameter `CompareLib.a` is not recognized."),
        ([("Name", "x")], "MissingParameter", "The request is missing a required parameter `CompareLib`."),
        ([("CompareLib", "x"), ("UseCos", "2")], "InvalidParameter", "The value type of parameter `UseCos` is not"),
        ([("CompareLib", "x"), ("Encryption", "1")], "InvalidParameter", "The value type of parameter `Encryption`"),
        ([("CompareLib", "x"), ("CompareLib", "x")], "InvalidParameter", "The parameter `CompareLib` is given more"),
        ([("." * 5000, "x")], "UnknownParameter", "The parameter `....."),
    ],
)
def test_a_mistake_in_pairs_is_named_with_its_path(pairs: list[tuple[str, str]], code: str, english: str) -> None:
    with pytest.raises(ApiError) as caught:
        TOKEN.pairs(pairs)
    assert caught.value.code == code
    assert caught.value.message("en-US").startswith(english)
    assert len(caught.value.message("en-US")) < 300


@pytest.mark.parametrize("text", [b"a", b"a=1&b", b"=1"])
def test_a_pair_without_an_equals_sign_is_told_in_the_apis_own_words(text: bytes) -> None:
    with pytest.raises(ApiError) as caught:
        parse_pairs(text)
    assert caught.value.message("en-US") == "Url key and value should be splited by `=`."


def test_bytes_that_are_no_utf8_and_names_given_twice_are_refused() -> None:
    with pytest.raises(ApiError, match="InvalidParameter"):
        parse_pairs(b"a=%FF")
    with pytest.raises(ApiError, match="InvalidParameter"):
        parse_pairs(b"a=\xff")
    with pytest.raises(ApiError, match="InvalidParameter"):
        parse_pairs(b"a=1&a=2")


def test_an_action_whose_request_cannot_be_served_faithfully_is_refused_at_start() -> None:
    class Open(msgspec.Struct):
        a: str

    class NoNull(msgspec.Struct, forbid_unknown_fields=True):
        a: str = ""

    class Mapping(msgspec.Struct, forbid_unknown_fields=True):
        a: dict[str, str]

    for kind in (Open, NoNull, Mapping):
        with pytest.raises(TypeError):
            MessageReader(kind)


MULTIPART = "multipart/form-data; boundary=AbC"


def parts(*bodies: bytes, end: bytes = b"--AbC--\r\n") -> bytes:
    return b"".join(b"--AbC\r\n" + body + b"\r\n" for body in bodies) + end


def part(name: bytes, value: bytes, more: bytes = b"") -> bytes:
    return b'Content-Disposition: form-data; name="' + name + b'"' + more + b"\r\n\r\n" + value


def test_text_file_and_json_parts_become_one_message() -> None:
    body = parts(
        part(b"CompareLib", b"LOCAL"),
        part(b"ImageBase64", b"/9j/4AAQ", b'; filename="ImageBase64"\r\nContent-Type: application/octet-stream'),
        part(b"UseCos", b"True"),
        part(
            b"Encryption",
            b'{"EncryptList": ["Name"], "CiphertextBlob": "b", "Iv": "i"}',
            b"\r\nContent-Type: application/json",
        ),
    )
    message = TOKEN.pairs(split_parts(body, MULTIPART))
    assert (message.compare_lib, bytes(text_of(message.image_base64)), message.use_cos) == ("LOCAL", b"/9j/4AAQ", True)
    assert message.encryption.encrypt_list == ["Name"]


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (parts(part(b"CompareLib", b"x"), end=b""), MULTIPART, "InvalidRequest"),
        (parts(part(b"CompareLib", b"x")), "multipart/form-data", "InvalidRequest"),
        (parts(part(b"CompareLib", b"x")), "multipart/form-data; boundary=other", "InvalidRequest"),
        (b"garbage", MULTIPART, "InvalidRequest"),
        (parts(b"Content-Disposition: form-data\r\n\r\nx"), MULTIPART, "InvalidRequest"),
        (parts(part(b"CompareLib", b"x"), part(b"CompareLib", b"y")), MULTIPART, "InvalidParameter"),
        (parts(part(b"CompareLib", b"\xff")), MULTIPART, "InvalidParameter"),
        (parts(part(b"CompareLib", b"x", b"\r\nContent-Type: application/json")), MULTIPART, "InvalidParameter"),
        (
            parts(part(b"CompareLib", b'"x","Foo":1', b"\r\nContent-Type: application/json")),
            MULTIPART,
            "InvalidParameter",
        ),
        (
            parts(part(b"Encryption", b"[" * 5000, b"\r\nContent-Type: application/json")),
            MULTIPART,
            "InvalidParameter",
        ),
        (parts(*[part(b"A%d" % index, b"x") for index in range(300)]), MULTIPART, "InvalidRequest"),
        (b"", MULTIPART, "MissingParameter"),
    ],
)
def test_a_wrong_multipart_body_has_its_code(body: bytes, content_type: str, code: str) -> None:
    with pytest.raises(ApiError) as caught:
        TOKEN.pairs(split_parts(body, content_type))
    assert caught.value.code == code
