"""Signed requests of Cloud API 3.0, ready for any HTTP library."""

import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from renzheng.client.errors import RequestTooLargeError
from renzheng.gateway import signature

SignatureMethod = Literal["TC3-HMAC-SHA256", "HmacSHA1", "HmacSHA256"]
HttpMethod = Literal["GET", "POST"]

SERVICE, VERSION = "faceid", "2018-03-01"
_FORM = "application/x-www-form-urlencoded"
_GET_BYTES = 32 * 1024
_V1_BYTES = 1024 * 1024
_TC3_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Credential:
    """A key pair of an account. `token` belongs to temporary ones."""

    secret_id: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SignedRequest:
    """What is sent: `target` is the path with its query, `headers` contains the signed Host."""

    method: HttpMethod
    target: str
    headers: dict[str, str]
    body: bytes = field(repr=False)


def sign(
    credential: Credential,
    action: str,
    parameters: Mapping[str, Any],
    *,
    host: str,
    signature_method: SignatureMethod = "TC3-HMAC-SHA256",
    http_method: HttpMethod = "POST",
    region: str | None = None,
    language: str | None = None,
    service: str = SERVICE,
    version: str = VERSION,
    timestamp: int | None = None,
    nonce: int | None = None,
) -> SignedRequest:
    """Sign one call.

    parameters: the action's own, in JSON's types; None is left out. host: the value of the Host header, with the port
    if there is one. timestamp: unix seconds, now if None; a server refuses one more than five minutes off. nonce: for
    the HmacSHA methods, random if None. RequestTooLargeError above 32 KB in a GET, 1 MB in a form and 10 MB in JSON.
    """
    given = {name: value for name, value in parameters.items() if value is not None}
    now = int(time.time()) if timestamp is None else timestamp
    if signature_method == "TC3-HMAC-SHA256":
        common = {
            "X-TC-Action": action,
            "X-TC-Version": version,
            "X-TC-Timestamp": str(now),
            "X-TC-Region": region,
            "X-TC-Token": credential.token,
            "X-TC-Language": language,
        }
        headers = {name: value for name, value in common.items() if value}
        return _sign_tc3(credential, given, headers, host, http_method, now, service)
    if signature_method not in signature.V1_METHODS:
        raise ValueError("the signature method is TC3-HMAC-SHA256, HmacSHA1 or HmacSHA256")
    optional = {"Region": region, "Token": credential.token, "Language": language}
    form = dict(flatten(given)) | {name: value for name, value in optional.items() if value}
    form |= {
        "Action": action,
        "Version": version,
        "Timestamp": str(now),
        "Nonce": str(secrets.randbelow(2**31) + 1 if nonce is None else nonce),
        "SecretId": credential.secret_id,
        "SignatureMethod": signature_method,
    }
    form["Signature"] = signature.sign_v1(
        credential.secret_key, form, host=host, method=http_method, algorithm=signature_method
    )
    return _as_form(form, {"Host": host}, http_method)


def flatten(parameters: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield parameters in a form's notation: `Encryption.EncryptList.0`, `true` and `false`, numbers in decimal."""
    for name, value in parameters.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}.{inner}", text) for inner, text in flatten(value))
        elif isinstance(value, list | tuple):
            numbered = {str(position): item for position, item in enumerate(value)}
            yield from ((f"{name}.{inner}", text) for inner, text in flatten(numbered))
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        elif value is not None:
            yield name, str(value)


def _sign_tc3(
    credential: Credential,
    parameters: Mapping[str, Any],
    headers: dict[str, str],
    host: str,
    method: HttpMethod,
    timestamp: int,
    service: str,
) -> SignedRequest:
    query = _encode(dict(flatten(parameters))) if method == "GET" else ""
    body = b"" if method == "GET" else msgspec.json.encode(parameters)
    content_type = _FORM if method == "GET" else "application/json"
    _check_size(len(query), _GET_BYTES, "a GET")
    _check_size(len(body), _TC3_BYTES, "a JSON body")
    authorization = signature.sign_tc3(
        credential.secret_id,
        credential.secret_key,
        timestamp=timestamp,
        host=host,
        content_type=content_type,
        method=method,
        query=query,
        payload=body,
        service=service,
    )
    headers |= {"Host": host, "Content-Type": content_type, "Authorization": authorization}
    return SignedRequest(method, f"/?{query}" if query else "/", headers, body)


def _as_form(form: Mapping[str, str], headers: dict[str, str], method: HttpMethod) -> SignedRequest:
    encoded = _encode(form)
    if method == "GET":
        _check_size(len(encoded), _GET_BYTES, "a GET")
        return SignedRequest(method, f"/?{encoded}", headers, b"")
    _check_size(len(encoded), _V1_BYTES, "a form")
    return SignedRequest(method, "/", headers | {"Content-Type": _FORM}, encoded.encode("ascii"))


def _encode(form: Mapping[str, str]) -> str:
    return urlencode(form, quote_via=quote, safe="")


def _check_size(size: int, limit: int, what: str) -> None:
    if size > limit:
        raise RequestTooLargeError(f"{what} holds {limit} bytes at most, this request has {size}")
