"""The engine as the server sees it: bounded processes behind an async facade.

Strangers' bytes are decoded in ``decode`` and ``mux`` processes, whose memory is limited by the kernel and
which hold no model; ``hint`` processes look at the newest frames at normal priority; ``judge`` processes
measure whole sequences at low priority, and a job that has waited too long is raised to normal. Pixels travel
in shared memory slots. Importing this module loads neither numpy nor OpenCV.

Errors: ``MediaError`` (the image is unfit), ``Busy`` (the queue is full, at once), ``WorkerDied`` (a crash or
a timeout; the pool heals by itself). A cancelled call is dropped, and its worker is replaced if it was under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import msgspec

from .framing import lengths_of, split
from .limits import EngineLimits
from .liveness import Glance
from .measurement import Comparison, Frame, Measurement, PhotoReport
from .media import MediaError, check
from .supervision import Busy, Pool, Worker, WorkerDied

__all__ = ["Busy", "EngineWorkers", "MediaError", "WorkerDied"]

SPARE_SLOTS = 2
STOPPED = -1


class _Gate:
    """Counts what is inside; refuses at once what would be too many."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit, self._what, self.inside = limit, what, 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        if self.inside >= self._limit:
            raise Busy(f"no room for another {self._what}")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class EngineWorkers:
    """All worker processes of one server. ``start`` before use, ``stop`` at the end."""

    def __init__(self, limits: EngineLimits | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock``: seconds, by which is told how long a job has been waiting."""
        self.limits = limits or EngineLimits()
        self._clock = clock
        workers = self.limits.workers
        self._hint_gate = _Gate(workers.hint_processes + workers.hint_queue, "frame")
        self._judge_gate = _Gate(workers.judge_processes + workers.judge_queue, "verification")
        self._photo_gate = _Gate(workers.judge_processes + workers.decode_queue, "photo")
        self._mux_gate = _Gate(1 + workers.mux_queue, "video")
        self._mux_start = asyncio.Lock()
        self._slots: list[int] = []
        self._free: asyncio.Queue[int] = asyncio.Queue()
        self._pools: dict[str, Pool] = {}

    async def start(self) -> None:
        """Start all processes but the muxer, whose first video starts it. Raises WorkerDied."""
        workers = self.limits.workers
        self._free = asyncio.Queue()
        count = workers.decode_processes + workers.hint_processes + workers.judge_processes + SPARE_SLOTS
        for number in range(count):
            self._slots.append(os.memfd_create("renzheng-pixels"))
            os.ftruncate(self._slots[-1], self._slot_bytes())
            self._free.put_nowait(number)
        sizes = {
            "decode": (workers.decode_processes, workers.decode_memory),
            "hint": (workers.hint_processes, workers.model_memory),
            "judge": (workers.judge_processes, workers.model_memory),
        }
        for kind, (size, memory) in sizes.items():
            self._pools[kind] = Pool(kind, size, self.limits, self._slots, memory)
        try:
            await asyncio.gather(*(pool.start() for pool in self._pools.values()))
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End all processes; calls under way raise WorkerDied."""
        for pool in self._pools.values():
            await pool.stop()
        self._pools.clear()
        while self._slots:
            os.close(self._slots.pop())
        self._free.put_nowait(STOPPED)

    @property
    def pids(self) -> dict[str, list[int]]:
        """Process ids by kind."""
        return {kind: pool.pids for kind, pool in self._pools.items()}

    @property
    def restarts(self) -> dict[str, int]:
        """How many processes of each kind had to be replaced."""
        return {kind: pool.restarts for kind, pool in self._pools.items()}

    async def glance(self, jpeg: bytes, eyes: bool) -> Glance:
        """Look at one frame, at normal priority. Raises MediaError, Busy, WorkerDied."""
        media = self.limits.media
        check(jpeg, max_bytes=media.max_bytes, max_pixels=media.frame_pixels, min_side=media.min_side)
        with self._hint_gate():
            async with self._slot() as slot:
                places = await self._decode([jpeg], slot, urgent=True, strict=True)
                async with self._pool("hint").lease() as worker:
                    header = {"slot": slot, "place": places[0], "eyes": eyes}
                    reply, _ = await worker.call("glance", header, seconds=self.limits.workers.hint_seconds)
        return msgspec.convert(reply["glance"], Glance)

    async def measure(self, frames: Sequence[Frame], reference: bytes | None = None) -> Measurement:
        """Judge a sequence, at low priority. Raises Busy, WorkerDied; bad frames and photos are in the result."""
        return (await self.present(frames, reference))[0]

    async def present(
        self, frames: Sequence[Frame], reference: bytes | None = None
    ) -> tuple[Measurement, tuple[bytes, ...]]:
        """As ``measure``, with the templates of the frames that it compares, for ``compare`` alone."""
        with self._judge_gate():
            async with self._judging() as job:
                await job.call("begin", {})
                size = self.limits.workers.chunk
                for start in range(0, len(frames), size):
                    await self._add(job, frames[start : start + size])
                if reference is not None:
                    await self._reference(job, reference)
                reply, payload = await job.call("finish", {})
        return msgspec.convert(reply["measurement"], Measurement), tuple(split(payload, reply["lengths"]))

    async def compare(self, templates: Sequence[bytes], reference: bytes) -> Comparison:
        """Compare what ``present`` gave with a photo, at low priority. Raises Busy, WorkerDied."""
        with self._judge_gate():
            async with self._judging() as job:
                await job.call("begin", {})
                await self._reference(job, reference)
                reply, _ = await job.call("compare", lengths_of(templates), b"".join(templates))
        return msgspec.convert(reply["comparison"], Comparison)

    async def examine(self, photo: bytes) -> PhotoReport:
        """Look at a photo for enrolment. Raises MediaError, Busy, WorkerDied."""
        with self._photo_gate():
            async with self._judging() as job, self._slot() as slot:
                await job.call("begin", {})
                photo_header = await self._decode_photo(photo, slot)
                reply, _ = await job.call("reference", {"slot": slot, **photo_header})
        size = {key: photo_header[key] for key in ("width", "height", "format")}
        return msgspec.convert({**reply, **size}, PhotoReport)

    async def mux(self, frames: Sequence[Frame]) -> bytes:
        """An MP4 (H.264, yuv420p) of exactly these frames at their times. Raises MediaError, Busy, WorkerDied."""
        with self._mux_gate():
            async with self._mux_start:
                if "mux" not in self._pools:
                    pool = Pool("mux", 1, self.limits, [], self.limits.workers.decode_memory)
                    try:
                        await pool.start()
                    except BaseException:
                        await pool.stop()
                        raise
                    self._pools["mux"] = pool
            async with self._pool("mux").lease() as worker:
                return await self._mux_on(worker, frames)

    async def _mux_on(self, worker: Worker, frames: Sequence[Frame]) -> bytes:
        """In chunks: all frames at once may be more than the memory that the process may use."""
        loop, chunk = asyncio.get_running_loop(), self.limits.workers.chunk
        ends = loop.time() + self.limits.workers.mux_seconds
        await worker.call("begin", {"low": True}, seconds=ends - loop.time())
        for start in range(0, len(frames), chunk):
            part = frames[start : start + chunk]
            jpegs = [frame.jpeg for frame in part]
            header = {"times": [frame.at for frame in part], "low": True, **lengths_of(jpegs)}
            await worker.call("add", header, b"".join(jpegs), seconds=max(0.01, ends - loop.time()))
        _, video = await worker.call("finish", {"low": True}, seconds=max(0.01, ends - loop.time()))
        return video

    async def _add(self, job: _Job, frames: Sequence[Frame]) -> None:
        async with self._slot() as slot:
            places = await self._decode([frame.jpeg for frame in frames], slot)
            rows = [(frame.step, frame.action, frame.at) for frame in frames]
            await job.call("add", {"slot": slot, "places": places, "frames": rows})

    async def _reference(self, job: _Job, photo: bytes) -> None:
        async with self._slot() as slot:
            try:
                header = await self._decode_photo(photo, slot)
            except (MediaError, WorkerDied):
                # A photo that brings the decoder down is as unusable as one that it refuses.
                await job.call("undecodable", {})
                return
            await job.call("reference", {"slot": slot, **header})

    async def _decode(
        self, jpegs: Sequence[bytes], slot: int, *, urgent: bool = False, strict: bool = False
    ) -> list[list[int] | None]:
        """Decode a chunk into a slot. Where the process dies of it, each frame is tried by itself."""
        header = {"slot": slot, "strict": strict, **lengths_of(jpegs)}
        seconds = self.limits.workers.decode_seconds
        try:
            async with self._pool("decode").lease(urgent=urgent) as worker:
                reply, _ = await worker.call("frames", header, b"".join(jpegs), seconds=seconds)
        except WorkerDied:
            if strict:
                raise
            return [None] if len(jpegs) == 1 else await self._one_by_one(jpegs, slot)
        places: list[list[int] | None] = reply["places"]
        return places

    async def _one_by_one(self, jpegs: Sequence[bytes], slot: int) -> list[list[int] | None]:
        places, offset = [], 0
        for jpeg in jpegs:
            header = {"slot": slot, "strict": False, "offset": offset, **lengths_of([jpeg])}
            try:
                async with self._pool("decode").lease() as worker:
                    reply, _ = await worker.call("frames", header, jpeg, seconds=self.limits.workers.decode_seconds)
                place = reply["places"][0]
            except WorkerDied:
                place = None
            places.append(place)
            if place is not None:
                offset = place[2] + place[0] * place[1] * 3
        return places

    async def _decode_photo(self, photo: bytes, slot: int) -> dict[str, Any]:
        media = self.limits.media
        check(photo, max_bytes=media.max_bytes, max_pixels=media.max_pixels, min_side=media.min_side)
        async with self._pool("decode").lease() as worker:
            seconds = self.limits.workers.decode_seconds
            reply, _ = await worker.call("photo", {"slot": slot}, photo, seconds=seconds)
        return reply

    @contextlib.asynccontextmanager
    async def _judging(self) -> AsyncIterator[_Job]:
        asked = self._clock()
        async with self._pool("judge").lease() as worker:
            yield _Job(worker, asked, self.limits, self._clock)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[int]:
        if not self._slots:
            raise WorkerDied("the engine is not running")
        slot = await self._free.get()
        if slot == STOPPED:
            self._free.put_nowait(STOPPED)  # for the next one that waits
            raise WorkerDied("the engine has stopped")
        try:
            yield slot
        finally:
            if self._slots:
                self._free.put_nowait(slot)

    def _pool(self, kind: str) -> Pool:
        if kind not in self._pools:
            raise WorkerDied("the engine is not running")
        return self._pools[kind]

    def _slot_bytes(self) -> int:
        media = self.limits.media
        return 3 * max(self.limits.workers.chunk * media.frame_side**2, media.photo_side**2)


class _Job:
    """One judging job on its worker: low priority until it has been waiting too long, within its time."""

    def __init__(self, worker: Worker, asked: float, limits: EngineLimits, clock: Callable[[], float]) -> None:
        self._worker, self._asked, self._clock = worker, asked, clock
        self._limits = limits.workers
        self._ends = asyncio.get_running_loop().time() + self._limits.judge_seconds

    async def call(self, op: str, header: dict[str, Any], payload: bytes = b"") -> tuple[dict[str, Any], bytes]:
        low = self._clock() - self._asked < self._limits.judge_raise_seconds
        left = max(0.01, self._ends - asyncio.get_running_loop().time())
        return await self._worker.call(op, {**header, "low": low}, payload, seconds=left)
