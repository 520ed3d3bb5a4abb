"""What the engine measured reaches the judge as it is."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

import pytest

from renzheng.capture.judging import ExaminerLostError
from renzheng.capture.sight import BadFrameError, SkippedError
from renzheng.engine.media import MediaError
from renzheng.engine.workers import BusyError, WorkerDiedError
from renzheng.server.engine_adapters import EngineExaminer, EngineLookout


def passed(value: bool | None) -> Any:
    """A layer's finding; None where it was not measured."""
    return None if value is None else SimpleNamespace(passed=value)


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


def measured(**layers: Any) -> Any:
    given = {"depth": passed(True), "continuity": passed(True), "light": None, "doubt": None, "passive": None}
    return SimpleNamespace(
        **{**given, **layers},
        frames_status="usable",
        challenge_passed=layers.get("challenge_passed", True),
        best=SimpleNamespace(index=4),
        tags=("02",),
        as_dict=lambda: {"a": 1},
    )


def examiner(engine: Engine) -> EngineExaminer:
    return EngineExaminer(cast(Any, engine))


@pytest.mark.parametrize(
    ("layer", "field", "by_value"),
    [
        ("depth", "has_depth", {True: True, False: False, None: False}),
        ("continuity", "is_continuous", {True: True, False: False, None: False}),
        ("light", "answered_light", {True: True, False: False, None: None}),
        ("doubt", "is_doubted", {True: False, False: True, None: False}),
    ],
)
async def test_a_layer_that_was_not_passed_or_not_measured_is_told_as_that(
    layer: str, field: str, by_value: dict[bool | None, bool | None]
) -> None:
    for value, told in by_value.items():
        presentation = await examiner(Engine(measured(**{layer: passed(value)}))).present([])
        assert getattr(presentation, field) is told


async def test_the_rest_is_handed_on_as_it_is() -> None:
    refusing = SimpleNamespace(refuses=True)
    presentation = await examiner(Engine(measured(passive=refusing))).present([])
    assert presentation.network_refuses
    assert (presentation.best_frame, presentation.templates, presentation.tags) == (4, (b"t",), ("02",))
    assert presentation.record == '{"a": 1}'
    assert presentation.challenge_answered
    assert not (await examiner(Engine(measured())).present([])).network_refuses


@pytest.mark.parametrize("error", [BusyError("full"), WorkerDiedError("died")])
async def test_a_lost_engine_is_told_as_that_and_never_as_a_finding(error: Exception) -> None:
    lost = Engine(error=error)
    with pytest.raises(ExaminerLostError):
        await examiner(lost).present([])
    with pytest.raises(ExaminerLostError):
        await examiner(lost).compare([], b"photo")
    with pytest.raises(SkippedError):
        await EngineLookout(cast(Any, lost)).look(b"jpeg", "nod")


async def test_a_frame_that_is_no_picture_is_told_as_that() -> None:
    with pytest.raises(BadFrameError):
        await EngineLookout(cast(Any, Engine(error=MediaError("corrupt", "x")))).look(b"jpeg", "nod")


def test_a_header_that_cannot_be_read_is_none() -> None:
    assert EngineLookout(cast(Any, Engine())).head(b"\xff\xd8\xff") is None
