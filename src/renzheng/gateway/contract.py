"""The interfaces between the gateway and other rooms: keys, quotas, the log, and its settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

from renzheng.base import defaults

Language = Literal["zh-CN", "en-US"]
Where = Literal["loopback", "always", "never"]


class Caller(msgspec.Struct, frozen=True, gc=False):
    """The verified caller of a request. `now`: unix seconds at which the request was accepted."""

    account_id: int
    secret_id: str
    request_id: str
    language: Language
    region: str | None
    now: float
    address: str


class Key(Protocol):
    """A pair of SecretId and SecretKey, as the store knows it now.

    `services`: those that it signs for. `token` and `expires_at` (unix seconds) belong to temporary credentials.
    `addresses`: networks in CIDR form that the key may be used from; empty is anywhere.
    """

    @property
    def secret_id(self) -> str: ...
    @property
    def secret_key(self) -> str: ...
    @property
    def account_id(self) -> int: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def token(self) -> str | None: ...
    @property
    def expires_at(self) -> float | None: ...
    @property
    def unsigned_payload(self) -> bool: ...
    @property
    def addresses(self) -> Sequence[str]: ...
    @property
    def services(self) -> frozenset[str]: ...


class KeyFinder(Protocol):
    """Finds keys in memory, without waiting. It is called for each request, so that disabling a key takes effect."""

    def find(self, secret_id: str) -> Key | None: ...


class Quota(Protocol):
    """Counts requests; several processes may share it. If it raises, the request passes, and this is counted."""

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """Count one request; the number of those in the same second, this one included."""
        ...


class Log(Protocol):
    """A structlog logger, or anything with these."""

    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...


class RequestMeter(Protocol):
    """Where requests are counted.

    `service` and `action` are known names, or empty before the caller is verified; `code` is empty for a success.
    `account_id`: the verified caller's, else 0.
    """

    def request(self, service: str, action: str, code: str, seconds: float, account_id: int) -> None: ...
    def failed_open(self, part: str) -> None: ...


class NoRequestMeter:
    def request(self, service: str, action: str, code: str, seconds: float, account_id: int) -> None:
        pass

    def failed_open(self, part: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Every limit and policy of the gateway; sizes in bytes, times in seconds.

    `clock_window`: a timestamp may be that far from the server's clock, ends included.
    `v1_signatures`: whether HmacSHA1 and HmacSHA256 are taken.
    `max_headers`, `max_pairs`: the most headers of a request, and parameters of a query or form.
    `query_bytes`, `v1_body_bytes`, `body_bytes`: the most of a GET's query, a v1 form and a TC3 body.
    `bytes_in_flight`: bodies held at one time over all requests, of which those up to `uncounted_bytes` do not
    count; `in_flight_share`: the part of that which one account may hold, or one address (of IPv6 one /64) before a
    key is proved.
    `body_seconds`, `body_rate`, `body_grace`: a body has arrived whole within the first, and at any moment at
    `body_rate` bytes a second or more, counted from `body_grace` seconds after its start.
    `linger_bytes`, `linger_seconds`: what is still read and thrown away of a refused body, so that the client
    gets to read why.
    `request_places`: places for requests at work, of which a large one takes several, and one account at most half.
    `sealing_places`: sealed requests that are opened or sealed at one time; of these one account has at most half.
    `requests_per_second`: of one account for one action, unless the action says another number; `per_second`: the
    same where it differs for an account and an action.
    `region_required`: whether the absence of a region is an error where an action is offered by region.
    `endpoint_service`: where the first label of the endpoint is taken as the service of a signature.
    `unsigned_payload`: where bodies may be left out of the signature, whatever the key allows.
    `explain_in_reply`: whether the reply to a refused request says why, over loopback connections only; for local
    use, as it tells an attacker too. `hosts`: names of this server that a proxy may have taken out of the Host header.
    `loopback` is a connection from the machine itself to a loopback name, with no sign of a proxy.
    """

    clock_window: float = defaults.CLOCK_WINDOW
    v1_signatures: bool = defaults.V1_SIGNATURES
    max_headers: int = defaults.MAX_HEADERS
    max_pairs: int = defaults.MAX_PAIRS
    query_bytes: int = defaults.QUERY_BYTES
    v1_body_bytes: int = defaults.V1_BODY_BYTES
    body_bytes: int = defaults.BODY_BYTES
    bytes_in_flight: int = defaults.BYTES_IN_FLIGHT
    in_flight_share: float = 0.25
    uncounted_bytes: int = defaults.UNCOUNTED_BYTES
    body_seconds: float = defaults.BODY_SECONDS
    body_rate: float = defaults.BODY_RATE
    body_grace: float = defaults.BODY_GRACE
    linger_bytes: int = 16 * 1024 * 1024
    linger_seconds: float = 5.0
    request_places: int = defaults.REQUEST_PLACES
    sealing_places: int = defaults.SEALING_PLACES
    region_required: bool = defaults.REGION_REQUIRED
    endpoint_service: Where = "loopback"
    unsigned_payload: Where = "loopback"
    explain_in_reply: bool = defaults.EXPLAIN_IN_REPLY
    hosts: tuple[str, ...] = ()
    requests_per_second: int = defaults.REQUESTS_PER_SECOND
    per_second: Mapping[tuple[int, str], int] = field(default_factory=dict)
