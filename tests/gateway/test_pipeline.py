from __future__ import annotations

import base64
import hmac
import json
import uuid
from typing import Any
from urllib.parse import urlencode

import pytest

from renzheng.accounts.keys import Key
from renzheng.actions.errors import ImageSizeTooLargeError
from renzheng.base.unavailable import UnavailableError
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.pipeline import Gateway
from tests.gateway.signing import BUSINESS, signed_json, tc3_headers
from tests.gateway.support import (
    NOW,
    SECRET_ID,
    SECRET_KEY,
    Clock,
    Keys,
    ResultRequest,
    build,
    call,
    make_action,
    make_service,
)

RESULT = {"FaceIdToken": "CE661F1A-0F1E-45BD-BE13-34C05CEA7681"}


async def test_a_success_is_compact_json_with_the_request_id_last() -> None:
    house = build()
    answer = await call(house.gateway, **signed_json(RESULT, action="GetFaceIdResult", region=None))
    assert answer.status == 200
    assert dict(answer.headers)[b"content-type"] == b"application/json"
    assert dict(answer.headers)[b"content-length"] == str(len(answer.body)).encode()
    request_id = answer.response["RequestId"]
    assert uuid.UUID(request_id).version == 4
    assert request_id == request_id.lower()
    expected = (
        '{"Response":{"Result":"0","Description":"成功","Similarity":87.5,"VideoBase64":null,'
        '"IdCard":"11204416541220243X","Name":"韦小宝",'
        f'"RequestId":"{request_id}"}}}}'
    )
    assert answer.body == expected.encode()


async def test_the_caller_is_what_the_key_and_the_headers_say() -> None:
    house = build(Key(SECRET_ID, SECRET_KEY, 42))
    await call(house.gateway, **signed_json(BUSINESS, more={"X-TC-Language": "zh-CN"}), client="10.1.2.3")
    caller, _ = house.seen[0]
    assert (caller.account_id, caller.secret_id, caller.language) == (42, SECRET_ID, "zh-CN")
    assert (caller.region, caller.now, caller.address) == ("ap-guangzhou", NOW, "10.1.2.3")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"region": None}, "MissingParameter"),
        ({"region": "ap-singapore"}, "UnsupportedRegion"),
        ({"region": "mars"}, "InvalidParameterValue"),
        ({"region": ""}, "InvalidParameterValue"),
        ({"region": "ap-shanghai"}, ""),
        ({"region": None, "action": "GetFaceIdResult"}, ""),
        ({"region": "ap-singapore", "action": "GetFaceIdResult"}, ""),
        ({"region": "", "action": "GetFaceIdResult"}, "InvalidParameterValue"),
        ({"action": "Nothing"}, "InvalidAction"),
        ({"version": "2019-01-01"}, "NoSuchVersion"),
        ({"version": "2019-01-01", "action": "Nothing"}, "NoSuchVersion"),
        ({"date": "2026-11-25"}, "AuthFailure.SignatureFailure"),
        ({"secret_id": "AKIDother"}, "AuthFailure.SecretIdNotFound"),
        ({"service": "cvm"}, "AuthFailure.InvalidAuthorization"),
        ({"content_type": "text/plain"}, "InvalidParameterValue"),
        ({"more": {"X-TC-Timestamp": "1e9"}}, "InvalidParameter"),
        ({"more": {"X-TC-Timestamp": f"{int(NOW)}000"}}, "AuthFailure.SignatureExpire"),
        ({"more": {"X-TC-Timestamp": "9" * 20}}, "AuthFailure.SignatureExpire"),
        ({"more": {"X-TC-Timestamp": "9" * 21}}, "InvalidParameter"),
        ({"more": {"X-TC-Timestamp": ""}}, "MissingParameter"),
        ({"more": {"X-TC-Timestamp": "٣"}}, "InvalidParameter"),
    ],
)
async def test_each_mistake_of_the_common_parameters_has_its_code(options: dict[str, Any], code: str) -> None:
    house = build()
    content = RESULT if options.get("action") == "GetFaceIdResult" else BUSINESS
    answer = await call(house.gateway, **signed_json(content, **options))
    assert answer.code == code


async def test_the_region_message_names_the_parameter_as_the_caller_wrote_it() -> None:
    answer = await call(build().gateway, **signed_json(BUSINESS, region="mars"))
    assert "`X-TC-Region`" in answer.message
    missing = await call(build().gateway, **signed_json(BUSINESS, region=None))
    assert missing.message == "The request is missing a required parameter `Region`."


@pytest.mark.parametrize(
    ("content", "region", "message"),
    [
        (BUSINESS, None, "请求缺少必传参数 `Region` 。"),
        ({}, "ap-guangzhou", "请求缺少必传参数 `CompareLib` 。"),
        (BUSINESS | {"Filters": []}, "ap-guangzhou", "未定义参数 `Filters` 。"),
        (BUSINESS, "mars", "参数 `X-TC-Region` 取值错误。"),
    ],
)
async def test_the_chinese_texts_are_those_that_callers_of_the_cloud_have_quoted(
    content: dict[str, Any], region: str | None, message: str
) -> None:
    request = signed_json(content, region=region, more={"X-TC-Language": "zh-CN"})
    assert (await call(build().gateway, **request)).message == message


async def test_a_setting_relaxes_an_absent_region_only() -> None:
    house = build(settings=GatewaySettings(region_required=False))
    assert (await call(house.gateway, **signed_json(BUSINESS, region=None))).code == ""
    assert (await call(house.gateway, **signed_json(BUSINESS, region="ap-singapore"))).code == "UnsupportedRegion"


@pytest.mark.parametrize(("skew", "code"), [(300, ""), (301, "AuthFailure.SignatureExpire")])
@pytest.mark.parametrize("sign", [1, -1])
async def test_the_clock_window_is_five_minutes_ends_included(skew: int, sign: int, code: str) -> None:
    house = build(now=NOW + sign * skew)
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == code


async def test_a_disabled_key_is_refused_at_the_next_request_although_it_has_just_signed_one() -> None:
    house = build()
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == ""
    house.keys.by_id[SECRET_ID] = Key(SECRET_ID, SECRET_KEY, 1, enabled=False)
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == "AuthFailure.SecretIdNotFound"


async def test_an_unknown_key_and_a_stale_clock_are_refused_without_reading_the_body() -> None:
    house = build()
    for headers in (
        tc3_headers(b"", secret_id="AKIDother"),
        tc3_headers(b"", timestamp=int(NOW) - 301),
    ):
        answer = await call(house.gateway, headers=[*headers, (b"Content-Length", b"100")], chunks=[])
        assert answer.code in ("AuthFailure.SecretIdNotFound", "AuthFailure.SignatureExpire")


async def test_an_unforeseen_error_in_an_action_is_answered_as_unknown_and_logged_without_its_text() -> None:
    house = build()
    house.failing.append(RuntimeError("secret 11204416541220243X"))
    answer = await call(house.gateway, **signed_json(BUSINESS))
    assert (answer.code, answer.message) == ("FailedOperation.UnKnown", "内部未知错误。")
    (line,) = house.lines("action failed")
    assert line["request_id"] == answer.response["RequestId"]
    assert line["error"][0] == "builtins.RuntimeError"
    assert any("mint" in place for place in line["where"][0])
    assert "11204416541220243X" not in house.log.getvalue()
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == ""


async def test_an_unforeseen_error_outside_an_action_is_an_internal_error_and_logged() -> None:
    house = build()

    def broken(secret_id: str) -> Key | None:
        raise LookupError("the store is gone")

    house.keys.find = broken  # type: ignore[method-assign]
    answer = await call(house.gateway, **signed_json(BUSINESS))
    assert answer.code == "InternalError"
    (line,) = house.lines("gateway failed")
    assert line["request_id"] == answer.response["RequestId"]
    assert "the store is gone" not in answer.body.decode()


@pytest.mark.parametrize("where", ["action", "keys"])
async def test_what_is_away_is_told_as_such_and_its_cause_is_in_the_log(where: str) -> None:
    house, gone = build(), UnavailableError("the database at db does not answer")

    def find(secret_id: str) -> Key | None:
        raise gone

    if where == "keys":
        house.keys.find = find  # type: ignore[method-assign]
    else:
        house.failing.append(gone)
    answer = await call(house.gateway, **signed_json(BUSINESS))
    assert answer.code == "ServiceUnavailable"
    (line,) = house.lines("request")
    assert line["cause"] == "the database at db does not answer"
    assert not house.lines("action failed")
    assert not house.lines("gateway failed")


async def test_a_reply_that_cannot_be_encoded_is_an_internal_error() -> None:
    async def run(caller: object, request: object) -> Any:
        return object()

    gateway = Gateway(
        keys=Keys(Key(SECRET_ID, SECRET_KEY, 1)),
        services=[make_service(make_action("GetFaceIdResult", ResultRequest, run))],
        clock=Clock(),
        entropy=lambda count: bytes(count),
        log=build().gateway._log,
    )
    assert (await call(gateway, **signed_json(RESULT, action="GetFaceIdResult"))).code == "InternalError"


async def test_an_actions_own_error_is_answered_as_it_is() -> None:
    house = build()
    house.failing.append(ImageSizeTooLargeError())
    answer = await call(house.gateway, **signed_json(BUSINESS))
    assert (answer.code, answer.message) == ("FailedOperation.ImageSizeTooLarge", "图片尺寸过大。")


async def test_every_request_leaves_one_line_with_its_id_and_nothing_that_the_caller_sent() -> None:
    house = build()
    good = await call(house.gateway, **signed_json(BUSINESS))
    bad = await call(
        house.gateway, **signed_json({"Marked": 1}, action="MarkedAction", secret_key="MarkedKey", region="Marked")
    )
    odd = await call(house.gateway, **signed_json(BUSINESS, secret_id="MarkedId"))
    lines = house.lines("request")
    assert [line["request_id"] for line in lines] == [a.response["RequestId"] for a in (good, bad, odd)]
    assert [line["code"] for line in lines] == ["", "AuthFailure.SignatureFailure", "AuthFailure.SecretIdNotFound"]
    assert (lines[0]["action"], lines[0]["account"]) == ("GetFaceIdToken", 1)
    text = house.log.getvalue()
    for marked in ("Marked", "11204416541220243X", "韦小宝", SECRET_KEY, "Signature="):
        assert marked not in text


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"])
async def test_only_get_and_post_are_spoken(method: str) -> None:
    answer = await call(build().gateway, method, headers=tc3_headers(b""))
    assert (answer.status, answer.code) == (200, "UnsupportedProtocol")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (b"Authorization", "AuthFailure.InvalidAuthorization"),
        (b"Host", "InvalidParameter"),
        (b"X-TC-Timestamp", "InvalidParameter"),
        (b"X-TC-Action", "InvalidParameter"),
        (b"Content-Type", "InvalidParameter"),
    ],
)
async def test_a_header_that_decides_something_may_not_come_twice(name: bytes, code: str) -> None:
    request = signed_json(BUSINESS)
    value = dict(request["headers"])[name]
    answer = await call(build().gateway, headers=[*request["headers"], (name, value)], body=request["body"])
    assert answer.code == code


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"X-TC-Action", b"\xff\x00"), (b"Authorization", b"\xff" * 100)],
        [(b"X-TC-Timestamp", b"1" * 100), (b"X-TC-Version", b"v"), (b"X-TC-Action", b"a")],
        [(b"Content-Type", b"\xff"), (b"X-TC-Timestamp", b"-1")],
        [(b"Host", b""), (b"Authorization", b"TC3-HMAC-SHA256 Credential=///, SignedHeaders=;, Signature=")],
        [(b"Content-Length", b"nonsense")],
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_garbage_in_the_headers_is_an_error_of_the_callers(
    headers: list[tuple[bytes, bytes]], method: str
) -> None:
    house = build()
    answer = await call(house.gateway, method, headers=headers, target="/?%00=%ff" if method == "GET" else "/")
    assert answer.status == 200
    assert answer.code not in ("", "InternalError")
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == ""


@pytest.mark.parametrize("level", [1_000, 50_000])
async def test_a_body_of_a_thousand_levels_is_refused_and_the_next_request_works(level: int) -> None:
    house = build()
    answer = await call(house.gateway, **signed_json(b'{"CompareLib":' + b"[" * level + b"]" * level + b"}"))
    assert answer.code == "InvalidParameter"
    assert (await call(house.gateway, **signed_json(BUSINESS))).code == ""


async def test_languages_are_chosen_by_the_header_and_english_is_the_default() -> None:
    house = build()
    texts = []
    for more in ({}, {"X-TC-Language": "en-US"}, {"X-TC-Language": "zh-CN \t"}, {"X-TC-Language": "tlh"}):
        texts.append((await call(house.gateway, **signed_json(BUSINESS, more=more, secret_key="no"))).message)
    assert texts[0] == texts[1] == texts[3]
    assert texts[0].startswith("The provided credentials could not be validated.")
    assert texts[2] == "请求签名验证失败，请检查您的签名计算是否正确。"


async def test_services_cut_off_the_endpoint_are_taken_from_the_machine_itself_only() -> None:
    local = {"host": "127.0.0.1:8400", "service": "127"}
    house = build()
    assert (await call(house.gateway, **signed_json(BUSINESS, **local))).code == ""
    request = signed_json(BUSINESS, **local)
    assert (await call(house.gateway, **request, client="10.0.0.7")).code == "AuthFailure.InvalidAuthorization"
    proxied = [*request["headers"], (b"X-Forwarded-For", b"10.0.0.7")]
    assert (await call(house.gateway, headers=proxied, body=request["body"])).code == "AuthFailure.InvalidAuthorization"
    elsewhere = signed_json(BUSINESS, host="verify.example.com", service="verify")
    assert (await call(house.gateway, **elsewhere)).code == "AuthFailure.InvalidAuthorization"
    open_house = build(settings=GatewaySettings(endpoint_service="always"))
    assert (await call(open_house.gateway, **elsewhere, client="10.0.0.7")).code == ""
    closed = build(settings=GatewaySettings(endpoint_service="never"))
    assert (await call(closed.gateway, **request)).code == "AuthFailure.InvalidAuthorization"


async def test_a_port_or_scheme_in_the_host_is_forgiven_in_one_direction_only() -> None:
    house = build()
    sent = {"host": "h.example:8400"}
    assert (await call(house.gateway, **signed_json(BUSINESS, **sent, signed_host="h.example"))).code == ""
    assert (
        await call(house.gateway, **signed_json(BUSINESS, host="http://h.example", signed_host="h.example"))
    ).code == ""
    wrong = signed_json(BUSINESS, host="h.example", signed_host="h.example:8400")
    assert (await call(house.gateway, **wrong)).code == "AuthFailure.SignatureFailure"


def test_two_actions_of_one_name_are_refused_at_start() -> None:
    async def run(caller: object, request: object) -> Any:
        return None

    action, log = make_action("A", ResultRequest, run), build().gateway._log
    twice = make_service(action, action)
    with pytest.raises(ValueError, match="two actions"):
        Gateway(keys=Keys(), services=[twice], clock=Clock(), entropy=bytes, log=log)
    again = [make_service(action), make_service(action, service="other")]
    with pytest.raises(ValueError, match="two services"):
        Gateway(keys=Keys(), services=again, clock=Clock(), entropy=bytes, log=log)


async def test_the_same_json_is_seen_however_the_body_is_cut() -> None:
    body = json.dumps(BUSINESS).encode()
    for size in (1, 7, 1000):
        house = build()
        chunks = [body[start : start + size] for start in range(0, len(body), size)] + [b""]
        assert (await call(house.gateway, headers=tc3_headers(body), chunks=chunks)).code == ""
        assert house.seen[0][1].name == "韦小宝"


@pytest.mark.parametrize(("signed", "code"), [("/", ""), ("/v2/", ""), ("/v3/", "AuthFailure.SignatureFailure")])
async def test_the_path_that_was_sent_may_be_signed_as_node_does_and_no_other(signed: str, code: str) -> None:
    body = json.dumps(BUSINESS).encode()
    answer = await call(build().gateway, target="/v2/", headers=tc3_headers(body, path=signed), body=body)
    assert answer.code == code


@pytest.mark.parametrize(("signed", "code"), [("/", ""), ("/v2/", ""), ("/v3/", "AuthFailure.SignatureFailure")])
async def test_under_hmac_too(signed: str, code: str) -> None:
    given = {
        "Action": "GetFaceIdResult", "Version": "2018-03-01", "Timestamp": str(int(NOW)), "Nonce": "1",
        "SecretId": SECRET_ID, "FaceIdToken": "t",
    }  # fmt: skip
    text = f"GET127.0.0.1{signed}?" + "&".join(f"{name}={given[name]}" for name in sorted(given))
    given["Signature"] = base64.b64encode(hmac.digest(SECRET_KEY.encode(), text.encode(), "sha1")).decode()
    answer = await call(build().gateway, "GET", f"/v2/?{urlencode(given)}", [(b"Host", b"127.0.0.1")])
    assert answer.code == code
