"""The three signature methods of Cloud API 3.0, to sign and to verify, with the standard library alone.

TC3-HMAC-SHA256 signs a canonical form of the request under a key derived from the SecretKey, a UTC date and a
service name. HmacSHA1 and HmacSHA256 (together: v1) sign the sorted, decoded parameters. Bytes are compared as
they were sent: no value is decoded and encoded again on the way into a canonical form.

Official clients disagree in small things (a port or a scheme in the host, the case of values). Verification
tries each documented reading, and there are few of them; signing always takes the documented one.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from typing import NamedTuple

TC3 = "TC3-HMAC-SHA256"
TERMINATOR = "tc3_request"
UNSIGNED_PAYLOAD = b"UNSIGNED-PAYLOAD"
EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
UNSIGNED_SHA256 = hashlib.sha256(UNSIGNED_PAYLOAD).hexdigest()

V1_METHODS = {"HmacSHA1": "sha1", "HmacSHA256": "sha256"}

_HEADER_BYTES = 4096
_SIGNED_NAMES = 32
_SCOPE = re.compile(
    r"TC3-HMAC-SHA256\s+Credential=(?P<id>[^/,\s]+)/(?P<date>\d{4}-\d{2}-\d{2})/(?P<service>[^/,\s]+)/tc3_request,"
    r"\s*SignedHeaders=(?P<headers>[!-+\--~]+),\s*",
    re.ASCII,
)


class MalformedAuthorizationError(ValueError):
    """The Authorization header is not a TC3 one. The argument is a sentence that says what is wrong."""


class Authorization(NamedTuple):
    """A parsed TC3 Authorization header. `signed_headers`: lower-case names, in the order in which they were sent."""

    secret_id: str
    date: str
    service: str
    signed_headers: tuple[bytes, ...]
    signature: str


def parse_authorization(header: bytes) -> Authorization:
    """Read a TC3 Authorization header. The white space between its parts does not matter.
    MalformedAuthorizationError."""
    if len(header) > _HEADER_BYTES:
        raise MalformedAuthorizationError("`Authorization` is too long.")
    text = header.decode("latin-1").strip()
    scope, found, signature = text.rpartition("Signature=")
    if not found or not signature or " " in signature or "," in signature:
        raise MalformedAuthorizationError(_fault_of(text))
    secret_id, date, service, names = _parse_scope(scope)
    return Authorization(secret_id, date, service, names, signature)


@lru_cache(maxsize=1024)
def _parse_scope(text: str) -> tuple[str, str, str, tuple[bytes, ...]]:
    """Parse all but the signature. A client sends this part unchanged for a whole day."""
    match = _SCOPE.fullmatch(text)
    if match is None:
        raise MalformedAuthorizationError(_fault_of(text))
    names = tuple(name.encode("latin-1") for name in match["headers"].lower().split(";"))
    if len(names) > _SIGNED_NAMES or len(set(names)) != len(names):
        raise MalformedAuthorizationError("`SignedHeaders` not valid.")
    if b"content-type" not in names or b"host" not in names:
        raise MalformedAuthorizationError("`SignedHeaders` must contain `content-type` and `host`.")
    return match["id"], match["date"], match["service"], names


def _fault_of(text: str) -> str:
    if not text.startswith(TC3):
        return f"the algorithm is not `{TC3}`."
    if not re.search(r"\sCredential=[^/,\s]+/\d{4}-\d{2}-\d{2}/[^/,\s]+/tc3_request,", text):
        return "`Credential` not valid."
    if not re.search(r",\s*SignedHeaders=[^,\s]+(,|$)", text):
        return "`SignedHeaders` not valid."
    return "`Signature` not valid."


# -- TC3 -----------------------------------------------------------------------------------------------------


def utc_date(timestamp: int) -> str:
    """Return the `YYYY-MM-DD` of unix seconds in UTC, which a TC3 signature must carry."""
    return _date_of_day(timestamp // 86400)


@lru_cache(maxsize=16)
def _date_of_day(day: int) -> str:
    return datetime.fromtimestamp(day * 86400, UTC).strftime("%Y-%m-%d")


def canonical_request(
    method: bytes,
    query: bytes,
    headers: Mapping[bytes, bytes],
    signed_headers: Iterable[bytes],
    payload_hash: str,
    path: bytes = b"/",
) -> bytes:
    """Build TC3's canonical form. `headers`: the values that it shall contain, by lower-case name.

    The path is documented to be `/` always. `query` is the raw text after the `?` of a GET, empty for a POST.
    """
    names, listed = _in_order(tuple(signed_headers))
    values = [name + b":" + headers[name] for name in names]
    return b"\n".join([method, path, query, *values, b"", listed, payload_hash.encode("ascii")])


@lru_cache(maxsize=1024)
def _in_order(signed_headers: tuple[bytes, ...]) -> tuple[tuple[bytes, ...], bytes]:
    """Return the names in the canonical order: as a tuple, and joined."""
    names = tuple(sorted(signed_headers))
    return names, b";".join(names)


def string_to_sign(timestamp: str, date: str, service: str, canonical: bytes) -> str:
    digest = hashlib.sha256(canonical).hexdigest()
    return f"{TC3}\n{timestamp}\n{date}/{service}/{TERMINATOR}\n{digest}"


def signing_key(secret_key: str, date: str, service: str) -> bytes:
    """Derive the 32 bytes that sign everything of one key, UTC day and service."""
    day = hmac.digest(b"TC3" + secret_key.encode(), date.encode(), "sha256")
    scope = hmac.digest(day, service.encode(), "sha256")
    return hmac.digest(scope, TERMINATOR.encode(), "sha256")


class SigningKeys:
    """A bounded cache of derived signing keys.

    It is keyed by the SecretKey itself, so a replaced key is never served from it. Whether a key is enabled is checked
    elsewhere, for each request. `hmac.digest` over the cached key takes 2.5 µs, as does a copied HMAC object with its
    pads, so nothing more is cached.
    """

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._keys: dict[tuple[str, str, str], bytes] = {}

    def get(self, secret_key: str, date: str, service: str) -> bytes:
        scope = (secret_key, date, service)
        key = self._keys.get(scope)
        if key is None:
            if len(self._keys) >= self._size:
                self._keys.clear()
            key = self._keys[scope] = signing_key(secret_key, date, service)
        return key


def sign_tc3(
    secret_id: str,
    secret_key: str,
    *,
    timestamp: int,
    host: str,
    content_type: str = "application/json",
    method: str = "POST",
    query: str = "",
    payload: bytes = b"",
    service: str,
    extra_headers: Mapping[str, str] | None = None,
) -> str:
    """Return the value of the `Authorization` header.

    `payload`: the body's bytes as they will be sent, or `UNSIGNED_PAYLOAD` to leave the body out (and send
    `X-TC-Content-SHA256: UNSIGNED-PAYLOAD`). `extra_headers` are signed beside content-type and host, with their values
    in lower case as in the documentation's examples.
    """
    headers = {name.lower().encode(): value.strip().lower().encode() for name, value in (extra_headers or {}).items()}
    headers[b"content-type"] = content_type.strip().encode()
    headers[b"host"] = host.strip().encode()
    payload_hash = EMPTY_SHA256 if method == "GET" and payload != UNSIGNED_PAYLOAD else _sha256(payload)
    canonical = canonical_request(method.encode(), query.encode(), headers, headers, payload_hash)
    date = utc_date(timestamp)
    text = string_to_sign(str(timestamp), date, service, canonical)
    signature = hmac.digest(signing_key(secret_key, date, service), text.encode(), "sha256").hex()
    names = ";".join(sorted(name.decode() for name in headers))
    return f"{TC3} Credential={secret_id}/{date}/{service}/{TERMINATOR}, SignedHeaders={names}, Signature={signature}"


def _sha256(payload: bytes) -> str:
    return hashlib.sha256(payload).hexdigest()


def verify_tc3(
    authorization: Authorization,
    key: bytes,
    *,
    timestamp: str,
    method: bytes,
    query: bytes,
    headers: Mapping[bytes, bytes],
    payload_hash: str,
    path: bytes = b"/",
) -> bool:
    """Return whether the signature is that of this request under the signing key `key`.

    `path`: as it was sent. Most clients sign `/` whatever the endpoint's path is; Node signs the path. `headers`: as
    received, by lower-case name; each name in `authorization.signed_headers` must be there. `timestamp`: the text of
    X-TC-Timestamp. The date is taken from the header's scope; the caller compares it with `utc_date`.
    """
    signed = authorization.signed_headers
    given = authorization.signature.encode("latin-1")
    for signed_path in path_readings(path):
        for values in header_readings(headers, signed):
            canonical = canonical_request(method, query, values, signed, payload_hash, signed_path)
            text = string_to_sign(timestamp, authorization.date, authorization.service, canonical)
            expected = hmac.digest(key, text.encode("latin-1"), "sha256").hex().encode("ascii")
            if hmac.compare_digest(expected, given):
                return True
    return False


def path_readings(path: bytes) -> tuple[bytes, ...]:
    """Return what may be signed for the path that was sent: `/`, and the path itself."""
    return (b"/",) if path == b"/" else (b"/", path)


def header_readings(headers: Mapping[bytes, bytes], signed: tuple[bytes, ...]) -> Iterator[dict[bytes, bytes]]:
    """Yield each reading of the signed headers' values that an official client or document uses, at most twelve.

    Host and content type as sent and then in lower case, all others in lower case and then as sent; the host also
    without a scheme and without a port.
    """
    sent = {name: headers[name].strip() for name in signed}
    if len(signed) == 2:
        yield sent  # what almost every client signs; the others are only tried if this one fails
    lower = {name: value.lower() for name, value in sent.items()}
    common = lower | {name: sent[name] for name in (b"host", b"content-type")}
    if len(signed) != 2:
        yield common
    exotic = sent | {name: lower[name] for name in (b"host", b"content-type")}
    seen = [common]
    for host in host_readings(sent[b"host"]):
        as_sent, folded = {b"host": host}, {b"host": host.lower()}
        for reading in (common | as_sent, sent | as_sent, lower | folded, exotic | folded):
            if reading not in seen:
                seen.append(reading)
                yield reading


def host_readings(host: bytes) -> Iterator[bytes]:
    """Yield the host as sent, without `http://`, and without `:port`: Node omits the port, tccli adds a scheme."""
    yield host
    bare = host
    for scheme in (b"http://", b"https://"):
        bare = bare.removeprefix(scheme)
    if bare != host:
        yield bare
    name, colon, port = bare.rpartition(b":")
    if colon and port.isdigit():
        yield name


# -- v1 ------------------------------------------------------------------------------------------------------


def v1_string_to_sign(method: str, host: str, parameters: Mapping[str, str], path: str = "/") -> str:
    """Build the text that HmacSHA1 and HmacSHA256 sign: decoded values, keys in ASCII order, no Signature."""
    pairs = [(name, parameters[name]) for name in sorted(parameters) if name != "Signature"]
    return v1_text(method, host, pairs, path)


def v1_text(method: str, host: str, pairs: Iterable[tuple[str, str]], path: str = "/") -> str:
    """Build the text from pairs that are already in order."""
    return f"{method}{host}{path}?" + "&".join(f"{name}={value}" for name, value in pairs)


def sign_v1(
    secret_key: str, parameters: Mapping[str, str], *, host: str, method: str = "GET", algorithm: str = "HmacSHA1"
) -> str:
    """Return the value of the `Signature` parameter: Base64, not yet URL-encoded.

    `parameters`: all others with decoded values, nested names as `Encryption.EncryptList.0`. `algorithm`: also the
    SignatureMethod parameter, which may be left out for HmacSHA1. KeyError: another algorithm.
    """
    return _v1_signature(secret_key, v1_string_to_sign(method, host, parameters), V1_METHODS[algorithm])


def _v1_signature(secret_key: str, text: str, digest: str) -> str:
    return base64.b64encode(hmac.digest(secret_key.encode(), text.encode(), digest)).decode("ascii")


def verify_v1(
    secret_key: str,
    parameters: Mapping[str, str],
    *,
    host: bytes,
    method: str,
    algorithm: str,
    path: bytes = b"/",
) -> bool:
    """Return whether `parameters["Signature"]` signs the others. `algorithm`: one of `V1_METHODS`.

    It tries the hosts of `host_readings`, and names with `_` read as `.`, as the Python client signs them. White space
    around the signature is ignored (Ruby sends a line feed).
    """
    given = parameters["Signature"].strip().encode()
    dotted = {name.replace("_", "."): value for name, value in parameters.items()}
    for reading in (parameters, dotted) if dotted.keys() != parameters.keys() else (parameters,):
        for name, signed_path in product(host_readings(host.strip()), path_readings(path)):
            text = v1_string_to_sign(method, name.decode("latin-1"), reading, signed_path.decode("latin-1"))
            expected = _v1_signature(secret_key, text, V1_METHODS[algorithm]).encode("ascii")
            if hmac.compare_digest(expected, given):
                return True
    return False
