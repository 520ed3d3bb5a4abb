"""What differs between the signature methods and encodings, beyond the golden requests."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import quote_plus

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from tests.gateway.signing import BUSINESS, signed_json, tc3_headers
from tests.gateway.support import NOW, SECRET_ID, SECRET_KEY, Answer, House, build, call

FORM = [(b"Host", b"faceid.example"), (b"Content-Type", b"application/x-www-form-urlencoded")]
UNSIGNED = {"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"}
LOCAL = {"host": "127.0.0.1:8400"}


def v1_text(
    method: str = "GET", algorithm: str | None = None, more: dict[str, str] | None = None, key: str = SECRET_KEY
) -> str:
    """A signed query or form."""
    pairs = {
        "Action": "GetFaceIdToken",
        "Version": "2018-03-01",
        "Region": "ap-guangzhou",
        "Timestamp": str(int(NOW)),
        "Nonce": "0",
        "SecretId": SECRET_ID,
        **BUSINESS,
    }
    pairs |= {"SignatureMethod": algorithm} if algorithm else {}
    pairs |= more or {}
    pairs = {name: value for name, value in pairs.items() if value != "ABSENT"}
    text = f"{method}faceid.example/?" + "&".join(f"{name}={pairs[name]}" for name in sorted(pairs))
    digest: Any = {"HmacSHA256": hashlib.sha256}.get(algorithm or "", hashlib.sha1)
    signature = base64.b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()
    return "&".join(f"{name}={quote_plus(value)}" for name, value in {**pairs, "Signature": signature}.items())


async def get(house: House, text: str, **options: Any) -> Answer:
    return await call(house.gateway, "GET", "/?" + text, FORM[:1], **options)


async def post(house: House, text: str, **options: Any) -> Answer:
    return await call(house.gateway, "POST", "/", FORM, text.encode(), **options)


@pytest.mark.parametrize("algorithm", [None, "HmacSHA1", "HmacSHA256"])
async def test_v1_is_spoken_in_queries_and_forms(algorithm: str | None) -> None:
    house = build()
    assert (await get(house, v1_text("GET", algorithm))).code == ""
    assert (await post(house, v1_text("POST", algorithm))).code == ""
    assert [message.name for _, message in house.seen] == ["韦小宝"] * 2


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"Region": ""}, "MissingParameter"),
        ({"Region": "", "Action": "GetFaceIdResult"}, "UnknownParameter"),
        ({"Region": "mars"}, "InvalidParameterValue"),
        ({"Region": "ap-tokyo"}, "UnsupportedRegion"),
        ({"Nonce": "x"}, "InvalidParameter"),
        ({"Nonce": "ABSENT"}, "MissingParameter"),
        ({"Nonce": str(2**63 - 1)}, ""),
        ({"Timestamp": "x"}, "InvalidParameter"),
        ({"Timestamp": "ABSENT"}, "MissingParameter"),
        ({"Version": "2019-01-01"}, "NoSuchVersion"),
        ({"Action": "Nothing"}, "InvalidAction"),
        ({"SignatureMethod": "MD5"}, "InvalidParameterValue"),
        ({"Foo": "1"}, "UnknownParameter"),
        ({"UseCos": "maybe"}, "InvalidParameter"),
        ({"UseCos": "False"}, ""),
        ({"RequestClient": "SDK_RUBY_3"}, ""),
        ({"Token": "x"}, "AuthFailure.TokenFailure"),
        ({"Encryption.EncryptList.0": "Name", "Encryption.CiphertextBlob": "b", "Encryption.Iv": "i"}, ""),
        ({"Encryption.EncryptList.0": "Name"}, "MissingParameter"),
    ],
)
async def test_each_mistake_of_a_v1_request_has_its_code(more: dict[str, str], code: str) -> None:
    assert (await get(build(), v1_text(more=more))).code == code


async def test_the_order_of_checks_is_missing_then_known_then_expired_then_signed() -> None:
    house = build(now=NOW + 1000)
    assert (await get(house, "Timestamp=1&Version=1&Action=a&SecretId=x")).message.endswith("`Nonce`.")
    assert (await get(house, v1_text(more={"SecretId": "other"}))).code == "AuthFailure.SecretIdNotFound"
    assert (await get(house, v1_text(key="no"))).code == "AuthFailure.SignatureExpire"
    house.clock.now = NOW
    assert (await get(house, v1_text(key="no"))).code == "AuthFailure.SignatureFailure"
    assert (await get(house, v1_text(more={"Action": "no"}, key="no"))).code == "AuthFailure.SignatureFailure"


async def test_a_nonce_may_come_again() -> None:
    house, query = build(), v1_text()
    assert [(await get(house, query)).code for _ in range(2)] == ["", ""]


async def test_an_empty_region_counts_as_absent_where_none_is_needed() -> None:
    more = {"Region": "", "Action": "GetFaceIdResult", "FaceIdToken": "t"} | dict.fromkeys(BUSINESS, "ABSENT")
    assert (await get(build(), v1_text(more=more))).code == ""


async def test_a_trailing_line_feed_of_rubys_is_no_part_of_the_signature() -> None:
    assert (await get(build(), v1_text() + "%0A")).code == ""


async def test_languages_of_v1_come_from_the_parameter() -> None:
    answer = await get(build(), v1_text(more={"Language": "zh-CN"}, key="no"))
    assert answer.message == "请求签名验证失败，请检查您的签名计算是否正确。"


async def test_a_parameter_given_twice_is_refused_before_a_signature_could_cover_either() -> None:
    assert (await get(build(), v1_text() + "&Name=other")).code == "InvalidParameter"


async def test_the_mis_spelt_form_type_is_read_as_a_form() -> None:
    headers = [FORM[0], (b"Content-Type", b"application/x-www-form-urlencode")]
    answer = await call(build().gateway, "POST", "/", headers, v1_text("POST").encode())
    assert answer.code == ""


async def test_sizes_are_bounded_by_method_each_with_its_error() -> None:
    house = build()
    long_query = v1_text(more={"Extra": "x" * (33 * 1024)})
    assert (await get(house, long_query)).code == "RequestSizeLimitExceeded"
    headers = tc3_headers(b"", method="GET", query="Extra=" + "x" * 33000)
    answer = await call(house.gateway, "GET", "/?Extra=" + "x" * 33000, headers)
    assert answer.code == "RequestSizeLimitExceeded"
    assert (await get(house, v1_text(more={"Extra": "x" * (31 * 1024)}))).code == ""
    form = v1_text("POST", more={"ImageBase64": "A" * (1024 * 1024)})
    answer = await post(house, form)
    assert (answer.code, answer.message) == (
        "AuthFailure.SignatureFailure",
        "The provided credentials could not be validated because of exceeding request size limit, "
        "please use new signature method `TC3-HMAC-SHA256`.",
    )
    assert (await post(house, v1_text("POST", more={"ImageBase64": "A" * 1_000_000}))).code == ""


async def test_temporary_credentials_need_their_token_and_end() -> None:
    key = Key(SECRET_ID, SECRET_KEY, 1, token="the-token", expires_at=NOW + 60)
    house = build(key)
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == "AuthFailure.TokenFailure"
    for token, code in (("other", "AuthFailure.TokenFailure"), ("the-token", "")):
        request = signed_json(BUSINESS, more={"X-TC-Token": token})
        assert (await call(house.gateway, **request)).code == code
        assert (await get(house, v1_text(more={"Token": token}))).code == code
    house.clock.now = NOW + 60
    late = signed_json(BUSINESS, more={"X-TC-Token": "the-token"})
    assert (await call(house.gateway, **late)).code == "AuthFailure.TokenFailure"


async def test_permanent_keys_take_no_token() -> None:
    request = signed_json(BUSINESS, more={"X-TC-Token": "x"})
    assert (await call(build().gateway, **request)).code == "AuthFailure.TokenFailure"


async def test_a_wrong_signature_is_told_before_a_wrong_token() -> None:
    request = signed_json(BUSINESS, more={"X-TC-Token": "x"}, secret_key="no")
    assert (await call(build().gateway, **request)).code == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(
    ("networks", "client", "code"),
    [
        (("10.0.0.0/8",), "10.9.8.7", ""),
        (("10.0.0.0/8", "192.0.2.7"), "192.0.2.7", ""),
        (("10.0.0.0/8",), "192.0.2.7", "IpNotInWhitelist"),
        (("2001:db8::/32",), "2001:db8::1", ""),
        (("2001:db8::/32",), "10.0.0.1", "IpNotInWhitelist"),
        (("10.0.0.0/8",), "", "IpNotInWhitelist"),
        ((), "192.0.2.7", ""),
    ],
)
async def test_a_key_is_used_from_its_networks_only(networks: tuple[str, ...], client: str, code: str) -> None:
    house = build(Key(SECRET_ID, SECRET_KEY, 1, addresses=networks))
    assert (await call(house.gateway, **signed_json(BUSINESS), client=client)).code == code


async def test_a_stranger_does_not_learn_of_an_allow_list() -> None:
    house = build(Key(SECRET_ID, SECRET_KEY, 1, addresses=("10.0.0.0/8",)))
    answer = await call(house.gateway, **signed_json(BUSINESS, secret_key="no"), client="192.0.2.7")
    assert answer.code == "AuthFailure.SignatureFailure"


async def test_bodies_are_left_out_of_the_signature_on_loopback_or_by_the_keys_own_permission() -> None:
    request = signed_json(BUSINESS, payload=b"UNSIGNED-PAYLOAD", more=UNSIGNED, **LOCAL)
    refused = "AuthFailure.SignatureFailure"
    house = build()
    assert (await call(house.gateway, **request)).code == ""
    assert (await call(house.gateway, **request, client="10.0.0.1")).code == refused
    proxied = [*request["headers"], (b"X-Real-IP", b"10.0.0.1")]
    assert (await call(house.gateway, headers=proxied, body=request["body"])).code == refused
    allowed = build(Key(SECRET_ID, SECRET_KEY, 1, unsigned_payload=True))
    assert (await call(allowed.gateway, **request, client="10.0.0.1")).code == ""
    never = build(settings=GatewaySettings(unsigned_payload="never"))
    assert (await call(never.gateway, **request)).code == refused
    always = build(settings=GatewaySettings(unsigned_payload="always"))
    assert (await call(always.gateway, **request, client="10.0.0.1")).code == ""


async def test_an_unsigned_payload_that_is_not_announced_is_a_wrong_signature() -> None:
    request = signed_json(BUSINESS, payload=b"UNSIGNED-PAYLOAD", **LOCAL)
    assert (await call(build().gateway, **request)).code == "AuthFailure.SignatureFailure"


async def test_a_query_is_verified_as_it_was_sent() -> None:
    query = "Name=%E9%9F%A6%e5%b0%8f&IdCard=11204416541220243X&CompareLib=BUSINESS&Extra=a+b%20c"
    headers = tc3_headers(b"", method="GET", query=query, content_type="application/x-www-form-urlencoded")
    house = build()
    assert (await call(house.gateway, "GET", "/?" + query, headers)).code == ""
    assert house.seen[0][1].extra == "a b c"
    changed = query.replace("%e5", "%E5")
    assert (await call(house.gateway, "GET", "/?" + changed, headers)).code == "AuthFailure.SignatureFailure"


async def test_a_form_under_tc3_and_other_types_are_refused_by_name() -> None:
    for content_type in ("application/x-www-form-urlencoded", "text/xml"):
        request = signed_json(BUSINESS, content_type=content_type)
        answer = await call(build().gateway, **request)
        assert (answer.code, "`Content-Type`" in answer.message) == ("InvalidParameterValue", True)


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "Application/JSON", "application/json;"])
async def test_json_is_json_with_a_charset_and_in_any_case(content_type: str) -> None:
    assert (await call(build().gateway, **signed_json(BUSINESS, content_type=content_type))).code == ""


async def test_skip_is_no_authorization() -> None:
    headers = [*tc3_headers(b"{}")[:-2], (b"Authorization", b"SKIP")]
    assert (await call(build().gateway, headers=headers, body=b"{}")).code == "AuthFailure.InvalidAuthorization"
