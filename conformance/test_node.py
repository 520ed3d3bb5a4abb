"""tencentcloud-sdk-nodejs, live: TC3 by POST and GET, HmacSHA1 and HmacSHA256."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from conformance.calls import Call, signed_calls, with_token
from tests.support.server import REGION, Server

FOLDER = Path(__file__).resolve().parent / "clients" / "node"
PACKAGE = "tencentcloud-sdk-nodejs@4.1.313"
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
    if not (FOLDER / "node_modules" / "tencentcloud-sdk-nodejs").exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save", PACKAGE],
            cwd=FOLDER,
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            pytest.skip(f"{PACKAGE} cannot be installed here: {done.stderr.strip()[-200:]}")
    return FOLDER


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
