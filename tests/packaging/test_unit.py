"""The systemd unit is hardened as far as an inference runtime bears it."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.support.images import ROOT
from tests.support.server import PATIENCE

UNIT = ROOT / "deploy" / "renzheng.service"


def test_the_unit_lets_runtimes_compile_code_and_the_server_open_files() -> None:
    lines = [line for line in UNIT.read_text().splitlines() if not line.startswith("#")]
    assert not [line for line in lines if line.startswith("MemoryDenyWriteExecute")]
    assert "LimitNOFILE=65536" in lines
    assert "LimitCORE=0" in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_finds_the_unit_little_exposed() -> None:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    found = re.search(r"Overall exposure level for renzheng.service: ([0-9.]+)", done.stdout)
    assert found is not None, done.stderr
    assert float(found[1]) < 4
