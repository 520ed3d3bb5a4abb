"""The engine as other rooms see it: the capture's looks, the judge's measurements, a photo's faults."""

from __future__ import annotations

from collections.abc import Sequence

from renzheng.capture.evidence import NotMuxedError
from renzheng.capture.judging import ExaminerBusyError, ExaminerLostError
from renzheng.capture.sight import BadFrameError, FrameHead, SkippedError
from renzheng.engine import liveness
from renzheng.engine.interface import Engine
from renzheng.engine.liveness import ActionWatcher, Baseline, Glance
from renzheng.engine.measurement import Comparison, Frame, Measurement
from renzheng.engine.media import MediaError, check, probe, whole
from renzheng.engine.workers import BusyError, WorkerDiedError


class EngineLookout:
    """The engine as the capture channel sees it: glances, hints and watchers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def look(self, jpeg: bytes, action: str) -> tuple[Glance, bytes]:
        try:
            return await self._engine.look(jpeg, action)
        except MediaError as error:
            raise BadFrameError(str(error)) from None
        except (BusyError, WorkerDiedError) as error:
            raise SkippedError(str(error)) from None

    def hint(self, glance: Glance, action: str) -> str | None:
        return liveness.hint(glance, action)

    def baseline(self, glances: Sequence[Glance]) -> Baseline | None:
        return Baseline.from_glances(glances)

    def watcher(self, action: str, baseline: Baseline) -> ActionWatcher:
        return ActionWatcher(action, baseline)

    def head(self, jpeg: bytes) -> FrameHead | None:
        try:
            info = probe(jpeg)
        except MediaError:
            return None
        return FrameHead(*info.size, progressive=info.progressive)


class EngineExaminer:
    """The engine as the judge and the evidence shelf see it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def present(self, frames: Sequence[Frame]) -> tuple[Measurement, tuple[bytes, ...]]:
        try:
            return await self._engine.present(frames)
        except BusyError as error:
            raise ExaminerBusyError(str(error)) from None
        except WorkerDiedError as error:
            raise ExaminerLostError(str(error)) from None

    async def compare(self, templates: Sequence[bytes], photo: bytes) -> Comparison:
        try:
            return await self._engine.compare(templates, photo)
        except BusyError as error:
            raise ExaminerBusyError(str(error)) from None
        except WorkerDiedError as error:
            raise ExaminerLostError(str(error)) from None

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        try:
            return await self._engine.mux([Frame(jpeg, 0, "", at) for at, jpeg in frames])
        except (MediaError, BusyError, WorkerDiedError) as error:
            raise NotMuxedError(str(error)) from None


class EnginePhotos:
    """Names what is wrong with a photo, from its header and markers. It is decoded only if they do not tell."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def fault(self, photo: bytes) -> tuple[str, str] | None:
        media = self._engine.limits.media
        try:
            check(photo, max_bytes=media.max_bytes, max_pixels=media.max_pixels, min_side=media.min_side)
            is_whole = whole(photo)
            if is_whole is None:
                await self._engine.decode(photo)
        except MediaError as error:
            return error.kind, error.foreign
        except (BusyError, WorkerDiedError):
            return None
        return ("truncated", "") if is_whole is False else None

    async def is_usable(self, photo: bytes) -> bool | None:
        """Return whether its face can be compared with; None if the engine had no room or lost the photo."""
        try:
            return (await self._engine.examine(photo)).status == "ok"
        except MediaError:
            return False
        except (BusyError, WorkerDiedError):
            return None
