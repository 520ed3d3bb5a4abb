"""Commands on a real store in a folder of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RENZHENG_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("RENZHENG_KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("RENZHENG_ENCRYPTION_RSA_BITS", "1024")  # made quickly
    monkeypatch.chdir(tmp_path)


def run(app: Any, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == code, result.output
    return result.output
