"""The operator's listener: readiness by named checks, metrics, and nothing of them on the public port."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from renzheng.accounts.operators import Role
from renzheng.gateway.pipeline import Gateway
from renzheng.management.product import SERVICE, VERSION
from renzheng.operations import people
from renzheng.server.app import App
from renzheng.server.operator import operator_app
from renzheng.server.parts import ServerParts
from renzheng.server.readiness import Readiness, unwritable
from renzheng.server.services import Services
from renzheng.settings import load_settings
from tests.gateway.signing import signed_json
from tests.gateway.support import build, call
from tests.support.asgi import get
from tests.support.server import PATIENCE, Server


def asked(url: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def test_liveness_is_public_and_the_rest_is_the_operators(server: Server) -> None:
    assert asked(f"{server.url}/healthz") == (200, "ok\n")
    assert asked(f"{server.operator_url}/healthz") == (200, "ok\n")
    code, text = asked(f"{server.operator_url}/readyz")
    assert (code, json.loads(text)) == (200, {"ready": True, "reasons": {}})
    assert "renzheng_requests_total" in asked(f"{server.operator_url}/metrics")[1]
    for path in ("/readyz", "/metrics"):
        code, text = asked(f"{server.url}{path}")
        assert code == 404
        assert "renzheng_" not in text


@pytest.mark.parametrize("is_public", [False, True])
async def test_the_management_service_is_public_where_that_is_set_and_knows_roles_everywhere(
    tmp_path: Path, is_public: bool
) -> None:
    public = {"management_public": True} if is_public else {}
    settings = load_settings(data_dir=tmp_path / "data", keys_dir=tmp_path / "keys", encryption_rsa_bits=1024, **public)
    parts = ServerParts(settings, time.time, os.urandom)
    await parts.store.start(serving=False)
    services = Services(parts, time.time, build().gateway._log)
    await people.add(parts.store, "owner", Role.OWNER, time.time())
    _, key = await people.add(parts.store, "auditor", Role.AUDITOR, time.time())
    await parts.store.keys.refresh()

    async def code(gateway: Gateway, action: str, content: dict[str, Any]) -> str:
        signed = signed_json(
            content, action=action, service=SERVICE, version=VERSION, timestamp=int(time.time()),
            secret_id=key.secret_id, secret_key=key.secret_key, host="127.0.0.1:8401",
        )  # fmt: skip
        return (await call(gateway, **signed)).code

    for gateway, is_there in ((services.operator, True), (services.public, is_public)):
        assert await code(gateway, "DescribeAccounts", {}) == ("" if is_there else "AuthFailure.InvalidAuthorization")
        denied = await code(gateway, "CreateAccount", {"Name": "mine"})
        assert denied == ("UnauthorizedOperation.RoleDenied" if is_there else "AuthFailure.InvalidAuthorization")
    assert await parts.store.accounts.all() == []
    await parts.store.stop()


@pytest.mark.parametrize("is_on", [True, False])
async def test_the_console_is_the_operators_alone_and_can_be_turned_off(tmp_path: Path, is_on: bool) -> None:
    app = App(load_settings(data_dir=tmp_path / "data", keys_dir=tmp_path / "keys", console=is_on))
    for path in ("/console/sign-in", "/console/static/console.css"):
        assert (await get(app.operator, path))[0] == (200 if is_on else 404), path
        assert (await get(app, path))[0] == 404, path
    assert (await get(app.operator, "/console/sign-in", host="evil.example"))[0] == 421


def test_a_stranger_who_reaches_it_is_bounded_as_on_the_public_one(server: Server) -> None:
    def answered(head: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", server.operator_port), timeout=PATIENCE) as line:
            line.sendall(head)
            return line.recv(4096)

    own = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    for count, status in ((127, b"HTTP/1.1 200 "), (128, b"HTTP/1.1 431 ")):
        assert answered(own + b"".join(b"X-%d: a\r\n" % n for n in range(count)) + b"\r\n").startswith(status)
    held = [socket.create_connection(("127.0.0.1", server.operator_port), timeout=PATIENCE) for _ in range(80)]
    assert answered(own + b"\r\n").startswith(b"HTTP/1.1 200 ")
    held[0].settimeout(PATIENCE)
    assert held[0].recv(1) == b"", "the longest idle one has given way"
    for line in held:
        line.close()


async def test_each_reason_is_named_and_a_check_that_fails_is_one() -> None:
    readiness = Readiness()
    faults: dict[str, str | None] = {"store": None}

    async def store() -> str | None:
        return faults["store"]

    async def broken() -> str | None:
        raise RuntimeError("a secret")

    readiness.add("store", store)

    async def metrics() -> bytes:
        return b""

    app = operator_app(readiness, metrics)
    assert (await get(app, "/readyz"))[0] == 200
    faults["store"] = "the disk is full"
    status, _, body = await get(app, "/readyz")
    assert (status, json.loads(body)["reasons"]) == (503, {"store": "the disk is full"})
    readiness.add("broken", broken)
    said = json.loads((await get(app, "/readyz"))[2])["reasons"]["broken"]
    assert said.startswith("the check failed: ")
    assert "a secret" not in said
    assert (await get(app, "/healthz"))[0] == 200


def test_a_folder_that_cannot_be_written_is_a_reason(tmp_path: Path) -> None:
    assert unwritable(tmp_path) is None
    assert "cannot be written" in (unwritable(tmp_path / "gone") or "")


def test_an_operators_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = {**Server(tmp_path).environment, "RENZHENG_OPERATOR_PORT": port}
        command = [sys.executable, "-m", "renzheng", "serve"]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2
    assert f"Cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "RENZHENG_OPERATOR_HOST and RENZHENG_OPERATOR_PORT" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("name", ["RENZHENG_TRESHOLD", "renzheng_treshold"])
def test_a_misspelt_setting_stops_the_server(tmp_path: Path, name: str) -> None:
    environment = {**Server(tmp_path).environment, name: "80"}
    command = [sys.executable, "-m", "renzheng", "serve"]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (2, f"{name} is not a setting; the nearest is RENZHENG_THRESHOLD\n")
