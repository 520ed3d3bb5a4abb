"""The real server as a process of its own, on a free port, with folders of its own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, models

from renzheng.store.changes import BALANCES, TENANTS
from renzheng.store.files import RECORDS_FILE
from tests.support.commands import Forked, run_command
from tests.support.schema import lay_out

REGION = "ap-guangzhou"
PATIENCE = 90.0
"""Seconds that a test waits for what has to come: it ends a test that hangs, and says nothing of the machine."""


def until(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`renzheng serve` under test. `settings` are RENZHENG_* values by their lower-case names.

    Its folders begin with the newest schema, and its process with what a server imports. A test that measures the
    process starts it `as_shipped`; tests/cli/test_newcomers.py starts servers from nothing, as a shell does.
    """

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.keys_dir = folder / "keys"
        self.log = folder / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.operator_port = free_port()
        self.operator_url = f"http://127.0.0.1:{self.operator_port}"
        self.environment = {
            **os.environ,
            "RENZHENG_DATA_DIR": str(self.data_dir),
            "RENZHENG_KEYS_DIR": str(self.keys_dir),
            "RENZHENG_PORT": str(self.port),
            "RENZHENG_OPERATOR_PORT": str(self.operator_port),
            "RENZHENG_CHALLENGE_LENGTH": "2",  # shorter than shipped: most tests are not about the challenge
            "RENZHENG_REQUESTS_PER_SECOND": "100000",  # a fast machine sends a file's requests within one second
            # On a busy machine a video, or a look at a photo, takes longer than is waited for as shipped.
            "RENZHENG_VIDEO_WAIT_SECONDS": "50",
            "RENZHENG_PHOTO_WAIT_SECONDS": "50",
            **{f"RENZHENG_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | Forked | None = None
        self.descriptors: int | None = None
        """How many file descriptors the server may have; None: as many as this process."""

    def start(self, within: float = PATIENCE, *, as_shipped: bool = False) -> Server:
        """Start and wait until it answers. Raises AssertionError with the log's end."""
        if "RENZHENG_DATABASE_URL" not in self.environment:
            lay_out(*(Path(self.environment[f"RENZHENG_{name}_DIR"]) for name in ("DATA", "KEYS")))
        self.process = self._begin_as_shipped() if as_shipped or self.descriptors else self._begin()
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/healthz", timeout=2):
                    return self
            except OSError:
                time.sleep(0.1)
        self.kill()
        raise AssertionError("the server did not start:\n" + self.log.read_text(errors="replace")[-4000:])

    def _begin(self) -> Forked:
        return Forked(("serve",), self.environment, self.folder, self.log)

    def _begin_as_shipped(self) -> subprocess.Popen[bytes]:
        limit = [] if self.descriptors is None else ["prlimit", f"--nofile={self.descriptors}"]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                [*limit, sys.executable, "-m", "renzheng", "serve"],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """SIGKILL of the server's process; its workers have to notice for themselves."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def command(self, *words: str, check: bool = True, given: str | None = None) -> str:
        """Run another `renzheng` command beside the server; its output. `given`: its standard input."""
        done = run_command(words, self.environment, self.folder, given)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def approved_rule(self, name: str, *options: str) -> str:
        """Make a rule and have it approved; its number, once the running server knows it."""
        number = str(self.json("rule", "create", name, *options)["rule_id"])
        for move in ("submit", "approve"):
            self.command("rule", move, number)
        self.follow()
        return number

    def follow(self) -> None:
        """Wait until the running server has followed what commands changed beside it."""
        with contextlib.closing(sqlite3.connect(f"file:{self.data_dir / RECORDS_FILE}?mode=ro", uri=True)) as records:
            wanted = dict(records.execute("SELECT name, value FROM counters"))
        deadline = time.monotonic() + PATIENCE
        while any(self._followed(name) < wanted[name] for name in (TENANTS, BALANCES)):
            assert time.monotonic() < deadline, f"the server does not follow: {wanted}"
            time.sleep(0.05)

    def _followed(self, counter: str) -> float:
        found = re.search(rf'^renzheng_followed_changes{{of="{counter}"}} (\S+)$', self.metrics(), re.MULTILINE)
        return float(found[1]) if found else -1.0

    def json(self, *words: str) -> Any:
        return json.loads(self.command(*words, "--json"))

    def key(self) -> tuple[str, str]:
        """SecretId and SecretKey of the account made on first start."""
        shown = self.json("key", "show")
        return shown["secret_id"], shown["secret_key"]

    def sdk(self, key: tuple[str, str] | None = None, language: str = "zh-CN") -> faceid_client.FaceidClient:
        """The official Python SDK, unmodified, pointed at this server."""
        profile = ClientProfile(
            httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{self.port}", reqTimeout=round(PATIENCE)),
            language=language,
        )
        return faceid_client.FaceidClient(credential.Credential(*(key or self.key())), REGION, profile)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.operator_url}/metrics", timeout=PATIENCE) as reply:
            return str(reply.read().decode())


def second(first: Server, folder: Path, **settings: object) -> Server:
    """Another server on the records, the keys and the evidence of one that runs."""
    given = {
        name.removeprefix("RENZHENG_").lower(): value
        for name, value in first.environment.items()
        if name in ("RENZHENG_DATABASE_URL", "RENZHENG_KEYS_URL", "RENZHENG_KEYS_DIR", "RENZHENG_DATA_DIR")
    }
    return Server(folder, **{**given, **settings})


def token(client: faceid_client.FaceidClient, **fields: object) -> str:
    """GetFaceIdToken by the SDK."""
    request = models.GetFaceIdTokenRequest()
    request.from_json_string(json.dumps(fields))
    return str(client.GetFaceIdToken(request).FaceIdToken)


def result(client: faceid_client.FaceidClient, face_id_token: str, **fields: object) -> Any:
    """GetFaceIdResult by the SDK."""
    request = models.GetFaceIdResultRequest()
    request.from_json_string(json.dumps({"FaceIdToken": face_id_token, **fields}))
    return client.GetFaceIdResult(request)
