"""A setting that is misspelt, or that somebody else has set, is told; `.env` is read only where it is one's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from renzheng.base import environment
from renzheng.settings import Settings, SettingsError, load_settings
from tests.support.server import PATIENCE

SETTINGS = {"RENZHENG_PORT", "RENZHENG_OPERATOR_PORT", "RENZHENG_THRESHOLD", "RENZHENG_PUBLIC_URL"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in, with none of our variables set."""
    for name in [name for name in os.environ if name.upper().startswith(environment.PREFIX)]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal() -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    return str(caught.value)


def test_a_misspelt_setting_stops_the_start_and_names_the_nearest(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RENZHENG_TRESHOLD", "80")
    assert refusal() == "RENZHENG_TRESHOLD is not a setting; the nearest is RENZHENG_THRESHOLD"


def test_a_misspelt_setting_in_the_file_stops_the_start_too(folder: Path) -> None:
    (folder / ".env").write_text("RENZHENG_THRESHOLDS=80\n")
    (folder / ".env").chmod(0o600)
    assert "RENZHENG_THRESHOLDS is not a setting; the nearest is RENZHENG_THRESHOLD" in refusal()


@pytest.mark.parametrize(("old", "new"), sorted(environment.RENAMED.items()))
def test_a_renamed_setting_is_refused_with_its_new_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str
) -> None:
    monkeypatch.setenv(old, "5")
    assert refusal() == f"{old} is now called {new}"
    assert new.removeprefix(environment.PREFIX).lower() in Settings.model_fields


@pytest.mark.parametrize(
    "name",
    [
        *sorted(environment.OTHERS),
        "RENZHENG_SERVICE_HOST",
        "RENZHENG_SERVICE_PORT_HTTP",
        "RENZHENG_PORT_8400_TCP_ADDR",
        "RENZHENG_OPERATOR_SERVICE_HOST",
        "RENZHENG_OPERATOR_PORT_8401_TCP",
        "RENZHENG_ENV_LANG",
        "RENZHENG_NAME",
        "OTHER_THRESHOLDS",
    ],
)
def test_what_others_set_is_passed_over(name: str) -> None:
    assert environment.faults({name: "x"}, SETTINGS) == []


def test_a_port_that_is_an_address_gets_a_sentence_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENZHENG_PORT", "tcp://10.1.2.3:8400")
    assert "a container orchestrator sets" in refusal()
    [said] = environment.faults({"RENZHENG_OPERATOR_PORT": "tcp://10.1.2.3:8401"}, SETTINGS)
    assert said.startswith("RENZHENG_OPERATOR_PORT is tcp://10.1.2.3:8401")
    assert environment.faults({"RENZHENG_DB_PORT": "udp://10.1.2.3:1"}, SETTINGS) == []


def test_names_are_compared_in_any_case() -> None:
    assert environment.faults({"renzheng_threshold": "70"}, SETTINGS) == []
    assert environment.faults({"renzheng_treshold": "70"}, SETTINGS)


def test_the_environment_goes_before_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("# ours\nexport RENZHENG_PORT=1000\nRENZHENG_THRESHOLD='75' # a note\n")
    (folder / ".env").chmod(0o600)
    assert (load_settings().port, load_settings().threshold) == (1000, 75)
    monkeypatch.setenv("RENZHENG_PORT", "2000")
    assert load_settings().port == 2000
    assert load_settings(port=3000).port == 3000


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_not_read(folder: Path, mode: int) -> None:
    (folder / ".env").write_text("RENZHENG_PORT=1000\n")
    (folder / ".env").chmod(mode)
    assert "can be written by others" in refusal()


def test_a_file_of_another_user_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / ".env").write_text("RENZHENG_PORT=1000\n")
    (folder / ".env").chmod(0o600)
    other = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: other)
    assert "belongs to another user" in refusal()


def test_a_file_that_is_no_text_is_a_sentence(folder: Path) -> None:
    (folder / ".env").write_bytes(b"RENZHENG_PORT=\xff\n")
    (folder / ".env").chmod(0o600)
    assert "is not text in UTF-8" in refusal()


@pytest.mark.parametrize(
    "address",
    [
        "faceid.example.com",
        "//faceid.example.com",
        "ftp://faceid.example.com",
        "https://",
        "https://faceid.example.com/path",
        "https://user@faceid.example.com",
        "https://faceid.example.com:0",
        "https://faceid.example.com:port",
        "https://faceid example.com",
        "https://faceid.example.com?x",
    ],
)
def test_a_public_address_has_a_scheme_and_a_host_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("RENZHENG_PUBLIC_URL", address)
    assert refusal().startswith("RENZHENG_PUBLIC_URL: say scheme and host")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("https://faceid.example.com/", "https://faceid.example.com"),
        ("http://192.0.2.1:8400", "http://192.0.2.1:8400"),
        ("https://[2001:db8::1]:8400", "https://[2001:db8::1]:8400"),
    ],
)
def test_a_public_address_is_kept_without_its_last_slash(folder: Path, address: str, kept: str) -> None:
    assert load_settings(public_url=address).public_url == kept


@pytest.mark.parametrize("name", ["HOST", "OPERATOR_HOST", "DATA_DIR", "KEYS_DIR", "MODELS_DIR"])
def test_an_empty_place_is_not_every_place(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"RENZHENG_{name}", "")
    assert refusal() == f"RENZHENG_{name}: is empty: leave it out for the default"


@pytest.mark.parametrize("value", ["inf", "nan", "-inf"])
def test_no_time_is_endless(folder: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    for name in ("EVIDENCE_DAYS", "BODY_SECONDS", "SWEEP_SECONDS", "DAY_UTC_OFFSET"):
        monkeypatch.setenv(f"RENZHENG_{name}", value)
        assert f"RENZHENG_{name}: " in refusal()


@pytest.mark.parametrize("proxies", ["nginx", "127.0.0.1;10.0.0.1", "*", "10.0.0.0/33", "http://127.0.0.1"])
def test_a_proxy_is_an_address(folder: Path, monkeypatch: pytest.MonkeyPatch, proxies: str) -> None:
    monkeypatch.setenv("RENZHENG_TRUSTED_PROXIES", proxies)
    assert "is not an address or network" in refusal()


def test_a_network_of_proxies_is_named_by_its_first_address(folder: Path) -> None:
    """By another one the HTTP server would silently believe nobody."""
    assert load_settings(trusted_proxies="10.1.2.3/8, ::1").trusted_proxies == ("10.0.0.0/8", "::1")


def test_the_models_folder_of_the_file_counts_for_the_engine_too(folder: Path) -> None:
    (folder / ".env").write_text(f"RENZHENG_MODELS_DIR={folder}/models\n")
    (folder / ".env").chmod(0o600)
    command = [sys.executable, "-m", "renzheng", "models", "list"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    assert f"{folder}/models" in done.stdout
    assert "missing" in done.stdout


def test_a_user_without_a_home_gets_a_sentence_and_no_traceback(folder: Path) -> None:
    program = (
        "import pathlib, sys\ndef fail(_): raise RuntimeError('no home')\npathlib.Path.home = classmethod(fail)\n"
        "sys.argv = ['renzheng', *sys.argv[1:]]\nfrom renzheng.__main__ import main; main()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "XDG_CACHE_HOME"}
    done = subprocess.run(
        [sys.executable, "-c", program, "models", "verify"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "missing" in done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "name", ["public_url", "console_url", "database_url", "keys_url", "redis_url", "oidc_issuer", "engine"]
)
@pytest.mark.parametrize(
    "address", ["http://[", "https://[::1", "postgresql://[", "redis://h:99999[", "ray://h:123456"]
)
def test_an_address_that_cannot_be_taken_apart_is_told_by_its_setting(name: str, address: str) -> None:
    with pytest.raises(SettingsError, match=rf"^RENZHENG_{name.upper()}: say "):
        load_settings(**{name: address})
