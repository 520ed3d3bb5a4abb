"""The handlers that find out who is calling: from the headers first, and only then from the body."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable
from functools import lru_cache, partial
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from renzheng.gateway.body import Body, InFlight, Watch
from renzheng.gateway.context import Request
from renzheng.gateway.contract import SERVICE, GatewaySettings, KeyFinder, Where
from renzheng.gateway.errors import (
    CommonParameterTypeError,
    FormTooLarge,
    InvalidAuthorization,
    InvalidParameterValue,
    IpNotInWhitelist,
    MissingParameter,
    RepeatedParameter,
    RequestSizeLimitExceeded,
    SecretIdNotFound,
    SignatureExpire,
    SignatureFailure,
    TokenFailure,
    UnsupportedProtocol,
)
from renzheng.gateway.explain import explain
from renzheng.gateway.failures import RecentFailures
from renzheng.gateway.parameters import split_pairs, unique
from renzheng.gateway.signature import (
    EMPTY_SHA256,
    UNSIGNED_PAYLOAD,
    UNSIGNED_SHA256,
    V1_METHODS,
    MalformedAuthorization,
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
# A larger body is explained by its hash alone: it cannot be serialised again.
_EXPLAINED_BYTES = 64 * 1024
_TC3_MARKS = (b"x-tc-action", b"x-tc-timestamp", b"x-tc-version")
_SINGLE = frozenset(
    {b"host", b"content-type", b"content-length", b"x-tc-action", b"x-tc-version", b"x-tc-timestamp",
     b"x-tc-region", b"x-tc-token", b"x-tc-language", b"x-tc-content-sha256"}
)  # fmt: skip


def _is_number(text: str, digits: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= digits


def _seconds(timestamp: str) -> int:
    if not _is_number(timestamp, 20):  # milliseconds too are a number, and far from now
        raise CommonParameterTypeError(name="Timestamp")
    return int(timestamp)


@lru_cache(maxsize=1024)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


class Authentication:
    """The first half of the pipeline's handlers, with what they need."""

    def __init__(self, keys: KeyFinder, settings: GatewaySettings, failures: RecentFailures | None = None) -> None:
        self._keys = keys
        self._failures = failures
        self._settings = settings
        self._signing_keys = SigningKeys()
        self._in_flight = InFlight(settings)
        self._watch = Watch()
        self._body_too_large = partial(RequestSizeLimitExceeded, "body", limit=settings.body_bytes)

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of bodies that are held now."""
        return self._in_flight.total

    def new_body(self, address: str) -> Body:
        """The body of a request that has begun; to be released when it ends."""
        return Body(self._in_flight, self._watch, self._settings, address)

    def check_protocol(self, request: Request) -> None:
        """GET or POST, and no header twice that decides anything."""
        request.is_tc3 = (
            b"authorization" in request.headers
            or (request.method == "POST" and request.content_type not in FORM_TYPES)
            or any(mark in request.headers for mark in _TC3_MARKS)
        )
        if request.method not in ("GET", "POST"):
            raise UnsupportedProtocol(f"method of {len(request.method)} letters")
        if request.repeated:
            if b"authorization" in request.repeated:
                raise InvalidAuthorization(reason="it is given more than once.")
            for name in sorted(request.repeated & _SINGLE):
                raise RepeatedParameter(name=name.decode("ascii"))
        if len(request.query) > self._settings.query_bytes:
            raise RequestSizeLimitExceeded("query", limit=self._settings.query_bytes)

    def read_form(self, request: Request) -> Awaitable[None] | None:
        """A v1 POST keeps even its common parameters in the body, so that this body is read first."""
        if request.is_tc3 or request.method == "GET":
            return None
        return request.body.read(
            request.receive,
            request.read_into,
            announced=request.announced,
            limit=self._settings.form_bytes,
            too_large=FormTooLarge,
            secret_id="",
        )

    def read_common_parameters(self, request: Request) -> None:
        if request.is_tc3:
            self._read_headers(request)
        else:
            _read_pairs(request)

    def _read_headers(self, request: Request) -> None:
        headers = request.headers
        request.timestamp = request.header(b"x-tc-timestamp")
        request.version = request.header(b"x-tc-version")
        request.action_name = request.header(b"x-tc-action")
        if not request.timestamp:
            raise MissingParameter(name="Timestamp")
        if not request.version:
            raise MissingParameter(name="Version")
        if not request.action_name:
            raise MissingParameter(name="Action")
        request.seconds = _seconds(request.timestamp)
        if b"authorization" not in headers:
            raise InvalidAuthorization(reason="the header is missing.")
        try:
            authorization = parse_authorization(headers[b"authorization"])
        except MalformedAuthorization as fault:
            raise InvalidAuthorization(reason=fault) from None
        for name in authorization.signed_headers:
            if name not in headers or name in request.repeated:
                reason = f"`SignedHeaders` names `{name.decode('latin-1')}`, which is not sent exactly once."
                raise InvalidAuthorization(reason=reason)
        if authorization.service != SERVICE and authorization.service not in self._endpoint_services(request):
            raise InvalidAuthorization(reason="`Service` in Credential not valid.")
        request.authorization = authorization
        request.secret_id = authorization.secret_id
        request.region = request.header(b"x-tc-region") if b"x-tc-region" in headers else None
        request.token = request.header(b"x-tc-token") or None

    def _endpoint_services(self, request: Request) -> set[str]:
        """What clients take for the service that cut it off the endpoint: `127` for 127.0.0.1:8400."""
        if not _allowed(self._settings.endpoint_service, request):
            return set()
        hosts = host_readings(request.headers[b"host"].strip())
        return {host.split(b".", 1)[0].decode("latin-1") for host in hosts}

    def find_key(self, request: Request) -> None:
        key = self._keys.find(request.secret_id)
        if key is None or not key.enabled:
            raise SecretIdNotFound("disabled" if key else "unknown")
        request.key = key

    def check_clock(self, request: Request) -> None:
        if abs(request.now - request.seconds) > self._settings.clock_skew:
            raise SignatureExpire

    def read_body(self, request: Request) -> Awaitable[None] | None:
        """Bound and read the body of a TC3 POST, hashing on the way. A GET's body is no part of the request."""
        if request.method != "POST" or request.body.complete:
            return None
        return request.body.read(
            request.receive,
            request.read_into,
            announced=request.announced,
            limit=self._settings.body_bytes,
            too_large=self._body_too_large,
            secret_id=request.secret_id,
        )

    def verify_signature(self, request: Request) -> None:
        valid = self._verify_headers(request) if request.is_tc3 else _verify_pairs(request)
        if not valid:
            raise self._refusal(request)

    def _refusal(self, request: Request) -> SignatureFailure:
        """The refusal of a wrong signature; why it is wrong is for the operator, not for the caller."""
        in_reply = self._settings.explain_in_reply and request.is_local
        if self._failures is None and not in_reply:
            return SignatureFailure()
        key, captured, unsigned = request.key, request.captured(_EXPLAINED_BYTES), self._may_be_unsigned(request)
        if self._failures is not None:
            self._failures.note(
                captured,
                at=request.now,
                request_id=request.request_id,
                account_id=key.account_id,
                secret_id=key.secret_id,
                secret_key=key.secret_key,
                unsigned=unsigned,
            )
        if not in_reply:
            return SignatureFailure()
        found = explain(captured, {key.secret_id: key.secret_key}, unsigned=unsigned, masked=True)
        zh, en = found.sentence("zh-CN"), found.sentence("en-US")
        return SignatureFailure(zh=f"{SignatureFailure.zh}{zh}", en=f"{SignatureFailure.en} {en}")

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
        )

    def _is_unsigned(self, request: Request) -> bool:
        """Whether the body is left out of the signature, and may be; else the header counts for nothing."""
        announced = request.headers.get(b"x-tc-content-sha256")
        if announced is None or announced.strip() != UNSIGNED_PAYLOAD:
            return False
        return self._may_be_unsigned(request)

    def _may_be_unsigned(self, request: Request) -> bool:
        return request.key.unsigned_payload or _allowed(self._settings.unsigned_payload, request)

    def check_token(self, request: Request) -> None:
        """Temporary credentials come with their token and end; permanent ones have none."""
        key = request.key
        if key.expires_at is not None and request.now >= key.expires_at:
            raise TokenFailure("the temporary credentials have ended")
        if request.token is None and key.token is None:
            return
        given = (request.token or "").encode("utf-8", "surrogateescape")
        if not hmac.compare_digest(given, (key.token or "").encode()):
            raise TokenFailure("not the token of these credentials")

    def check_address(self, request: Request) -> None:
        networks = request.key.addresses
        if not networks:
            return
        try:
            address = ip_address(request.address)
        except ValueError:
            raise IpNotInWhitelist("the connection has no address") from None
        if not any(address in _network(network) for network in networks):
            raise IpNotInWhitelist


def _allowed(where: Where, request: Request) -> bool:
    return where == "always" or (where == "loopback" and request.is_local)


def _read_pairs(request: Request) -> None:
    """The common parameters of the v1 methods, in the query or in the form."""
    text = request.query if request.method == "GET" else bytes(request.body.data)
    given = request.parameters = unique(split_pairs(text))
    if "Language" in given:
        request.language = "zh-CN" if given["Language"] == "zh-CN" else "en-US"
    for name in ("Timestamp", "Version", "Action", "SecretId", "Nonce", "Signature"):
        if not given.get(name):
            raise MissingParameter(name=name)
    request.seconds = _seconds(given["Timestamp"])
    if not _is_number(given["Nonce"], 20):
        raise CommonParameterTypeError(name="Nonce")
    method = given.get("SignatureMethod", "HmacSHA1")
    if method not in V1_METHODS:
        raise InvalidParameterValue(name="SignatureMethod", value=method)
    request.timestamp, request.version = given["Timestamp"], given["Version"]
    request.action_name, request.secret_id = given["Action"], given["SecretId"]
    request.region = given.get("Region") or None
    request.token = given.get("Token") or None


def _verify_pairs(request: Request) -> bool:
    parameters = request.parameters or {}
    return verify_v1(
        request.key.secret_key,
        parameters,
        host=request.headers.get(b"host", b""),
        method=request.method,
        algorithm=parameters.get("SignatureMethod", "HmacSHA1"),
    )
