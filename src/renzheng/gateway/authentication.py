"""The handlers that identify the caller: from the headers first, and only then from the body."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache, partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from renzheng.gateway.body import BytesInFlight, RequestBody, SlowReadTimer
from renzheng.gateway.buffers import BodyBuffers
from renzheng.gateway.context import Request
from renzheng.gateway.contract import GatewaySettings, KeyFinder, Where
from renzheng.gateway.errors import (
    ApiError,
    CommonParameterTypeError,
    FormTooLargeError,
    InvalidAuthorizationError,
    InvalidParameterValueError,
    IpNotInWhitelistError,
    MissingParameterError,
    RepeatedParameterError,
    RequestSizeLimitExceededError,
    SecretIdNotFoundError,
    SignatureExpireError,
    SignatureFailureError,
    TokenFailureError,
    TooManyHeadersError,
    UnsupportedProtocolError,
    V1SignaturesOffError,
)
from renzheng.gateway.pairs import RawPairs, raw_pairs, unquote, unquoted
from renzheng.gateway.signature import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    UNSIGNED_SHA256,
    V1_METHODS,
    MalformedAuthorizationError,
    SigningKeys,
    host_readings,
    parse_authorization,
    utc_date,
    verify_tc3,
    verify_v1,
)

FORM_TYPES = (b"application/x-www-form-urlencoded", b"application/x-www-form-urlencode")
COMMON_PARAMETERS = frozenset(
    {
        "Action",
        "Language",
        "Nonce",
        "Region",
        "RequestClient",
        "SecretId",
        "Signature",
        "SignatureMethod",
        "Timestamp",
        "Token",
        "Version",
    }
)
_V1_NEEDED = (b"Timestamp", b"Version", b"Action", b"SecretId", b"Nonce", b"Signature")
_TYPED = ("Timestamp", "Nonce", "SignatureMethod")
_SECRET_ID_BYTES = 256
_TC3_MARKS = (b"x-tc-action", b"x-tc-timestamp", b"x-tc-version")
_SINGLE = frozenset(
    {b"host", b"content-type", b"content-length", b"x-tc-action", b"x-tc-version", b"x-tc-timestamp",
     b"x-tc-region", b"x-tc-token", b"x-tc-language", b"x-tc-content-sha256"}
)  # fmt: skip


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def _seconds(timestamp: str) -> int:
    if not _is_number(timestamp, 20):  # a timestamp in milliseconds is a number too, but far from now
        raise CommonParameterTypeError(name="Timestamp")
    return int(timestamp)


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


class Authentication:
    """The first handlers of the pipeline. `services`: the services on offer."""

    def __init__(self, keys: KeyFinder, settings: GatewaySettings, services: Collection[str]) -> None:
        self._keys = keys
        self._services = frozenset(services)
        self._settings = settings
        self._signing_keys = SigningKeys()
        self._in_flight = BytesInFlight(settings)
        self._watch = SlowReadTimer()
        self._buffers = BodyBuffers()
        self._body_too_large = partial(RequestSizeLimitExceededError, "body", limit=settings.body_bytes)

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of bodies that are held now."""
        return self._in_flight.total

    def new_body(self, address: str) -> RequestBody:
        """Make the body of a new request. It must be released when the request ends."""
        return RequestBody(self._in_flight, self._watch, self._settings, address, self._buffers)

    def check_protocol(self, request: Request) -> None:
        """Accept only GET and POST, and refuse a decisive header that comes twice."""
        request.is_tc3 = (
            b"authorization" in request.headers
            or (request.method == "POST" and request.content_type not in FORM_TYPES)
            or any(mark in request.headers for mark in _TC3_MARKS)
        )
        if request.method not in ("GET", "POST"):
            raise UnsupportedProtocolError(f"method of {len(request.method)} letters")
        if not request.is_tc3 and not self._settings.v1_signatures:
            raise V1SignaturesOffError
        if request.header_count > self._settings.max_headers:
            raise TooManyHeadersError("headers", limit=self._settings.max_headers)
        if request.repeated:
            if b"authorization" in request.repeated:
                raise InvalidAuthorizationError(reason="it is given more than once.")
            for name in sorted(request.repeated & _SINGLE):
                raise RepeatedParameterError(name=name.decode("ascii"))
        if len(request.query) > self._settings.query_bytes:
            raise RequestSizeLimitExceededError("query", limit=self._settings.query_bytes)

    def read_form(self, request: Request) -> Awaitable[None] | None:
        """Read a v1 POST's body first, as it holds even the common parameters."""
        if request.is_tc3 or request.method == "GET":
            return None
        return _read(request, self._settings.v1_body_bytes, FormTooLargeError)

    def read_common_parameters(self, request: Request) -> None:
        if request.is_tc3:
            self._read_headers(request)
        else:
            _read_pairs(request, self._settings.max_pairs)

    def _read_headers(self, request: Request) -> None:
        headers = request.headers
        request.timestamp = request.header(b"x-tc-timestamp")
        request.version = request.header(b"x-tc-version")
        request.action_name = request.header(b"x-tc-action")
        if not request.timestamp:
            raise MissingParameterError(name="Timestamp")
        if not request.version:
            raise MissingParameterError(name="Version")
        if not request.action_name:
            raise MissingParameterError(name="Action")
        request.seconds = _seconds(request.timestamp)
        if b"authorization" not in headers:
            raise InvalidAuthorizationError(reason="the header is missing.")
        try:
            authorization = parse_authorization(headers[b"authorization"])
        except MalformedAuthorizationError as fault:
            raise InvalidAuthorizationError(reason=fault) from None
        for name in authorization.signed_headers:
            if name not in headers or name in request.repeated:
                reason = f"`SignedHeaders` names `{name.decode('latin-1')}`, which is not sent exactly once."
                raise InvalidAuthorizationError(reason=reason)
        if authorization.service not in self._services and authorization.service not in self._endpoint_services(
            request
        ):
            raise InvalidAuthorizationError(reason="`Service` in Credential not valid.")
        request.authorization = authorization
        request.secret_id = authorization.secret_id
        request.region = request.header(b"x-tc-region") if b"x-tc-region" in headers else None
        request.token = request.header(b"x-tc-token") or None

    def _endpoint_services(self, request: Request) -> set[str]:
        """Return what clients read as the service from the endpoint's name: `127` for 127.0.0.1:8400."""
        if not _is_allowed(self._settings.endpoint_service, request):
            return set()
        hosts = host_readings(request.headers[b"host"].strip())
        return {host.split(b".", 1)[0].decode("latin-1") for host in hosts}

    def is_signed_for(self, request: Request, service: str) -> bool:
        """Return whether the signature may be for this service. A v1 signature names none, nor does one that took its
        service from the endpoint."""
        if not request.is_tc3 or request.authorization.service == service:
            return True
        return request.authorization.service in self._endpoint_services(request)

    def service_of(self, request: Request) -> str:
        """Return the offered service that the signature names; empty if it names none."""
        named = request.authorization.service if request.is_tc3 else ""
        return named if named in self._services else ""

    def find_key(self, request: Request) -> None:
        key = self._keys.find(request.secret_id)
        if key is None or not key.enabled:
            raise SecretIdNotFoundError("disabled" if key else "unknown")
        request.key = key

    def decode_pairs(self, request: Request) -> None:
        """Decode all parameters of a v1 request, once its key is known."""
        if request.is_tc3:
            return
        given = request.parameters = unquoted(request.raw_pairs)
        _check_types(given)
        request.seconds, request.timestamp = int(given["Timestamp"]), given["Timestamp"]
        request.version, request.action_name = given["Version"], given["Action"]
        request.region = given.get("Region") or None
        request.token = given.get("Token") or None

    def check_clock(self, request: Request) -> None:
        if abs(request.wall - request.seconds) > self._settings.clock_window:
            raise SignatureExpireError(now=int(request.wall))

    def read_body(self, request: Request) -> Awaitable[None] | None:
        """Bound and read the body of a TC3 POST, and hash it on the way. A GET's body is not part of the request."""
        if request.method != "POST" or request.body.complete:
            return None
        return _read(request, self._settings.body_bytes, self._body_too_large)

    def verify_signature(self, request: Request) -> None:
        valid = self._verify_headers(request) if request.is_tc3 else _verify_pairs(request)
        if not valid:
            raise SignatureFailureError
        request.body.prove(request.key.account_id)

    def _verify_headers(self, request: Request) -> bool:
        authorization = request.authorization
        if authorization.date != utc_date(request.seconds):
            return False
        is_post = request.method == "POST"
        if self._is_unsigned(request):
            payload_hash = UNSIGNED_SHA256
        else:
            payload_hash = request.body.sha256 if is_post else EMPTY_SHA256
        return verify_tc3(
            authorization,
            self._signing_keys.get(request.key.secret_key, authorization.date, authorization.service),
            timestamp=request.timestamp,
            method=request.method.encode("ascii"),
            query=b"" if is_post else request.query,
            headers=request.headers,
            payload_hash=payload_hash,
            path=request.path,
        )

    def _is_unsigned(self, request: Request) -> bool:
        """Return whether the body is left out of the signature, and may be. If it may not, the header is ignored."""
        announced = request.headers.get(b"x-tc-content-sha256")
        if announced is None or announced.strip() != UNSIGNED_PAYLOAD:
            return False
        return self._may_be_unsigned(request)

    def _may_be_unsigned(self, request: Request) -> bool:
        return request.key.unsigned_payload or _is_allowed(self._settings.unsigned_payload, request)

    def check_token(self, request: Request) -> None:
        """Check a temporary credential's token and end. A permanent key must come without a token."""
        key = request.key
        if key.expires_at is not None and request.wall >= key.expires_at:
            raise TokenFailureError("the temporary credentials have ended")
        if request.token is None and key.token is None:
            return
        given = (request.token or "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, (key.token or "").encode()):
            raise TokenFailureError("not the token of these credentials")

    def check_address(self, request: Request) -> None:
        networks = request.key.addresses
        if not networks:
            return
        try:
            address = ip_address(request.address)
        except ValueError:
            raise IpNotInWhitelistError("the connection has no address") from None
        if not any(address in _network(network) for network in networks):
            raise IpNotInWhitelistError


def _read(request: Request, limit: int, too_large: Callable[[], ApiError]) -> Awaitable[None] | None:
    """Read the body. If all of it came with the head, as is usual, nothing is awaited."""
    body = request.body
    if request.take_whole is not None and (whole := request.take_whole()) is not None:
        body.take(whole, limit=limit, too_large=too_large)
        return None
    return body.read(request.receive, request.read_into, announced=request.announced, limit=limit, too_large=too_large)


def _is_allowed(where: Where, request: Request) -> bool:
    return where == "always" or (where == "loopback" and request.is_local)


def _read_pairs(request: Request, most: int) -> None:
    """Identify the caller of a v1 request, from its query or form. Only the SecretId is decoded."""
    text = request.query if request.method == "GET" else bytes(request.body.data)
    raw = request.raw_pairs = raw_pairs(text, most)
    if b"Language" in raw:
        request.language = "zh-CN" if raw[b"Language"] == b"zh-CN" else "en-US"
    for name in _V1_NEEDED:
        if not raw.get(name):
            raise MissingParameterError(name=name.decode("ascii"))
    _check_types({name: raw[name.encode("ascii")].decode("latin-1") for name in _TYPED if _is_plain(raw, name)})
    secret_id = raw[b"SecretId"]
    if len(secret_id) > _SECRET_ID_BYTES:
        raise SecretIdNotFoundError("too long")
    request.secret_id = unquote(secret_id)


def _is_plain(raw: RawPairs, name: str) -> bool:
    """Return whether a value has no escapes. One with escapes is checked once its caller is known."""
    value = raw.get(name.encode("ascii"))
    return value is not None and b"%" not in value and b"+" not in value


def _check_types(given: Mapping[str, str]) -> None:
    if "Timestamp" in given:
        _seconds(given["Timestamp"])
    if "Nonce" in given and not _is_number(given["Nonce"], 20):
        raise CommonParameterTypeError(name="Nonce")
    method = given.get("SignatureMethod", "HmacSHA1")
    if method not in V1_METHODS:
        raise InvalidParameterValueError(name="SignatureMethod", value=method)


def _verify_pairs(request: Request) -> bool:
    parameters = request.parameters or {}
    return verify_v1(
        request.key.secret_key,
        parameters,
        host=request.headers.get(b"host", b""),
        method=request.method,
        algorithm=parameters.get("SignatureMethod", "HmacSHA1"),
        path=request.path,
    )
