"""The signed API: signatures, bodies, and how many requests at once."""

from __future__ import annotations

from pydantic import BaseModel, Field, SecretStr

from renzheng.base import defaults
from renzheng.base.defaults import MIB
from renzheng.settings.kinds import RedisAddress


class GatewaySection(BaseModel):
    """Read by the gateway."""

    redis_url: RedisAddress = Field(
        SecretStr(""),
        description="Redis in which several servers together count requests per second and capture sockets by address, "
        "such as redis://host:6379/0; empty: each server counts its own.",
    )
    region_required: bool = Field(
        defaults.REGION_REQUIRED, description="Whether GetFaceIdToken without a Region is MissingParameter."
    )
    local_services: bool | None = Field(
        None,
        description="Whether the service in a Credential may be the first label of the endpoint's host name instead "
        "of faceid, as some SDKs write it for local endpoints; unset: on a loopback address only.",
    )
    unsigned_payload: bool | None = Field(
        None,
        description="Whether every key may leave the body out of the signature; unset: on a loopback address only.",
    )
    explain_in_reply: bool = Field(
        defaults.EXPLAIN_IN_REPLY,
        description="For local use: error texts also say why the request was refused and what to do, on loopback "
        "connections only.",
    )
    recent_failures: int = Field(
        50,
        ge=0,
        le=1000,
        description="How many refused requests renzheng explain --recent can show: this many with a known key, and "
        "this many with an unknown key; 0 keeps none.",
    )
    clock_window: int = Field(
        defaults.CLOCK_WINDOW,
        ge=1,
        le=3600,
        description="Seconds that a request's timestamp may differ from the server's clock.",
    )
    body_bytes: int = Field(defaults.BODY_BYTES, ge=1024, description="Largest body of a TC3 request, bytes.")
    v1_body_bytes: int = Field(
        defaults.V1_BODY_BYTES, ge=1024, description="Largest body of a HmacSHA1 or HmacSHA256 request, bytes."
    )
    max_headers: int = Field(defaults.MAX_HEADERS, ge=32, le=1024, description="Maximum headers of a request.")
    max_pairs: int = Field(defaults.MAX_PAIRS, ge=40, le=4096, description="Maximum parameters of a query or a form.")
    v1_signatures: bool = Field(
        defaults.V1_SIGNATURES,
        description="Whether HmacSHA1 and HmacSHA256 are accepted besides TC3-HMAC-SHA256; they do not protect "
        "where one value ends and the next begins.",
    )
    query_bytes: int = Field(
        defaults.QUERY_BYTES, ge=1024, le=128 * 1024, description="Largest query of a GET request, bytes."
    )
    bytes_in_flight: int = Field(
        defaults.BYTES_IN_FLIGHT,
        ge=MIB,
        description="Maximum bytes of request bodies in memory at once. One account may use a quarter of them, and so "
        "may one address before its key is checked.",
    )
    uncounted_bytes: int = Field(
        defaults.UNCOUNTED_BYTES,
        ge=0,
        le=MIB,
        description="Bodies up to this size, bytes, do not count towards that limit.",
    )
    body_seconds: float = Field(defaults.BODY_SECONDS, gt=0, description="Seconds in which a body must arrive.")
    body_rate: int = Field(defaults.BODY_RATE, ge=1, description="Lowest average speed of a body, bytes per second.")
    body_grace: float = Field(defaults.BODY_GRACE, gt=0, description="Seconds that a body may be behind that speed.")
    requests_per_second: int = Field(
        defaults.REQUESTS_PER_SECOND,
        ge=1,
        description="Maximum requests per second, for each account and action.",
    )
    encryption_rsa_bits: int = Field(
        2048, ge=1024, le=8192, description="Size of new RSA keys for sealed fields; Tencent Cloud's own has 1024 bits."
    )
    encryption_threads: int = Field(2, ge=1, le=64, description="Threads that open and seal fields.")
    sm2_processes: int = Field(1, ge=1, le=64, description="Processes that open fields sealed by SM2 and SM4.")
    request_places: int = Field(
        defaults.REQUEST_PLACES,
        ge=2,
        description="Places for requests in progress. A request takes one, and one more for each 256 KiB of its "
        "body. One account gets at most half of them. A request that finds no place is refused at once.",
    )
    sealing_places: int = Field(
        defaults.SEALING_PLACES,
        ge=2,
        description="Maximum sealed requests in progress at once; one account gets at most half of these places.",
    )
