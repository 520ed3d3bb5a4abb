"""`--endpoint`: every command has it, or says why it works on the server's own machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from renzheng.cli import COMMANDS, build
from renzheng.cli.remote import HELP, Api
from renzheng.cli.remote_commands import LOCAL_GROUPS, LOCAL_ONLY, REMOTE

OWN = {"call"}
"""Has an `--endpoint` of its own, as it takes any action."""


def commands() -> Iterator[tuple[str, Any]]:
    whole = typer.main.get_command(build())
    for name, command in whole.commands.items():  # type: ignore[attr-defined]
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def options(command: Any) -> list[str]:
    """Those that lead to another server."""
    return [text for one in command.params if getattr(one, "help", "") == HELP for text in one.opts]


def test_every_command_works_by_endpoint_or_has_a_reason_why_not() -> None:
    found = dict(commands())
    assert len(found) > 60
    for name, command in found.items():
        reasons = [name in REMOTE, name in OWN, name in LOCAL_ONLY, name.partition(" ")[0] in LOCAL_GROUPS]
        assert sum(reasons) == 1, name
        expected = {"--server"} if name == "bucket authorise" else {"--endpoint", "--server"}
        assert set(options(command)) == (expected if name in REMOTE else {"--endpoint"} if name in OWN else set()), name
        assert len(options(command)) == len(set(options(command))), name
    groups = {name for name, command in COMMANDS.items() if command.help}
    assert not (set(REMOTE) | set(LOCAL_ONLY)) - set(found)
    assert set(LOCAL_GROUPS) <= groups


@pytest.mark.parametrize("words", [["rule", "list"], ["account", "show"], ["rejudge", "TOKEN"], ["audit", "list"]])
def test_without_a_key_or_a_server_no_store_is_opened_instead(
    words: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("TENCENTCLOUD_SECRET_ID", raising=False)
    monkeypatch.setenv("RENZHENG_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RENZHENG_KEYS_DIR", str(tmp_path / "keys"))
    done = CliRunner().invoke(build(), [*words, "--endpoint", "http://127.0.0.1:1"])
    assert (done.exit_code, "TENCENTCLOUD_SECRET_ID" in done.output) == (2, True)
    monkeypatch.setenv("TENCENTCLOUD_SECRET_ID", "AKIDx")
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "x")
    done = CliRunner().invoke(build(), [*words, "--endpoint", "http://127.0.0.1:1"])
    assert (done.exit_code, "is the server running" in done.output) == (1, True)
    assert list(tmp_path.iterdir()) == []


class Older:
    """A server whose replies are of another version."""

    def call(self, action: str, parameters: object) -> dict[str, object]:
        return {"Keys": "none", "RequestId": "r"}


def test_a_parameter_that_no_action_has_cannot_be_sent_and_a_reply_of_another_version_is_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    api = Api(Older())  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        api.call("DescribeKeys", no_such=1)
    with pytest.raises(typer.Exit):
        api.call("DescribeKeys")
    assert "not of this version" in capsys.readouterr().err
