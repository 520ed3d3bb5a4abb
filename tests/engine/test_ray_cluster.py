"""On a real Ray cluster of one node, with two CPUs: the same numbers, and faults that are ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
import pytest_asyncio

from renzheng.engine import packs
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits, WorkerLimits
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.media import MediaError
from renzheng.engine.workers import BusyError, EngineWorkers, WorkerDiedError
from renzheng.engine_ray import cluster
from renzheng.engine_ray.engine import RayEngine

from .test_judging import measured, puppet, recording  # noqa: F401

pytestmark = [
    pytest.mark.stress,
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(find_spec("ray") is None, reason="no Ray: pip install -r requirements/ray.lock"),
]

TOKEN = "0123456789abcdef" * 2
LIMITS = EngineLimits(workers=WorkerLimits(judge_queue=1, judge_seconds=300, decode_seconds=90))
TRIES = 3
"""On a machine that others use, Ray gives up waiting for its own processes."""


class Cluster(NamedTuple):
    """``models``: the folder that its nodes read."""

    address: str
    process: subprocess.Popen[bytes]
    models: Path
    environment: dict[str, str]

    def replica(self) -> psutil.Process:
        """The one process that answers."""
        (found,) = [
            process
            for process in psutil.process_iter(["cmdline"])
            if "ServeReplica:renzheng-engine" in _title(process) and process.environ().get("RAY_AUTH_TOKEN") == TOKEN
        ]
        return found


def _title(process: psutil.Process) -> str:
    return " ".join(process.info["cmdline"] or [])


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def end(process: subprocess.Popen[bytes]) -> None:
    """The node and all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for one in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
    process.wait()


def start(models: Path, folder: str) -> Cluster | None:
    port = free_port()
    environment = {
        **os.environ,
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": TOKEN,
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_raylet_start_wait_time_s": "120",
        "RENZHENG_MODELS_DIR": str(models),
    }
    head = ["--head", "--block", "--num-cpus=2", "--object-store-memory=100000000", "--include-dashboard=false"]
    process = subprocess.Popen(
        [
            *(str(Path(sys.executable).with_name("ray")), "start", *head, "--disable-usage-stats"),
            *(f"--port={free_port()}", f"--ray-client-server-port={port}", f"--temp-dir={folder}"),
        ],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    ends = time.monotonic() + 150
    while time.monotonic() < ends and process.poll() is None:
        if cluster._ping(f"127.0.0.1:{port}", TOKEN) == "OK":
            return Cluster(f"ray://127.0.0.1:{port}", process, models, environment)
        time.sleep(0.5)
    end(process)
    return None


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[Cluster]:
    # Not pytest's folder: a socket's path may have a hundred bytes.
    with (
        tempfile.TemporaryDirectory(prefix="rz", dir="/tmp", ignore_cleanup_errors=True) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        models = Path(folder) / "models"
        shutil.copytree(packs.models_folder(), models)
        patch.setenv("RAY_AUTH_TOKEN", TOKEN)
        tries = (start(models, f"{folder}/{number}") for number in range(TRIES))
        found = next((one for one in tries if one is not None), None)
        assert found is not None, "the cluster did not start"
        try:
            yield found
        finally:
            end(found.process)


def renzheng(of: Cluster, *arguments: str, **changed: str) -> subprocess.CompletedProcess[str]:
    environment = {**of.environment, "RENZHENG_ENGINE": of.address, "RENZHENG_JUDGE_QUEUE": "1"}
    environment |= {"RENZHENG_JUDGE_SECONDS": "300", "RENZHENG_DECODE_SECONDS": "90", **changed}
    del environment["RENZHENG_MODELS_DIR"]
    command = [sys.executable, "-m", "renzheng", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def deployed(ray_cluster: Cluster) -> Cluster:
    done = renzheng(ray_cluster, "engine", "deploy")
    assert done.returncode == 0, done.stderr
    return ray_cluster


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(deployed: Cluster) -> AsyncIterator[RayEngine]:
    made = RayEngine(deployed.address, LIMITS, seconds=300, kinds=("decode", "hint"))
    await made.start()
    yield made
    await made.stop()


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for what another process does; nothing here can be told of it."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def halted(process: psutil.Process) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGCONT)


def test_weights_with_another_digest_start_no_replica(ray_cluster: Cluster) -> None:
    path = packs.pack_for("detection").path(ray_cluster.models)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        done = renzheng(ray_cluster, "engine", "deploy")
    finally:
        path.write_bytes(content)
    assert done.returncode == 2
    assert "wrong digest" in done.stderr
    assert renzheng(ray_cluster, "engine", "remove").returncode == 0


async def test_a_cluster_without_the_engine_is_told_as_that(ray_cluster: Cluster) -> None:
    with pytest.raises(EngineUnusableError, match="run renzheng engine deploy"):
        await RayEngine(ray_cluster.address, LIMITS, kinds=()).start()


async def test_another_token_is_refused_with_a_sentence(ray_cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN[::-1])
    with pytest.raises(EngineUnusableError, match="does not take this token"):
        await RayEngine(ray_cluster.address, LIMITS, kinds=()).start()
    done = renzheng(ray_cluster, "engine", "status", RAY_AUTH_TOKEN=TOKEN[::-1])
    assert (done.returncode, "does not take this token" in done.stderr) == (2, True)


async def test_the_cluster_and_this_machine_give_the_same_numbers(
    engine: RayEngine,
    recording: list[Frame],  # noqa: F811
    portrait_bytes: bytes,
    measured: Measurement,  # noqa: F811
) -> None:
    """`measured` was measured in one process, without live measurements."""
    looked = {frame.jpeg: (await engine.look(frame.jpeg, frame.action))[1] for frame in recording[::3]}
    frames = [replace(frame, measured=looked.get(frame.jpeg)) for frame in recording]
    assert await engine.measure(frames, portrait_bytes) == measured
    local = EngineWorkers(LIMITS, kinds=("decode", "judge"))
    await local.start()
    try:
        here, there = await local.present(recording), await engine.present(recording)
        assert there == here
        assert await engine.compare(there[1], portrait_bytes) == await local.compare(here[1], portrait_bytes)
        assert await engine.examine(portrait_bytes) == await local.examine(portrait_bytes)
    finally:
        await local.stop()


async def test_a_photo_that_is_none_is_the_photos_fault(engine: RayEngine, portrait_bytes: bytes) -> None:
    with pytest.raises(MediaError):
        await engine.examine(portrait_bytes[:-2000])


async def test_a_full_queue_refuses_at_once_and_what_waits_is_answered(
    engine: RayEngine,
    deployed: Cluster,
    portrait_bytes: bytes,
) -> None:
    with halted(deployed.replica()):
        asked = [asyncio.create_task(engine.examine(portrait_bytes)) for _ in range(6)]
        await until(lambda: any(task.done() for task in asked))
        refused = [task for task in asked if task.done()]
        assert all(isinstance(task.exception(), BusyError) for task in refused)
    answered = await asyncio.gather(*asked, return_exceptions=True)
    assert any(not isinstance(one, BaseException) for one in answered)
    assert {type(one) for one in answered if isinstance(one, BaseException)} == {BusyError}


async def test_an_answer_that_does_not_come_in_time_is_lost_and_the_replica_goes_on(
    engine: RayEngine,
    deployed: Cluster,
    portrait_bytes: bytes,
) -> None:
    hurried = RayEngine(deployed.address, LIMITS, seconds=3, kinds=())
    await hurried.start()
    try:
        with halted(deployed.replica()), pytest.raises(WorkerDiedError, match="no answer of the cluster in 3 s"):
            await hurried.examine(portrait_bytes)
    finally:
        await hurried.stop()
    assert (await engine.examine(portrait_bytes)).status == "ok"


async def test_a_replica_that_dies_at_work_is_lost_work_and_the_next_is_asked(
    engine: RayEngine,
    deployed: Cluster,
    recording: list[Frame],  # noqa: F811
    portrait_bytes: bytes,
    measured: Measurement,  # noqa: F811
) -> None:
    replica = deployed.replica()
    (judge,) = [one for one in replica.children(recursive=True) if "judge" in one.cmdline()]
    before = judge.cpu_times().user
    asked = asyncio.create_task(engine.measure(recording, portrait_bytes))
    await until(lambda: judge.cpu_times().user > before + 0.1)
    replica.kill()
    with pytest.raises(WorkerDiedError):
        await asked
    await until(lambda: not judge.is_running() or judge.status() == psutil.STATUS_ZOMBIE)
    assert await engine.measure(recording, portrait_bytes) == measured


async def test_a_courier_that_dies_is_replaced(engine: RayEngine, portrait_bytes: bytes) -> None:
    (pid,) = engine.pids["ray"]
    os.kill(pid, signal.SIGKILL)
    await until(lambda: not engine.can_judge)
    assert engine.down()
    await until(lambda: engine.can_judge)
    assert (await engine.examine(portrait_bytes)).status == "ok"
    assert engine.restarts["ray"] > 0


async def test_without_the_cluster_nothing_is_begun(
    engine: RayEngine, deployed: Cluster, portrait_bytes: bytes
) -> None:
    """The last test: it ends the cluster."""
    end(deployed.process)
    await until(lambda: not engine.can_judge)
    with pytest.raises(BusyError):
        await engine.examine(portrait_bytes)
