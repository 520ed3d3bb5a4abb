"""A default stands in one place: what a room takes by itself is what the settings say by default."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from renzheng.server import room_settings
from renzheng.settings import load_settings
from renzheng.store.sweeper import Retention
from renzheng.verification.policy import Policy

OF_THE_SERVER = {"hosts"}
"""Told by where the server runs, so they have no default that could be the same."""


def pairs(built: Any, name: str) -> Iterator[tuple[str, Any, Any]]:
    """Name, value and default of each field, in what a field holds too, where its default is made as a whole."""
    for one in fields(built):
        value = getattr(built, one.name)
        if one.default is not MISSING:
            yield f"{name}.{one.name}", value, one.default
        elif is_dataclass(value) and one.default_factory in (MISSING, type(value)):
            yield from pairs(value, f"{name}.{one.name}")


@pytest.mark.parametrize("built", ["gateway_settings", "engine_limits", "channel_settings", "policy", "retention"])
def test_what_the_settings_say_is_what_each_room_takes_by_itself(
    built: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.upper().startswith("RENZHENG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    settings = load_settings()
    if built == "policy":
        assert settings.policy == Policy()
        return
    if built == "retention":
        made: Any = Retention(evidence_days=settings.evidence_days, tombstone_days=settings.tombstone_days)
    else:
        made = getattr(room_settings, built)(settings)
    compared = [(name, value, default) for name, value, default in pairs(made, built)]
    assert len(compared) > 5 or built == "retention"
    drifted = [one for one in compared if one[1] != one[2] and one[0].rpartition(".")[2] not in OF_THE_SERVER]
    assert not drifted
