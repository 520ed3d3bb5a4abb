"""Each mistake, made by the independent signer, is named; where nothing explains a signature, that is said."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import random
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.explain import explain
from renzheng.gateway.explanation import CAUSES, NONE_OF_THESE, VALID, Captured, Explanation
from renzheng.gateway.failures import FILE_NAME, RecentFailures, read_failures
from tests.gateway.signing import BUSINESS, tc3_headers
from tests.gateway.support import GOLDEN, NOW, SECRET_ID, SECRET_KEY, build, call, load, vectors

KEYS = {SECRET_ID: SECRET_KEY, "AKIDother000000000000000000000000000": "OtherSecretKey0000000000000000000"}
BODY = json.dumps(BUSINESS | {"Extra": "a/b&c"}, ensure_ascii=False, separators=(",", ":")).encode()
QUERY = "Name=%E9%9F%A6&CompareLib=BUSINESS&Extra=a%20b"


def post(body: bytes = BODY, **options: Any) -> Captured:
    return Captured("POST", b"", tc3_headers(body, **options), body)


def get(signed_query: str) -> Captured:
    headers = tc3_headers(b"", method="GET", query=signed_query, content_type="application/x-www-form-urlencoded")
    return Captured("GET", QUERY.encode(), headers, b"")


def v1(
    *,
    host: str = "h.example:8400",
    signed_host: str | None = None,
    key: str = SECRET_KEY,
    encode: Any = str,
    order: Any = sorted,
    method: str = "GET",
    algorithm: str = "HmacSHA1",
) -> Captured:
    pairs = [
        ("Version", "2018-03-01"),
        ("Action", "GetFaceIdToken"),
        ("CompareLib", "BUSINESS"),
        ("Name", "韦小宝"),
        ("Extra", "a b+c"),
        ("Timestamp", str(int(NOW))),
        ("Nonce", "11886"),
        ("SecretId", SECRET_ID),
        ("SignatureMethod", algorithm),
        ("aside", "1"),
    ]
    text = f"{method}{signed_host or host}/?" + "&".join(f"{name}={encode(value)}" for name, value in order(pairs))
    digest = {"HmacSHA1": hashlib.sha1, "HmacSHA256": hashlib.sha256}[algorithm]
    signature = base64.b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()
    sent = "&".join(f"{name}={quote_plus(value)}" for name, value in [*pairs, ("Signature", signature)]).encode()
    headers = [(b"Host", host.encode())]
    return Captured(method, b"", headers, sent) if method == "POST" else Captured(method, sent, headers, b"")


def in_another_form(**form: Any) -> bytes:
    return json.dumps(json.loads(BODY), **form).encode()


MISTAKES: list[tuple[str, Captured]] = [
    ("date-not-utc", post(date="2026-11-25")),
    ("date-not-utc", post(date="2026-11-23")),
    ("charset", post(signed_type="application/json; charset=utf-8")),
    ("charset", post(content_type="application/json; charset=utf-8", signed_type="application/json")),
    ("port-in-host", post(signed_host="faceid.tencentcloudapi.com:443")),
    ("port-in-host", v1(host="h.example", signed_host="h.example:443")),
    ("scheme-in-host", post(signed_host="http://faceid.tencentcloudapi.com")),
    ("scheme-in-host", post(signed_host="https://faceid.tencentcloudapi.com")),
    ("scheme-in-host", v1(signed_host="http://h.example:8400")),
    ("body-reserialised", post(payload=in_another_form())),
    ("body-reserialised", post(payload=in_another_form(ensure_ascii=False))),
    ("body-reserialised", post(payload=in_another_form(separators=(",", ":"), sort_keys=True))),
    ("body-reserialised", post(payload=in_another_form(separators=(",", ":")).replace(b"/", b"\\/"))),
    ("body-reserialised", post(payload=BODY.replace(b"&", b"\\u0026"))),
    ("body-reserialised", post(payload=BODY + b"\n")),
    ("body-reserialised", post(payload=in_another_form(ensure_ascii=False, indent=2))),
    ("space-around-key", post(secret_key=SECRET_KEY + "\n")),
    ("space-around-key", post(secret_key=" " + SECRET_KEY)),
    ("space-around-key", v1(key=SECRET_KEY + " ")),
    ("wrong-service", post(service="cvm")),
    ("wrong-service", post(service="sts")),
    ("key-of-another", post(secret_key="OtherSecretKey0000000000000000000")),
    ("key-of-another", v1(key="OtherSecretKey0000000000000000000")),
    ("encoded-before-signing", v1(encode=quote_plus)),
    ("encoded-before-signing", v1(encode=lambda value: quote(value, safe=""), algorithm="HmacSHA256", method="POST")),
    ("query-order", get("CompareLib=BUSINESS&Extra=a%20b&Name=%E9%9F%A6")),
    ("query-order", get("Name=%E9%9F%A6&CompareLib=BUSINESS&Extra=a+b")),
    ("query-order", v1(order=list)),
    ("query-order", v1(order=lambda pairs: sorted(pairs, key=lambda pair: pair[0].lower()))),
    ("value-case", post(signed_type="APPLICATION/JSON")),
    ("value-case", post(signed_host="FACEID.TENCENTCLOUDAPI.COM")),
    ("payload-unsigned", post(payload=b"UNSIGNED-PAYLOAD")),
]


@pytest.mark.parametrize(("cause", "captured"), MISTAKES)
def test_each_mistake_is_named(cause: str, captured: Captured) -> None:
    found = explain(captured, KEYS)
    assert found.cause == cause
    assert found.sentence() != found.sentence("zh-CN")


def test_all_twelve_mistakes_are_made_above() -> None:
    assert {cause for cause, _ in MISTAKES} == set(CAUSES)
    assert len(CAUSES) == 12


def test_a_service_that_is_in_the_key_but_not_in_the_scope_is_named() -> None:
    headers = dict(post(service="cvm").headers)
    scope = headers[b"Authorization"].replace(b"/cvm/", b"/faceid/")
    # The string to sign holds the scope too, so that only the client that keeps `cvm` in both is meant here.
    captured = Captured("POST", b"", [*(headers | {b"Authorization": scope}).items()], BODY)
    assert explain(captured, KEYS).cause == "wrong-service"


def test_a_mistake_is_found_beside_nodes_host_without_a_port() -> None:
    options: dict[str, Any] = {"host": "127.0.0.1:8400", "signed_host": "127.0.0.1", "service": "127"}
    assert explain(post(**options), KEYS).cause == VALID
    assert explain(post(**options, date="2026-11-25"), KEYS).cause == "date-not-utc"


def test_an_announced_unsigned_payload_that_was_signed_is_named_where_the_key_allows_it() -> None:
    captured = post(more={"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert explain(captured, KEYS, unsigned=True).cause == "payload-unsigned"
    forbidden = post(payload=b"UNSIGNED-PAYLOAD", more={"X-TC-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert explain(forbidden, KEYS, unsigned=True).cause == VALID
    assert explain(forbidden, KEYS, unsigned=False).cause == "payload-unsigned"


@pytest.mark.parametrize("seed", range(20))
def test_a_random_signature_is_none_of_these(seed: int) -> None:
    digits = random.Random(seed).randbytes(32).hex()
    for captured in (post(), get(QUERY)):
        headers = [
            (name, value[:-64] + digits.encode() if name == b"Authorization" else value)
            for name, value in captured.headers
        ]
        found = explain(Captured(captured.method, captured.query, headers, captured.body), KEYS)
        assert found.cause == NONE_OF_THESE
        assert found.sentence().startswith(
            "None of the known mistakes gives the client's signature: compare the SecretKey"
        )
    good = v1()
    query = good.query[: good.query.rindex(b"=") + 1] + base64.b64encode(random.Random(seed).randbytes(20))
    assert explain(Captured("GET", query.replace(b"+", b"%2B"), good.headers, b""), KEYS).cause == NONE_OF_THESE


@pytest.mark.parametrize("name", [v.id for v in vectors() if v.expect["verdict"] == "ok"])
def test_golden_requests_are_explained_as_right_with_the_texts_that_were_signed(name: str) -> None:
    vector = load(name)
    captured = Captured(vector.method, vector.target.partition("?")[2].encode(), vector.headers, vector.body)
    found = explain(captured, vector.keys)
    assert found.cause == VALID
    assert found.difference is None
    if vector.derivation.get("host_used") == vector.header("Host") and "canonical_request" in vector.derivation:
        assert found.canonical_request == vector.derivation["canonical_request"]
    if vector.header("Authorization") is None and "string_to_sign" in vector.derivation:
        assert found.string_to_sign == vector.derivation["string_to_sign"]


def test_the_first_difference_is_shown_with_its_line() -> None:
    found = explain(post(signed_host="http://faceid.tencentcloudapi.com"), KEYS)
    assert found.difference is not None
    assert (found.difference.where, found.difference.line) == ("canonical request", 5)
    assert found.difference.ours == "host:faceid.tencentcloudapi.com"
    assert found.difference.theirs == "host:http://faceid.tencentcloudapi.com"
    dated = explain(post(date="2026-11-25"), KEYS).difference
    assert dated is not None
    assert (dated.where, dated.line, dated.theirs) == ("string to sign", 3, "2026-11-25/faceid/tc3_request")
    assert explain(post(secret_key=" " + SECRET_KEY), KEYS).difference is None
    encoded = explain(v1(encode=quote_plus), KEYS).difference
    assert encoded is not None
    assert encoded.theirs == "Extra=" + quote_plus("a b+c")


@pytest.mark.parametrize("captured", [captured for _, captured in MISTAKES] + [get(QUERY), v1(), post()])
def test_masked_explanations_hold_no_value_and_no_key(captured: Captured) -> None:
    text = repr(explain(captured, KEYS, masked=True))
    plain = ("韦小宝", "%E9%9F%A6", quote("韦小宝"), "a b+c", "a%20b", "11204416541220243X")
    for marked in (*plain, SECRET_KEY, "OtherSecretKey", SECRET_ID):
        assert marked not in text


@pytest.mark.parametrize(
    ("captured", "cause"),
    [
        (Captured("POST", b"", [(b"Authorization", b"SKIP")], b""), "malformed"),
        (Captured("GET", b"", [], b""), "malformed"),
        (Captured("GET", b"a", [], b""), "malformed"),
        (Captured("GET", b"Signature=x&SecretId=unknown", [], b""), "unknown-key"),
        (post(secret_id="AKIDunknown"), "unknown-key"),
        (post(more={"X-TC-Timestamp": "soon"}), "malformed"),
        (post(b"[" * 100_000, payload=b"x"), NONE_OF_THESE),
        (post(b"\xff", payload=b"x"), NONE_OF_THESE),
    ],
)
def test_what_is_no_signed_request_is_said_to_be_none(captured: Captured, cause: str) -> None:
    found = explain(captured, KEYS)
    assert isinstance(found, Explanation)
    assert found.cause == cause
    assert found.sentence()


async def test_a_running_server_keeps_masked_explanations_and_never_tells_the_caller(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    house = build(Key(SECRET_ID, SECRET_KEY, 7))
    failures = RecentFailures(lambda: KEYS, house.gateway._log, path=path, size=3, per_second=2)
    house = build(Key(SECRET_ID, SECRET_KEY, 7), failures=failures)
    answers = []
    mistakes: list[dict[str, Any]] = [{"signed_host": "http://x"}, {"secret_key": SECRET_KEY + "\n"}, {}]
    for options in mistakes:
        headers = tc3_headers(BODY, **options)
        answers.append(await call(house.gateway, headers=headers, body=BODY))
    for _ in range(4):
        house.clock.now += 1
        headers = tc3_headers(BODY, date="2026-11-25", timestamp=int(house.clock.now))
        answers.append(await call(house.gateway, headers=headers, body=BODY))
    for _ in range(1000):
        kept = read_failures(path)
        if [failure.at - house.clock.now for failure in kept] == [0, -1, -2]:
            break
        await asyncio.sleep(0.01)
    assert [answer.code for answer in answers].count("AuthFailure.SignatureFailure") == 6
    assert {answer.message for answer in answers if answer.code} == {
        "The provided credentials could not be validated. Please check your signature is correct."
    }
    assert [failure.explanation.cause for failure in kept] == ["date-not-utc"] * 3
    assert kept[0].request_id == answers[-1].response["RequestId"]
    assert (kept[0].account_id, kept[0].secret_id) == (7, "AKID…0000")
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text("utf-8")
    for marked in ("11204416541220243X", "韦小宝", SECRET_KEY, SECRET_ID):
        assert marked not in text


async def test_a_flood_of_wrong_signatures_is_explained_only_so_often() -> None:
    house = build()
    failures = RecentFailures(dict, house.gateway._log, per_second=2)
    house = build(failures=failures)
    for _ in range(20):
        await call(house.gateway, headers=tc3_headers(BODY, secret_key="no"), body=BODY)
    assert failures.skipped == 18


async def test_a_failure_that_cannot_be_explained_harms_no_request() -> None:
    house = build()

    def broken() -> dict[str, str]:
        raise OSError("no keys today")

    failing = build(failures=RecentFailures(broken, house.gateway._log))
    answer = await call(failing.gateway, headers=tc3_headers(BODY, secret_key="no"), body=BODY)
    assert answer.code == "AuthFailure.SignatureFailure"
    for _ in range(1000):
        if house.lines("a failure was not explained"):
            break
        await asyncio.sleep(0.01)
    assert house.lines("a failure was not explained")[0]["error"] == "OSError"


async def test_a_setting_for_local_use_tells_the_cause_in_the_reply_over_loopback_only() -> None:
    house = build(settings=GatewaySettings(explain_in_reply=True))
    headers = tc3_headers(BODY, date="2026-11-25", host="127.0.0.1:8400", service="127")
    answer = await call(house.gateway, headers=headers, body=BODY)
    assert answer.code == "AuthFailure.SignatureFailure"
    assert "UTC" in answer.message
    far = await call(house.gateway, headers=tc3_headers(BODY, date="2026-11-25"), body=BODY, client="10.0.0.1")
    assert far.message == "The provided credentials could not be validated. Please check your signature is correct."
    large = BODY.ljust(100_000)
    headers = tc3_headers(large, date="2026-11-25", host="127.0.0.1:8400")
    assert "UTC" in (await call(house.gateway, headers=headers, body=large)).message


def test_every_cause_is_in_the_page_about_signatures() -> None:
    page = (GOLDEN.parents[1] / "docs" / "signature-trouble.md").read_text("utf-8")
    assert {line.split("`")[1] for line in page.splitlines() if line.startswith("| `")} == set(CAUSES)
