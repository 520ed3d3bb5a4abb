from __future__ import annotations

import hashlib
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.gateway.signature import (
    UNSIGNED_PAYLOAD,
    V1_METHODS,
    MalformedAuthorizationError,
    SigningKeys,
    host_readings,
    parse_authorization,
    sign_tc3,
    sign_v1,
    signing_key,
    utc_date,
    v1_string_to_sign,
    verify_tc3,
    verify_v1,
)
from tests.gateway.support import Vector, load, vectors

TC3_DOCUMENTED = ["doc_tc3_cvm_example_keys", "doc_tc3_cvm_masked_keys", "doc_tc3_cvm_star_keys"]
V1_DOCUMENTED = ["doc_v1_sha1_cvm_example_keys", "doc_v1_sha1_cvm_star_keys"]


def tc3_valid(vector: Vector, secret_key: str) -> bool:
    headers = {name.lower(): value for name, value in vector.headers}
    authorization = parse_authorization(headers[b"authorization"])
    is_get = vector.method == "GET"
    payload = b"" if is_get else vector.body
    if headers.get(b"x-tc-content-sha256") == UNSIGNED_PAYLOAD:
        payload = UNSIGNED_PAYLOAD
    return verify_tc3(
        authorization,
        SigningKeys().get(secret_key, authorization.date, authorization.service),
        timestamp=headers[b"x-tc-timestamp"].decode(),
        method=vector.method.encode(),
        query=vector.target.partition("?")[2].encode() if is_get else b"",
        headers=headers,
        payload_hash=hashlib.sha256(payload).hexdigest(),
    )


def v1_parameters(vector: Vector) -> dict[str, str]:
    text = vector.target.partition("?")[2] if vector.method == "GET" else vector.body.decode()
    pairs = (pair.partition("=") for pair in text.split("&"))
    return {unquote_plus(name): unquote_plus(value) for name, _, value in pairs}


@pytest.mark.parametrize("name", TC3_DOCUMENTED)
def test_the_documentations_tc3_examples_verify(name: str) -> None:
    vector = load(name)
    (secret_key,) = vector.keys.values()
    assert tc3_valid(vector, secret_key)
    assert not tc3_valid(vector, secret_key + "x")


@pytest.mark.parametrize("name", TC3_DOCUMENTED)
def test_the_documentations_tc3_examples_are_signed_as_published(name: str) -> None:
    vector = load(name)
    ((secret_id, secret_key),) = vector.keys.items()
    extra = {"x-tc-action": "DescribeInstances"} if "x-tc-action" in (vector.header("Authorization") or "") else {}
    assert sign_tc3(
        secret_id,
        secret_key,
        timestamp=int(vector.clock),
        host="cvm.tencentcloudapi.com",
        content_type="application/json; charset=utf-8",
        payload=vector.body,
        service="cvm",
        extra_headers=extra,
    ) == vector.header("Authorization")


def test_the_published_key_chain_comes_out() -> None:
    key = signing_key("*" * 32, "2019-02-25", "cvm")
    assert key.hex() == "b596b923aad85185e2d1f6659d2a062e0a86731226e021e61bfe06f7ed05f5af"


@pytest.mark.parametrize("name", V1_DOCUMENTED)
def test_the_documentations_v1_examples_verify_and_are_signed_as_published(name: str) -> None:
    vector = load(name)
    (secret_key,) = vector.keys.values()
    parameters = v1_parameters(vector)
    assert verify_v1(secret_key, parameters, host=b"cvm.tencentcloudapi.com", method="GET", algorithm="HmacSHA1")
    assert sign_v1(secret_key, parameters, host="cvm.tencentcloudapi.com") == vector.expect["signature"]


@pytest.mark.parametrize("vector", [v for v in vectors() if v.derivation.get("string_to_sign")], ids=str)
def test_strings_to_sign_are_those_that_the_clients_signed(vector: Vector) -> None:
    if vector.header("Authorization"):
        return
    text = v1_string_to_sign(
        vector.method, vector.derivation.get("host_used") or vector.header("Host") or "", v1_parameters(vector)
    )
    assert text == vector.derivation["string_to_sign"]


names = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=12)
hosts = st.from_regex(r"[a-z][a-z0-9.-]{0,20}(:[1-9][0-9]{1,4})?", fullmatch=True)


@given(
    secret_id=names,
    secret_key=names,
    timestamp=st.integers(0, 9_999_999_999),
    host=hosts,
    content_type=st.sampled_from(["application/json", "multipart/form-data; boundary=--AbC", "text/plain"]),
    method=st.sampled_from(["GET", "POST"]),
    query=st.sampled_from(["", "A=1&B=%E9%9F%A6", "z=1&a=2"]),
    payload=st.binary(max_size=64),
    extra=st.dictionaries(st.sampled_from(["x-tc-action", "X-TC-Region"]), names),
    service=names,
)
def test_what_is_signed_verifies_and_a_changed_host_does_not(
    secret_id: str,
    secret_key: str,
    timestamp: int,
    host: str,
    content_type: str,
    method: str,
    query: str,
    payload: bytes,
    extra: dict[str, str],
    service: str,
) -> None:
    query = query if method == "GET" else ""
    header = sign_tc3(
        secret_id,
        secret_key,
        timestamp=timestamp,
        host=host,
        content_type=content_type,
        method=method,
        query=query,
        payload=payload,
        service=service,
        extra_headers=extra,
    )
    authorization = parse_authorization(header.encode())
    assert authorization.date == utc_date(timestamp)
    headers = {name.lower().encode(): value.encode() for name, value in extra.items()}
    headers |= {b"content-type": content_type.encode(), b"host": host.encode()}

    def valid(values: dict[bytes, bytes], digest: str) -> bool:
        return verify_tc3(
            authorization,
            signing_key(secret_key, authorization.date, service),
            timestamp=str(timestamp),
            method=method.encode(),
            query=query.encode(),
            headers=values,
            payload_hash=digest,
        )

    digest = hashlib.sha256(b"" if method == "GET" and payload != UNSIGNED_PAYLOAD else payload).hexdigest()
    assert valid(headers, digest)
    assert valid(headers | {b"host": b"http://" + host.encode()}, digest)
    assert not valid(headers | {b"host": b"x" + host.encode()}, digest)
    assert not valid(headers, hashlib.sha256(payload + b"x").hexdigest())


@given(
    secret_key=names,
    parameters=st.dictionaries(names, st.text(max_size=12), max_size=6),
    host=hosts,
    method=st.sampled_from(["GET", "POST"]),
    algorithm=st.sampled_from(sorted(V1_METHODS)),
)
def test_v1_signatures_verify_and_a_changed_value_does_not(
    secret_key: str, parameters: dict[str, str], host: str, method: str, algorithm: str
) -> None:
    parameters.pop("Signature", None)
    signature = sign_v1(secret_key, parameters, host=host, method=method, algorithm=algorithm)
    signed = parameters | {"Signature": signature + "\n"}

    def valid(given: dict[str, str]) -> bool:
        return verify_v1(secret_key, given, host=host.encode(), method=method, algorithm=algorithm)

    assert valid(signed)
    assert not valid(signed | {"Another": "1"})
    assert not valid(signed | {"Signature": signature[1:]})


def test_names_with_underscores_may_have_been_signed_with_dots() -> None:
    signature = sign_v1("key", {"A.B": "1"}, host="h")
    assert verify_v1("key", {"A_B": "1", "Signature": signature}, host=b"h", method="GET", algorithm="HmacSHA1")


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("SKIP", "algorithm"),
        ("", "algorithm"),
        ("TC3-HMAC-SHA256", "Credential"),
        ("TC3-HMAC-SHA256 Credential=a/2026-11-24/faceid, SignedHeaders=content-type;host, Signature=0", "Credential"),
        ("TC3-HMAC-SHA256 Credential=a/20261124/faceid/tc3_request, SignedHeaders=a, Signature=0", "Credential"),
        ("TC3-HMAC-SHA256 Credential=a/2026-11-24/faceid/tc3_request, Signature=0", "SignedHeaders"),
        ("TC3-HMAC-SHA256 Credential=a/2026-11-24/faceid/tc3_request, SignedHeaders=host, Signature=0", "content-type"),
        (
            "TC3-HMAC-SHA256 Credential=a/2026-11-24/faceid/tc3_request, SignedHeaders=content-type;host;host, "
            "Signature=0",
            "SignedHeaders",
        ),
        ("TC3-HMAC-SHA256 Credential=a/2026-11-24/faceid/tc3_request, SignedHeaders=content-type;host,", "`Signature`"),
        ("TC3-HMAC-SHA256 Credential=a/2026-11-24/faceid/tc3_request, SignedHeaders=content-type;host", "`Signature`"),
        ("TC3-HMAC-SHA256 " + "a" * 5000, "too long"),
    ],
)
def test_a_malformed_authorization_is_told_where(header: str, reason: str) -> None:
    with pytest.raises(MalformedAuthorizationError, match=reason):
        parse_authorization(header.encode())


def test_hosts_are_read_as_sent_without_a_scheme_and_without_a_port() -> None:
    assert list(host_readings(b"http://127.0.0.1:80")) == [b"http://127.0.0.1:80", b"127.0.0.1:80", b"127.0.0.1"]
    assert list(host_readings(b"a.b")) == [b"a.b"]


def test_the_memory_of_signing_keys_is_bounded_and_never_serves_a_replaced_key() -> None:
    keys = SigningKeys(size=4)
    for index in range(20):
        assert keys.get(f"key{index}", "2026-11-24", "faceid") == signing_key(f"key{index}", "2026-11-24", "faceid")
    assert len(keys._keys) <= 4
