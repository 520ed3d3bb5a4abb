"""tccli, live, from a virtual environment of its own: it is large, so it is not among the tests' packages."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conformance.calls import Call, calls, with_token
from renzheng.console.actions import Service
from renzheng.console.inspector import sample
from tests.support.server import REGION, Server

FOLDER = Path(__file__).resolve().parent / "clients" / "tccli"
VERSION = "3.1.189.1"


@pytest.fixture(scope="module")
def tccli() -> Path:
    command = FOLDER / "bin" / "tccli"
    if not command.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
        done = subprocess.run(
            [str(FOLDER / "bin" / "pip"), "install", "--quiet", f"tccli=={VERSION}"], capture_output=True, text=True
        )
        if done.returncode:
            pytest.skip(f"tccli {VERSION} cannot be installed here: {done.stderr.strip()[-200:]}")
    return command


@pytest.mark.parametrize("call", calls(), ids=lambda call: call.name)
def test_tccli(server: Server, key: tuple[str, str], issued: str, tccli: Path, tmp_path: Path, call: Call) -> None:
    given = tmp_path / "request.json"
    given.write_text(json.dumps(with_token(call.fields, issued)))
    done = subprocess.run(
        [
            *(str(tccli), "faceid", call.action, "--region", REGION, "--endpoint", server.url),
            *("--language", call.language, "--cli-input-json", f"file://{given}", "--timeout", "60"),
        ],
        capture_output=True,
        text=True,
        timeout=180,
        env={**os.environ, "HOME": str(tmp_path), "TENCENTCLOUD_SECRET_ID": key[0], "TENCENTCLOUD_SECRET_KEY": key[1]},
    )
    if call.code:
        assert done.returncode == 255
        assert f"code:{call.code} message:{call.message}" in done.stderr + done.stdout
    else:
        assert done.returncode == 0, done.stderr[-2000:]
        assert json.loads(done.stdout)[call.has]


def test_the_inspectors_sample_runs_as_it_stands(
    server: Server, key: tuple[str, str], issued: str, tccli: Path, tmp_path: Path
) -> None:
    service = Service("faceid", "2018-03-01", "http", f"127.0.0.1:{server.port}")
    code = sample("tccli", service, "GetFaceIdResult", {"FaceIdToken": issued, "IsNeedVideo": True}, REGION)
    path = f"{tccli.parent}{os.pathsep}{os.environ['PATH']}"
    keys = {"TENCENTCLOUD_SECRET_ID": key[0], "TENCENTCLOUD_SECRET_KEY": key[1]}
    environment = {**os.environ, "HOME": str(tmp_path), "PATH": path, **keys}
    done = subprocess.run(["bash"], input=code, env=environment, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads(done.stdout)["Result"]
