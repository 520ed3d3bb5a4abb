"""What a stranger sent is shown by every command, and steers no terminal; the audit names whom the kernel knows."""

from __future__ import annotations

import json
import os
import pwd

import pytest
import typer

from renzheng.cli import local
from renzheng.cli.local import print_json, print_table, printable

HOSTILE = "a\x1b[2Jb\x9b31mc\u202ed\u200be\u2028f\rg\x07h\x00i\ud800j\x7fk"
STEERING = "\x1b\x9b\u202e\u200b\u2028\r\x07\x00\ud800\x7f"


def test_what_steers_a_terminal_or_hides_is_escaped() -> None:
    shown = printable(HOSTILE)
    assert shown.isprintable()
    assert shown.startswith("a\\u001b[2Jb\\u009b31mc\\u202ed\\u200be\\u2028f\\u000dg")
    assert printable("韦小宝　é emoji 🙂\n next") == "韦小宝　é emoji 🙂\n next"
    assert printable("one\ntwo", keep="") == "one\\u000atwo"
    assert printable("\U000e0001") == "\\U000e0001"


def test_json_is_still_the_same_value(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"name": HOSTILE + "韦小宝", "nested": [HOSTILE]}
    print_json(value)
    text = capsys.readouterr().out
    assert not any(mark in text for mark in STEERING)
    assert "韦小宝" in text
    assert json.loads(text) == value


def test_no_cell_of_a_table_steers(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["a", "b"], [[HOSTILE, "[red]x[/red]\nsecond line"]])
    text = capsys.readouterr().out
    assert not any(mark in text for mark in STEERING)
    assert "[red]x[/red]" in text


def test_no_refusal_steers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        local.refuse(HOSTILE)
    assert not any(mark in capsys.readouterr().err for mark in STEERING)


def test_the_actor_is_whom_the_kernel_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody-else")
    monkeypatch.delenv("SUDO_USER", raising=False)
    own = pwd.getpwuid(os.getuid()).pw_name
    assert local.actor() == f"cli:{own}"
    monkeypatch.setenv("SUDO_USER", "alice")
    assert local.actor() == f"cli:{own} SUDO_USER=alice", "a claim, beside it"
    monkeypatch.setenv("SUDO_USER", "alice cli:root\n")
    assert local.actor() == f"cli:{own}"


def test_an_actor_without_a_name_is_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    monkeypatch.delenv("SUDO_USER", raising=False)
    assert local.actor() == "cli:uid-4000000"
