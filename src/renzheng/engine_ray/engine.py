"""The engine of a server or judge whose judging runs on a Ray cluster. Live frames are still looked at here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from renzheng.engine.framing import lengths_of, split
from renzheng.engine.interface import EngineUnusableError
from renzheng.engine.limits import EngineLimits
from renzheng.engine.liveness import Glance
from renzheng.engine.measurement import Comparison, Frame, Measurement, PhotoReport
from renzheng.engine.media import check
from renzheng.engine.messages import FrameOrigin
from renzheng.engine.workers import ALWAYS, EngineWorkers
from renzheng.engine_ray import messages as m
from renzheng.engine_ray.link import Link
from renzheng.engine_ray.seal import token

NO_RAY = "RENZHENG_ENGINE=ray://... needs Ray: pip install 'renzheng[ray]'"
NAME = "ray"


def require_ray() -> None:
    """Raise EngineUnusableError if the package or the cluster's token is missing."""
    if find_spec("ray") is None:
        raise EngineUnusableError(NO_RAY)
    token()


class RayEngine:
    """``engine.interface.Engine``: judging, comparing and photo checks in the cluster, all else in local workers.

    Photos wait behind verifications there, as the cluster's queue has one order.
    """

    def __init__(
        self, address: str, limits: EngineLimits | None = None, seconds: float = 180, kinds: Sequence[str] = ALWAYS
    ) -> None:
        """``seconds``: time limit for one question to the cluster. ``kinds``: of processes, as ``EngineWorkers`` takes
        them; no judge is started. Raises EngineUnusableError without Ray or its token."""
        require_ray()
        self.limits = limits or EngineLimits()
        # A process that looks at no live frames decodes none either.
        self._local = EngineWorkers(self.limits, kinds=("decode", "hint") if "hint" in kinds else ())
        self._link = Link(address, self.limits, seconds)

    async def start(self) -> None:
        """Start the workers and the link. Raises EngineUnusableError, WorkerDiedError."""
        try:
            await self._link.start()
            await self._local.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        await self._link.stop()
        await self._local.stop()

    @property
    def pids(self) -> dict[str, list[int]]:
        pid = self._link.pid
        return {**self._local.pids, NAME: [pid] if pid else []}

    @property
    def restarts(self) -> dict[str, int]:
        return {**self._local.restarts, NAME: self._link.restarts}

    def down(self) -> list[str]:
        trouble = self._link.trouble
        return [*self._local.down(), *([f"{NAME} ({trouble})"] if trouble else [])]

    @property
    def can_judge(self) -> bool:
        return self._link.trouble is None

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]:
        return await self._local.look(jpeg, action)

    async def measure(self, frames: Sequence[Frame], reference: bytes | None = None) -> Measurement:
        return (await self.present(frames, reference))[0]

    async def present(
        self, frames: Sequence[Frame], reference: bytes | None = None
    ) -> tuple[Measurement, tuple[bytes, ...]]:
        parts = [part for frame in frames for part in (frame.jpeg, frame.measured or b"")]
        if reference is not None:
            parts.append(reference)
        origins = [FrameOrigin(frame.step, frame.action, frame.at) for frame in frames]
        question = m.PresentQuestion(origins, lengths_of(parts), has_reference=reference is not None)
        answer, templates = await self._link.ask(question, b"".join(parts))
        return answer.measurement, tuple(split(templates, answer.lengths))

    async def compare(self, templates: Sequence[bytes], reference: bytes) -> Comparison:
        parts = [*templates, reference]
        answer, _ = await self._link.ask(m.CompareQuestion(lengths_of(parts)), b"".join(parts))
        return answer.comparison

    async def examine(self, photo: bytes) -> PhotoReport:
        media = self.limits.media
        check(photo, max_bytes=media.max_bytes, max_pixels=media.max_pixels, min_side=media.min_side)
        answer, _ = await self._link.ask(m.ExamineQuestion(), photo)
        return answer.report

    async def decode(self, photo: bytes) -> None:
        await self._local.decode(photo)

    async def mux(self, frames: Sequence[Frame]) -> bytes:
        return await self._local.mux(frames)
