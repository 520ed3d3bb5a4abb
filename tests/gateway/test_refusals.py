"""Every refused request is kept with its cause, says what to do in two languages, and holds nothing of anybody's."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import InvalidParameterError
from renzheng.gateway.failures import FILE_NAME, RecentRefusals, RefusedRequest, read_failures
from tests.gateway.signing import BUSINESS, signed_json, tc3_headers
from tests.gateway.support import NOW, SECRET_ID, SECRET_KEY, House, build, call

JSON = (b"Content-Type", b"application/json")
HOST = (b"Host", b"127.0.0.1")
DAY = 86400
Request = dict[str, Any]


def local_json(content: Any, **options: Any) -> Request:
    """A request that is signed for a loopback name, unless another is given."""
    return signed_json(content, **({"host": "127.0.0.1"} | options))


def without(name: str, **options: Any) -> Request:
    given = local_json(BUSINESS, **options)
    given["headers"] = [(other, value) for other, value in given["headers"] if other != name.encode()]
    return given


def with_authorization(value: str) -> Request:
    given = without("Authorization")
    given["headers"].append((b"Authorization", value.encode()))
    return given


def form(**fields: str) -> Request:
    text = "&".join(f"{name}={value}" for name, value in fields.items())
    return {"headers": [HOST, (b"Content-Type", b"application/x-www-form-urlencoded")], "body": text.encode()}


V1 = {"Action": "GetFaceIdResult", "Version": "2018-03-01", "SecretId": SECRET_ID, "Nonce": "1", "Signature": "x"}
REFUSED: list[tuple[str, str, str, Request]] = [
    ("AuthFailure.SignatureExpire", "milliseconds", "毫秒", local_json(
        BUSINESS, timestamp=int(NOW) * 1000, date="2026-11-24")),
    ("AuthFailure.SignatureExpire", "+8 h", "+8 小时", local_json(BUSINESS, timestamp=int(NOW) + 8 * 3600)),
    ("AuthFailure.SignatureExpire", "400 s behind", "慢 400 秒", local_json(BUSINESS, timestamp=int(NOW) - 400)),
    ("AuthFailure.SignatureExpire", "NTP", "NTP", form(**(V1 | {"Timestamp": str(int(NOW) + DAY * 3)}))),
    ("AuthFailure.InvalidAuthorization", "first label", "第一段", local_json(BUSINESS, host="api.x:1", service="api")),
    ("AuthFailure.InvalidAuthorization", "proxy changed the Host header", "透传 Host",
        local_json(BUSINESS, host="app:1", service="api", more={"X-Forwarded-Host": "api.shop.example"})),
    ("AuthFailure.InvalidAuthorization", "another service", "其他产品", local_json(BUSINESS, service="cvm")),
    ("AuthFailure.InvalidAuthorization", "no Authorization", "没有 Authorization", without("Authorization")),
    ("AuthFailure.InvalidAuthorization", "SKIP", "SKIP", with_authorization("SKIP")),
    ("AuthFailure.InvalidAuthorization", "another scheme", "不是 TC3", with_authorization("Bearer abc")),
    ("AuthFailure.InvalidAuthorization", "Signature", "Signature", with_authorization(
        f"TC3-HMAC-SHA256 Credential={SECRET_ID}/2026-11-24/faceid/tc3_request, SignedHeaders=content-type;host, x")),
    ("MissingParameter", "X-TC-Timestamp did not", "X-TC-Timestamp", without("X-TC-Timestamp")),
    ("MissingParameter", "take a form", "表单", {"headers": [HOST, JSON], "body": b"{}"}),
    ("MissingParameter", "not signed", "没有签名", {"method": "GET", "headers": [HOST]}),
    ("MissingParameter", "region", "地域", local_json(BUSINESS, region=None)),
    ("MissingParameter", "CompareLib", "CompareLib", local_json({"Name": "x"})),
    ("AuthFailure.SecretIdNotFound", "not known here", "不存在", local_json(BUSINESS, secret_id="AKIDunknown")),
    ("AuthFailure.TokenFailure", "permanent", "永久", local_json(BUSINESS, more={"X-TC-Token": "t"})),
    ("UnknownParameter", "compareLib", "compareLib", local_json(BUSINESS | {"compareLib": "LOCAL"})),
    ("InvalidParameter", "another type than bool", "应为 bool", local_json(BUSINESS | {"UseCos": "true"})),
    ("InvalidParameter", "a list", "数组", local_json(b"[]")),
    ("InvalidParameter", "gzip", "gzip", local_json(gzip.compress(b"{}"))),
    ("InvalidParameter", "without a BOM", "不带 BOM", local_json(b"\xef\xbb\xbf{}")),
    ("InvalidParameter", "UTF-16", "UTF-16", local_json("{}".encode("utf-16"))),
    ("InvalidParameter", "single quotes", "单引号", local_json(str(BUSINESS).encode())),
    ("InvalidParameter", "serialised twice", "序列化了两次", local_json(json.dumps("{}").encode())),
    ("InvalidParameter", "a form", "表单", local_json(b"CompareLib=BUSINESS")),
    ("InvalidParameter", "comma", "逗号", local_json(b'{"CompareLib": "BUSINESS",\n}\n')),
    ("InvalidParameter", "is missing", "不完整", local_json(b'{"CompareLib": "BUSINESS"')),
    ("InvalidParameter", "not GBK", "而非 GBK", local_json(
        json.dumps(BUSINESS, ensure_ascii=False).encode("gbk"))),
    ("InvalidParameter", "not a JSON object", "不是 JSON", local_json(b"7")),
    ("InvalidParameterValue", "multipart/form-data", "multipart/form-data", local_json(
        BUSINESS, content_type="text/plain")),
    ("InvalidParameter", "no `=`", "缺少", form(**V1) | {"body": b"Region&Action=x"}),
    ("InvalidParameter", "Nonce", "Nonce", form(**(V1 | {"Timestamp": str(int(NOW)), "Nonce": "soon"}))),
    ("InvalidAction", "case-sensitive", "区分大小写", local_json(BUSINESS, action="getFaceIdToken")),
    ("NoSuchVersion", "2018-03-01", "2018-03-01", local_json(BUSINESS, version="2017-01-01")),
    ("InvalidParameterValue", ".NET", ".NET", local_json(BUSINESS, region="")),
    ("UnsupportedRegion", "ap-guangzhou", "只支持", local_json(BUSINESS, region="eu-moscow")),
    ("UnsupportedProtocol", "GET and POST", "GET 和 POST", {"method": "PUT", "headers": [HOST]}),
]  # fmt: skip


def kept(house: House) -> list[RefusedRequest]:
    failures = house.gateway._refusals._failures
    assert failures is not None
    return failures.recent()


def build_noting(**settings: Any) -> House:
    failures = RecentRefusals(lambda: {SECRET_ID: SECRET_KEY}, build().gateway._log)
    return build(failures=failures, settings=GatewaySettings(endpoint_service="never", **settings))


@pytest.mark.parametrize(("code", "english", "chinese", "request_"), REFUSED)
async def test_each_refusal_is_kept_with_what_to_do(code: str, english: str, chinese: str, request_: Request) -> None:
    house = build_noting()
    answer = await call(house.gateway, **request_, client="10.0.0.1")
    assert answer.code == code
    (failure,) = kept(house)
    assert (failure.code, failure.request_id) == (code, answer.response["RequestId"])
    assert english in failure.sentence("en-US")
    assert chinese in failure.sentence("zh-CN")


def may_be_local(request_: Request) -> bool:
    """Not signed for another name, and through no proxy."""
    headers = dict(request_["headers"])
    return headers.get(b"Host") == b"127.0.0.1" and b"X-Forwarded-Host" not in headers


@pytest.mark.parametrize(
    ("code", "english", "chinese", "request_"), [case for case in REFUSED if may_be_local(case[3])]
)
async def test_a_local_reply_says_it_where_set(code: str, english: str, chinese: str, request_: Request) -> None:
    house = build_noting(explain_in_reply=True)
    local = request_["headers"]
    answer = await call(house.gateway, **(request_ | {"headers": local}))
    assert english in answer.message
    chinese_headers = [*local, (b"X-TC-Language", b"zh-CN")]
    answer = await call(house.gateway, **(request_ | {"headers": chinese_headers}))
    if b"form" not in dict(local).get(b"Content-Type", b""):  # there the language is a parameter
        assert chinese in answer.message
    far = await call(house.gateway, **(request_ | {"headers": local}), client="10.0.0.1")
    plain = await call(build_noting().gateway, **(request_ | {"headers": local}), client="10.0.0.1")
    assert far.message == plain.message


async def test_what_an_action_refuses_is_kept_with_the_actions_own_words() -> None:
    house = build_noting()
    house.failing.append(InvalidParameterError("no Name", why=("Name is needed.", "必须传 Name。")))
    answer = await call(house.gateway, **signed_json(BUSINESS), client="10.0.0.1")
    assert answer.message == "参数错误。"
    (failure,) = kept(house)
    assert (failure.account_id, failure.action) == (1, "GetFaceIdToken")
    assert (failure.sentence("en-US"), failure.sentence("zh-CN")) == ("Name is needed.", "必须传 Name。")


async def test_a_secret_key_in_the_place_of_the_id_is_recognised_and_not_kept(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    failures = RecentRefusals(lambda: {SECRET_ID: SECRET_KEY}, build().gateway._log, path=path)
    house = build(failures=failures)
    given = signed_json(BUSINESS, secret_id=SECRET_KEY, secret_key=SECRET_ID)
    answer = await call(house.gateway, **given)
    assert answer.code == "AuthFailure.SecretIdNotFound"
    for _ in range(1000):
        found = read_failures(path)
        if found and "in the place of the SecretId" in found[0].sentence("en-US"):
            break
        await asyncio.sleep(0.005)
    assert "对调" in found[0].sentence("zh-CN")
    assert SECRET_KEY[:4] not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600


async def test_nothing_that_a_caller_sent_is_kept_but_names_of_parameters(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    failures = RecentRefusals(lambda: {SECRET_ID: SECRET_KEY}, build().gateway._log, path=path, per_second=50)
    house = build(failures=failures)
    marked = "韦小宝", "11204416541220243X", "wrongKey123"
    attempts: list[Request] = [
        signed_json(BUSINESS | {"韦小宝": 1}),
        signed_json(BUSINESS | {"11204416541220243X": 1}),
        signed_json(BUSINESS | {"Extra": {"韦小宝": 1}}),
        signed_json(BUSINESS, version="11204416541220243X"),
        signed_json(BUSINESS, action="韦小宝".encode().decode("latin-1")),
        signed_json(BUSINESS, region="11204416541220243X"),
        signed_json(BUSINESS, secret_key="wrongKey123"),
        signed_json(BUSINESS, secret_id="11204416541220243X"),
        signed_json(BUSINESS, content_type="text/11204416541220243X"),
        with_authorization("11204416541220243X"),
        with_authorization(
            f"TC3-HMAC-SHA256 Credential={SECRET_ID}/2026-11-24/faceid/tc3_request, "
            f"SignedHeaders=content-type;host;11204416541220243X, Signature={'0' * 64}"
        ),
        signed_json(BUSINESS, secret_key="no", host="11204416541220243X.example"),
        signed_json(BUSINESS, secret_key="no", content_type="application/json; 11204416541220243X"),
        signed_json(
            BUSINESS, host="h", signed_host="11204416541220243X", more={"X-Forwarded-Host": "11204416541220243X"}
        ),
        form(**(V1 | {"Timestamp": str(int(NOW)), "SignatureMethod": "11204416541220243X"})),
        form(**(V1 | {"Timestamp": str(int(NOW)), "Name": "11204416541220243X"})),
        form(Action="x", **{"11204416541220243X": "1"}) | {"body": b"11204416541220243X=1&11204416541220243X=2"},
    ]
    for attempt in attempts:
        assert (await call(house.gateway, **attempt)).code
    for _ in range(1000):
        found = read_failures(path)
        if len(found) == len(attempts) and all(f.sentences or f.explanation for f in found):
            break
        await asyncio.sleep(0.005)
    assert len(found) == len(attempts)
    text = path.read_text("utf-8")
    shown = json.dumps([[f.sentence("en-US"), f.sentence("zh-CN")] for f in found], ensure_ascii=False)
    for mark in (*marked, SECRET_KEY, SECRET_ID):
        assert mark not in text
        assert mark not in shown


async def test_the_log_names_the_cause_of_every_refusal_and_of_a_wrong_signature_a_little_later() -> None:
    house = build()
    failures = RecentRefusals(lambda: {SECRET_ID: SECRET_KEY}, house.gateway._log)
    house = build(failures=failures, settings=GatewaySettings(endpoint_service="never"))
    log = house.gateway._log
    failures._log = log
    await call(house.gateway, **signed_json(BUSINESS, host="api.localtest", service="api"))
    assert "RENZHENG_LOCAL_SERVICES" in house.lines("request")[0]["cause"]
    answer = await call(house.gateway, **signed_json(BUSINESS, signed_host="https://faceid.tencentcloudapi.com"))
    for _ in range(1000):
        if house.lines("signature explained"):
            break
        await asyncio.sleep(0.005)
    (line,) = house.lines("signature explained")
    assert (line["cause"], line["request_id"]) == ("scheme-in-host", answer.response["RequestId"])


async def test_strangers_push_nothing_of_an_accounts_out_and_the_lists_are_bounded() -> None:
    failures = RecentRefusals(dict, build().gateway._log, size=5)
    house = build(Key(SECRET_ID, SECRET_KEY, 7), failures=failures)
    await call(house.gateway, **signed_json(BUSINESS, region="nowhere"))
    for _ in range(50):
        await call(house.gateway, method="GET", headers=[HOST])
    found = kept(house)
    assert len(found) == 6
    assert [failure.account_id for failure in found if failure.account_id] == [7]


async def test_a_flood_of_strangers_takes_no_explanation_away_from_an_account() -> None:
    failures = RecentRefusals(lambda: {SECRET_ID: SECRET_KEY}, build().gateway._log)
    house = build(failures=failures)
    for _ in range(20):
        await call(house.gateway, **signed_json(BUSINESS, secret_id="AKIDnobody"))
    await call(house.gateway, headers=tc3_headers(b"{}", payload=b"{}\n"), body=b"{}")
    for _ in range(1000):
        mine = next(failure for failure in kept(house) if failure.account_id)
        if mine.explanation:
            break
        await asyncio.sleep(0.005)
    assert mine.explanation is not None
    assert mine.explanation.cause == "line-feeds-stripped"
