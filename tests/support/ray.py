"""A Ray cluster of one node on this machine, with two CPUs and the token that it asks for."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from renzheng.engine import packs
from renzheng.engine_ray import cluster
from tests.support.images import ROOT
from tests.support.server import free_port

TOKEN = "0123456789abcdef" * 2
TRIES = 3
"""On a machine that others use, Ray gives up waiting for its own processes."""
START_SECONDS = 150.0
needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="no Ray: pip install -r requirements/ray.lock")


class RayCluster:
    """`models`: the folder that its nodes read, a copy. `environment`: of whoever speaks to it."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        shutil.copytree(packs.models_folder(), self.models)
        self.port = free_port()
        self.address = f"ray://127.0.0.1:{self.port}"
        self.environment = {"RAY_AUTH_TOKEN": TOKEN, "RENZHENG_ENGINE": self.address}
        tries = (self._start(folder / str(number)) for number in range(TRIES))
        found = next((process for process in tries if process is not None), None)
        assert found is not None, "the cluster did not start"
        self.process = found

    def _start(self, folder: Path) -> subprocess.Popen[bytes] | None:
        head = ["--head", "--block", "--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=false"]
        process = subprocess.Popen(
            [
                *(str(Path(sys.executable).with_name("ray")), "start", *head, "--disable-usage-stats"),
                *(f"--port={free_port()}", f"--ray-client-server-port={self.port}", f"--temp-dir={folder}"),
            ],
            env={
                **os.environ,
                "RAY_AUTH_MODE": "token",
                "RAY_AUTH_TOKEN": TOKEN,
                "RAY_USAGE_STATS_ENABLED": "0",
                "RAY_raylet_start_wait_time_s": "120",
                "RENZHENG_MODELS_DIR": str(self.models),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends and process.poll() is None:
            if cluster._ping(f"127.0.0.1:{self.port}", TOKEN) == "OK":
                return process
            time.sleep(0.5)
        _end(process)
        return None

    def command(self, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
        """`renzheng` with these arguments, for this cluster."""
        environment = {**os.environ, **self.environment, **changed}
        command = [sys.executable, "-m", "renzheng", *arguments]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)

    def deploy(self, **changed: str) -> RayCluster:
        done = self.command("engine", "deploy", **changed)
        assert done.returncode == 0, done.stderr
        return self

    def replicas(self) -> list[psutil.Process]:
        """Those that answer, or are about to."""
        found = []
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                if "ServeReplica:renzheng-engine" in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def kill_replica(self) -> bool:
        """One of them, at its work or not; False where none is there."""
        for one in self.replicas():
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
                return True
        return False

    def end(self) -> None:
        _end(self.process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The node and all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        head = psutil.Process(process.pid)
        for one in [*head.children(recursive=True), head]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


@contextlib.contextmanager
def ray_cluster() -> Iterator[RayCluster]:
    # Not pytest's folder: a socket's path may have a hundred bytes.
    with (
        tempfile.TemporaryDirectory(prefix="rz", dir="/tmp", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        made = RayCluster(Path(folder))
        try:
            yield made
        finally:
            made.end()


@contextlib.contextmanager
def halted(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)
