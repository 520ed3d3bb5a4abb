"""Every limit that an operator sets is the one that the parts are built with."""

from __future__ import annotations

import os
import time
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import pytest

from renzheng.capture.bounds import ChannelLimits
from renzheng.capture.capacity import Capacity, CapacityLimits
from renzheng.delivery.hosts import HostRefusedError
from renzheng.engine.limits import WorkerLimits
from renzheng.gateway.contract import GatewaySettings
from renzheng.server.console_parts import console_settings
from renzheng.server.judging import day_of, make_judge
from renzheng.server.parts import ServerParts
from renzheng.server.room_settings import (
    capacity_limits,
    channel_settings,
    engine_limits,
    gateway_settings,
    open_server_store,
)
from renzheng.server.services import Services
from renzheng.settings import Settings, load_settings


def changed(name: str) -> Any:
    """Another value of a setting than its default, within its bounds."""
    value = getattr(load_settings(), name)
    if isinstance(value, bool):
        return not value
    return value / 2 if isinstance(value, float) else value + 1


def test_every_limit_of_the_channel_is_the_setting_of_its_name() -> None:
    for name in (one.name for one in fields(ChannelLimits)):
        assert getattr(channel_settings(load_settings()).limits, name) == getattr(load_settings(), name)
        given = load_settings(**{name: changed(name)})
        assert getattr(channel_settings(given).limits, name) == changed(name) != getattr(load_settings(), name)


def test_the_pace_and_the_rest_of_the_channel_are_as_set() -> None:
    given = load_settings(
        neutral_seconds=2,
        step_seconds=9,
        ready_seconds=33,
        light_warning_seconds=3,
        light_seconds=0.7,
        device_grace_seconds=4,
        handover_seconds=55,
        evidence_days=5,
        light_colours=9,
        public_url="https://verify.example",
        eased_step_seconds=17,
        crowded_ready_seconds=11,
        spared_attempts=4,
        max_excused_attempts=5,
        max_waiting=66,
    )
    channel = channel_settings(given)
    pace = channel.pace
    assert (pace.neutral_seconds, pace.step_seconds, pace.ready_seconds) == (2, 9, 33)
    assert (pace.warning_seconds, pace.colour_seconds) == (3, 0.7)
    assert (channel.device_grace_seconds, channel.handover_seconds, channel.evidence_days) == (4, 55, 5)
    assert (channel.light_colours, channel.public_url) == (9, "https://verify.example")
    assert (pace.eased_seconds, pace.crowded_ready_seconds) == (17, 11)
    assert (channel.spared_attempts, channel.max_excused_attempts, channel.max_waiting) == (4, 5, 66)


OF_THE_GATEWAY = sorted(
    {one.name for one in fields(GatewaySettings)} & set(Settings.model_fields) - {"unsigned_payload"}
)


@pytest.mark.parametrize("name", OF_THE_GATEWAY)
def test_every_bound_of_the_gateway_is_the_setting_of_its_name(name: str) -> None:
    assert getattr(gateway_settings(load_settings()), name) == getattr(load_settings(), name)
    given = load_settings(**{name: changed(name)})
    assert getattr(gateway_settings(given), name) == changed(name) != getattr(load_settings(), name)


def test_what_the_gateway_forgives_is_as_set() -> None:
    assert set(OF_THE_GATEWAY) >= {"clock_window", "v1_signatures", "max_pairs", "request_places", "explain_in_reply"}
    for given, where in ((None, "loopback"), (True, "always"), (False, "never")):
        settings = gateway_settings(load_settings(local_services=given, unsigned_payload=given))
        assert (settings.endpoint_service, settings.unsigned_payload) == (where, where)


def test_a_judge_is_bounded_as_set() -> None:
    given = load_settings(
        lease_seconds=40, lost_leases=5, judge_processes=3, max_seen_frames=7, max_excused_attempts=4, day_utc_offset=-3
    )
    capacity = Capacity(CapacityLimits(judge_processes=3), lambda: True)
    nothing = cast(Any, None)
    judge = make_judge(given, cast(Any, load_store()), nothing, nothing, nothing, time.time, capacity)
    assert (judge._lease, judge._lost_leases, judge._at_once) == (40, 5, 3)
    assert (judge._seen_frames, judge._max_excused) == (7, 4)
    assert judge._day(10_000.0) == day_of(given, 10_000.0) == "1969-12-31"


def load_store() -> Any:
    """Of which a judge takes two parts."""

    class Parts:
        sessions = identities = None

    return Parts


def test_the_capacity_is_bounded_as_set() -> None:
    for name in sorted({one.name for one in fields(CapacityLimits)} - {"judge_processes"}):
        assert getattr(capacity_limits(load_settings()), name) == getattr(load_settings(), name)
        assert getattr(capacity_limits(load_settings(**{name: changed(name)})), name) == changed(name)
    for here, processes in ((True, 3), (False, 0)):
        assert capacity_limits(load_settings(judge_here=here, judge_processes=3)).judge_processes == processes


async def test_the_store_keeps_and_leaves_free_what_is_set(tmp_path: Path) -> None:
    folders = {"data_dir": tmp_path / "data", "keys_dir": tmp_path / "keys"}
    given = load_settings(**folders, evidence_days=5, tombstone_days=7, min_free_bytes=1234)
    store = open_server_store(given, time.time, os.urandom)
    assert (store._retention.evidence_days, store._retention.tombstone_days) == (5, 7)
    assert set(store.room.reserves().values()) == {1234}
    await store.stop()


async def test_evidence_goes_to_the_hosts_that_are_set_and_no_others(tmp_path: Path) -> None:
    folders = {"data_dir": tmp_path / "data", "keys_dir": tmp_path / "keys"}
    parts = ServerParts(load_settings(**folders, bucket_hosts="*.example.com"), time.time, os.urandom)
    services = Services(parts, time.time, cast(Any, None))
    probing = services.management._probes._clients()
    for clients in (parts.deliverer._parts.clients, probing):
        clients._hosts.check("faces.s3.example.com")
        for other in ("faces.cos.ap-guangzhou.myqcloud.com", "example.com", "127.0.0.1"):
            with pytest.raises(HostRefusedError):
                clients._hosts.check(other)
    probing.close()
    await parts.store.stop()


def test_the_console_is_bounded_as_set() -> None:
    given = console_settings(
        load_settings(
            console_idle_minutes=7,
            console_session_hours=3,
            console_tries=4,
            console_tries_minutes=9,
            console_password_length=20,
            console_upload_bytes=5_000_000,
        )
    )
    assert (given.idle_seconds, given.life_seconds, given.tries, given.tries_seconds) == (420, 10_800, 4, 540)
    assert (given.password_length, given.upload_bytes) == (20, 5_000_000)


def test_the_engines_limits_are_the_settings_of_their_names() -> None:
    for name in sorted({one.name for one in fields(WorkerLimits)} & set(Settings.model_fields)):
        given = engine_limits(load_settings(**{name: changed(name) if name != "decode_seconds" else 7.0})).workers
        assert getattr(given, name) != getattr(engine_limits(load_settings()).workers, name), name
    media = engine_limits(load_settings(photo_pixels=2_000_000, frame_pixels=100_000)).media
    assert (media.max_pixels, media.frame_pixels) == (2_000_000, 100_000)
