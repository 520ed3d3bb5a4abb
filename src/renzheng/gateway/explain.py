"""Why a signature is wrong: the request is signed again with each plausible mistake, until the client's comes out.

A cause is named only where the client's own signature is reproduced; else it is "none of these". All is pure: a
captured request and keys in, an explanation out. The texts that were signed are shown in full, or `masked`: the
query, the values of v1 parameters and of uncommon headers as digests, which is what may be kept.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, Protocol
from urllib.parse import quote, quote_plus

from renzheng.gateway.errors import ApiError
from renzheng.gateway.explanation import (
    MALFORMED,
    NONE_OF_THESE,
    UNKNOWN_KEY,
    VALID,
    Captured,
    Difference,
    Explanation,
    digest_of,
    mask_id,
    masked_value,
)
from renzheng.gateway.parameters import split_pairs, unique
from renzheng.gateway.signature import (
    EMPTY_SHA256,
    TERMINATOR,
    UNSIGNED_PAYLOAD,
    UNSIGNED_SHA256,
    V1_METHODS,
    Authorization,
    MalformedAuthorization,
    canonical_request,
    header_readings,
    host_readings,
    parse_authorization,
    string_to_sign,
    utc_date,
    v1_text,
)

_JSON_BYTES = 256 * 1024
_PORTS = (80, 443, 8080, 8400, 8443)
_SERVICES = ("cvm", "sts", "cam", "ocr", "iai", "cos", "tms", "faceid")
_SPACES = (" ", "\n", "\t", "\r\n", "\ufeff", "\u00a0")


class _Reading(Protocol):
    """One way in which a request may have been signed."""

    @property
    def signature(self) -> str: ...
    def shown(self, masked: bool) -> tuple[str, str]:
        """The canonical request, empty for v1, and the string to sign."""
        ...


# -- TC3 -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Tc3:
    secret_key: str
    date: str
    key_date: str
    service: str
    key_service: str
    timestamp: str
    method: bytes
    query: bytes
    values: Mapping[bytes, bytes]
    payload_hash: str

    def _canonical(self) -> bytes:
        return canonical_request(self.method, self.query, self.values, self.values, self.payload_hash)

    @property
    def signature(self) -> str:
        key = b"TC3" + self.secret_key.encode()
        for part in (self.key_date, self.key_service, TERMINATOR):
            key = hmac.digest(key, part.encode(), "sha256")
        text = string_to_sign(self.timestamp, self.date, self.service, self._canonical())
        return hmac.digest(key, text.encode("latin-1", "replace"), "sha256").hex()

    def shown(self, masked: bool) -> tuple[str, str]:
        canonical = self._canonical()
        text = string_to_sign(self.timestamp, self.date, self.service, canonical)
        if not masked:
            return canonical.decode("utf-8", "replace"), text
        values = {
            name: value if name in (b"host", b"content-type") else digest_of(value.decode("latin-1")).encode()
            for name, value in self.values.items()
        }
        query = digest_of(self.query.decode("latin-1")).encode() if self.query else b""
        shown = canonical_request(self.method, query, values, values, self.payload_hash)
        return shown.decode("utf-8", "replace"), text


_Variation = Iterator[tuple[str, str, _Reading]]


def _tc3_mistakes(
    base: _Tc3, captured: Captured, header: Authorization, keys: Mapping[str, str], reserialised: Iterable[str]
) -> _Variation:
    """Each mistake as its cause, a detail and the reading that it would give."""
    yield from _date_mistakes(base, header)
    yield from _header_mistakes(base)
    for query in _reordered(base.query):
        yield "query-order", "", replace(base, query=query)
    for payload in (UNSIGNED_SHA256, captured.sent_hash):
        if base.method != b"GET" or payload == UNSIGNED_SHA256:
            yield "payload-unsigned", "", replace(base, payload_hash=payload)
    label = base.values[b"host"].split(b".", 1)[0].decode("latin-1")
    for service in (header.service, label, *_SERVICES):
        yield "wrong-service", service, replace(base, service=service, key_service=service)
        yield "wrong-service", service, replace(base, key_service=service)
    for detail, key in _other_keys(base.secret_key, header.secret_id, keys):
        yield "space-around-key" if not detail else "key-of-another", detail, replace(base, secret_key=key)
    if base.method == b"POST":
        for payload in reserialised:
            yield "body-reserialised", "", replace(base, payload_hash=payload)


def _date_mistakes(base: _Tc3, header: Authorization) -> _Variation:
    day = int(base.timestamp) // 86400 * 86400
    dates = [header.date, *(utc_date(day + shift) for shift in (0, 86400, -86400) if day + shift >= 0)]
    for date in dates:
        for key_date in dates:
            if (date, key_date) != (base.date, base.key_date):
                yield "date-not-utc", date, replace(base, date=date, key_date=key_date)


def _header_mistakes(base: _Tc3) -> _Variation:
    def with_value(name: bytes, value: bytes) -> _Tc3:
        return replace(base, values={**base.values, name: value})

    content_type, host = base.values[b"content-type"], base.values[b"host"]
    bare = content_type.split(b";", 1)[0].strip()
    for suffix in (b"", b"; charset=utf-8", b";charset=utf-8", b"; charset=UTF-8", b";charset=UTF-8"):
        yield "charset", "", with_value(b"content-type", bare + suffix)
    for port in _PORTS:
        yield "port-in-host", str(port), with_value(b"host", host + b":%d" % port)
    for scheme in (b"http://", b"https://"):
        yield "scheme-in-host", scheme.decode(), with_value(b"host", scheme + host)
        yield "scheme-in-host", scheme.decode(), with_value(b"host", scheme + host + b"/")
    changes: tuple[Callable[[bytes], bytes], ...] = (bytes.upper, bytes.lower, bytes.title)
    for change in changes:
        yield "value-case", "", replace(base, values={name: change(value) for name, value in base.values.items()})
        for name, value in base.values.items():
            yield "value-case", name.decode("latin-1"), with_value(name, change(value))


def _reordered(query: bytes) -> Iterator[bytes]:
    if b"&" not in query and b"%" not in query and b"+" not in query:
        return
    pairs: list[bytes] = query.split(b"&")
    yield b"&".join(sorted(pairs))
    yield b"&".join(pair for _, pair in sorted((pair.lower(), pair) for pair in pairs))
    try:
        decoded = split_pairs(query)
    except ApiError:
        return
    for order in (sorted(decoded), decoded):
        for encode in (quote_plus, _quote_all):
            yield "&".join(f"{encode(name)}={encode(value)}" for name, value in order).encode()


def _quote_all(text: str) -> str:
    return quote(text, safe="")


def _other_keys(secret_key: str, secret_id: str, keys: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The key with white space around it, under an empty detail; then the keys of others, by their masked ids."""
    for space in _SPACES:
        for key in (secret_key + space, space + secret_key, space + secret_key + space):
            yield "", key
    for other, key in keys.items():
        if other != secret_id:
            yield mask_id(other), key


def _serialisations(body: bytes) -> Iterator[bytes]:
    """Other forms of the same JSON, as the serialisers in use write it."""
    yield body.strip()
    yield body + b"\n"
    if len(body) > _JSON_BYTES:
        return
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return
    for separators in ((",", ":"), (", ", ": ")):
        for ascii_only in (True, False):
            for ordered in (False, True):
                text = _dumped(content, separators=separators, ensure_ascii=ascii_only, sort_keys=ordered)
                yield text.encode("utf-8", "surrogatepass")
                yield text.replace("/", "\\/").encode("utf-8", "surrogatepass")
                go = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
                yield go.encode("utf-8", "surrogatepass")
    for indent in (2, 4, "\t"):
        yield _dumped(content, indent=indent, ensure_ascii=False).encode("utf-8", "surrogatepass")
    yield b"{}"
    yield b""


def _dumped(content: Any, **form: Any) -> str:
    return json.dumps(content, **form)


def _explain_tc3(captured: Captured, keys: Mapping[str, str], unsigned: bool | None, masked: bool) -> Explanation:
    headers = {name.lower(): value for name, value in reversed(captured.headers)}
    timestamp = headers.get(b"x-tc-timestamp", b"").strip().decode("latin-1")
    try:
        header = parse_authorization(headers.get(b"authorization", b""))
    except MalformedAuthorization as fault:
        return Explanation("TC3-HMAC-SHA256", MALFORMED, detail=str(fault))
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        return Explanation("TC3-HMAC-SHA256", MALFORMED, detail="X-TC-Timestamp is no number of seconds.")
    if missing := [name for name in header.signed_headers if name not in headers]:
        return Explanation("TC3-HMAC-SHA256", MALFORMED, detail=f"{missing[0].decode('latin-1')} is not sent.")
    secret_key = keys.get(header.secret_id)
    if secret_key is None:
        return Explanation("TC3-HMAC-SHA256", UNKNOWN_KEY)
    announced = headers.get(b"x-tc-content-sha256", b"").strip() == UNSIGNED_PAYLOAD
    payload_hash = EMPTY_SHA256 if captured.method == "GET" else captured.sent_hash
    if announced and unsigned is not False:
        payload_hash = UNSIGNED_SHA256
    date = utc_date(int(timestamp))
    bases = [
        _Tc3(
            secret_key, date, date, "faceid", "faceid", timestamp, captured.method.encode("latin-1", "replace"),
            captured.query if captured.method == "GET" else b"", values, payload_hash,
        )
        for values in header_readings(headers, header.signed_headers)
    ]  # fmt: skip
    labels = {host.split(b".", 1)[0].decode("latin-1") for host in host_readings(headers[b"host"])}
    if header.service in labels:
        bases = [replace(base, service=header.service, key_service=header.service) for base in bases]
    reserialised = [hashlib.sha256(body).hexdigest() for body in _serialisations(captured.body)]
    mistakes: _Variation = (
        mistake for base in bases for mistake in _tc3_mistakes(base, captured, header, keys, reserialised)
    )
    # A signature that is right in itself is refused where the scope beside it says something else.
    if header.date != date:
        mistakes = chain((("date-not-utc", header.date, base) for base in bases), mistakes)
    elif header.service not in labels | {"faceid"}:
        mistakes = chain((("wrong-service", header.service, base) for base in bases), mistakes)
    else:
        return _conclude("TC3-HMAC-SHA256", header.signature, bases, bases, mistakes, masked)
    return _conclude("TC3-HMAC-SHA256", header.signature, bases, [], mistakes, masked)


# -- v1 ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _V1:
    secret_key: str
    digest: str
    method: str
    host: str
    pairs: tuple[tuple[str, str], ...]

    @property
    def signature(self) -> str:
        text = v1_text(self.method, self.host, self.pairs)
        return base64.b64encode(hmac.digest(self.secret_key.encode(), text.encode(), self.digest)).decode()

    def shown(self, masked: bool) -> tuple[str, str]:
        pairs = self.pairs
        if masked:
            pairs = tuple((name, masked_value(name, value)) for name, value in pairs)
        return "", v1_text(self.method, self.host, pairs)


def _v1_mistakes(base: _V1, sent: tuple[tuple[str, str], ...], secret_id: str, keys: Mapping[str, str]) -> _Variation:
    for encode in (quote_plus, _quote_all, quote):
        encoded = tuple((name, encode(value)) for name, value in base.pairs)
        yield "encoded-before-signing", "", replace(base, pairs=encoded)
    orders = (sent, tuple(sorted(sent, key=lambda pair: pair[0].lower())), tuple(reversed(base.pairs)))
    for pairs in orders:
        yield "query-order", "", replace(base, pairs=pairs)
    for port in _PORTS:
        yield "port-in-host", str(port), replace(base, host=f"{base.host}:{port}")
    for scheme in ("http://", "https://"):
        yield "scheme-in-host", scheme, replace(base, host=scheme + base.host)
    for host in (base.host.upper(), base.host.lower()):
        yield "value-case", "host", replace(base, host=host)
    for detail, key in _other_keys(base.secret_key, secret_id, keys):
        yield "space-around-key" if not detail else "key-of-another", detail, replace(base, secret_key=key)


def _explain_v1(captured: Captured, keys: Mapping[str, str], masked: bool) -> Explanation:
    try:
        sent = split_pairs(captured.query if captured.method == "GET" else captured.body)
        given = unique(sent)
    except ApiError as fault:
        return Explanation("v1", MALFORMED, detail=fault.message("en-US"))
    method = given.get("SignatureMethod", "HmacSHA1")
    if method not in V1_METHODS or not given.get("Signature"):
        return Explanation("v1", MALFORMED, detail="SignatureMethod or Signature is missing or not known.")
    secret_id = given.get("SecretId", "")
    if secret_id not in keys:
        return Explanation(method, UNKNOWN_KEY)
    host = next((value for name, value in captured.headers if name.lower() == b"host"), b"").strip()
    unsorted = tuple((name, value) for name, value in sent if name != "Signature")
    bases = [
        _V1(keys[secret_id], V1_METHODS[method], captured.method, name.decode("latin-1"), tuple(sorted(pairs)))
        for name in host_readings(host)
        for pairs in _name_readings(unsorted)
    ]
    mistakes = (mistake for base in bases for mistake in _v1_mistakes(base, unsorted, secret_id, keys))
    return _conclude(method, given["Signature"].strip(), bases, bases, mistakes, masked)


def _name_readings(pairs: tuple[tuple[str, str], ...]) -> Iterator[tuple[tuple[str, str], ...]]:
    yield pairs
    if any("_" in name for name, _ in pairs):
        yield tuple((name.replace("_", "."), value) for name, value in pairs)


# -- both ----------------------------------------------------------------------------------------------------


def explain(
    captured: Captured, keys: Mapping[str, str], *, unsigned: bool | None = None, masked: bool = False
) -> Explanation:
    """Why the signature of `captured` is right or wrong.

    `keys`: SecretKeys by SecretId; others than the caller's are tried as mistakes. `unsigned`: whether the caller's
    key may leave the body out, None where that is not known. `masked`: show digests in the place of values.
    """
    names = {name.lower() for name, _ in captured.headers}
    if names & {b"authorization", b"x-tc-action", b"x-tc-timestamp"}:
        return _explain_tc3(captured, keys, unsigned, masked)
    return _explain_v1(captured, keys, masked)


def _conclude(
    method: str,
    signature: str,
    bases: Sequence[_Reading],
    accepted: Sequence[_Reading],
    mistakes: _Variation,
    masked: bool,
) -> Explanation:
    """The first reading that gives the client's signature, among those that are `accepted` and then the mistakes."""
    ours = bases[0]
    canonical, text = ours.shown(masked)
    given = signature.encode("utf-8", "replace")
    if any(hmac.compare_digest(base.signature.encode(), given) for base in accepted):
        return Explanation(method, VALID, canonical, text)
    for cause, detail, reading in mistakes:
        if hmac.compare_digest(reading.signature.encode(), given):
            return Explanation(method, cause, canonical, text, _difference(ours, reading, masked), detail)
    return Explanation(method, NONE_OF_THESE, canonical, text)


def _difference(ours: _Reading, theirs: _Reading, masked: bool) -> Difference | None:
    """Compared are the full texts; shown are the masked ones, where that is asked for."""
    names = ("canonical request", "string to sign")
    for index, where in enumerate(names):
        pairs = zip(
            _lines(ours.shown(False)[index]),
            _lines(theirs.shown(False)[index]),
            _lines(ours.shown(masked)[index]),
            _lines(theirs.shown(masked)[index]),
            strict=False,
        )
        for number, (left, right, shown_left, shown_right) in enumerate(pairs, 1):
            if left != right:
                return Difference(where, number, shown_left, shown_right)
    return None


def _lines(text: str) -> list[str]:
    return text.split("\n") if "\n" in text else text.split("&")
