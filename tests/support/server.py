"""The real server as a process of its own, on a free port, with folders of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client, models

REGION = "ap-guangzhou"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """`renzheng serve` under test. `settings` are RENZHENG_* values by their lower-case names."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.keys_dir = folder / "keys"
        self.log = folder / "server.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **os.environ,
            "RENZHENG_DATA_DIR": str(self.data_dir),
            "RENZHENG_KEYS_DIR": str(self.keys_dir),
            "RENZHENG_PORT": str(self.port),
            **{f"RENZHENG_{name.upper()}": str(value) for name, value in settings.items()},
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, within: float = 60.0) -> Server:
        """Start and wait until it answers. Raises AssertionError with the log's end."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "renzheng", "serve"],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
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

    def command(self, *words: str, check: bool = True) -> str:
        """Run another `renzheng` command beside the server; its output."""
        done = subprocess.run(
            [sys.executable, "-m", "renzheng", *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=120,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def approved_rule(self, name: str, *options: str) -> str:
        """Make a rule and have it approved; its number, once the running server knows it."""
        number = str(self.json("rule", "create", name, *options)["rule_id"])
        for move in ("submit", "approve"):
            self.command("rule", move, number)
        time.sleep(1.5)  # a running server follows within a second
        return number

    def json(self, *words: str) -> Any:
        return json.loads(self.command(*words, "--json"))

    def key(self) -> tuple[str, str]:
        """SecretId and SecretKey of the account made on first start."""
        shown = self.json("key", "show")
        return shown["secret_id"], shown["secret_key"]

    def sdk(self, key: tuple[str, str] | None = None, language: str = "zh-CN") -> faceid_client.FaceidClient:
        """The official Python SDK, unmodified, pointed at this server."""
        profile = ClientProfile(
            httpProfile=HttpProfile(protocol="http", endpoint=f"127.0.0.1:{self.port}", reqTimeout=30),
            language=language,
        )
        return faceid_client.FaceidClient(credential.Credential(*(key or self.key())), REGION, profile)

    def metrics(self) -> str:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as reply:
            return str(reply.read().decode())


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
