"""One frame's measurement, written down and read again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from renzheng.engine.frames import MAKER_BYTES, FrameMeasurement, maker, measure_frame, read, written
from renzheng.engine.limits import ObservationLimits
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image

MAKER = b"m" * MAKER_BYTES


def same(first: FrameMeasurement, second: FrameMeasurement | None) -> bool:
    if second is None or (first.mesh is None) != (second.mesh is None):
        return False
    points = first.mesh is None or second.mesh is None or np.array_equal(first.mesh.points, second.mesh.points)
    return bool(points) and replace(first, mesh=None) == replace(second, mesh=None)


@pytest.mark.parametrize("action", ["neutral", "blink", "turn_left", "light_red"])
def test_what_is_written_is_read_to_the_last_digit(models: FaceModels, selfie: Image, action: str) -> None:
    found = measure_frame(selfie, action, models)
    assert found.mesh is not None
    assert (found.glance.left_eye is not None) is (action in ("neutral", "blink"))
    assert (found.colours is not None) is (action == "light_red")
    assert same(found, read(written(found, action, MAKER), action, MAKER))
    nothing = measure_frame(np.full_like(selfie, 128), action, models)
    assert nothing.quality is None
    assert same(nothing, read(written(nothing, action, MAKER), action, MAKER))


def test_a_measurement_of_another_maker_or_action_and_a_damaged_one_are_none(models: FaceModels, selfie: Image) -> None:
    content = written(measure_frame(selfie, "nod", models), "nod", MAKER)
    assert read(content, "nod", b"n" * MAKER_BYTES) is None
    assert read(content, "blink", MAKER) is None
    for length in range(0, len(content), 97):
        assert read(content[:length], "nod", MAKER) is None


def test_a_maker_is_the_packs_the_limits_and_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = maker(ObservationLimits(), 640)
    assert usual == maker(ObservationLimits(), 640)
    assert len(usual) == MAKER_BYTES
    assert usual != maker(replace(ObservationLimits(), cut=0.06), 640)
    assert usual != maker(ObservationLimits(), 320)
    monkeypatch.setattr("renzheng.engine.frames.packs.in_use", list)
    assert usual != maker(ObservationLimits(), 640)
    monkeypatch.undo()
    monkeypatch.setattr("renzheng.engine.frames._program", lambda: "changed")
    assert usual != maker(ObservationLimits(), 640)
