"""Whole sequences with colours at their end: a head takes them on, and whoever does not is told by the light alone."""

from __future__ import annotations

import random
from pathlib import Path

import cv2
import pytest

from renzheng.engine.judging import measure
from renzheng.engine.measurement import Frame, Light, Measurement
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.performance import Kind, Performance
from renzheng.evaluation.puppet import Flat, Puppet
from renzheng.evaluation.screen import NoScreen, OtherShow, Screen
from renzheng.verification.challenge import draw_light

from .conftest import jpeg

FRAMES = {"neutral": 10, "turn_left": 24, "light_warning": 2}
SHOW = draw_light(random.Random(5).randbytes, 7)
STEPS = tuple(enumerate(("neutral", "turn_left", *SHOW)))


def film(performance: Performance, steps: tuple[tuple[int, str], ...], since: float) -> list[Frame]:
    """Ten frames a second, six of each colour, from unix second `since` on."""
    frames = []
    for step, action in steps:
        for number in range(FRAMES.get(action, 6)):
            frames.append(Frame(jpeg(performance.frame(action, number / 10), 85), step, action, since))
            since += 0.1
        since += 0.05  # until the next step is on the screen
    return frames


@pytest.fixture(scope="module")
def actions(puppet: Puppet) -> list[Frame]:
    return film(Performance(puppet, seed=4), STEPS[:2], 1000.0)


def shown(performance: Performance) -> list[Frame]:
    return film(performance, STEPS[2:], 1004.0)


@pytest.fixture(scope="module")
def honest(models: FaceModels, puppet: Puppet, actions: list[Frame], portrait_bytes: bytes) -> Measurement:
    return measure([*actions, *shown(Performance(puppet, seed=5))], portrait_bytes, models)


def test_a_head_before_the_screen_takes_on_every_colour(honest: Measurement) -> None:
    assert honest.light is not None
    assert honest.light.faults == ()
    assert (honest.light.colours, honest.light.frames) == (7, 42)
    assert honest.light.delay == pytest.approx(0.15, abs=0.05)
    assert honest.challenge_passed
    assert honest.continuity is not None
    assert honest.continuity.passed
    assert honest.tags == ()


def test_coloured_frames_are_not_compared_with_the_photo(
    honest: Measurement, models: FaceModels, actions: list[Frame], portrait_bytes: bytes
) -> None:
    without = measure(actions, portrait_bytes, models)
    assert (honest.compared, honest.cosines, honest.best) == (without.compared, without.cosines, without.best)
    assert without.light is None
    assert "light" not in without.as_dict()


def light_of(models: FaceModels, puppet: Puppet, screen: Screen | None = None, kind: Kind = "head") -> Light:
    """Return the light of the colours alone."""
    scene = Performance(puppet, kind, seed=4, flat=Flat(distance=0.4, crop=0.9), screen=screen)
    found = measure(shown(scene), None, models)
    assert found.light is not None
    assert ("09" in found.tags) == (not found.light.passed)
    return found.light


@pytest.mark.parametrize(
    "screen", [NoScreen(), OtherShow(3), Screen(lag=1.0)], ids=["no colours", "another show", "late"]
)
def test_a_recording_answers_nothing_or_another_show(models: FaceModels, puppet: Puppet, screen: Screen) -> None:
    assert "response" in light_of(models, puppet, screen).faults


def test_a_weak_screen_in_a_bright_room_is_enough(models: FaceModels, puppet: Puppet) -> None:
    assert light_of(models, puppet, Screen(strength=0.12)).passed


def test_a_print_takes_the_colours_on_evenly(models: FaceModels, puppet: Puppet) -> None:
    found = light_of(models, puppet, kind="flat")
    assert found.face > 0.9
    assert found.faults == ("even",)


def test_another_person_before_the_colours_breaks_continuity(
    models: FaceModels, actions: list[Frame], data: Path
) -> None:
    photo = cv2.imread(str(data / "deepface" / "img35.jpg"))
    assert photo is not None
    found = measure([*actions, *shown(Performance(Puppet(photo, engine=models), seed=5))], None, models)
    assert found.light is not None
    assert found.light.passed
    assert found.continuity is not None
    assert "frontal" in found.continuity.faults
