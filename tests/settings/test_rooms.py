"""Each setting reaches its room with the value that it has: no bound is a constant in the place of a setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from renzheng.server import room_settings
from renzheng.server.app import App
from renzheng.settings import Settings, load_settings

NAMED_OTHERWISE = {
    "pace.warning_seconds": "light_warning_seconds",
    "pace.colour_seconds": "light_seconds",
    "pace.eased_seconds": "eased_step_seconds",
    "media.max_pixels": "photo_pixels",
    "endpoint_service": "local_services",
    "hosts": "public_url",
}
"""Where a bound is, and the setting that it is filled from, where its name is another."""
NO_SETTING = {"channel_settings": 1, "gateway_settings": 4, "capacity_limits": 0}
"""How many bounds nobody sets. Of the engine's most are thresholds that belong together."""
OTHERS: dict[str, Any] = {"public_url": "https://other.example", "local_services": True, "unsigned_payload": True}
READ_ELSEWHERE = {
    *(
        "connections",
        "connections_per_address",
        "handshake_seconds",
        "head_bytes",
        "head_seconds",
        "keep_alive_seconds",
    ),
    *("min_free_descriptors", "trusted_proxies", "log_json", "log_level", "models_dir"),
    *("console_link_minutes", "encryption_rsa_bits", "import_hours", "start_seconds", "sweep_seconds"),
    *("engine_replicas", "engine_seconds"),
    *("oidc_claim", "oidc_client_id", "oidc_client_secret", "oidc_seconds", "oidc_title"),
}
"""By the listeners and commands, at the start and later, and where a provider for the sign-in or
a Ray cluster is named."""


def leaves(built: Any, above: str = "") -> Iterator[tuple[str, Any]]:
    for one in fields(built):
        value = getattr(built, one.name)
        if is_dataclass(value):
            yield from leaves(value, f"{above}{one.name}.")
        else:
            yield above + one.name, value


def other(name: str, value: Any) -> Any:
    """Another value for a setting."""
    if name in OTHERS:
        return OTHERS[name]
    if isinstance(value, bool):
        return not value
    assert isinstance(value, int | float), name
    return value + 1


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("rooms")
    return load_settings(data_dir=folder / "data", keys_dir=folder / "keys", encryption_rsa_bits=1024)


@pytest.mark.parametrize("name", ["channel_settings", "gateway_settings", "engine_limits", "capacity_limits"])
def test_each_bound_follows_its_setting(name: str, settings: Settings) -> None:
    build: Callable[[Settings], Any] = getattr(room_settings, name)
    before, unset = dict(leaves(build(settings))), []
    for path, bound in before.items():
        setting = NAMED_OTHERWISE.get(path, path.rpartition(".")[2])
        if setting not in Settings.model_fields:
            unset.append(path)
            continue
        changed = settings.model_copy(update={setting: other(setting, getattr(settings, setting))})
        assert dict(leaves(build(changed)))[path] != bound, f"{path} does not follow {setting}"
    assert len(before) > len(unset)
    assert len(unset) == NO_SETTING.get(name, len(unset)), unset


def test_the_server_reads_each_setting_when_it_is_built(settings: Settings) -> None:
    read: set[str] = set()

    class Watched(Settings):
        def __getattribute__(self, name: str) -> Any:
            if name in Settings.model_fields:
                read.add(name)
            return super().__getattribute__(name)

    App(Watched.model_construct(**dict(settings)))
    assert set(Settings.model_fields) - read == READ_ELSEWHERE
