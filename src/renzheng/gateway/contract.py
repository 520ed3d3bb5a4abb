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
    """The verified caller of a request. `now`: when the request was accepted, in unix seconds."""

    account_id: int
    secret_id: str
    request_id: str
    language: Language
    region: str | None
    now: float
    address: str


class Key(Protocol):
    """A pair of SecretId and SecretKey, as the store has it now.

    `services`: those that it may sign for. `token` and `expires_at` (unix seconds) belong to temporary credentials.
    `addresses`: networks in CIDR form from which the key may be used; empty: any.
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
    """Finds keys in memory, without waiting. It is called for every request, so a disabled key stops working at
    once."""

    def find(self, secret_id: str) -> Key | None: ...


class Quota(Protocol):
    """Counts requests; several processes may share it. If it raises, the request passes, and this is counted."""

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """Count one request. Returns how many came in the same second, this one included."""
        ...


class Log(Protocol):
    """A structlog logger, or anything with the same methods."""

    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...


class RequestMeter(Protocol):
    """Counts requests.

    `service` and `action` are known names, or empty before the caller is verified. `code` is empty for a success.
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
    """Every limit and policy of the gateway. Sizes are in bytes, times in seconds.

    `clock_window`: the largest allowed difference between a timestamp and the server's clock.

    `v1_signatures`: whether HmacSHA1 and HmacSHA256 are accepted.

    `max_headers`, `max_pairs`: the most headers of a request, and the most parameters of a query or form.

    `query_bytes`, `v1_body_bytes`, `body_bytes`: the largest query of a GET, v1 form and TC3 body.

    `bytes_in_flight`: bodies held at one time over all requests, without those of up to `uncounted_bytes`.
    `in_flight_share`: the part of it that one account may hold, or one address (for IPv6, one /64) before a key is
    proved.

    `body_seconds`, `body_rate`, `body_grace`: a body must arrive within `body_seconds`, and, after the first
    `body_grace` seconds, at `body_rate` bytes per second or more on average.

    `linger_bytes`, `linger_seconds`: how much of a refused body is read and discarded, so that the client can read why.

    `request_places`: places for requests at work. A large request takes several, and one account has at most half.

    `sealing_places`: sealed requests that are opened or sealed at one time. One account has at most half.

    `requests_per_second`: of one account for one action, unless the action has its own number. `per_second`: other
    numbers for single accounts and actions.

    `region_required`: whether a missing region is an error for an action that is offered by region.

    `endpoint_service`: when the first label of the endpoint is accepted as the service of a signature.

    `unsigned_payload`: when bodies may be left out of the signature, whatever the key allows.

    `explain_in_reply`: whether the reply to a refused request says why, over loopback connections only. For local use,
    as it also helps an attacker. `hosts`: names of this server that a proxy may have removed from the Host header.

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
