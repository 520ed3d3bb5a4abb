"""Each mistake, made by the independent signer, is named; where nothing explains a signature, that is said."""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import random
import re
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, urlencode

import msgspec
import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway import forms
from renzheng.gateway.causes import CAUSES, NONE_OF_THESE, VALID
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.explain import explain as explain_request
from renzheng.gateway.explanation import (
    CapturedRequest,
    Explanation,
    mask_id,
    masked_detail,
    masked_header,
    masked_value,
)
from renzheng.gateway.failures import FILE_NAME, RecentRefusals, read_failures
from tests.gateway.signing import BUSINESS, tc3_headers
from tests.gateway.support import GOLDEN, NOW, SECRET_ID, SECRET_KEY, build, call, load, vectors

KEYS = {SECRET_ID: SECRET_KEY, "AKIDother000000000000000000000000000": "OtherSecretKey0000000000000000000"}
BODY = json.dumps(BUSINESS | {"Extra": "a/b&c"}, ensure_ascii=False, separators=(",", ":")).encode()
explain = partial(explain_request, services=("faceid",))
DAY = datetime.fromtimestamp(NOW, UTC).strftime("%Y-%m-%d")
PRETTY = [
    json.dumps(BUSINESS, indent=2, ensure_ascii=False) + "\n",
    json.dumps(BUSINESS, indent=4),
    json.dumps(BUSINESS | {"Encryption": {"EncryptList": ["Name", "IdCard"]}}, indent="\t").replace("\n", "\r\n"),
    '{\n\t"Name": "韦, {小}宝",\n\t"Encryption": {\n\t\t"EncryptList": ["a", "b"]\n\t}\n}\n',
    '{"CompareLib": "BUSINESS",\n "Name": "x",\n "Extra": "[a,b]"}\n',
    '{ "CompareLib" : "BUSINESS",\n  "Name" : "x" }',
]
"""JSON files as people write them, each with its line breaks."""
QUERY = "Name=%E9%9F%A6&CompareLib=BUSINESS&Extra=a%20b"


def post(body: bytes = BODY, **options: Any) -> CapturedRequest:
    return CapturedRequest("POST", b"", tc3_headers(body, **options), body)


def get(signed_query: str, sent: bytes = QUERY.encode()) -> CapturedRequest:
    headers = tc3_headers(b"", method="GET", query=signed_query, content_type="application/x-www-form-urlencoded")
    return CapturedRequest("GET", sent, headers, b"")


def with_header(captured: CapturedRequest, name: bytes, value: bytes) -> CapturedRequest:
    headers = [(other, value if other == name else given) for other, given in captured.headers]
    return msgspec.structs.replace(captured, headers=headers)


def of_golden(name: str) -> CapturedRequest:
    vector = load(name)
    return CapturedRequest(vector.method, vector.target.partition("?")[2].encode(), vector.headers, vector.body)


def upper_escapes(text: bytes) -> bytes:
    return re.sub(rb"\\u[0-9a-f]{4}", lambda found: rb"\u" + found[0][2:].upper(), text)


def upper_case(captured: CapturedRequest) -> CapturedRequest:
    given = dict(captured.headers)[b"Authorization"]
    return with_header(captured, b"Authorization", given[:-64] + given[-64:].upper())


def signed_by(mistake: str) -> CapturedRequest:
    """A request whose signer is a hand-written one with a mistake in the steps."""
    captured = post()
    host, kind = "faceid.tencentcloudapi.com", "application/json"
    lines = [f"content-type:{kind}", f"host:{host}"]
    names = ["content-type", "host"]
    if mistake == "host first":
        lines.reverse()
        names.reverse()
    if mistake == "mixed case":
        lines = [f"Content-Type:{kind}", f"Host:{host}"]
        names = ["Content-Type", "Host"]
    empty = [] if mistake == "no empty line" else [""]
    canonical = "\n".join(["POST", "/", "", *lines, *empty, ";".join(names), hashlib.sha256(BODY).hexdigest()])
    canonical += "\n" if mistake == "line feed at the end" else ""
    scope = f"{DAY}/faceid/tc3_request"
    text = f"TC3-HMAC-SHA256\n{int(NOW)}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = (("" if mistake == "without TC3" else "TC3") + SECRET_KEY).encode()
    for part in (DAY, "faceid", "tc3_request"):
        key = hmac.digest(key, part.encode(), "sha256")
        key = key.hex().encode() if mistake == "hex text" else key
    given = dict(captured.headers)[b"Authorization"]
    return with_header(
        captured, b"Authorization", given[:-64] + hmac.digest(key, text.encode(), "sha256").hex().encode()
    )


def hashed(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def signed_otherwise(
    key: Callable[[bytes, bytes, bytes], bytes] = lambda secret, day, service: hashed(
        hashed(hashed(b"TC3" + secret, day), service), b"tc3_request"
    ),
    canonical: Callable[[str], str] = str,
    text: Callable[[str], str] = str,
    signature: Callable[[bytes], bytes] = lambda raw: raw.hex().encode(),
) -> CapturedRequest:
    """A request that was signed by hand, with one of the four steps done in another way."""
    captured = post()
    form = canonical(
        "POST\n/\n\ncontent-type:application/json\nhost:faceid.tencentcloudapi.com\n\ncontent-type;host\n"
        + hashlib.sha256(BODY).hexdigest()
    )
    scope = f"{DAY}/faceid/tc3_request"
    signed = text(f"TC3-HMAC-SHA256\n{int(NOW)}\n{scope}\n{hashlib.sha256(form.encode()).hexdigest()}").encode()
    made = key(SECRET_KEY.encode(), DAY.encode(), b"faceid")
    raw = hashed(signed, made) if key is key_and_message_exchanged else hashed(made, signed)
    given = dict(captured.headers)[b"Authorization"]
    return with_header(captured, b"Authorization", given[:-64] + signature(raw))


def key_and_message_exchanged(secret: bytes, day: bytes, service: bytes) -> bytes:
    """Key and message in the wrong order, as happens in PHP, where hash_hmac takes the message first."""
    return hashed(b"tc3_request", hashed(service, hashed(day, b"TC3" + secret)))


OTHER_KEYS: list[Callable[[bytes, bytes, bytes], bytes]] = [
    key_and_message_exchanged,
    lambda secret, day, service: hashed(hashed(hashed(b"TC3" + secret, day), service), b"tc3_request").hex().encode(),
    lambda secret, day, service: hashed(hashed(hashed(b"TC3" + secret, day).hex().encode(), service), b"tc3_request"),
    lambda secret, day, service: hashed(hashed(b"TC3" + secret, day), service),
    lambda secret, day, service: hashed(hashed(hashed(b"AWS4" + secret, day), service), b"tc3_request"),
]
OTHER_FORMS: list[Callable[[str], str]] = [
    lambda form: form.replace("\n", "\\n"),
    lambda form: form.replace("\n\ncontent-type:", "\ncontent-type:"),
    lambda form: form.replace("\n\ncontent-type;", "\n\n\ncontent-type;"),
    lambda form: form.replace("content-type;host", "host;content-type"),
    lambda form: re.sub("(content-type:.*\n)(host:.*\n)", r"\2\1", form),
    lambda form: form[:-64] + base64.b64encode(hashlib.sha256(BODY).digest()).decode(),
    lambda form: form[:-64] + hashlib.md5(BODY, usedforsecurity=False).hexdigest(),
]
OTHER_TEXTS: list[Callable[[str], str]] = [
    lambda text: text.replace("\n", "\\n"),
    lambda text: text.replace("\n", "\r\n"),
    lambda text: text.replace(f"{DAY}/faceid/tc3_request\n", ""),
]
OTHER_SIGNATURES: list[Callable[[bytes], bytes]] = [
    lambda raw: b'"%s"' % raw.hex().encode(),
    lambda raw: base64.b64encode(raw.hex().encode()),
]


def v1(
    *,
    host: str = "h.example:8400",
    signed_host: str | None = None,
    key: str = SECRET_KEY,
    encode: Any = str,
    order: Any = sorted,
    method: str = "GET",
    algorithm: str = "HmacSHA1",
    signed_algorithm: str | None = None,
    signed_path: str = "/",
    name: str = "IsNeedVideo",
    sent_name: str | None = None,
    value: str = "x",
    sent_value: str | None = None,
    more: str = "",
    raw: bool = False,
    seed: int = 0,
) -> CapturedRequest:
    """`sent_*`: what is sent in the place of what was signed. `raw`: the signature is not URL-encoded; a Nonce is
    looked for under which that makes a difference. `more`: what is added after signing."""
    pairs = [
        ("Version", "2018-03-01"),
        ("Action", "GetFaceIdToken"),
        ("CompareLib", "BUSINESS"),
        ("Name", "韦小宝"),
        ("Extra", "a b+c"),
        ("Timestamp", str(int(NOW))),
        ("Nonce", str(11886 + seed)),
        ("SecretId", SECRET_ID),
        ("SignatureMethod", algorithm),
        ("aside", "1"),
        (name, value),
    ]
    text = f"{method}{signed_host or host}{signed_path}?" + "&".join(
        f"{name}={encode(value)}" for name, value in order(pairs)
    )
    digest = {"HmacSHA1": hashlib.sha1, "HmacSHA256": hashlib.sha256}[signed_algorithm or algorithm]
    signature = base64.b64encode(hmac.new(key.encode(), text.encode(), digest).digest()).decode()
    if raw and "+" not in signature:
        return v1(host=host, method=method, raw=True, seed=seed + 1)
    pairs[-1] = (sent_name or name, value if sent_value is None else sent_value)
    parts = [f"{name}={quote_plus(value)}" for name, value in pairs]
    parts += [more] if more else []
    sent = "&".join([*parts, f"Signature={signature if raw else quote_plus(signature)}"]).encode()
    headers = [(b"Host", host.encode())]
    return (
        CapturedRequest(method, b"", headers, sent) if method == "POST" else CapturedRequest(method, sent, headers, b"")
    )


def in_another_form(**form: Any) -> bytes:
    return json.dumps(json.loads(BODY), **form).encode()


MISTAKES: list[tuple[str, CapturedRequest]] = [
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
    ("line-feeds-stripped", post(payload=BODY + b"\n")),
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
    ("query-reencoded", get("Name=%E9%9F%A6&CompareLib=BUSINESS&Extra=a+b")),
    ("query-order", v1(order=list)),
    ("query-order", v1(order=lambda pairs: sorted(pairs, key=lambda pair: pair[0].lower()))),
    ("value-case", post(signed_type="APPLICATION/JSON")),
    ("value-case", post(signed_host="FACEID.TENCENTCLOUDAPI.COM")),
    ("payload-unsigned", post(payload=b"UNSIGNED-PAYLOAD")),
    ("payload-unsigned", post(payload=b"")),
    ("timestamp-differs", with_header(post(timestamp=int(NOW) + 1), b"X-TC-Timestamp", b"%d" % NOW)),
    ("timestamp-differs", with_header(post(timestamp=int(NOW) * 1000, date=DAY), b"X-TC-Timestamp", b"%d" % NOW)),
    ("service-from-endpoint", post(host="api.localtest:8400", service="api")),
    ("service-from-endpoint", post(host="api.localtest:8400", signed_host="api.localtest", service="api")),
    ("service-from-endpoint", post(host="faceid-test.shop.example", service="faceid-test")),
    ("wrong-service", post(host="api.localtest:8400", service="apis")),
    ("content-type", post(content_type="application/x-www-form-urlencoded", signed_type="application/json")),
    ("content-type", post(signed_type="text/plain;charset=UTF-8")),
    ("host-rewritten", post(host="app:8400", signed_host="shop.example", more={"X-Forwarded-Host": "shop.example"})),
    ("host-rewritten", post(host="app", signed_host="shop.example:8443", more={"X-Forwarded-Host": "shop.example"})),
    ("host-rewritten", post(host="app", signed_host="shop.example", more={"Forwarded": 'for=x;host="shop.example:1"'})),
    ("host-rewritten", post(host="app", signed_host="public.example", service="public")),
    ("host-rewritten", v1(host="app:8400", signed_host="public.example:443")),
    ("other-host", post(host="127.0.0.1:8400", signed_host="faceid.tencentcloudapi.com")),
    ("other-host", post(host="127.0.0.1:8400", signed_host="localhost:8400")),
    ("other-host", v1(host="127.0.0.1:8400", signed_host="faceid.tencentcloudapi.com")),
    *(
        ("line-feeds-stripped", post(pretty.replace("\r", "").replace("\n", "").encode(), payload=pretty.encode()))
        for pretty in PRETTY
    ),
    ("line-feeds-stripped", post(BODY, payload=BODY + b"\r\n")),
    ("line-ends-translated", post(PRETTY[0].encode(), payload=PRETTY[0].replace("\n", "\r\n").encode())),
    ("line-ends-translated", post(PRETTY[0].replace("\n", "\r\n").encode(), payload=PRETTY[0].encode())),
    ("byte-order-mark", post(payload=b"\xef\xbb\xbf" + BODY)),
    ("byte-order-mark", post(b"\xef\xbb\xbf" + BODY, payload=BODY)),
    ("text-encoding", post(payload=BODY.decode().encode("gbk"))),
    ("text-encoding", post(BODY.decode().encode("gbk"), payload=BODY)),
    ("body-compressed", post(gzip.compress(BODY), payload=BODY)),
    ("body-compressed", post(zlib.compress(BODY), payload=BODY)),
    ("body-reserialised", post(payload=BODY.replace(b"&", b"\\u0026").replace(b"=", b"\\u003d"))),
    ("body-reserialised", post(payload=upper_escapes(in_another_form()))),
    ("body-reserialised", post(json.dumps(BODY.decode()).encode(), payload=BODY)),
    ("body-reserialised", post(urlencode(json.loads(BODY)).encode(), payload=BODY)),
    ("body-reserialised", post(payload=repr(json.loads(BODY)).encode())),
    ("body-reserialised", post(BODY[:-1] + b',"Meta":null}', payload=BODY)),
    ("query-reencoded", get("Name=%e9%9f%a6&CompareLib=BUSINESS&Extra=a%20b")),
    ("query-reencoded", get("Name=韦&CompareLib=BUSINESS&Extra=a b")),
    ("query-reencoded", get("Extra=a%7Eb%27c*", sent=b"Extra=a~b'c*")),
    ("query-reencoded", get("Extra=a~b'c%2A", sent=b"Extra=a%7Eb%27c%2A")),
    ("query-reencoded", get("Extra=a%27b~c(d)", sent=b"Extra=a'b~c(d)")),
    ("plus-not-encoded", v1(method="POST", raw=True)),
    ("plus-not-encoded", v1(raw=True, seed=3)),
    ("plus-not-encoded", v1(value="a+b", sent_value="a b")),
    ("boolean-text", v1(value="", sent_value="0")),
    ("boolean-text", v1(value="true", sent_value="True")),
    ("boolean-text", v1(value="1", sent_value="true", method="POST")),
    ("nested-parameters", of_golden("neg_php_hmacsha1_post_encryption")),
    ("nested-parameters", v1(name="Encryption[EncryptList][0]", sent_name="Encryption.EncryptList.0")),
    ("query-reencoded", of_golden("neg_dotnet_tc3_get_tilde")),
    ("parameter-not-signed", v1(more="Language=zh-CN")),
    ("space-around-key", post(secret_key=f'"{SECRET_KEY}"')),
    ("empty-key", post(secret_key="")),
    ("empty-key", v1(key="undefined")),
    ("key-of-another", post(secret_key=SECRET_ID)),
    ("key-derivation", signed_by("hex text")),
    ("key-derivation", signed_by("without TC3")),
    ("canonical-form", signed_by("no empty line")),
    ("canonical-form", signed_by("line feed at the end")),
    ("canonical-form", signed_by("host first")),
    ("canonical-form", signed_by("mixed case")),
    ("port-in-host", post(signed_host="faceid.tencentcloudapi.com:18080")),
    ("host-rewritten", post(host="h.x", signed_host="h.x:12345", more={"X-Forwarded-Port": "12345"})),
    ("other-host", post(host="[::1]:8400", signed_host="::1")),
    ("other-host", post(host="[::1]:8400", signed_host="::1:8400")),
    ("other-host", post(host="[::1]:8400", signed_host="localhost:8400")),
    ("other-host", post(host="faceid.example.", signed_host="faceid.example")),
    ("other-host", post(host="127.0.0.1:8400", signed_host="127.0.0.1:8400/")),
    ("other-host", post(host="127.0.0.1:8400", signed_host="0.0.0.0:8400")),
    ("timestamp-differs", with_header(post(timestamp=int(NOW) + 4), b"X-TC-Timestamp", b"%d" % NOW)),
    ("body-reserialised", post(payload=b"[object Object]")),
    ("body-reserialised", post(payload=BODY + b"  ")),
    *(("space-around-key", post(secret_key=key.format(SECRET_KEY))) for key in ("{},", "<{}>", "${{{}}}", "b'{}'")),
    *(
        ("key-mistyped", post(secret_key=key))
        for key in (SECRET_KEY * 2, base64.b64encode(SECRET_KEY.encode()).decode())
    ),
    *(("empty-key", post(secret_key=key)) for key in ("YOUR_SECRET_KEY", "${TENCENTCLOUD_SECRET_KEY}")),
    ("key-of-another", post(secret_key=f"{SECRET_ID}:{SECRET_KEY}")),
    ("other-path", post(path="/index.php")),
    ("other-path", post(path="http://faceid.tencentcloudapi.com/")),
    *(("key-derivation", signed_otherwise(key=made)) for made in OTHER_KEYS),
    *(("canonical-form", signed_otherwise(canonical=made)) for made in OTHER_FORMS),
    *(("canonical-form", signed_otherwise(text=made)) for made in OTHER_TEXTS),
    *(("signature-form", signed_otherwise(signature=made)) for made in OTHER_SIGNATURES),
    ("key-mistyped", post(secret_key=SECRET_KEY[:-1])),
    ("key-mistyped", v1(key=SECRET_KEY.lower())),
    ("key-derivation", v1(key=SECRET_KEY + "&")),
    ("space-around-key", post(secret_key=SECRET_KEY + "\u200b")),
    ("body-reserialised", post(payload=json.dumps(dict(reversed(list(json.loads(BODY).items())))).encode())),
    (
        "body-reserialised",
        post(
            payload=b'{"Name":"\xe9\x9f\xa6\xe5\xb0\x8f\xe5\xae\x9d","CompareLib":"BUSINESS","IdCard":'
            b'"11204416541220243X","Extra":"a/b&c"}'
        ),
    ),
    ("signature-form", upper_case(post())),
    ("other-method", post(method="GET")),
    ("other-method", v1(signed_algorithm="HmacSHA256")),
    ("other-path", post(path="")),
    ("other-path", post(path="/v2/")),
    ("other-path", v1(signed_path="")),
]


@pytest.mark.parametrize(("cause", "captured"), MISTAKES)
def test_each_mistake_is_named(cause: str, captured: CapturedRequest) -> None:
    found = explain(captured, KEYS, hosts=("public.example",))
    assert found.cause == cause
    assert found.sentence() != found.sentence("zh-CN")


def test_every_mistake_is_made_above() -> None:
    assert {cause for cause, _ in MISTAKES} == set(CAUSES)


def test_a_service_that_is_in_the_key_but_not_in_the_scope_is_named() -> None:
    headers = dict(post(service="cvm").headers)
    scope = headers[b"Authorization"].replace(b"/cvm/", b"/faceid/")
    # The string to sign holds the scope too, so that only the client that keeps `cvm` in both is meant here.
    captured = CapturedRequest("POST", b"", [*(headers | {b"Authorization": scope}).items()], BODY)
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
        found = explain(CapturedRequest(captured.method, captured.query, headers, captured.body), KEYS)
        assert found.cause == NONE_OF_THESE
        assert found.sentence().startswith(
            "None of the known mistakes gives the client's signature: compare the SecretKey"
        )
    good = v1()
    query = good.query[: good.query.rindex(b"=") + 1] + base64.b64encode(random.Random(seed).randbytes(20))
    assert explain(CapturedRequest("GET", query.replace(b"+", b"%2B"), good.headers, b""), KEYS).cause == NONE_OF_THESE


@pytest.mark.parametrize("name", [v.id for v in vectors() if v.expect["verdict"] == "ok"])
def test_golden_requests_are_explained_as_right_with_the_texts_that_were_signed(name: str) -> None:
    vector = load(name)
    captured = CapturedRequest(vector.method, vector.target.partition("?")[2].encode(), vector.headers, vector.body)
    found = explain(captured, vector.keys)
    assert found.cause == VALID
    assert found.difference is None
    if vector.derivation.get("host_used") == vector.header("Host") and "canonical_request" in vector.derivation:
        assert found.canonical_request == vector.derivation["canonical_request"]
    if vector.header("Authorization") is None and "string_to_sign" in vector.derivation:
        assert found.string_to_sign == vector.derivation["string_to_sign"]


def test_a_proxy_in_between_is_named_where_nothing_else_explains_a_signature() -> None:
    found = explain(post(secret_key="no", more={"X-Forwarded-For": "10.0.0.1"}), KEYS)
    assert found.cause == "none-behind-proxy"
    assert "RENZHENG_PUBLIC_URL" in found.sentence()


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
def test_masked_explanations_hold_no_value_and_no_key(captured: CapturedRequest) -> None:
    text = repr(explain(captured, KEYS, masked=True))
    plain = ("韦小宝", "%E9%9F%A6", quote("韦小宝"), "a b+c", "a%20b", "11204416541220243X")
    for marked in (*plain, SECRET_KEY, "OtherSecretKey", SECRET_ID):
        assert marked not in text


@pytest.mark.parametrize(
    ("captured", "cause"),
    [
        (CapturedRequest("POST", b"", [(b"Authorization", b"SKIP")], b""), "malformed"),
        (CapturedRequest("GET", b"", [], b""), "malformed"),
        (CapturedRequest("GET", b"a", [], b""), "malformed"),
        (CapturedRequest("GET", b"Signature=x&SecretId=unknown", [], b""), "unknown-key"),
        (post(secret_id="AKIDunknown"), "unknown-key"),
        (post(secret_id=SECRET_ID.lower()), "id-mistyped"),
        (post(secret_id=f'"{SECRET_ID}"'), "id-mistyped"),
        (post(secret_id=SECRET_ID[1:]), "id-mistyped"),
        (post(secret_id=SECRET_ID + "x"), "id-mistyped"),
        (post(more={"X-TC-Timestamp": "soon"}), "malformed"),
        (post(b"[" * 100_000, payload=b"x"), NONE_OF_THESE),
        (post(b"\xff", payload=b"x"), NONE_OF_THESE),
    ],
)
def test_what_is_no_signed_request_is_said_to_be_none(captured: CapturedRequest, cause: str) -> None:
    found = explain(captured, KEYS)
    assert isinstance(found, Explanation)
    assert found.cause == cause
    assert found.sentence()


def test_masks_leave_the_ends_of_an_id_and_nothing_of_what_may_be_a_persons() -> None:
    assert mask_id("AKID" + "x" * 28 + "1234") == "AKID…1234"
    assert (mask_id("x" * 12), mask_id("")) == ("…", "…")
    assert masked_header(b"host", b"api.example:8400") == b"api.example:8400"
    for name, value in (
        (b"host", b"11204416541220243x.example"), (b"host", "韦小宝.example".encode()), (b"host", b"h" * 256),
        (b"content-type", b"application/json; id=1234567"), (b"x-name", b"wei"),
    ):  # fmt: skip
        assert value not in masked_header(name, value), name
    assert masked_detail("a detail 123456") == "a detail 123456"
    for detail in ("1234567", "x" * 256):
        assert detail not in masked_detail(detail)
    assert masked_value("Action", "GetFaceIdToken") == "GetFaceIdToken"
    assert masked_value("SecretId", SECRET_ID) == mask_id(SECRET_ID)
    for hidden in ("Name", "IdCard", "Signature", "Token"):
        assert "wei" not in masked_value(hidden, "wei")


async def test_a_running_server_keeps_masked_explanations_and_never_tells_the_caller(tmp_path: Path) -> None:
    path = tmp_path / FILE_NAME
    house = build(Key(SECRET_ID, SECRET_KEY, 7))
    failures = RecentRefusals(lambda: KEYS, house.gateway._log, path=path, size=3, per_second=2)
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
        if [failure.at - house.clock.now for failure in kept if failure.explanation] == [0, -1, -2]:
            break
        await asyncio.sleep(0.01)
    assert [answer.code for answer in answers].count("AuthFailure.SignatureFailure") == 6
    assert {answer.message for answer in answers if answer.code} == {
        "The provided credentials could not be validated. Please check your signature is correct."
    }
    assert [failure.explanation.cause for failure in kept if failure.explanation] == ["date-not-utc"] * 3
    assert kept[0].request_id == answers[-1].response["RequestId"]
    assert (kept[0].account_id, kept[0].secret_id) == (7, "AKID…0000")
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text("utf-8")
    for marked in ("11204416541220243X", "韦小宝", SECRET_KEY, SECRET_ID):
        assert marked not in text


async def test_a_flood_of_wrong_signatures_is_explained_only_so_often() -> None:
    house = build()
    failures = RecentRefusals(dict, house.gateway._log, per_second=2)
    house = build(failures=failures)
    for _ in range(20):
        await call(house.gateway, headers=tc3_headers(BODY, secret_key="no"), body=BODY)
    assert failures.skipped == 18


@pytest.mark.parametrize("pattern", forms._CLOSED[:3])
def test_blanks_before_a_bracket_are_looked_at_from_where_they_begin_alone(pattern: re.Pattern[str]) -> None:
    """From each of 16,000 blanks in turn it takes seconds, in which nothing else of the process goes on."""
    blanks = "x" + " " * 20 + "]"
    assert pattern.search(blanks) is not None
    assert [at for at in range(3, 21) if pattern.match(blanks, at)] == []


def test_a_string_that_does_not_end_is_looked_for_once() -> None:
    for text in ('"' + '\\"' * 1000, '"a' * 999, '"\\'):
        spans = [found.span() for found in forms._STRING.finditer(text)]
        assert spans == [(at, end) for at, end in spans if end > at]
        assert spans[-1][1] == len(text)
        assert sum(end - at for at, end in spans) <= len(text)


def test_forms_of_a_body_are_no_more_than_so_many_times_its_bytes() -> None:
    deep = b"[" * 900 + b",".join([b"1"] * 3000) + b"]" * 900
    for body in (deep, deep[885:-885], b'{"a":' * 500 + b"1" + b"}" * 500, b" " * 4000, b'"' + b'\\"' * 2000):
        assert sum(len(form) for _, form in forms.body_forms(body)) < 2000 * len(body)


def test_long_signed_headers_are_not_tried_in_other_forms() -> None:
    for size, cause in ((1000, "space-around-key"), (9000, NONE_OF_THESE)):
        captured = post(secret_key=SECRET_KEY + "\n", content_type="application/json; a=" + "a" * size)
        assert explain(captured, KEYS).cause == cause


async def test_a_failure_that_cannot_be_explained_harms_no_request() -> None:
    house = build()

    def broken() -> dict[str, str]:
        raise OSError("no keys today")

    failing = build(failures=RecentRefusals(broken, house.gateway._log))
    answer = await call(failing.gateway, headers=tc3_headers(BODY, secret_key="no"), body=BODY)
    assert answer.code == "AuthFailure.SignatureFailure"
    for _ in range(1000):
        if house.lines("a failure was not explained"):
            break
        await asyncio.sleep(0.01)
    assert house.lines("a failure was not explained")[0]["error"] == "builtins.OSError"


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
