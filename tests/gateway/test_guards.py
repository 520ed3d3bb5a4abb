"""Guards of which each is one comparison: a test for each that fails when it is weakened."""

from __future__ import annotations

import asyncio
import base64
import secrets
from typing import Any

import gmalg
import pytest

from renzheng.accounts.keys import Key
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.failures import RecentRefusals
from renzheng.gateway.quota import FixedWindowQuota
from renzheng.gateway.signature import (
    Authorization,
    MalformedAuthorizationError,
    parse_authorization,
    sign_tc3,
    sign_v1,
    signing_key,
    utc_date,
    verify_tc3,
    verify_v1,
)
from renzheng.gateway.sm2 import CURVE_ORDER, Sm2PrivateKey, pem_blocks
from tests.gateway.signing import BUSINESS, signed_json, tc3_headers
from tests.gateway.support import NOW, SECRET_ID, SECRET_KEY, build, call

V1 = {"Action": "A", "Nonce": "1", "SecretId": SECRET_ID, "Timestamp": "1"}


def changed(text: str, at: int) -> str:
    return text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]


def test_a_tc3_signature_is_compared_to_its_last_digit() -> None:
    at, headers = int(NOW), {b"content-type": b"application/json", b"host": b"here"}
    line = sign_tc3(SECRET_ID, SECRET_KEY, timestamp=at, host="here", payload=b"{}", service="faceid")
    signature = line.rpartition("Signature=")[2]
    assert len(signature) == 64

    def verified(given: str) -> bool:
        authorization = Authorization(SECRET_ID, utc_date(at), "faceid", (b"content-type", b"host"), given)
        key = signing_key(SECRET_KEY, utc_date(at), "faceid")
        payload = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        return verify_tc3(
            authorization, key, timestamp=str(at), method=b"POST", query=b"", headers=headers, payload_hash=payload
        )

    assert verified(signature)
    for at_digit in range(64):
        assert not verified(changed(signature, at_digit)), at_digit
    for cut in (signature[:-1], signature[:32], signature + "0", signature + signature, "", signature.upper()):
        assert not verified(cut), cut


@pytest.mark.parametrize("algorithm", ["HmacSHA1", "HmacSHA256"])
def test_a_v1_signature_is_compared_to_its_last_character(algorithm: str) -> None:
    signature = sign_v1(SECRET_KEY, V1, host="here", algorithm=algorithm)

    def verified(given: str) -> bool:
        parameters = V1 | {"Signature": given}
        return verify_v1(SECRET_KEY, parameters, host=b"here", method="GET", algorithm=algorithm)

    assert verified(signature)
    raw = base64.b64decode(signature)
    for at in range(len(raw)):
        other = base64.b64encode(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]).decode()
        assert not verified(other), at
    for cut in (signature[:-1], signature[:8], signature + "=", ""):
        assert not verified(cut), cut


def test_each_sm2_decryption_multiplies_by_a_scalar_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    key, seen = Sm2PrivateKey.generate(), []
    usual = gmalg.SM2

    def watching(*arguments: Any, **named: Any) -> Any:
        if "sk" in named:
            seen.append(int.from_bytes(named["sk"], "big"))
        return usual(*arguments, **named)

    sealed = key.public.encrypt(b"k" * 16)
    monkeypatch.setattr(gmalg, "SM2", watching)
    for _ in range(3):
        assert key.decrypt(sealed) == b"k" * 16
    assert len(set(seen)) == 3
    assert len({scalar % CURVE_ORDER for scalar in seen}) == 1
    assert all(scalar > CURVE_ORDER << 32 for scalar in seen), "the blind has 64 bits"


async def test_a_wrong_signature_is_kept_without_any_value_that_was_sent() -> None:
    rooms = build()
    failures = RecentRefusals(lambda: {SECRET_ID: SECRET_KEY}, rooms.gateway._log)
    rooms = build(failures=failures)
    request = signed_json(BUSINESS | {"Name": "韦小宝", "IdCard": "11204416541220243X"}, secret_key="no")
    answer = await call(rooms.gateway, **request)
    assert answer.code == "AuthFailure.SignatureFailure"
    for _ in range(500):
        if failures.recent() and failures.recent()[0].explanation is not None:
            break
        await asyncio.sleep(0.01)
    kept = repr(failures.recent())
    assert failures.recent()[0].explanation is not None
    for secret in (SECRET_KEY, SECRET_ID, "韦小宝", "11204416541220243X"):
        assert secret not in kept


@pytest.mark.parametrize(("off", "code"), [(-300, ""), (300, ""), (-301, "X"), (301, "X")])
async def test_the_clock_may_differ_by_five_minutes_ends_included(off: int, code: str) -> None:
    expected = "AuthFailure.SignatureExpire" if code else ""
    assert (await call(build().gateway, **signed_json(BUSINESS, timestamp=int(NOW) + off))).code == expected


async def test_a_date_of_another_day_is_refused_though_it_is_signed() -> None:
    body = b'{"CompareLib":"BUSINESS","IdCard":"11204416541220243X","Name":"x"}'
    headers = tc3_headers(body, date="2026-11-23")
    assert (await call(build().gateway, headers=headers, body=body)).code == "AuthFailure.SignatureFailure"


@pytest.mark.parametrize(
    ("token", "sent", "code"),
    [
        (None, None, ""),
        (None, "t", "AuthFailure.TokenFailure"),
        ("t", None, "AuthFailure.TokenFailure"),
        ("t", "t", ""),
        ("token", "toke", "AuthFailure.TokenFailure"),
        ("token", "tokens", "AuthFailure.TokenFailure"),
    ],
)
async def test_temporary_credentials_need_their_whole_token(token: str | None, sent: str | None, code: str) -> None:
    rooms = build(Key(SECRET_ID, SECRET_KEY, 1, token=token, expires_at=NOW + 10))
    request = signed_json(BUSINESS)
    if sent is not None:
        request["headers"] = [*request["headers"], (b"X-TC-Token", sent.encode())]
    assert (await call(rooms.gateway, **request)).code == code
    rooms.clock.now = NOW + 10
    assert (await call(rooms.gateway, **request)).code == "AuthFailure.TokenFailure", "the end is not included"


async def test_a_disabled_key_is_no_key() -> None:
    rooms = build(Key(SECRET_ID, SECRET_KEY, 1, enabled=False))
    assert (await call(rooms.gateway, **signed_json(BUSINESS))).code == "AuthFailure.SecretIdNotFound"


@pytest.mark.parametrize(
    ("networks", "address", "code"),
    [
        (("10.0.0.0/24",), "10.0.0.255", ""),
        (("10.0.0.0/24",), "10.0.1.0", "IpNotInWhitelist"),
        (("10.0.0.0/24", "2001:db8::/32"), "2001:db8::1", ""),
        (("10.0.0.1",), "", "IpNotInWhitelist"),
    ],
)
async def test_a_key_is_used_from_its_networks_only(networks: tuple[str, ...], address: str, code: str) -> None:
    rooms = build(Key(SECRET_ID, SECRET_KEY, 1, addresses=networks))
    assert (await call(rooms.gateway, **signed_json(BUSINESS), client=address)).code == code


@pytest.mark.parametrize(("limit", "codes"), [(1, ["", "RequestLimitExceeded"]), (2, ["", ""])])
async def test_a_second_lets_as_many_pass_as_the_limit_says(limit: int, codes: list[str]) -> None:
    rooms = build(settings=GatewaySettings(per_second={(1, "GetFaceIdToken"): limit}))
    assert [(await call(rooms.gateway, **signed_json(BUSINESS))).code for _ in codes] == codes


async def test_windows_are_by_account_by_action_and_by_second() -> None:
    windows = FixedWindowQuota()
    assert [await windows.hit(1, "a", 10.0), await windows.hit(1, "a", 10.9)] == [1, 2]
    assert [await windows.hit(2, "a", 10.9), await windows.hit(1, "b", 10.9)] == [1, 1]
    assert await windows.hit(1, "a", 9.9) == 3, "a second that is over is not opened again"
    assert await windows.hit(1, "a", 11.0) == 1
    assert [await windows.hit(1, "a", -49.0), await windows.hit(1, "a", -50.0)] == [2, 1]


def test_a_v1_signature_does_not_fix_where_a_value_ends_as_the_security_page_says() -> None:
    two, one = V1 | {"X": "1", "Y": "2"}, V1 | {"X": "1&Y=2"}
    assert sign_v1(SECRET_KEY, two, host="here") == sign_v1(SECRET_KEY, one, host="here")


LINE = "TC3-HMAC-SHA256 Credential=A/2026-11-24/faceid/tc3_request, SignedHeaders={}, Signature=a"
MANY = ";".join(f"x{number}" for number in range(30))


@pytest.mark.parametrize(
    ("names", "is_right"),
    [
        ("content-type;host", True),
        (f"content-type;host;{MANY}", True),
        (f"content-type;host;y;{MANY}", False),
        ("content-type;host;host", False),
        ("content-type", False),
        ("host", False),
    ],
)
def test_signed_headers_are_few_different_and_hold_the_two_that_decide(names: str, is_right: bool) -> None:
    line = LINE.format(names).encode()
    if is_right:
        assert len(parse_authorization(line).signed_headers) == names.count(";") + 1
    else:
        with pytest.raises(MalformedAuthorizationError):
            parse_authorization(line)


def test_an_authorization_has_four_kib() -> None:
    line = LINE.format("content-type;host").encode()
    assert parse_authorization(line + b"a" * (4096 - len(line)))
    with pytest.raises(MalformedAuthorizationError):
        parse_authorization(line + b"a" * (4097 - len(line)))


async def test_only_the_exact_mark_leaves_a_body_out_of_the_signature() -> None:
    for mark, code in (("UNSIGNED-PAYLOAD", ""), ("UNSIGNED-PAYLOADS", "AuthFailure.SignatureFailure")):
        body = b'{"CompareLib":"BUSINESS","IdCard":"11204416541220243X","Name":"x"}'
        headers = tc3_headers(
            body, host="127.0.0.1:8400", payload=b"UNSIGNED-PAYLOAD", more={"X-TC-Content-SHA256": mark}
        )
        assert (await call(build().gateway, headers=headers, body=body)).code == code


async def test_a_body_that_announces_too_much_is_refused_before_any_of_it_comes() -> None:
    rooms = build(settings=GatewaySettings(body_bytes=1024, body_seconds=0.05, linger_seconds=0.01))
    headers = [*tc3_headers(b""), (b"Content-Length", b"1025")]
    assert (await call(rooms.gateway, headers=headers, chunks=[])).code == "RequestSizeLimitExceeded"


def test_an_sm2_key_whose_halves_do_not_belong_together_is_refused() -> None:
    one, other = (pem_blocks(Sm2PrivateKey.generate().pem)[0] for _ in range(2))
    assert Sm2PrivateKey.from_der(one)
    with pytest.raises(ValueError, match="halves"):
        Sm2PrivateKey.from_der(one[:-65] + other[-65:])


def test_a_new_sm2_key_is_drawn_from_more_bits_than_it_has() -> None:
    """What is reduced from as many would favour small numbers."""
    asked: list[int] = []

    def bytes_of(count: int) -> bytes:
        asked.append(count)
        return secrets.token_bytes(count)

    Sm2PrivateKey.generate(bytes_of)
    assert asked == [40]


@pytest.mark.parametrize(
    ("more", "closes"),
    [([(b"Transfer-Encoding", b"chunked")], True), ([(b"Content-Length", b"9999999")], True), ([], False)],
)
async def test_a_refusal_ends_the_connection_where_more_of_its_body_is_to_come(
    more: list[tuple[bytes, bytes]], closes: bool
) -> None:
    rooms = build(settings=GatewaySettings(linger_seconds=0.01))
    headers = [*tc3_headers(b"", secret_id="AKIDunknown"), *more]
    answer = await call(rooms.gateway, headers=headers, chunks=[b"a", b"b"])
    assert answer.code == "AuthFailure.SecretIdNotFound"
    assert ((b"connection", b"close") in answer.headers) is closes


async def test_of_an_unforeseen_error_the_log_has_the_kinds_that_it_came_from_and_no_text() -> None:
    rooms = build()
    rooms.failing.append(RuntimeError("MARKED"))
    rooms.failing[0].__context__ = KeyError("MARKED")
    rooms.failing[0].__context__.__cause__ = OSError("MARKED")
    assert (await call(rooms.gateway, **signed_json(BUSINESS))).code == "FailedOperation.UnKnown"
    (line,) = rooms.lines("action failed")
    assert [kind.split()[0] for kind in line["error"]] == [
        f"builtins.{kind}" for kind in ("RuntimeError", "KeyError", "OSError")
    ]
    assert "MARKED" not in repr(line)


async def test_refusals_are_written_nowhere_where_there_is_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = RecentRefusals(dict, build().gateway._log)
    later: list[float] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda seconds, _: later.append(seconds))
    rooms = build(failures=failures)
    await call(rooms.gateway, **signed_json(BUSINESS, secret_id="AKIDunknown"))
    assert failures.recent()
    assert later == []


@pytest.mark.parametrize(("setting", "local", "advised"), [
    ("loopback", True, True), ("loopback", False, False), ("always", False, True), ("never", True, False),
])  # fmt: skip
async def test_who_may_leave_a_body_out_is_asked_as_for_the_request_itself(
    setting: Any, local: bool, advised: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = RecentRefusals(dict, build().gateway._log)
    seen: list[bool] = []
    monkeypatch.setattr(failures, "explain", lambda *given: seen.append(given[4]))
    rooms = build(failures=failures, settings=GatewaySettings(unsigned_payload=setting))
    request = signed_json(BUSINESS, secret_key="no", host="127.0.0.1")
    answer = await call(rooms.gateway, **request, client="127.0.0.1" if local else "10.0.0.1")
    assert answer.code == "AuthFailure.SignatureFailure"
    assert seen == [advised]
