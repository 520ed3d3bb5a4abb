"""All settings: one typed object, each with its sentence. From `RENZHENG_*` variables or a `.env` file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from renzheng.verification.policy import Policy


def _home(name: str) -> Path:
    return Path.home() / ".renzheng" / name


MIB = 1024 * 1024


class Settings(BaseSettings):
    """Raises pydantic's ValidationError, naming the variable, for a value out of range."""

    model_config = SettingsConfigDict(env_prefix="RENZHENG_", env_file=".env", extra="ignore")

    # -- where --
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8400, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data_dir: Path = Field(_home("data"), description="Folder of records and evidence.")
    keys_dir: Path = Field(
        _home("keys"), description="Folder of the master key and the data keys; never inside the data folder."
    )
    evidence_url: str = Field(
        "", description="Object store for evidence, such as s3://bucket/prefix; empty keeps it in the data folder."
    )
    public_url: str = Field("", description="The address that devices use, where it differs from host and port.")
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Addresses of proxies, comma-separated, whose X-Forwarded-For and -Proto are believed."
    )
    explorer: bool = Field(True, description="Whether /explorer is served, the page to try the signed API on.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    log_json: bool = Field(False, description="Log lines as JSON, for a collector.")

    # -- the signed API --
    region_required: bool = Field(True, description="Whether GetFaceIdToken without a Region is MissingParameter.")
    local_services: bool | None = Field(
        None,
        description="Whether a Credential scope may name the endpoint's first label in place of faceid, as some SDKs "
        "do for local endpoints; unset means on a loopback address only.",
    )
    unsigned_payload: bool | None = Field(
        None,
        description="Whether any key may leave its body out of the signature; unset means on a loopback address only.",
    )
    explain_in_reply: bool = Field(
        False, description="For local use: add to a signature error what the server signed and where it differs."
    )
    recent_failures: int = Field(
        50, ge=0, le=1000, description="How many failed signatures are kept in memory for renzheng explain --recent."
    )
    clock_window: int = Field(300, ge=1, le=3600, description="Seconds that a request's timestamp may be off.")
    body_bytes: int = Field(10 * MIB, ge=1024, description="Largest body of a TC3 request, bytes.")
    v1_body_bytes: int = Field(MIB, ge=1024, description="Largest body of a HmacSHA1 or HmacSHA256 request, bytes.")
    head_seconds: float = Field(10, gt=0, description="Seconds within which a connection has to bring a whole head.")
    keep_alive_seconds: int = Field(
        75, ge=1, description="Seconds for which a connection is kept for a next request; more than a proxy before it."
    )
    query_bytes: int = Field(32 * 1024, ge=1024, le=128 * 1024, description="Largest query of a GET request, bytes.")
    bytes_in_flight: int = Field(256 * MIB, ge=MIB, description="Bytes of bodies held at once, over all requests.")
    body_seconds: float = Field(30, gt=0, description="Seconds within which a body has to arrive.")
    body_rate: int = Field(64 * 1024, ge=1, description="Least bytes a second at which a body may arrive, on average.")
    body_grace: float = Field(5, gt=0, description="Seconds by which a body may be behind that rate.")
    requests_per_second: int = Field(100, ge=1, description="Requests a second by account and action.")

    encryption_rsa_bits: int = Field(
        2048, ge=1024, le=8192, description="Size of new RSA keys for sealed fields; Tencent Cloud's own has 1024 bits."
    )
    encryption_threads: int = Field(2, ge=1, le=64, description="Threads that open and seal fields.")

    # -- verification --
    token_seconds: int = Field(600, ge=10, le=3600, description="Seconds that a token lives.")
    threshold: float = Field(70, ge=60, le=100, description="Similarity from which two faces count as one person.")
    challenge_length: int = Field(2, ge=1, le=4, description="Actions a challenge asks for.")
    attempts: int = Field(3, ge=1, le=10, description="Attempts a token.")
    attempts_a_day: int = Field(30, ge=0, description="Attempts a day for one ID number in an account; 0: no limit.")
    day_utc_offset: float = Field(8, ge=-12, le=14, description="Hours from UTC at which a day begins.")
    step_seconds: float = Field(6, ge=2, le=30, description="Seconds a device has for one action.")
    neutral_seconds: float = Field(1, ge=0.5, le=10, description="Seconds of looking straight before the challenge.")
    ready_seconds: float = Field(60, ge=5, le=300, description="Seconds an attempt may take to reach its challenge.")

    light_colours: int = Field(
        7, ge=7, le=12, description="Colours that the page shows where a rule asks for the light challenge."
    )
    light_seconds: float = Field(
        0.5,
        ge=0.35,
        le=2,
        description="Seconds that each colour stays; under 0.35 a screen would change more than three times a second.",
    )
    light_warning_seconds: float = Field(2, ge=1, le=4, description="Seconds of warning before the first colour.")

    # -- the capture channel --
    captures: int = Field(64, ge=1, description="Verifications open at once.")
    captures_per_address: int = Field(
        16, ge=1, description="Capture sockets open at once from one address; of IPv6 from one /64."
    )
    frame_bytes: int = Field(512 * 1024, ge=16 * 1024, description="Largest frame, bytes.")
    frame_pixels: int = Field(1920 * 1080, ge=160 * 120, description="Largest frame, pixels.")
    frames_per_second_least: float = Field(4, ge=1, description="Frames a second under which nothing is counted.")
    frames_per_second_most: int = Field(15, ge=4, le=60, description="Frames a second that are stored at most.")
    frames_per_attempt: int = Field(450, ge=30, description="Frames stored of one attempt at most.")
    round_trip_seconds: float = Field(1.5, gt=0, description="Round trip above which nothing is counted.")
    hello_seconds: float = Field(10, gt=0, description="Seconds within which a socket has to say hello.")
    send_seconds: float = Field(10, gt=0, description="Seconds within which a device has to take what it is sent.")
    idle_seconds: float = Field(60, gt=0, description="Seconds of silence after which a socket is closed.")
    device_grace_seconds: float = Field(10, ge=0, description="Seconds a token stays with a device that went silent.")
    handover_seconds: float = Field(120, gt=0, description="Seconds a hand-over code is good for.")

    # -- the engine --
    models_dir: Path | None = Field(None, description="Folder of the model packs; unset is a per-user cache.")
    photo_pixels: int = Field(50_000_000, ge=1_000_000, description="Largest photo, pixels, by its header.")
    decode_processes: int = Field(1, ge=1, description="Processes that decode strangers' bytes.")
    hint_processes: int = Field(1, ge=1, description="Processes that measure frames for hints.")
    judge_processes: int = Field(1, ge=1, description="Processes that judge, at low priority.")
    decode_memory: int = Field(1024 * MIB, ge=256 * MIB, description="Memory of a decoding process, bytes.")
    decode_seconds: float = Field(5, gt=0, description="Seconds that decoding one image may take.")
    judge_seconds: float = Field(60, gt=0, description="Seconds that measuring one verification may take.")
    hint_queue: int = Field(16, ge=1, description="Frames waiting for a hint; beyond that they are skipped.")
    judge_queue: int = Field(32, ge=1, description="Verifications waiting inside the engine; others wait in the store.")
    judge_raise_seconds: float = Field(5, ge=0, description="Seconds after which a waiting job gets normal priority.")

    # -- judging and keeping --
    lease_seconds: float = Field(15, ge=1, description="Seconds that a judge holds a session without a heartbeat.")
    lost_leases: int = Field(3, ge=1, description="Lost leases after which a session ends as Result 1001.")
    evidence_days: float = Field(3, ge=0, description="Days that frames, photos and videos are kept.")
    tombstone_days: float = Field(30, ge=0, description="Days that an erased token is remembered as expired.")
    sweep_seconds: float = Field(10, gt=0, description="Seconds between two rounds of the sweeper.")

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @property
    def policy(self) -> Policy:
        """What applies to a token without a RuleId."""
        return Policy(
            threshold=self.threshold,
            challenge_length=self.challenge_length,
            attempts=self.attempts,
            attempts_a_day=self.attempts_a_day,
        )

    @property
    def is_loopback(self) -> bool:
        """True where only this machine reaches the server."""
        return self.host in ("localhost", "::1") or self.host.startswith("127.")


class SettingsError(Exception):
    """A setting that cannot be used; the text names the variable and says why."""


def load_settings(**given: object) -> Settings:
    """The settings of this process; `given` ones win. Raises SettingsError with a sentence a setting."""
    try:
        return Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"RENZHENG_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("\n".join(lines)) from None
