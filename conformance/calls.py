"""The one list of calls that every official client makes, and which client can make which."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tests.support.images import base64_of, drawn
from tests.support.photos import png_of

METHODS = [(sign, http) for sign in ("TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256") for http in ("POST", "GET")]
V1_BODY = 1024 * 1024
MAX_CHARACTERS = 8_388_608
BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}


@dataclass(frozen=True)
class Call:
    """`fields` may name `{token}`. `code`: the error that has to come, empty for a success.

    `has`: a field that a success carries. `language`: the client's setting. `large`: more than a query can hold.
    """

    name: str
    action: str
    fields: dict[str, Any]
    has: str = ""
    code: str = ""
    message: str = ""
    language: str = "zh-CN"
    large: bool = False


def calls() -> list[Call]:
    biggest = base64_of(png_of(MAX_CHARACTERS // 4 * 3))
    return [
        Call("token LOCAL", "GetFaceIdToken", local(), has="FaceIdToken", large=True),
        Call("token BUSINESS", "GetFaceIdToken", BUSINESS, has="FaceIdToken"),
        Call("result", "GetFaceIdResult", {"FaceIdToken": "{token}", "IsNeedVideo": True}, has="Result"),
        Call(
            "an error in Chinese",
            "GetFaceIdResult",
            {"FaceIdToken": "CE661F1A-0F1E-45BD-BE13-34C05CEA7681"},
            code="InvalidParameterValue.BizTokenIllegal",
            message="BizToken不合法。",
        ),
        Call(
            "an error in English",
            "GetFaceIdToken",
            {"IdCard": "11204416541220243X"},
            code="MissingParameter",
            message="The request is missing a required parameter `CompareLib`.",
            language="en-US",
        ),
        Call(
            "the biggest allowed photo",
            "GetFaceIdToken",
            {"CompareLib": "LOCAL", "ImageBase64": biggest},
            has="FaceIdToken",
            large=True,
        ),
    ]


def local() -> dict[str, Any]:
    return {"CompareLib": "LOCAL", "ImageBase64": base64_of(drawn())}


def with_token(fields: dict[str, Any], token: str) -> dict[str, Any]:
    """The fields with `{token}` filled in."""
    return {name: token if value == "{token}" else value for name, value in fields.items()}


def signed_calls() -> list[tuple[Call, str, str]]:
    """Every call by every method that can carry it. A query holds 32 KB and a v1 form 1 MB: a photo needs more."""
    return [(call, sign, http) for call in calls() for sign, http in METHODS if _fits(call, sign, http)]


def _fits(call: Call, sign: str, http: str) -> bool:
    size = len(json.dumps(call.fields))
    return size < 32 * 1024 if http == "GET" else sign.startswith("TC3") or size < V1_BODY
