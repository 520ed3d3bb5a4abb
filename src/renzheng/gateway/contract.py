"""What the gateway is handed, and what it hands on. It knows actions, keys and the log by these forms alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import msgspec

Language = Literal["zh-CN", "en-US"]
Where = Literal["loopback", "always", "never"]

VERSION = "2018-03-01"
SERVICE = "faceid"


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who is calling, once that is proven. `now`: unix seconds at which the request was taken up."""

    account_id: int
    secret_id: str
    request_id: str
    language: Language
    region: str | None
    now: float
    address: str


@dataclass(frozen=True, slots=True)
class Action:
    """One operation of the API.

    `request`: a struct that forbids unknown fields and whose optional fields admit None (see
    `parameters.MessageReader`). `run` answers with a struct whose fields become those of `Response`, and
    raises ApiError. `regions`: those that the action is offered in; None where a region is not needed.
    `per_second`: requests a second by account, unless the account has a limit of its own.

    `sealable`: parameters that may come sealed; the request then has an `encryption`. `sealed_reply`: fields of
    the reply that are sealed by field where the caller sent a key; a request with `is_encrypt_response` set gets
    its whole reply sealed. `check_sealed`: called with the message as it came, before anything is opened.
    """

    name: str
    request: type[msgspec.Struct]
    run: Callable[[Caller, Any], Awaitable[msgspec.Struct]]
    version: str = VERSION
    regions: frozenset[str] | None = None
    per_second: int = 100
    sealable: frozenset[str] = frozenset()
    sealed_reply: frozenset[str] = frozenset()
    check_sealed: Callable[[Any], None] | None = None


class Key(Protocol):
    """A pair of SecretId and SecretKey, as the store knows it now.

    `token` and `expires_at` (unix seconds) belong to temporary credentials. `addresses`: networks in CIDR
    form that the key may be used from; empty is anywhere.
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


class KeyFinder(Protocol):
    """Finds keys from memory, at once; it is asked at each request, so that a disabled key ends with it."""

    def find(self, secret_id: str) -> Key | None: ...


class Quota(Protocol):
    """Counts requests; may be shared over processes. An exception lets the request pass, and is counted."""

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """Count one request; the number of those in the same second, this one included."""
        ...


class Log(Protocol):
    """A structlog logger, or anything with these."""

    def info(self, event: str, **values: Any) -> Any: ...
    def warning(self, event: str, **values: Any) -> Any: ...
    def error(self, event: str, **values: Any) -> Any: ...


class Meter(Protocol):
    """Where requests are counted. `action` is a known name or empty; `code` is empty for a success."""

    def request(self, action: str, code: str, seconds: float) -> None: ...
    def failed_open(self, part: str) -> None: ...


class NoMeter:
    def request(self, action: str, code: str, seconds: float) -> None:
        pass

    def failed_open(self, part: str) -> None:
        pass


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Every limit and policy of the gateway; sizes in bytes, times in seconds.

    `clock_skew`: a timestamp may be that far from the server's clock, ends included.
    `query_bytes`, `form_bytes`, `body_bytes`: the most of a GET's query, a v1 form and a TC3 body.
    `in_flight_bytes`: bodies held at one time over all requests; `in_flight_share`: the part of that which one
    SecretId, or one address (of IPv6 one /64), may hold.
    `body_seconds`, `body_rate`, `body_grace`: a body has arrived whole within the first, and at any moment at
    `body_rate` bytes a second or more, counted from `body_grace` seconds after its start.
    `linger_bytes`, `linger_seconds`: what is still read and thrown away of a refused body, so that the client
    gets to read why.
    `per_second`: requests a second of one account for one action, where it differs from the action's own.
    `region_required`: whether the absence of a region is an error where an action is offered by region.
    `endpoint_service`: where the first label of the endpoint is taken as the service of a signature.
    `unsigned_payload`: where bodies may be left out of the signature, whatever the key allows.
    `explain_in_reply`: whether the reply to a wrong signature says why, over loopback connections only; for local
    use, as it tells an attacker too.
    `loopback` is a connection from the machine itself to a loopback name, with no sign of a proxy.
    """

    clock_skew: float = 300.0
    query_bytes: int = 32 * 1024
    form_bytes: int = 1024 * 1024
    body_bytes: int = 10 * 1024 * 1024
    in_flight_bytes: int = 256 * 1024 * 1024
    in_flight_share: float = 0.25
    body_seconds: float = 30.0
    body_rate: float = 64_000.0
    body_grace: float = 2.0
    linger_bytes: int = 16 * 1024 * 1024
    linger_seconds: float = 5.0
    region_required: bool = True
    endpoint_service: Where = "loopback"
    unsigned_payload: Where = "loopback"
    explain_in_reply: bool = False
    per_second: Mapping[tuple[int, str], int] = field(default_factory=dict)


# The regions of Tencent Cloud's public list: naming one that an action is not offered in is a different mistake
# from naming none at all.
REGIONS = frozenset(
    {
        "ap-bangkok", "ap-beijing", "ap-beijing-fsi", "ap-changsha-ec", "ap-chengdu", "ap-chongqing",
        "ap-fuzhou-ec", "ap-guangzhou", "ap-guangzhou-open", "ap-hangzhou-ec", "ap-hefei-ec", "ap-hongkong",
        "ap-jakarta", "ap-jinan-ec", "ap-mumbai", "ap-nanjing", "ap-osaka", "ap-qingyuan", "ap-seoul",
        "ap-shanghai", "ap-shanghai-adc", "ap-shanghai-fsi", "ap-shenyang-ec", "ap-shenzhen",
        "ap-shenzhen-fsi", "ap-shijiazhuang-ec", "ap-singapore", "ap-taipei", "ap-tianjin", "ap-tokyo",
        "ap-wuhan-ec", "ap-xian-ec", "ap-xibei-ec", "ap-zhengzhou-ec", "ap-zhongwei", "eu-frankfurt",
        "eu-moscow", "na-ashburn", "na-siliconvalley", "na-toronto", "sa-saopaulo", "me-saudi-arabia",
    }
)  # fmt: skip
