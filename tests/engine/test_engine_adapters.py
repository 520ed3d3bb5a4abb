"""What the engine measured reaches the judge as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import pytest

from renzheng.capture.judging import ExaminerBusyError, ExaminerLostError
from renzheng.capture.sight import BadFrameError, SkippedError
from renzheng.engine.media import MediaError
from renzheng.engine.workers import BusyError, WorkerDiedError
from renzheng.server.engine_adapters import EngineExaminer, EngineLookout
from tests.support.measured import LIVE


@dataclass
class Engine:
    measured: Any = None
    error: Exception | None = None

    async def present(self, frames: Any) -> Any:
        if self.error:
            raise self.error
        return self.measured, (b"t",)

    async def compare(self, templates: Any, photo: bytes) -> Any:
        assert self.error
        raise self.error

    async def look(self, jpeg: bytes, action: str) -> Any:
        assert self.error
        raise self.error


def examiner(engine: Engine) -> EngineExaminer:
    return EngineExaminer(cast(Any, engine))


async def test_what_the_engine_found_reaches_the_judge_as_it_is() -> None:
    assert await examiner(Engine(LIVE)).present([]) == (LIVE, (b"t",))


@pytest.mark.parametrize("error", [BusyError("full"), WorkerDiedError("died")])
async def test_a_lost_engine_is_told_as_that_and_never_as_a_finding(error: Exception) -> None:
    lost = Engine(error=error)
    for asked in (examiner(lost).present([]), examiner(lost).compare([], b"photo")):
        with pytest.raises(ExaminerLostError) as told:
            await asked
        assert isinstance(told.value, ExaminerBusyError) is isinstance(error, BusyError)
    with pytest.raises(SkippedError):
        await EngineLookout(cast(Any, lost)).look(b"jpeg", "nod")


async def test_a_frame_that_is_no_picture_is_told_as_that() -> None:
    with pytest.raises(BadFrameError):
        await EngineLookout(cast(Any, Engine(error=MediaError("corrupt", "x")))).look(b"jpeg", "nod")


def test_a_header_that_cannot_be_read_is_none() -> None:
    assert EngineLookout(cast(Any, Engine())).head(b"\xff\xd8\xff") is None
