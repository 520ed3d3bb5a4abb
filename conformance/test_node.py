"""tencentcloud-sdk-nodejs, live: TC3 by POST and GET, HmacSHA1 and HmacSHA256."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conformance.calls import Call, signed_calls, with_token
from renzheng.console.actions import Service
from renzheng.console.inspector import sample
from renzheng.management.product import SERVICE, VERSION
from tests.support.server import REGION, Server

FOLDER = Path(__file__).resolve().parent / "clients" / "node"
PACKAGE = "tencentcloud-sdk-nodejs@4.1.313"
COMMON = "tencentcloud-sdk-nodejs-common@4.1.220"
SCRIPT = """
const fs = require("fs");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
const { Client } = require("tencentcloud-sdk-nodejs/tencentcloud/services/faceid").faceid.v20180301;
const client = new Client({
  credential: { secretId: given.key[0], secretKey: given.key[1] },
  region: given.region,
  profile: {
    signMethod: given.sign,
    language: given.language,
    httpProfile: { protocol: "http://", endpoint: given.endpoint, reqMethod: given.http, reqTimeout: 60 },
  },
});
client[given.action](given.fields).then(
  (reply) => console.log(JSON.stringify({ reply })),
  (error) => console.log(JSON.stringify({ code: error.code, message: error.message }))
);
"""


@pytest.fixture(scope="module")
def node() -> Path:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("there is no node with npm on this machine")
    return installed(FOLDER, PACKAGE)


def installed(folder: Path, package: str) -> Path:
    """A folder with this package. Skips the test where it cannot be had."""
    if not (folder / "node_modules" / package.partition("@")[0]).exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", package],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            pytest.skip(f"{package} cannot be installed here: {done.stderr.strip()[-200:]}")
    return folder


@pytest.mark.parametrize(("call", "sign", "http"), signed_calls(), ids=lambda value: getattr(value, "name", value))
def test_node(server: Server, key: tuple[str, str], issued: str, node: Path, call: Call, sign: str, http: str) -> None:
    given = {
        "key": key,
        "region": REGION,
        "sign": sign,
        "http": http,
        "language": call.language,
        "endpoint": f"127.0.0.1:{server.port}",
        "action": call.action,
        "fields": with_token(call.fields, issued),
    }
    done = subprocess.run(
        ["node", "-e", SCRIPT], cwd=node, input=json.dumps(given), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    if call.code:
        assert (answer["code"], answer["message"]) == (call.code, call.message)
    else:
        assert answer["reply"][call.has]


@pytest.fixture(scope="module")
def common() -> Path:
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("there is no node with npm on this machine")
    return installed(FOLDER.parent / "node-common", COMMON)


@pytest.mark.parametrize(
    ("action", "given", "has"),
    [
        ("DescribeAccounts", {"Limit": 5, "Name": "de"}, "Accounts"),
        ("CreateAccount", {"Name": "made by node", "DisplayNameZh": 'it\'s "韦小宝"'}, "Account"),
    ],
)
def test_the_inspectors_sample_runs_as_it_stands(
    server: Server, common: Path, action: str, given: dict[str, Any], has: str
) -> None:
    made = server.json("operator", "add", f"node {action}", "--role", "owner", "--show-key")
    server.follow()
    service = Service(SERVICE, VERSION, "http", f"127.0.0.1:{server.operator_port}")
    keys = {"TENCENTCLOUD_SECRET_ID": made["secret_id"], "TENCENTCLOUD_SECRET_KEY": made["secret_key"]}
    done = subprocess.run(
        ["node", "-"],
        cwd=common,
        input=sample("node", service, action, given),
        env={**os.environ, **keys},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert has in json.loads(done.stdout)
