"""Queries and forms from strangers: bounded, and nothing of an unknown caller's is unquoted."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renzheng.gateway import authentication, pairs
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import ApiError, MalformedEncodingError
from renzheng.gateway.pairs import MAX_STRAY, raw_pairs, unquote
from renzheng.gateway.signature import sign_v1
from tests.gateway.support import NOW, SECRET_ID, SECRET_KEY, Answer, House, build, call

FORM = (b"Content-Type", b"application/x-www-form-urlencoded")


PIECES = ["%41", "%C3%A9", "%", "%%", "%4", "%\n", "%\r\n", "=", "=41", "+", "a", "é", "\r", "%3D", "%a", "A"]


@given(st.lists(st.sampled_from(PIECES)))
def test_unquoting_is_that_of_the_standard_library(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        expected = unquote_plus(text, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(MalformedEncodingError):
            unquote(text.encode())
    else:
        assert unquote(text.encode()) == expected


def test_percent_signs_that_escape_nothing_are_few() -> None:
    assert unquote(b"%" * MAX_STRAY) == "%" * MAX_STRAY
    with pytest.raises(MalformedEncodingError):
        unquote(b"%" * (MAX_STRAY + 2))


def test_a_form_has_256_pairs_and_of_more_none_is_cut() -> None:
    assert len(raw_pairs(b"&".join(b"a%d=1" % n for n in range(256)))) == 256
    with pytest.raises(ApiError) as caught:
        raw_pairs(b"&" * 255 + b"=")  # what stands between them would be refused, if it were looked at
    assert caught.value.code == "InvalidParameter"
    with pytest.raises(ApiError) as caught:
        raw_pairs(b"=&" * 256)
    assert caught.value.message("en-US") == "The request has more than `256` parameters."


def v1(**changes: str | None) -> bytes:
    """A form with the common parameters; None leaves one out."""
    common = {
        "Action": "GetFaceIdToken",
        "CompareLib": "LOCAL",
        "Nonce": "11886",
        "Region": "ap-guangzhou",
        "SecretId": SECRET_ID,
        "Timestamp": str(int(NOW)),
        "Version": "2018-03-01",
    }
    given = {name: value for name, value in {**common, **changes}.items() if value is not None}
    if "Signature" not in changes:
        given["Signature"] = sign_v1(SECRET_KEY, given, host="here", method="POST")
    return "&".join(f"{name}={value.replace('+', '%2B').replace('=', '%3D')}" for name, value in given.items()).encode()


async def post(house: House, form: bytes) -> Answer:
    return await call(house.gateway, headers=[FORM, (b"Host", b"here")], body=form)


@pytest.fixture
def unquotings(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    seen: list[bytes] = []

    def counting(text: bytes) -> str:
        seen.append(text)
        return unquote(text)

    monkeypatch.setattr(pairs, "unquote", counting)
    monkeypatch.setattr(authentication, "unquote", counting)
    return seen


async def test_nothing_of_an_unknown_caller_is_unquoted_but_the_secret_id(unquotings: list[bytes]) -> None:
    house = build()
    stranger = v1(SecretId="AKIDstranger") + b"&%41=%41" * 100
    answer = await post(house, stranger[: -len(b"&%41=%41") * 99])
    assert answer.code == "AuthFailure.SecretIdNotFound"
    assert unquotings == [b"AKIDstranger"]
    assert (await post(house, v1())).code == ""
    assert len(unquotings) > 10


@pytest.mark.parametrize(
    ("form", "code", "english"),
    [
        (v1(SecretId="x" * 257), "AuthFailure.SecretIdNotFound", "The SecretId is not found"),
        (v1(SecretId="x", Nonce=None), "MissingParameter", "The request is missing a required parameter `Nonce`."),
        (v1(SecretId="x", Timestamp="now"), "InvalidParameter", "Parameter `Timestamp` type error."),
        (v1(SecretId="x", Nonce="-1"), "InvalidParameter", "Parameter `Nonce` type error."),
        (v1(Timestamp="%2E"), "InvalidParameter", "Parameter `Timestamp` type error."),
        (v1() + b"&%E9=1", "InvalidParameter", "The request parameters are not valid UTF-8."),
        (v1() + b"&Acti%6Fn=GetFaceIdToken", "InvalidParameter", "The parameter `Action` is given more than once."),
        (v1() + b"&x" * 300, "InvalidParameter", "The request has more than `256` parameters."),
    ],
)
async def test_what_is_wrong_is_told_in_the_usual_order(form: bytes, code: str, english: str) -> None:
    answer = await post(build(), form)
    assert answer.code == code
    assert answer.message.startswith(english)


async def test_the_v1_methods_can_be_turned_off_before_a_body_is_read() -> None:
    house = build(settings=GatewaySettings(v1_signatures=False))
    answer = await post(house, v1())
    assert answer.code == "AuthFailure.SignatureFailure"
    assert "TC3-HMAC-SHA256" in answer.message
    assert house.lines("request")[0]["received"] == 0
    assert (await post(build(), v1())).code == ""


async def test_a_request_has_128_headers_whatever_server_it_comes_through() -> None:
    for extra, expected in ((126, ""), (127, "RequestSizeLimitExceeded")):
        headers: Any = [FORM, (b"Host", b"here"), *((b"X-%d" % n, b"a") for n in range(extra))]
        assert (await call(build().gateway, headers=headers, body=v1())).code == expected


def test_repeated_headers_are_found_in_one_pass() -> None:
    """By counting each name, 60,000 took two minutes; this would not end."""
    from renzheng.gateway.context import _repeated_names

    many = [(b"x%d" % n, b"") for n in range(200_000)]
    assert _repeated_names([*many, (b"x7", b"")]) == {b"x7"}
