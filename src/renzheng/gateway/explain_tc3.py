"""The usual mistakes with TC3-HMAC-SHA256, each with the signature that it gives."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from renzheng.gateway.explanation import CapturedRequest
from renzheng.gateway.forms import body_forms, query_forms
from renzheng.gateway.readings import DERIVATIONS, FORMS, Mistakes, Tc3Reading, other_keys
from renzheng.gateway.signature import EMPTY_SHA256, UNSIGNED_SHA256, Authorization, host_readings, utc_date

PORTS = (80, 443, 8080, 8400, 8443, 3000, 5000, 8000, 8081, 8090, 8888, 9000, 9443, 10443, 18080)
_SERVICES = ("cvm", "sts", "cam", "ocr", "iai", "cos", "tms")
_TYPES = (
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"text/plain",
    b"text/plain; charset=utf-8",
    b"text/plain;charset=UTF-8",
    b"application/octet-stream",
    b"multipart/form-data",
    b"*/*",
    b"",
)
_SKEWS = (*(sign * seconds for seconds in range(1, 6) for sign in (1, -1)), 28800, -28800)


def tc3_mistakes(
    base: Tc3Reading,
    captured: CapturedRequest,
    header: Authorization,
    keys: Mapping[str, str],
    hosts: Sequence[bytes],
    services: Sequence[str],
) -> Mistakes:
    """Yield the mistakes. `hosts`: names that the request may have been sent to before a proxy rewrote its Host.

    `services`: those on offer here.
    """
    yield from _date_mistakes(base, header)
    yield from _header_mistakes(base)
    yield from _host_mistakes(base, hosts, vendor_hosts(services))
    if base.query:
        for cause, query in query_forms(base.query):
            yield cause, "", replace(base, query=query)
    for payload in (UNSIGNED_SHA256, captured.sent_hash):
        if base.method != b"GET" or payload == UNSIGNED_SHA256:
            yield "payload-unsigned", "", replace(base, payload_hash=payload)
    label = base.values[b"host"].split(b".", 1)[0].decode("latin-1")
    for service in (header.service, label, *_SERVICES, *services):
        yield "wrong-service", service, replace(base, service=service, key_service=service)
        yield "wrong-service", service, replace(base, key_service=service)
    for cause, detail, key in other_keys(base.secret_key, header.secret_id, keys):
        yield cause, detail, replace(base, secret_key=key)
    yield from _form_mistakes(base, captured, services)


def vendor_hosts(services: Sequence[str]) -> list[bytes]:
    """Return the vendor's endpoints of these services, and this machine's names: where clients are usually pointed."""
    ends = ("tencentcloudapi.com", "ap-guangzhou.tencentcloudapi.com")
    return [
        *(f"{service}.{end}".encode() for service in services for end in ends),
        b"localhost",
        b"127.0.0.1",
        b"0.0.0.0",
        b"[::1]",
    ]


def body_mistakes(bases: Sequence[Tc3Reading], captured: CapturedRequest) -> Mistakes:
    """Yield other forms of a POST's body. Each is made once for all readings."""
    if captured.method == "POST":
        for cause, body in body_forms(captured.body):
            payload = hashlib.sha256(body).hexdigest()
            yield from ((cause, "", replace(base, payload_hash=payload)) for base in bases)


def _date_mistakes(base: Tc3Reading, header: Authorization) -> Mistakes:
    seconds = int(base.timestamp)
    day = seconds // 86400 * 86400
    dates = list(dict.fromkeys([header.date, *_dates(day)]))
    for date in dates:
        for key_date in dates:
            if (date, key_date) != (base.date, base.key_date):
                yield "date-not-utc", date, replace(base, date=date, key_date=key_date)
    if seconds < 10_000_000_000:
        for skew in _SKEWS:
            yield "timestamp-differs", f"{skew:+d} s", replace(base, timestamp=str(seconds + skew))
        yield "timestamp-differs", "milliseconds", replace(base, timestamp=str(seconds * 1000))
        yield "timestamp-differs", "with a fraction", replace(base, timestamp=f"{seconds}.0")


def _dates(day: int) -> Iterator[str]:
    for shift in (0, 86400, -86400):
        if day + shift >= 0:
            yield utc_date(day + shift)


def _header_mistakes(base: Tc3Reading) -> Mistakes:
    def with_value(name: bytes, value: bytes) -> Tc3Reading:
        return replace(base, values={**base.values, name: value})

    content_type = base.values[b"content-type"]
    bare = content_type.split(b";", 1)[0].strip()
    for suffix in (b"", b"; charset=utf-8", b";charset=utf-8", b"; charset=UTF-8", b";charset=UTF-8", b"; charset=gbk"):
        yield "charset", "", with_value(b"content-type", bare + suffix)
    for other in _TYPES:
        for suffix in (b"", b"; charset=utf-8"):
            yield "content-type", other.decode(), with_value(b"content-type", other + suffix)
    changes: tuple[Callable[[bytes], bytes], ...] = (bytes.upper, bytes.lower, bytes.title)
    for change in changes:
        yield "value-case", "", replace(base, values={name: change(value) for name, value in base.values.items()})
        for name, value in base.values.items():
            yield "value-case", name.decode("latin-1"), with_value(name, change(value))


def _host_mistakes(base: Tc3Reading, hosts: Sequence[bytes], vendors: Sequence[bytes]) -> Mistakes:
    def with_host(value: bytes) -> Tc3Reading:
        return replace(base, values={**base.values, b"host": value})

    host = base.values[b"host"]
    for port in PORTS:
        yield "port-in-host", str(port), with_host(host + b":%d" % port)
    for scheme in (b"http://", b"https://"):
        yield "scheme-in-host", scheme.decode(), with_host(scheme + host)
        yield "scheme-in-host", scheme.decode(), with_host(scheme + host + b"/")
    bare = host.partition(b"]")[0].strip(b"[")  # an IPv6 address such as [::1]
    for other in (host + b"/", host + b".", host.rstrip(b"."), b"", bare, host.replace(b"[", b"").replace(b"]", b"")):
        if other != host:
            yield "other-host", other.decode("latin-1"), with_host(other)
    for cause, known in (("host-rewritten", hosts), ("other-host", vendors)):
        for other in known:
            for signed in dict.fromkeys((other, *host_readings(other), other + host[len(host.split(b":")[0]) :])):
                yield cause, signed.decode("latin-1"), with_host(signed)
            for port in PORTS if b":" not in other else ():
                yield cause, f"{other.decode('latin-1')}:{port}", with_host(other + b":%d" % port)


def _form_mistakes(base: Tc3Reading, captured: CapturedRequest, services: Sequence[str]) -> Mistakes:
    for form in FORMS:
        yield "canonical-form", form, replace(base, form=form)
    for derivation in DERIVATIONS:
        yield "key-derivation", derivation, replace(base, derivation=derivation)
    other = b"GET" if base.method == b"POST" else b"POST"
    for query in {captured.query, b""}:
        yield "other-method", other.decode(), replace(base, method=other, query=query)
    if base.method == b"POST" and captured.query:
        yield "canonical-form", "the query of a POST", replace(base, query=captured.query)
    if base.method == b"GET":
        yield "canonical-form", "a GET without its query", replace(base, query=b"")
        for content in (b"{}", b"null", captured.query):
            hashed = hashlib.sha256(content).hexdigest()
            yield "canonical-form", "a GET with a body", replace(base, payload_hash=hashed)
    else:
        yield "payload-unsigned", "the hash of an empty body", replace(base, payload_hash=EMPTY_SHA256)
        yield from _hash_mistakes(base, captured.body)
    bare = captured.path.rstrip(b"/")
    of_services = (f"/{service}/".encode() for service in services)
    address = b"://" + base.values[b"host"] + captured.path
    others = (b"/index.php", captured.path + b"?" + captured.query, b"http" + address, b"https" + address)
    paths = (b"", b"//", captured.path, bare, bare + b"/", b"/v2/", b"/v3/", b"/api/", *others, *of_services)
    for path in dict.fromkeys(paths):
        if path not in (b"/", base.path):
            yield "other-path", path.decode("latin-1"), replace(base, path=path)


def _hash_mistakes(base: Tc3Reading, body: bytes) -> Mistakes:
    """Yield mistakes in how the body is hashed."""
    if not body:  # or the body was not kept
        return
    raw = hashlib.sha256(body).digest()
    for form, text in (
        ("the body's hash in Base64", base64.b64encode(raw).decode()),
        ("the body's MD5", hashlib.md5(body, usedforsecurity=False).hexdigest()),
        ("the body's SHA-1", hashlib.sha1(body, usedforsecurity=False).hexdigest()),
        ("the hash of the body's hash", hashlib.sha256(raw.hex().encode()).hexdigest()),
    ):
        yield "canonical-form", form, replace(base, payload_hash=text)
