"""What each room takes from the settings. The rooms do not know the settings: here they become the rooms' bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

from renzheng.capture.bounds import AttemptPace, ChannelLimits, ChannelSettings
from renzheng.capture.capacity import CapacityLimits
from renzheng.engine.limits import EngineLimits, MediaLimits, WorkerLimits
from renzheng.gateway.contract import GatewaySettings, Where
from renzheng.settings import Settings
from renzheng.settings.store import StoreSection
from renzheng.store.engines import PostgresPlace, postgres_place
from renzheng.store.master_seal import MasterSeal, master_seals
from renzheng.store.open import Store, open_store
from renzheng.store.sweeper import Retention
from renzheng.verification.session import RESULT_SECONDS

Clock = Callable[[], float]


def open_server_store(
    settings: StoreSection, clock: Clock, entropy: Callable[[int], bytes], actor: str = "server"
) -> Store:
    """Open the store as the server does. `actor`: the name in the audit. Raises StoreError with a sentence."""
    return open_store(
        settings.data_dir,
        settings.keys_dir,
        clock,
        entropy,
        settings.evidence_url,
        evidence_seconds=settings.evidence_seconds,
        retention=Retention(evidence_days=settings.evidence_days, tombstone_days=settings.tombstone_days),
        actor=actor,
        min_free_bytes=settings.min_free_bytes,
        postgres=databases(settings),
        seals=seals_of(settings),
    )


def seals_of(settings: StoreSection) -> tuple[MasterSeal, ...]:
    """Return the seals that open the master key. Raises StoreError with a sentence."""
    return master_seals(settings.master_key.get_secret_value(), settings.master_key_file, settings.master_key_kms)


def databases(settings: StoreSection) -> PostgresPlace | None:
    """Return where records and keys are; None: in SQLite. Raises StoreError without the driver."""
    return postgres_place(
        settings.database_url.get_secret_value(),
        settings.keys_url.get_secret_value(),
        readers=settings.database_readers,
        connect_seconds=settings.database_connect_seconds,
        statement_seconds=settings.database_statement_seconds,
        lock_seconds=settings.database_lock_seconds,
    )


def _where(choice: bool | None) -> Where:
    return "loopback" if choice is None else "always" if choice else "never"


def gateway_settings(settings: Settings) -> GatewaySettings:
    return GatewaySettings(
        clock_window=settings.clock_window,
        v1_signatures=settings.v1_signatures,
        max_headers=settings.max_headers,
        max_pairs=settings.max_pairs,
        query_bytes=settings.query_bytes,
        request_places=settings.request_places,
        requests_per_second=settings.requests_per_second,
        sealing_places=settings.sealing_places,
        v1_body_bytes=settings.v1_body_bytes,
        body_bytes=settings.body_bytes,
        bytes_in_flight=settings.bytes_in_flight,
        uncounted_bytes=settings.uncounted_bytes,
        body_seconds=settings.body_seconds,
        body_rate=settings.body_rate,
        body_grace=settings.body_grace,
        region_required=settings.region_required,
        endpoint_service=_where(settings.local_services),
        unsigned_payload=_where(settings.unsigned_payload),
        explain_in_reply=settings.explain_in_reply,
        hosts=settings.server_names,
    )


_WORKER_SETTINGS = {one.name for one in fields(WorkerLimits)} & set(Settings.model_fields)


def engine_limits(settings: Settings) -> EngineLimits:
    return EngineLimits(
        media=MediaLimits(max_pixels=settings.photo_pixels, frame_pixels=settings.frame_pixels),
        workers=WorkerLimits(**{name: getattr(settings, name) for name in _WORKER_SETTINGS}),
    )


def channel_settings(settings: Settings) -> ChannelSettings:
    return ChannelSettings(
        ChannelLimits(**{one.name: getattr(settings, one.name) for one in fields(ChannelLimits)}),
        AttemptPace(
            settings.neutral_seconds,
            settings.step_seconds,
            settings.ready_seconds,
            settings.light_warning_seconds,
            settings.light_seconds,
            settings.eased_step_seconds,
            settings.crowded_ready_seconds,
        ),
        settings.device_grace_seconds,
        settings.handover_seconds,
        settings.evidence_days,
        RESULT_SECONDS,
        settings.public_url,
        settings.light_colours,
        settings.spared_attempts,
        settings.max_excused_attempts,
        settings.max_waiting,
    )


def capacity_limits(settings: Settings) -> CapacityLimits:
    given = {one.name: getattr(settings, one.name) for one in fields(CapacityLimits)}
    return CapacityLimits(**{**given, "judge_processes": settings.judge_processes if settings.judge_here else 0})
