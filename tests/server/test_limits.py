"""Every limit that an operator sets is the one that the parts are built with."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from renzheng.capture.bounds import ChannelLimits
from renzheng.engine.limits import WorkerLimits
from renzheng.server.room_settings import channel_settings, engine_limits
from renzheng.settings import Settings, load_settings


def changed(name: str) -> Any:
    """Another value of a setting than its default, within its bounds."""
    value = getattr(load_settings(), name)
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
    )
    channel = channel_settings(given)
    pace = channel.pace
    assert (pace.neutral_seconds, pace.step_seconds, pace.ready_seconds) == (2, 9, 33)
    assert (pace.warning_seconds, pace.colour_seconds) == (3, 0.7)
    assert (channel.device_grace_seconds, channel.handover_seconds, channel.evidence_days) == (4, 55, 5)
    assert (channel.light_colours, channel.public_url) == (9, "https://verify.example")


def test_the_engines_limits_are_the_settings_of_their_names() -> None:
    for name in sorted({one.name for one in fields(WorkerLimits)} & set(Settings.model_fields)):
        given = engine_limits(load_settings(**{name: changed(name) if name != "decode_seconds" else 7.0})).workers
        assert getattr(given, name) != getattr(engine_limits(load_settings()).workers, name), name
    media = engine_limits(load_settings(photo_pixels=2_000_000, frame_pixels=100_000)).media
    assert (media.max_pixels, media.frame_pixels) == (2_000_000, 100_000)
