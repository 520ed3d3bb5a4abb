"""Explains why a signature is wrong: signs the request again with each plausible mistake, until the signatures match.

A cause is named only if it reproduces the client's own signature; otherwise the answer is "none of these". All of it is
pure: a captured request and keys in, an explanation out. The signed texts are shown in full, or `masked`: then the
query, the values of v1 parameters and those of uncommon headers are digests, which may be kept.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, product

from msgspec import structs

from renzheng.gateway.causes import (
    ID_MISTYPED,
    MALFORMED,
    NONE_BEHIND_PROXY,
    NONE_OF_THESE,
    SWAPPED,
    UNKNOWN_KEY,
    VALID,
)
from renzheng.gateway.errors import ApiError
from renzheng.gateway.explain_tc3 import body_mistakes, tc3_mistakes
from renzheng.gateway.explain_v1 import Pairs, v1_mistakes
from renzheng.gateway.explanation import CapturedRequest, Explanation, SignatureDifference, masked_detail
from renzheng.gateway.pairs import parse_pairs
from renzheng.gateway.readings import Mistakes, SignatureReading, Tc3Reading, V1Reading
from renzheng.gateway.signature import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    UNSIGNED_SHA256,
    V1_METHODS,
    Authorization,
    MalformedAuthorizationError,
    header_readings,
    host_readings,
    parse_authorization,
    path_readings,
    utc_date,
)

_FORWARDED = (b"x-forwarded-host", b"x-original-host", b"x-host", b"x-forwarded-server", b"x-original-url")
_PROXY_MARKS = {b"via", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-real-ip", *_FORWARDED}
_LOOPBACK = ("127", "localhost", "[::1]")
MAX_SIGNED_BYTES = 8 * 1024
"""Bytes of the values of the signed headers. Clients sign some dozens; each of hundreds of readings hashes them all."""


def explain(
    captured: CapturedRequest,
    keys: Mapping[str, str],
    *,
    services: Sequence[str],
    unsigned: bool | None = None,
    masked: bool = False,
    hosts: Sequence[str] = (),
    endpoint_service: bool | None = None,
) -> Explanation:
    """Explain why the signature of `captured` is right or wrong.

    `keys`: SecretKeys by SecretId; those of others are tried as mistakes. `services`: those on offer here, the usual
    one first. `unsigned`: whether the caller's key may leave the body out; None if that is not known. `masked`: show
    digests instead of values. `hosts`: names of this server that a proxy may have removed. `endpoint_service`: whether
    the first label of the host may be the service; None: for loopback names only.
    """
    names = {name.lower() for name, _ in captured.headers}
    if names & {b"authorization", b"x-tc-action", b"x-tc-timestamp"}:
        found = _explain_tc3(captured, keys, services, unsigned, masked, hosts, endpoint_service)
    else:
        found = _explain_v1(captured, keys, services, masked, hosts)
    if found.cause == NONE_OF_THESE and names & _PROXY_MARKS:
        found = structs.replace(found, cause=NONE_BEHIND_PROXY)
    return structs.replace(found, service=services[0])


def former_hosts(headers: Sequence[tuple[bytes, bytes]], hosts: Sequence[str]) -> list[bytes]:
    """Return the names that the request may have been sent to: those that a proxy left in its headers, and `hosts`."""
    found: list[bytes] = []
    for name, value in headers:
        if name.lower() in _FORWARDED:
            found += [part.strip() for part in value.split(b",")[:4]]
        if name.lower() == b"forwarded":
            parts = value.replace(b",", b";").split(b";")[:16]
            found += [part.strip()[5:].strip(b'"') for part in parts if part.strip().lower().startswith(b"host=")]
    found += [host.encode("latin-1", "replace") for host in hosts]
    given = {name.lower(): value.strip() for name, value in headers}
    if (port := given.get(b"x-forwarded-port", b"")).isdigit() and len(port) < 6:
        found += [host.partition(b":")[0] + b":" + port for host in (given.get(b"host", b""), *found[:4])]
    return list(dict.fromkeys(host for host in found if host and len(host) < 256))[:16]


# -- TC3 -----------------------------------------------------------------------------------------------------


def _explain_tc3(
    captured: CapturedRequest,
    keys: Mapping[str, str],
    services: Sequence[str],
    unsigned: bool | None,
    masked: bool,
    hosts: Sequence[str],
    endpoint_service: bool | None,
) -> Explanation:
    method = "TC3-HMAC-SHA256"
    headers = {name.lower(): value for name, value in reversed(captured.headers)}
    timestamp = headers.get(b"x-tc-timestamp", b"").strip().decode("latin-1")
    try:
        header = parse_authorization(headers.get(b"authorization", b""))
    except MalformedAuthorizationError as fault:
        return Explanation(method, MALFORMED, detail=str(fault))
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 11):
        return Explanation(method, MALFORMED, detail=_no_seconds(timestamp))
    if missing := [name for name in header.signed_headers if name not in headers]:
        name = missing[0].decode("latin-1")
        return Explanation(method, MALFORMED, detail=f"SignedHeaders names {name}, which did not arrive.")
    if header.secret_id not in keys:
        return Explanation(method, unknown_id(header.secret_id, keys))
    if sum(len(headers[name]) for name in header.signed_headers) > MAX_SIGNED_BYTES:
        return Explanation(method, NONE_OF_THESE, detail="the signed headers are too long to be tried in other forms")
    bases = _tc3_bases(captured, header, headers, keys[header.secret_id], unsigned)
    former = former_hosts(captured.headers, hosts)
    mistakes: Mistakes = chain.from_iterable(
        tc3_mistakes(base, captured, header, keys, former, services) for base in bases
    )
    mistakes = chain(mistakes, body_mistakes(bases, captured))
    # A signature that is right in itself is refused if the scope beside it says something else.
    if header.date != bases[0].date:
        dated = [replace(base, date=header.date, key_date=header.date) for base in bases]
        mistakes = chain((("date-not-utc", header.date, base) for base in (*bases, *dated)), mistakes)
        return _conclude(method, header.signature, bases, [], mistakes, masked)
    strange = (
        "" if header.service in services else _service_fault(header.service, headers[b"host"], former, endpoint_service)
    )
    if strange:
        mistakes = chain(((strange, header.service, base) for base in bases), mistakes)
        return _conclude(method, header.signature, bases, [], mistakes, masked)
    return _conclude(method, header.signature, bases, bases, mistakes, masked)


def _no_seconds(timestamp: str) -> str:
    if timestamp.isascii() and timestamp.isdigit():
        return "X-TC-Timestamp is in milliseconds or finer; it counts seconds."
    return "X-TC-Timestamp is not a number of seconds." if timestamp else "X-TC-Timestamp did not arrive."


def unknown_id(secret_id: str, keys: Mapping[str, str]) -> str:
    """Return the cause for a SecretId that is not known."""
    if secret_id in keys.values():
        return SWAPPED
    bare = secret_id.strip("\"' <>").lower()
    ends = {known.lower()[part] for known in keys for part in (slice(None), slice(1, None), slice(-1))}
    return ID_MISTYPED if bare in ends or bare[:-1] in ends or bare[1:] in ends else UNKNOWN_KEY


def _tc3_bases(
    captured: CapturedRequest,
    header: Authorization,
    headers: Mapping[bytes, bytes],
    secret_key: str,
    unsigned: bool | None,
) -> list[Tc3Reading]:
    """Return the readings of the request that are correct if its scope is."""
    timestamp = headers[b"x-tc-timestamp"].strip().decode("latin-1")
    announced = headers.get(b"x-tc-content-sha256", b"").strip() == UNSIGNED_PAYLOAD
    payload_hash = EMPTY_SHA256 if captured.method == "GET" else captured.sent_hash
    if announced and unsigned is not False:
        payload_hash = UNSIGNED_SHA256
    date, service = utc_date(int(timestamp)), header.service
    query = captured.query if captured.method == "GET" else b""
    method = captured.method.encode("latin-1", "replace")
    return [
        Tc3Reading(secret_key, date, date, service, service, timestamp, method, query, values, payload_hash, path)
        for path, values in product(path_readings(captured.path), header_readings(headers, header.signed_headers))
    ]


def _service_fault(service: str, host: bytes, former: Sequence[bytes], endpoint_service: bool | None) -> str:
    """Return the cause if the scope's service is not accepted here, else an empty text."""
    labels = {name.split(b".", 1)[0].decode("latin-1") for name in host_readings(host.strip())}
    if service in labels:
        taken = service.split(":")[0] in _LOOPBACK if endpoint_service is None else endpoint_service
        return "" if taken else "service-from-endpoint"
    known = {name.split(b".", 1)[0].decode("latin-1") for other in former for name in host_readings(other)}
    return "service-from-endpoint" if service in known else "wrong-service"


# -- v1 ------------------------------------------------------------------------------------------------------


def _explain_v1(
    captured: CapturedRequest, keys: Mapping[str, str], services: Sequence[str], masked: bool, hosts: Sequence[str]
) -> Explanation:
    if captured.payload_hash is not None and not captured.body:
        return Explanation("v1", NONE_OF_THESE, detail="the form is too large to be taken apart")
    try:
        given = parse_pairs(captured.query if captured.method == "GET" else captured.body)
    except ApiError as fault:
        return Explanation("v1", MALFORMED, detail=fault.message("en-US"))
    method = given.get("SignatureMethod", "HmacSHA1")
    if method not in V1_METHODS or not given.get("Signature"):
        return Explanation("v1", MALFORMED, detail="SignatureMethod or Signature is missing or not known.")
    secret_id = given.get("SecretId", "")
    if secret_id not in keys:
        return Explanation(method, unknown_id(secret_id, keys))
    host = next((value for name, value in captured.headers if name.lower() == b"host"), b"").strip()
    unsorted = tuple((name, value) for name, value in given.items() if name != "Signature")
    bases = [
        V1Reading(
            keys[secret_id], V1_METHODS[method], captured.method, name.decode("latin-1"), tuple(sorted(pairs)),
            path.decode("latin-1"),
        )
        for path in path_readings(captured.path)
        for name in host_readings(host)
        for pairs in _name_readings(unsorted)
    ]  # fmt: skip
    former, path = former_hosts(captured.headers, hosts), captured.path.decode("latin-1")
    mistakes: Mistakes = chain.from_iterable(
        v1_mistakes(base, unsorted, secret_id, keys, former, services, path) for base in bases
    )
    return _conclude(method, given["Signature"].strip(), bases, bases, mistakes, masked)


def _name_readings(pairs: Pairs) -> Iterator[Pairs]:
    yield pairs
    if any("_" in name for name, _ in pairs):
        yield tuple((name.replace("_", "."), value) for name, value in pairs)


# -- both ----------------------------------------------------------------------------------------------------


def _conclude(
    method: str,
    signature: str,
    bases: Sequence[SignatureReading],
    accepted: Sequence[SignatureReading],
    mistakes: Mistakes,
    masked: bool,
) -> Explanation:
    """Return the first reading that gives the client's signature: first among `accepted`, then among the mistakes."""
    ours = bases[0]
    canonical, text = ours.signed_texts(masked)
    given = signature.encode("utf-8", "replace")
    if any(hmac.compare_digest(base.signature.encode(), given) for base in accepted):
        return Explanation(method, VALID, canonical, text)
    for base in bases:
        for cause, form in _other_forms(method, base.signature):
            if hmac.compare_digest(form.encode(), given):
                return Explanation(method, cause, canonical, text)
    for cause, detail, reading in mistakes:
        if hmac.compare_digest(reading.signature.encode(), given):
            shown = masked_detail(detail) if masked else detail
            return Explanation(method, cause, canonical, text, _difference(ours, reading, masked), shown)
    return Explanation(method, NONE_OF_THESE, canonical, text)


def _other_forms(method: str, signature: str) -> Iterator[tuple[str, str]]:
    """Yield other ways in which a right signature may be written or may have been altered."""
    try:
        raw = bytes.fromhex(signature) if method.startswith("TC3") else base64.b64decode(signature, validate=True)
    except (ValueError, binascii.Error):  # pragma: no cover - our own
        return
    text = base64.b64encode(raw).decode()
    hexed = raw.hex()
    coded = (text, base64.urlsafe_b64encode(raw).decode(), text.rstrip("="), base64.b64encode(hexed.encode()).decode())
    for form in (hexed.upper(), hexed, f'"{hexed}"', f"0x{hexed}", *coded):
        if form != signature:
            yield "signature-form", form
    for form in (text.replace("+", " "), text.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")):
        if form != signature:
            yield "plus-not-encoded" if " " in form else "signature-form", form


def _difference(ours: SignatureReading, theirs: SignatureReading, masked: bool) -> SignatureDifference | None:
    """Find the first difference. The full texts are compared; if `masked`, the masked ones are shown."""
    names = ("canonical request", "string to sign")
    for index, where in enumerate(names):
        pairs = zip(
            _lines(ours.signed_texts(False)[index]),
            _lines(theirs.signed_texts(False)[index]),
            _lines(ours.signed_texts(masked)[index]),
            _lines(theirs.signed_texts(masked)[index]),
            strict=False,
        )
        for number, (left, right, shown_left, shown_right) in enumerate(pairs, 1):
            if left != right:
                return SignatureDifference(where, number, shown_left, shown_right)
    return None


def _lines(text: str) -> list[str]:
    return text.split("\n") if "\n" in text else text.split("&")
