"""On a real Ray cluster of one node, with two CPUs: the same numbers, and faults that are ours."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

import psutil
import pytest
import pytest_asyncio

from renzheng.engine import packs
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits, WorkerLimits
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.media import MediaError
from renzheng.engine.workers import BusyError, EngineWorkers, WorkerDiedError
from renzheng.engine_ray.engine import RayEngine
from tests.support.ray import TOKEN, RayCluster, halted, needs_ray, ray_cluster

pytestmark = [
    pytest.mark.stress,
    pytest.mark.cluster,
    pytest.mark.asyncio(loop_scope="module"),
    needs_ray,
]

LIMITS = EngineLimits(workers=WorkerLimits(judge_queue=1, judge_seconds=300, decode_seconds=90))
SETTINGS = {"RENZHENG_JUDGE_QUEUE": "1", "RENZHENG_JUDGE_SECONDS": "300", "RENZHENG_DECODE_SECONDS": "90"}
"""The same, for the command."""


@pytest.fixture(scope="module")
def head() -> Iterator[RayCluster]:
    with ray_cluster() as made:
        yield made


@pytest.fixture(scope="module")
def deployed(head: RayCluster) -> RayCluster:
    return head.deploy(**SETTINGS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(deployed: RayCluster) -> AsyncIterator[RayEngine]:
    made = RayEngine(deployed.address, LIMITS, seconds=300, kinds=("decode", "hint"))
    await made.start()
    yield made
    await made.stop()


async def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for what another process does; nothing here can be told of it."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_weights_with_another_digest_start_no_replica(head: RayCluster) -> None:
    path = packs.pack_for("detection").path(head.models)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        done = head.command("engine", "deploy")
    finally:
        path.write_bytes(content)
    assert done.returncode == 2
    assert "wrong digest" in done.stderr
    assert head.command("engine", "remove").returncode == 0


async def test_a_cluster_without_the_engine_is_told_as_that(head: RayCluster) -> None:
    with pytest.raises(EngineUnusableError, match="run renzheng engine deploy"):
        await RayEngine(head.address, LIMITS, kinds=()).start()


async def test_other_bounds_of_pictures_than_the_replicas_have_are_another_engine(deployed: RayCluster) -> None:
    other = replace(LIMITS, media=replace(LIMITS.media, frame_side=320))
    with pytest.raises(EngineUnusableError, match="run renzheng engine deploy"):
        await RayEngine(deployed.address, other, kinds=()).start()


async def test_another_token_is_refused_with_a_sentence(head: RayCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN[::-1])
    with pytest.raises(EngineUnusableError, match="does not take this token"):
        await RayEngine(head.address, LIMITS, kinds=()).start()
    done = head.command("engine", "status", RAY_AUTH_TOKEN=TOKEN[::-1])
    assert (done.returncode, "does not take this token" in done.stderr) == (2, True)


async def test_the_cluster_and_this_machine_give_the_same_numbers(
    engine: RayEngine,
    recording: list[Frame],
    portrait_bytes: bytes,
    measured: Measurement,
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
    deployed: RayCluster,
    portrait_bytes: bytes,
) -> None:
    with halted(deployed.replicas()[0]):
        asked = [asyncio.create_task(engine.examine(portrait_bytes)) for _ in range(6)]
        await until(lambda: any(task.done() for task in asked))
        refused = [task for task in asked if task.done()]
        assert all(isinstance(task.exception(), BusyError) for task in refused)
    answered = await asyncio.gather(*asked, return_exceptions=True)
    assert any(not isinstance(one, BaseException) for one in answered)
    assert {type(one) for one in answered if isinstance(one, BaseException)} == {BusyError}


async def test_an_answer_that_does_not_come_in_time_is_lost_and_the_replica_goes_on(
    engine: RayEngine,
    deployed: RayCluster,
    portrait_bytes: bytes,
) -> None:
    hurried = RayEngine(deployed.address, LIMITS, seconds=3, kinds=())
    await hurried.start()
    try:
        with halted(deployed.replicas()[0]), pytest.raises(WorkerDiedError, match="no answer of the cluster in 3 s"):
            await hurried.examine(portrait_bytes)
    finally:
        await hurried.stop()
    assert (await engine.examine(portrait_bytes)).status == "ok"


async def test_a_replica_that_dies_at_work_is_lost_work_and_the_next_is_asked(
    engine: RayEngine,
    deployed: RayCluster,
    recording: list[Frame],
    portrait_bytes: bytes,
    measured: Measurement,
) -> None:
    replica = deployed.replicas()[0]
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
    engine: RayEngine, deployed: RayCluster, portrait_bytes: bytes
) -> None:
    """The last test: it ends the cluster."""
    deployed.end()
    await until(lambda: not engine.can_judge)
    with pytest.raises(BusyError):
        await engine.examine(portrait_bytes)
