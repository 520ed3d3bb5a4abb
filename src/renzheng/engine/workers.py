"""The engine as the server sees it: bounded processes behind an async facade.

Strangers' bytes are decoded in ``decode`` and ``mux`` processes, whose memory is limited by the kernel and
which hold no model; ``hint`` processes look at the newest frames at normal priority; ``judge`` processes
measure whole sequences at low priority, and a job that has waited too long is raised to normal. Pixels travel
in shared memory slots. Importing this module loads neither numpy nor OpenCV.

Errors: ``MediaError`` (the image is unfit), ``BusyError`` (the queue is full, at once), ``WorkerDiedError`` (a crash or
a timeout; the pool heals by itself). A cancelled call is dropped, and its worker is replaced if it was under way.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import TypeVar

from . import messages as m
from .framing import lengths_of, split
from .limits import EngineLimits
from .liveness import Glance
from .measurement import Comparison, Frame, Measurement, PhotoReport
from .media import MediaError, check
from .silence import CHECK_SECONDS
from .supervision import BusyError, Pool, Worker, WorkerDiedError

__all__ = ["BusyError", "EngineWorkers", "MediaError", "WorkerDiedError"]

R = TypeVar("R", bound=m.Answer)

SPARE_SLOTS = 2
STOPPED = -1
ALWAYS = ("decode", "hint", "judge")
"""The kinds of processes that a server has from its start. The muxer starts with its first video."""
MAX_LOOKS_IN_A_ROW = 8
"""Photos that are examined before a waiting verification is judged. One takes about a twentieth of a judgement."""
MAX_LOST_FRAMES = 2
"""Frames of an attempt that may crash the decoder, in a chunk and then alone. More are a fault of ours."""


class _Gate:
    """Counts requests inside, and refuses at once when there are too many."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit, self._what, self.inside = limit, what, 0

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        if self.inside >= self._limit:
            raise BusyError(f"no room for another {self._what}")
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1


class EngineWorkers:
    """All worker processes of one server. Call ``start`` before use, ``stop`` at the end."""

    def __init__(
        self,
        limits: EngineLimits | None = None,
        clock: Callable[[], float] = time.monotonic,
        kinds: Sequence[str] = ALWAYS,
    ) -> None:
        """``clock``: seconds, for how long a job has been waiting. ``kinds``: which processes to start."""
        self.limits = limits or EngineLimits()
        self._kinds = kinds
        self._clock = clock
        workers = self.limits.workers
        self._hint_gate = _Gate(workers.hint_processes + workers.hint_queue, "frame")
        self._judge_gate = _Gate(workers.judge_processes + workers.judge_queue, "verification")
        self._photo_gate = _Gate(workers.judge_processes + workers.decode_queue, "photo")
        self._mux_gate = _Gate(workers.mux_processes + workers.mux_queue, "video")
        self._mux_start = asyncio.Lock()
        self._slots: list[int] = []
        self._free: asyncio.Queue[int] = asyncio.Queue()
        self._pools: dict[str, Pool] = {}
        self._guard: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start all processes but the muxer, which starts with its first video. Raises WorkerDiedError."""
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
        for kind in self._kinds:
            size, memory = sizes[kind]
            in_a_row = MAX_LOOKS_IN_A_ROW if kind == "judge" else math.inf
            self._pools[kind] = Pool(kind, size, self.limits, self._slots, memory, in_a_row)
        try:
            await asyncio.gather(*(pool.start() for pool in self._pools.values()))
        except BaseException:
            await self.stop()
            raise
        self._guard = asyncio.create_task(self._end_silent())

    async def _end_silent(self) -> None:
        """End hanging processes: one delays all requests behind it, and time limits are for processes that work."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            for pool in self._pools.values():
                pool.end_silent()

    async def stop(self) -> None:
        """End all processes. Calls under way raise WorkerDiedError."""
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None
        for pool in self._pools.values():
            await pool.stop()
        self._pools.clear()
        while self._slots:
            os.close(self._slots.pop())
        self._free.put_nowait(STOPPED)

    @property
    def pids(self) -> dict[str, list[int]]:
        """Return process ids by kind."""
        return {kind: pool.pids for kind, pool in self._pools.items()}

    def down(self) -> list[str]:
        """Return the kinds of which no process is running, of those that run from the start."""
        return [kind for kind in self._kinds if not self.pids.get(kind)]

    @property
    def restarts(self) -> dict[str, int]:
        """Return how many processes of each kind had to be replaced."""
        return {kind: pool.restarts for kind, pool in self._pools.items()}

    @property
    def can_judge(self) -> bool:
        """True: a process that died is replaced within a second."""
        return True

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]:
        """Measure a frame that was taken for this action, at normal priority.

        Returns what hints need of it, and the whole for ``Frame.measured``. Raises MediaError, BusyError,
        WorkerDiedError.
        """
        media = self.limits.media
        check(jpeg, max_bytes=media.max_bytes, max_pixels=media.frame_pixels, min_side=media.min_side)
        with self._hint_gate():
            async with self._slot() as slot:
                (place,), _ = await self._decode([jpeg], slot, urgent=True, strict=True)
                if place is None:
                    raise WorkerDiedError("the decode process sent nonsense")
                async with self._pool("hint").lease() as worker:
                    seconds = self.limits.workers.hint_seconds
                    reply, measured = await worker.call(m.LookQuestion(slot, place, action), seconds=seconds)
        return reply.glance, measured

    async def measure(self, frames: Sequence[Frame], reference: bytes | None = None) -> Measurement:
        """Judge a sequence, at low priority. Raises BusyError, WorkerDiedError; bad images are part of the result."""
        return (await self.present(frames, reference))[0]

    async def present(
        self, frames: Sequence[Frame], reference: bytes | None = None
    ) -> tuple[Measurement, tuple[bytes, ...]]:
        """Judge like ``measure``, and also return the templates of the compared frames, for ``compare`` alone."""
        with self._judge_gate():
            async with self._judging() as job:
                begun, _ = await job.call(m.BeginQuestion())
                size = self.limits.workers.chunk
                for start in range(0, len(frames), size):
                    await self._add(job, frames[start : start + size], begun.maker)
                if reference is not None:
                    await self._reference(job, reference)
                reply, payload = await job.call(m.ConclusionQuestion())
                while reply.measurement is None:
                    async with self._slot() as slot:
                        places = await self._decode_for(job, [frames[index].jpeg for index in reply.wanted], slot)
                        reply, payload = await job.call(m.PicturesQuestion(slot, places))
        return reply.measurement, tuple(split(payload, reply.lengths))

    async def compare(self, templates: Sequence[bytes], reference: bytes) -> Comparison:
        """Compare the templates from ``present`` with a photo, at low priority. Raises BusyError, WorkerDiedError."""
        with self._judge_gate():
            async with self._judging() as job:
                await job.call(m.BeginQuestion())
                await self._reference(job, reference)
                reply, _ = await job.call(m.ComparisonQuestion(lengths_of(templates)), b"".join(templates))
        return reply.comparison

    async def examine(self, photo: bytes) -> PhotoReport:
        """Examine a photo, before all waiting judgements. Raises MediaError, BusyError, WorkerDiedError."""
        with self._photo_gate():
            async with self._judging(urgent=True) as job, self._slot() as slot:
                await job.call(m.BeginQuestion())
                found = await self._decode_photo(photo, slot)
                report, _ = await job.call(m.ReferenceQuestion(slot, found.place, found.scale))
        return PhotoReport(
            report.status,
            report.faces,
            width=found.width,
            height=found.height,
            format=found.format,
            quality=report.quality,
        )

    async def decode(self, photo: bytes) -> None:
        """Check that a photo can be decoded. Raises MediaError if it cannot, BusyError, WorkerDiedError."""
        with self._photo_gate():
            async with self._slot() as slot:
                await self._decode_photo(photo, slot)

    async def mux(self, frames: Sequence[Frame]) -> bytes:
        """Make an MP4 (H.264, yuv420p) of these frames at their times. Raises MediaError, BusyError,
        WorkerDiedError."""
        with self._mux_gate():
            async with self._mux_start:
                if "mux" not in self._pools:
                    pool = Pool(
                        "mux", self.limits.workers.mux_processes, self.limits, [], self.limits.workers.decode_memory
                    )
                    try:
                        await pool.start()
                    except BaseException:
                        await pool.stop()
                        raise
                    self._pools["mux"] = pool
            async with self._pool("mux").lease() as worker:
                return await self._mux_on(worker, frames)

    async def _mux_on(self, worker: Worker, frames: Sequence[Frame]) -> bytes:
        """Send the frames in chunks: all at once may need more memory than the process may use."""
        loop, chunk = asyncio.get_running_loop(), self.limits.workers.chunk
        ends = loop.time() + self.limits.workers.mux_seconds
        await worker.call(m.BeginVideoQuestion(), seconds=ends - loop.time(), low=True)
        for start in range(0, len(frames), chunk):
            part = frames[start : start + chunk]
            jpegs = [frame.jpeg for frame in part]
            pictures = m.AddToVideoQuestion([frame.at for frame in part], lengths_of(jpegs))
            await worker.call(pictures, b"".join(jpegs), seconds=max(0.01, ends - loop.time()), low=True)
        _, video = await worker.call(m.FinishVideoQuestion(), seconds=max(0.01, ends - loop.time()), low=True)
        return video

    async def _add(self, job: _Job, frames: Sequence[Frame], maker: bytes) -> None:
        """Pass on what this engine has measured already. The rest is decoded, to be measured now."""
        taken = [m.FrameOrigin(frame.step, frame.action, frame.at) for frame in frames]
        known = [frame.measured if (frame.measured or b"").startswith(maker) else None for frame in frames]
        async with self._slot() as slot:
            while True:
                unknown = [frame.jpeg for frame, measured in zip(frames, known, strict=True) if measured is None]
                found = iter(await self._decode_for(job, unknown, slot) if unknown else [])
                places = [next(found) if measured is None else None for measured in known]
                parts = [measured or b"" for measured in known]
                request = m.AddQuestion(slot, taken, places, lengths_of(parts))
                reply, _ = await job.call(request, b"".join(parts))
                if not reply.unread:
                    return
                known = [None] * len(known)

    async def _reference(self, job: _Job, photo: bytes) -> None:
        async with self._slot() as slot:
            try:
                found = await self._decode_photo(photo, slot)
            except MediaError:
                await job.call(m.NoReferenceQuestion())
                return
            await job.call(m.ReferenceQuestion(slot, found.place, found.scale))

    async def _decode_for(self, job: _Job, jpegs: Sequence[bytes], slot: int) -> list[m.Pixels | None]:
        """Decode a chunk of an attempt into a slot. If the process dies, each frame is tried by itself.

        Frames beyond the attempt's budget are left undecoded, like bytes that are not a picture.
        """
        if job.decoded_seconds >= self.limits.workers.attempt_decode_seconds:
            return [None] * len(jpegs)
        try:
            places, spent = await self._decode(jpegs, slot)
        except WorkerDiedError:
            return await self._one_by_one(job, jpegs, slot)
        job.decoded_seconds += spent
        return places

    async def _one_by_one(self, job: _Job, jpegs: Sequence[bytes], slot: int) -> list[m.Pixels | None]:
        places: list[m.Pixels | None] = []
        offset = 0
        for jpeg in jpegs:
            try:
                (place,), spent = await self._decode([jpeg], slot, offset=offset)
            except WorkerDiedError:
                job.lost_frames += 1
                if job.lost_frames > MAX_LOST_FRAMES:
                    raise
                place, spent = None, 0.0
            job.decoded_seconds += spent
            places.append(place)
            if place is not None:
                offset = place.end
        return places

    async def _decode(
        self, jpegs: Sequence[bytes], slot: int, *, urgent: bool = False, strict: bool = False, offset: int = 0
    ) -> tuple[list[m.Pixels | None], float]:
        """Return places of the pixels, None for an input that is not a picture (``strict``: MediaError), and CPU
        seconds."""
        request = m.FramesQuestion(slot, lengths_of(jpegs), strict=strict, offset=offset)
        seconds = self.limits.workers.decode_seconds
        async with self._pool("decode").lease(urgent=urgent) as worker:
            reply, _ = await worker.call(request, b"".join(jpegs), seconds=seconds)
        return reply.places, reply.seconds

    async def _decode_photo(self, photo: bytes, slot: int) -> m.PhotoAnswer:
        media = self.limits.media
        check(photo, max_bytes=media.max_bytes, max_pixels=media.max_pixels, min_side=media.min_side)
        async with self._pool("decode").lease() as worker:
            seconds = self.limits.workers.decode_seconds
            reply, _ = await worker.call(m.PhotoQuestion(slot), photo, seconds=seconds)
        return reply

    @contextlib.asynccontextmanager
    async def _judging(self, *, urgent: bool = False) -> AsyncIterator[_Job]:
        asked = self._clock()
        async with self._pool("judge").lease(urgent=urgent) as worker:
            yield _Job(worker, asked, self.limits, self._clock)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[int]:
        if not self._slots:
            raise WorkerDiedError("the engine is not running")
        slot = await self._free.get()
        if slot == STOPPED:
            self._free.put_nowait(STOPPED)  # for the next one that waits
            raise WorkerDiedError("the engine has stopped")
        try:
            yield slot
        finally:
            if self._slots:
                self._free.put_nowait(slot)

    def _pool(self, kind: str) -> Pool:
        if kind not in self._pools:
            raise WorkerDiedError("the engine is not running")
        return self._pools[kind]

    def _slot_bytes(self) -> int:
        media = self.limits.media
        return 3 * max(self.limits.workers.chunk * media.frame_side**2, media.photo_side**2)


class _Job:
    """One judging job on its worker: at low priority until it has been waiting too long, within its time."""

    def __init__(self, worker: Worker, asked: float, limits: EngineLimits, clock: Callable[[], float]) -> None:
        self._worker, self._asked, self._clock = worker, asked, clock
        self._limits = limits.workers
        self.decoded_seconds = 0.0
        self.lost_frames = 0
        self._ends = asyncio.get_running_loop().time() + self._limits.judge_seconds

    async def call(self, request: m.Question[R], payload: bytes = b"") -> tuple[R, bytes]:
        low = self._clock() - self._asked < self._limits.judge_raise_seconds
        left = max(0.01, self._ends - asyncio.get_running_loop().time())
        return await self._worker.call(request, payload, seconds=left, low=low)
