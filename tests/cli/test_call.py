"""`renzheng call`: parameters in the types that an action takes, wrong ones refused before anything is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from renzheng.cli.call import ACTIONS, call, parameters_of
from renzheng.management.product import make_product

APP = typer.Typer()
APP.command()(call)


def test_texts_become_what_the_action_takes(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_bytes(b"id_card,name\n")
    cases: list[tuple[str, list[str], dict[str, Any]]] = [
        (
            "DescribeVerifications",
            ["Limit=5", "Since=1.5", "State=failed"],
            {"Limit": 5, "Since": 1.5, "State": "failed"},
        ),
        ("ModifyKey", ["SecretId=A", "UnsignedPayload=true"], {"SecretId": "A", "UnsignedPayload": True}),
        ("CreateAccount", ["Name=a=b", "Origins.0=x", "Origins.1=y"], {"Name": "a=b", "Origins": ["x", "y"]}),
        (
            "PutImportPart",
            ["ImportId=1", "PartNumber=2", "Kind=table", f"Data=@{tmp_path}/people.csv"],
            {"ImportId": 1, "PartNumber": 2, "Kind": "table", "Data": "aWRfY2FyZCxuYW1lCg=="},
        ),
    ]
    for name, given, expected in cases:
        assert parameters_of(ACTIONS[name], given) == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["DescribeKeys", "Nothing=1"], "Nothing"),
        (["DescribeKeys", "Limit=many"], "Limit"),
        (["TopUpAccount"], "Amount"),
        (["DescribeKeys", "Limit"], "NAME=VALUE"),
        (["PutImportPart", "Data=@/no/such/file"], "cannot be read"),
        (["MakeCoffee"], "no action MakeCoffee"),
        (["DescribeKeys", "--endpoint", "http://127.0.0.1:1"], "TENCENTCLOUD_SECRET_ID"),
    ],
)
def test_what_cannot_be_sent_is_refused_by_name(words: list[str], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TENCENTCLOUD_SECRET_ID", raising=False)
    done = CliRunner().invoke(APP, words)
    assert done.exit_code == 2
    assert said in done.output


def test_all_actions_and_their_parameters_are_listed() -> None:
    listed = CliRunner().invoke(APP, ["list"]).output
    assert all(action.name in listed for action in make_product().actions)
    assert "PartNumber" in CliRunner().invoke(APP, ["PutImportPart", "--parameters"]).output
