"""Processes that die, hang and overflow cost one request a clear error; everything else goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from io import BytesIO
from random import Random

import av
import numpy as np
import psutil
import pytest
import pytest_asyncio
from av.container import InputContainer

from renzheng.engine import packs
from renzheng.engine.limits import EngineLimits, MediaLimits, WorkerLimits
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.runtimes import Image
from renzheng.engine.workers import BusyError, EngineWorkers, MediaError, WorkerDiedError

from .conftest import jpeg, png

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATIENT = WorkerLimits(hint_seconds=90, decode_seconds=90, judge_seconds=300, mux_seconds=300)
"""Times that no machine is too slow for: work is cut off for its time in one test alone."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine() -> AsyncIterator[EngineWorkers]:
    workers = EngineWorkers(EngineLimits(workers=replace(PATIENT, hint_queue=4)))
    await workers.start()
    yield workers
    await workers.stop()


async def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    """Wait for what another process does; nothing here can be told of it."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("which", ["all", "half"])
async def test_a_verdict_does_not_depend_on_which_frames_were_measured_live(
    engine: EngineWorkers,
    recording: list[Frame],
    portrait_bytes: bytes,
    measured: Measurement,
    which: str,
) -> None:
    """`measured` was measured from the frames alone, in one process."""
    some = Random(7)
    live = [frame for frame in recording if which == "all" or some.random() < 0.5]
    looked = {frame.jpeg: (await engine.look(frame.jpeg, frame.action))[1] for frame in live}
    frames = [replace(frame, measured=looked.get(frame.jpeg)) for frame in recording]
    assert await engine.measure(frames, portrait_bytes) == measured


async def test_what_another_maker_or_nobody_measured_is_measured_again(
    engine: EngineWorkers,
    recording: list[Frame],
    portrait_bytes: bytes,
    measured: Measurement,
) -> None:
    """Of another pack or version; of another action; cut short; of no maker at all."""
    (_, blink), (_, neutral) = [await engine.look(recording[0].jpeg, action) for action in ("blink", "neutral")]
    assert blink != neutral
    wrong = [b"", b"other maker 16 b" + neutral[16:], blink, neutral[:-40], neutral[:16], b"\xff" * 90]
    frames = [
        replace(frame, measured=wrong[number] if number < len(wrong) else None)
        for number, frame in enumerate(recording)
    ]
    assert await engine.measure(frames, portrait_bytes) == measured


async def test_a_glance_tells_what_a_frame_shows(engine: EngineWorkers, selfie: Image) -> None:
    glance, _ = await engine.look(jpeg(selfie), "blink")
    assert (glance.width, glance.height, glance.faces, glance.cut) == (640, 480, 1, False)
    assert glance.left_eye is not None
    assert (await engine.look(jpeg(selfie), "nod"))[0].left_eye is None


async def test_workers_and_one_process_give_the_same_numbers(
    engine: EngineWorkers,
    recording: list[Frame],
    portrait_bytes: bytes,
    measured: Measurement,
) -> None:
    assert await engine.measure(recording, portrait_bytes) == measured


async def test_a_comparison_afterwards_equals_the_one_within(
    engine: EngineWorkers,
    recording: list[Frame],
    portrait_bytes: bytes,
    measured: Measurement,
) -> None:
    alone, templates = await engine.present(recording)
    assert (len(templates), alone.similarity) == (3, None)
    found = await engine.compare(templates, portrait_bytes)
    assert (found.similarity, found.cosines, found.reference) == (measured.similarity, measured.cosines, "ok")
    calibration = packs.pack_for("embedding").calibration
    assert calibration is not None
    assert found.scale == calibration.id


async def test_a_photo_is_reported_on(engine: EngineWorkers, portrait_bytes: bytes, selfie: Image) -> None:
    report = await engine.examine(portrait_bytes)
    assert (report.status, report.faces, report.width, report.format) == ("ok", 1, 512, "png")
    assert (await engine.examine(jpeg(np.hstack([selfie, selfie])))).status == "several_faces"
    with pytest.raises(MediaError):
        await engine.examine(b"no photo")


async def test_the_video_holds_exactly_the_frames_at_their_times(
    engine: EngineWorkers,
    recording: list[Frame],
) -> None:
    video = await engine.mux(recording)
    with av.open(BytesIO(video)) as container:
        assert isinstance(container, InputContainer)
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        times = [picture.time for picture in container.decode(stream)]
    expected = [frame.at - recording[0].at for frame in recording]
    assert times == pytest.approx(expected, abs=1e-3)


async def test_bytes_that_are_no_image_are_a_media_error(engine: EngineWorkers, selfie: Image) -> None:
    for data in (b"", b"garbage", jpeg(selfie)[:2_000], jpeg(np.zeros((4000, 4000, 3), np.uint8))):
        with pytest.raises(MediaError):
            await engine.look(data, "nod")
    assert (await engine.look(jpeg(selfie), "nod"))[0].faces == 1


@pytest.mark.parametrize("kind", ["decode", "hint"])
async def test_a_killed_process_costs_one_request_and_is_replaced(
    engine: EngineWorkers, selfie: Image, kind: str
) -> None:
    before, restarts = engine.pids[kind], engine.restarts[kind]
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError):
        await engine.look(jpeg(selfie), "nod")
    await until(lambda: engine.restarts[kind] > restarts and len(engine.pids[kind]) == len(before))
    assert (await engine.look(jpeg(selfie), "nod"))[0].faces == 1
    assert set(engine.pids[kind]).isdisjoint(before)


async def test_a_decoder_that_dies_is_no_fault_of_the_photo(
    engine: EngineWorkers, portrait_bytes: bytes, selfie: Image
) -> None:
    """The job is lost and begun again, instead of a verdict about a photo that nobody has seen."""
    template = np.zeros(128, np.float32).tobytes()
    limits = engine.limits
    try:
        engine.limits = replace(limits, workers=replace(limits.workers, decode_seconds=0.0))
        for ask in (lambda: engine.compare([template], portrait_bytes), lambda: engine.examine(portrait_bytes)):
            with pytest.raises(WorkerDiedError):
                await ask()
    finally:
        engine.limits = limits
    assert (await engine.compare([template], portrait_bytes)).reference == "ok"
    assert (await engine.compare([template], jpeg(selfie)[:500])).reference == "undecodable"


async def test_a_hanging_process_is_replaced(engine: EngineWorkers, selfie: Image) -> None:
    for pid in engine.pids["hint"]:
        os.kill(pid, signal.SIGSTOP)
    with pytest.raises(WorkerDiedError, match="stood still"):
        await engine.look(jpeg(selfie), "nod")
    assert (await engine.look(jpeg(selfie), "nod"))[0].faces == 1


async def test_a_process_that_needs_longer_than_its_time_is_replaced(selfie: Image) -> None:
    engine = EngineWorkers(EngineLimits(workers=replace(PATIENT, hint_seconds=0.001)))
    await engine.start()
    try:
        [before] = engine.pids["hint"]
        with pytest.raises(WorkerDiedError, match="longer than"):
            await engine.look(jpeg(selfie), "nod")
        await until(lambda: bool(engine.pids["hint"]) and before not in engine.pids["hint"])
    finally:
        await engine.stop()


async def test_a_judge_that_dies_fails_its_job_and_no_other(
    engine: EngineWorkers,
    recording: list[Frame],
    measured: Measurement,
) -> None:
    job = asyncio.create_task(engine.measure(recording))
    second = asyncio.create_task(engine.measure(recording))
    await asyncio.sleep(0.1)
    for pid in engine.pids["judge"]:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(WorkerDiedError):
        await job
    assert (await second).actions == measured.actions


async def test_a_decoder_that_dies_under_a_judgement_loses_no_good_frame(
    engine: EngineWorkers,
    recording: list[Frame],
    measured: Measurement,
) -> None:
    for pid in engine.pids["decode"]:
        os.kill(pid, signal.SIGKILL)
    assert (await engine.measure(recording)).counts == measured.counts


async def test_a_full_queue_refuses_at_once(engine: EngineWorkers, selfie: Image) -> None:
    data = jpeg(selfie)
    results = await asyncio.gather(*(engine.look(data, "nod") for _ in range(12)), return_exceptions=True)
    refused = [result for result in results if isinstance(result, BusyError)]
    assert len(refused) == 12 - 5
    seen = [result[0].faces for result in results if isinstance(result, tuple)]
    assert seen == [1] * 5
    assert (await engine.look(data, "nod"))[0].faces == 1


async def test_work_that_nobody_waits_for_is_dropped(
    engine: EngineWorkers,
    recording: list[Frame],
    measured: Measurement,
) -> None:
    waiting = [asyncio.create_task(engine.measure(recording)) for _ in range(6)]
    await asyncio.sleep(0.05)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert all(task.cancelled() for task in waiting)
    assert (await engine.measure(recording)).actions == measured.actions


async def test_a_device_that_leaves_in_the_middle_of_a_look_costs_no_process(
    engine: EngineWorkers, selfie: Image
) -> None:
    restarts, data = dict(engine.restarts), jpeg(selfie)
    for pause in (0, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05):
        look = asyncio.create_task(engine.look(data, "blink"))
        await asyncio.sleep(pause)
        look.cancel()
        await asyncio.gather(look, return_exceptions=True)
        assert look.cancelled() or look.exception() is None
        assert (await engine.look(data, "nod"))[0].left_eye is None, "it is the reply to this request"
    assert engine.restarts == restarts


async def test_a_bomb_within_the_pixel_limit_is_stopped_by_the_memory_limit(selfie: Image) -> None:
    limits = EngineLimits(media=MediaLimits(max_pixels=10**9), workers=WorkerLimits(judge_processes=1))
    engine = EngineWorkers(limits)
    await engine.start()
    try:
        with pytest.raises((MediaError, WorkerDiedError)):
            await engine.examine(png(np.zeros((21_000, 21_000), np.uint8)))
        assert (await engine.look(jpeg(selfie), "nod"))[0].faces == 1
    finally:
        await engine.stop()


class Spent:
    """CPU ticks that a process's threads have spent so far, by whether they gave up priority."""

    def __init__(self, pid: int) -> None:
        self.low = self.normal = 0
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/stat", encoding="ascii") as file:
                rows = file.read().rpartition(")")[2].split()
            ticks, nice, policy = int(rows[11]) + int(rows[12]), int(rows[16]), int(rows[38])  # see proc(5)
            if policy == os.SCHED_BATCH and nice == WorkerLimits().nice:
                self.low += ticks
            elif policy == os.SCHED_OTHER and nice == os.getpriority(os.PRIO_PROCESS, 0):
                self.normal += ticks


async def test_judging_gives_up_priority_until_a_job_has_waited_five_seconds(recording: list[Frame]) -> None:
    now = 1_000.0
    engine = EngineWorkers(clock=lambda: now)
    await engine.start()
    try:
        [judge] = engine.pids["judge"]
        await engine.measure(recording)
        begun = Spent(judge)
        await engine.measure(recording)
        patient = Spent(judge)
        assert patient.low - begun.low > 4 * (patient.normal - begun.normal)
        first, second = (asyncio.create_task(engine.measure(recording)) for _ in range(2))
        await asyncio.sleep(0)  # both have asked, one of them waits
        now += 4.99
        await first
        waited = Spent(judge)
        assert waited.low - patient.low > 4 * (waited.normal - patient.normal)
        now += 0.01
        await second
        raised = Spent(judge)
        assert raised.normal - waited.normal > 4 * (raised.low - waited.low)
    finally:
        await engine.stop()


async def test_a_stopped_engine_says_so(selfie: Image) -> None:
    engine = EngineWorkers()
    with pytest.raises(WorkerDiedError):
        await engine.look(jpeg(selfie), "nod")


async def test_frames_of_changing_size_are_judged_and_muxed(engine: EngineWorkers, selfie: Image) -> None:
    sizes = [selfie, np.ascontiguousarray(selfie[:479, :639]), np.ascontiguousarray(selfie[:400])]
    frames = [Frame(jpeg(image), 0, "neutral", n / 10) for n, image in enumerate(sizes * 4)]
    assert (await engine.measure(frames)).counts.total == 12
    assert len(await engine.mux(frames)) > 1000
    with pytest.raises(MediaError):
        await engine.mux([replace(frames[0], jpeg=b"broken")])


async def test_a_video_of_the_largest_frames_is_made_within_the_memory_that_is_allowed(engine: EngineWorkers) -> None:
    """Else whoever sends large frames leaves no video, and a result that is asked for with it cannot be fetched."""
    small = jpeg(np.full((48, 64, 3), 90, np.uint8))
    comments = b"".join(b"\xff\xfe\xff\xff" + bytes(65_533) for _ in range(7))
    large = small[:2] + comments + small[2:]
    video = await engine.mux([Frame(large, 0, "neutral", n / 15) for n in range(450)])
    with av.open(BytesIO(video)) as container:
        assert isinstance(container, InputContainer)
        assert sum(1 for _ in container.decode(video=0)) == 450


async def test_workers_die_with_their_parent() -> None:
    code = (
        "import asyncio\nfrom renzheng.engine.workers import EngineWorkers\n"
        "async def main():\n    e = EngineWorkers()\n    await e.start()\n"
        "    print(*[p for l in e.pids.values() for p in l], flush=True)\n    await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pids = [int(word) for word in (await parent.stdout.readline()).split()]
    assert len(pids) == 3
    parent.kill()
    await parent.wait()
    await until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids))


def mutations(image: Image, count: int, seed: int) -> list[bytes]:
    """Valid JPEGs and PNGs with bytes flipped, cut out, doubled or cut off."""
    draw = np.random.default_rng(seed)
    found = []
    for number in range(count):
        data = bytearray(jpeg(image) if number % 3 else png(image[::4, ::4]))
        for _ in range(int(draw.integers(1, 12))):
            at = int(draw.integers(0, len(data)))
            kind = int(draw.integers(0, 4))
            if kind == 0:
                data[at] ^= 1 << int(draw.integers(0, 8))
            elif kind == 1:
                del data[at : at + int(draw.integers(1, 60))]
            elif kind == 2:
                data[at:at] = data[at : at + int(draw.integers(1, 60))]
            elif number % 5 == 0:
                del data[at:]
            if len(data) < 8:
                break
        found.append(bytes(data))
    return found


async def answered(engine: EngineWorkers, images: list[bytes]) -> int:
    """How many are answered by a glance; all others must be a MediaError."""
    seen = 0
    for data in images:
        try:
            await engine.look(data, "nod")
            seen += 1
        except MediaError:
            pass
    return seen


async def test_mutated_images_are_each_answered_by_an_error_or_a_glance(engine: EngineWorkers, selfie: Image) -> None:
    restarts = dict(engine.restarts)
    images = mutations(selfie, 60, seed=1)
    assert 0 < await answered(engine, images) < len(images)
    assert engine.restarts == restarts


@pytest.mark.stress
@pytest.mark.attacks
async def test_five_hundred_mutated_images_leave_memory_flat(engine: EngineWorkers, selfie: Image) -> None:
    def resident() -> int:
        pids = [pid for kind in ("decode", "hint") for pid in engine.pids[kind]]
        return sum(psutil.Process(pid).memory_info().rss for pid in pids)

    await answered(engine, mutations(selfie, 100, seed=2))
    before = resident()
    for seed in range(3, 8):
        await answered(engine, mutations(selfie, 100, seed=seed))
    assert resident() < before + 40 * 1024 * 1024
