"""The API explorer's samples that need a client of their own, run as they stand on the page: Node.js and tccli."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.calls import BUSINESS
from conformance.test_node import node  # noqa: F401 - a fixture
from conformance.test_tccli import tccli  # noqa: F401 - a fixture
from tests.support.images import drawn
from tests.support.server import REGION, Server

ROOT = Path(__file__).resolve().parent.parent
STATIC = ROOT / "src" / "renzheng" / "explorer" / "static"
WRITE = """
import fs from "node:fs";
import { SAMPLES } from "./samples.js";
const { id, call } = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(SAMPLES.find((sample) => sample.id === id).write(call));
"""
AWKWARD = "韦 \"小\" '宝' $HOME `x` \\ #{y}"


def sample(folder: Path, name: str, server: Server, action: str, values: list[dict[str, Any]]) -> str:
    """The sample that the page would show, by the page's own modules."""
    modules = folder / "page"
    shutil.copytree(STATIC, modules, ignore=lambda _, names: [n for n in names if not n.endswith(".js")])
    (modules / "package.json").write_text('{"type": "module"}')
    body = {value["name"]: value["value"] for value in values}
    call = {
        "service": "faceid", "version": "2018-03-01", "action": action, "region": REGION, "scheme": "http",
        "host": f"127.0.0.1:{server.port}", "temporary": False, "values": values, "body": json.dumps(body),
    }  # fmt: skip
    done = subprocess.run(
        ["node", "--input-type=module", "-e", WRITE],
        cwd=modules,
        input=json.dumps({"id": name, "call": call}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def texts(**fields: str) -> list[dict[str, Any]]:
    return [{"name": name, "kind": "string", "value": value} for name, value in fields.items()]


def run(command: list[str], key: tuple[str, str], folder: Path, **environment: str) -> Any:
    secrets = {"TENCENTCLOUD_SECRET_ID": key[0], "TENCENTCLOUD_SECRET_KEY": key[1]}
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **secrets, **environment},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def test_the_node_sample(server: Server, key: tuple[str, str], node: Path, tmp_path: Path) -> None:  # noqa: F811
    (tmp_path / "it's a photo.jpg").write_bytes(drawn())
    values = [
        *texts(CompareLib="LOCAL", Name=AWKWARD),
        {"name": "ImageBase64", "kind": "image", "value": "", "file": "it's a photo.jpg"},
        {"name": "UseCos", "kind": "boolean", "value": False},
    ]
    text = sample(tmp_path, "node", server, "GetFaceIdToken", values)
    found = {"NODE_PATH": str(node / "node_modules")}
    token = run(["node", "-e", text], key, tmp_path, **found)["FaceIdToken"]
    shutil.rmtree(tmp_path / "page")
    asked = [*texts(FaceIdToken=token), {"name": "IsNeedVideo", "kind": "boolean", "value": True}]
    text = sample(tmp_path, "node", server, "GetFaceIdResult", asked)
    assert run(["node", "-e", text], key, tmp_path, **found)["Name"] == AWKWARD


@pytest.mark.parametrize("name", [BUSINESS["Name"], AWKWARD])
def test_the_tccli_sample(
    server: Server,
    key: tuple[str, str],
    tccli: Path,  # noqa: F811
    issued: str,
    tmp_path: Path,
    name: str,
) -> None:
    if not shutil.which("node"):
        pytest.skip("there is no node on this machine, which writes the sample")
    found = {"PATH": f"{tccli.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    text = sample(tmp_path, "tccli", server, "GetFaceIdToken", texts(**{**BUSINESS, "Name": name}))
    assert run(["sh", "-c", text], key, tmp_path, **found)["FaceIdToken"]
    shutil.rmtree(tmp_path / "page")
    asked = [*texts(FaceIdToken=issued), {"name": "IsNeedBestFrame", "kind": "boolean", "value": True}]
    text = sample(tmp_path, "tccli", server, "GetFaceIdResult", asked)
    assert run(["sh", "-c", text], key, tmp_path, **found)["Name"] == BUSINESS["Name"]


def test_the_tccli_sample_with_a_photo(
    server: Server,
    key: tuple[str, str],
    tccli: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    if not shutil.which("node"):
        pytest.skip("there is no node on this machine, which writes the sample")
    from tests.support.images import base64_of

    values = [
        *texts(CompareLib="LOCAL"),
        {"name": "ImageBase64", "kind": "image", "value": base64_of(drawn()), "file": "photo.jpg"},
    ]
    text = sample(tmp_path, "tccli", server, "GetFaceIdToken", values)
    (tmp_path / "request.json").write_text(json.dumps({value["name"]: value["value"] for value in values}))
    found = {"PATH": f"{tccli.parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}
    assert run(["sh", "-c", text], key, tmp_path, **found)["FaceIdToken"]
