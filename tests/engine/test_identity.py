"""Another person is noticed wherever they take over, and a person who turns far aside is not taken for another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from renzheng.engine.continuity import Picture
from renzheng.engine.frames import FrameMeasurement
from renzheng.engine.identity import Chain, Faces
from renzheng.engine.judging import SequenceJudge, run
from renzheng.engine.landmarks import Mesh
from renzheng.engine.limits import ContinuityLimits
from renzheng.engine.liveness import Glance
from renzheng.engine.measurement import Continuity, Quality
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Floats, Image

from .test_landmarks import mesh_of, turned

ALIKE = 0.37
"""Cosine of two strangers in one pose, the most alike that were seen."""
FADING = 1.4
"""Degrees by which an embedding turns with each degree of the head: at forty, 0.56 of the frontal view is left."""
UP = (0, 0, 0, 8, 16, 24, 32, 40, 44)
TURN = (*UP, 44, *reversed(UP))
"""Degrees of the head in a turn, frame by frame."""


def face(person: str, degrees: float) -> Floats:
    """A front and a side of each person; those of B are like those of A by ``ALIKE``."""
    angle = np.radians(FADING * degrees)
    own = np.array([np.cos(angle), max(np.sin(angle), 0), max(-np.sin(angle), 0)])
    strange = np.zeros(3) if person == "A" else own * np.sqrt(1 - ALIKE**2)
    return np.concatenate([own * (1 if person == "A" else ALIKE), strange]).astype(np.float32)


@dataclass(frozen=True)
class Shown:
    step: int
    action: str
    degrees: float
    person: str = "A"
    light: float = 130.0


def course(*turns: str, first: str = "A") -> list[Shown]:
    """A neutral second, and each turn followed by a nod; the neutral second a little dark, so not the best."""
    rows = [Shown(0, "neutral", 0, first, light=90) for _ in range(8)]
    for turn in turns:
        sign, step = 1 if turn == "turn_left" else -1, rows[-1].step + 1
        rows += [Shown(step, turn, sign * degrees) for degrees in TURN]
        rows += [Shown(step + 1, "nod", 0) for _ in range(5)]
    return rows


class Camera:
    """Pictures that are each of one colour, by which models that know no faces know whose they are."""

    passive = None

    def __init__(self, rest: Mesh, shown: Sequence[Shown]) -> None:
        self.rest, self.shown, self.asked = rest, shown, list[int]()
        self.embedder = SimpleNamespace(embed_aligned=self._of)

    def _of(self, picture: Image) -> Floats:
        one = self.shown[int(picture[56, 56, 0])]
        return face(one.person, one.degrees)

    def embed(self, picture: Image, mesh: Mesh) -> Floats:
        return self._of(picture)

    def picture(self, index: int) -> Image:
        self.asked.append(index)
        return np.full((512, 512, 3), index, np.uint8)

    def frame(self, index: int) -> FrameMeasurement:
        one = self.shown[index]
        mesh = turned(self.rest, yaw=one.degrees)
        glance = Glance(512, 512, 1, mesh.box, yaw=mesh.yaw, turn=mesh.turn, mouth=0.03, presence=1.0)
        quality = Quality(160, 0.02, one.light, 40, 0.0, mesh.yaw, 0.0, 1.0)
        return FrameMeasurement(glance, Picture(bytes([index])), mesh, quality)

    def continuity(self) -> Continuity:
        judge = SequenceJudge(cast(Any, self))
        for index, one in enumerate(self.shown):
            judge.add(self.frame(index), one.step, one.action, 0.1 * index)
        found = run(judge.conclude(), self.picture).continuity
        assert found is not None
        return found


@pytest.fixture(scope="module")
def rest(models: FaceModels, portrait: Image) -> Mesh:
    return mesh_of(models, portrait)


@pytest.mark.parametrize("turns", [("turn_left", "turn_right"), ("turn_right",) * 3])
def test_one_person_is_one_person_through_every_turn(rest: Mesh, turns: tuple[str, ...]) -> None:
    found = Camera(rest, course(*turns)).continuity()
    assert found.faults == ()
    assert found.link is not None
    assert found.link > found.link_threshold


def taken_over(rows: list[Shown], since: int, until: int | None = None) -> list[Shown]:
    return [replace(one, person="B" if since <= n < (until or len(rows)) else "A") for n, one in enumerate(rows)]


@pytest.mark.parametrize(("turn", "moment"), [(0, 2), (0, 9), (1, 5), (1, 7), (1, 14)])
def test_who_takes_over_in_any_turn_at_any_moment_and_stays_is_another(rest: Mesh, turn: int, moment: int) -> None:
    rows = course("turn_left", "turn_right")
    since = next(n for n, one in enumerate(rows) if one.step == 1 + 2 * turn) + moment
    assert {"frontal", "link"} & set(Camera(rest, taken_over(rows, since)).continuity().faults)


@pytest.mark.parametrize(("turn", "edge"), [(0, 1), (0, 7), (1, 4), (1, 6)])
def test_who_is_there_for_the_turn_alone_is_another_however_alike(rest: Mesh, turn: int, edge: int) -> None:
    rows = course("turn_left", "turn_right")
    begin = next(n for n, one in enumerate(rows) if one.step == 1 + 2 * turn)
    found = Camera(rest, taken_over(rows, begin + edge, begin + len(TURN) - edge)).continuity()
    assert "link" in found.faults
    assert found.frontal == pytest.approx(1.0, abs=1e-6)
    assert found.turned is not None
    assert found.turned < found.turned_threshold or found.faults == ("link",)


def test_a_recording_of_somebody_else_behind_the_neutral_second_is_another(rest: Mesh) -> None:
    """All three frames that are compared with the photo are of whom the rest shows, who turns as one person."""
    rows = course("turn_left", "turn_right")
    found = Camera(rest, taken_over(rows, 8)).continuity()
    assert found.faults == ("frontal", "link")


def test_a_quick_turn_to_the_profile_and_back_is_one_person(rest: Mesh) -> None:
    """At five frames a second, and those that show the profile without a face."""
    degrees = (0, 0, 0, 33, 60, 56, 28, 0, 0, 0)
    rows = [*course()[:8], *(Shown(1, "turn_left", one) for one in degrees), *(Shown(2, "nod", 0) for _ in range(5))]
    found = Camera(rest, rows).continuity()
    ends = face("A", 0) @ face("A", 60)
    assert ends < found.link_threshold
    assert "link" not in found.faults


# -- the chain by itself --


def chain(
    camera: Camera, limits: ContinuityLimits | None = None, unfit: Sequence[int] = ()
) -> tuple[float | None, int]:
    """The weakest link from the first to the last frame, and how many faces were looked at between."""
    faces = Faces(cast(Any, camera))
    meshes = {index: turned(camera.rest, yaw=one.degrees) for index, one in enumerate(camera.shown)}
    ends = (0, len(camera.shown) - 1)
    for index in ends:
        faces.keep(index, camera.picture(index), meshes[index])
    camera.asked.clear()
    way = Chain(faces, meshes, limits or ContinuityLimits()).weakest(ends)
    try:
        (index,) = next(way)
        while True:
            (index,) = way.send([None if index in unfit else camera.picture(index)])
    except StopIteration as done:
        return done.value, len(camera.asked)


def straight(count: int, most: float, break_at: int = 10**6) -> list[Shown]:
    return [Shown(1, "turn_left", most * n / (count - 1), "B" if n >= break_at else "A") for n in range(count)]


def test_no_more_is_looked_at_than_leads_from_one_to_the_other(rest: Mesh) -> None:
    assert chain(Camera(rest, straight(33, 30)))[1] == 0
    weakest, looked = chain(Camera(rest, straight(33, 64)))
    assert weakest == pytest.approx(np.cos(np.radians(FADING * 32)))
    assert looked == 1


@pytest.mark.parametrize("break_at", [1, 5, 16, 31, 32])
def test_a_break_is_found_between_its_two_neighbours(rest: Mesh, break_at: int) -> None:
    weakest, looked = chain(Camera(rest, straight(33, 64, break_at)))
    assert weakest is not None
    assert weakest < ContinuityLimits().link
    assert looked <= 8


def test_a_picture_that_does_not_decode_again_is_passed_over(rest: Mesh) -> None:
    weakest, looked = chain(Camera(rest, straight(33, 64)), unfit=[16, 15])
    assert weakest is not None
    assert weakest >= ContinuityLimits().link
    assert looked == 1


def test_what_may_be_looked_at_is_bounded(rest: Mesh) -> None:
    rows = straight(33, 180 / FADING)
    weakest, looked = chain(Camera(rest, rows))
    assert weakest == pytest.approx(np.cos(np.radians(45)), abs=1e-5)
    assert looked == 3
    weakest, looked = chain(Camera(rest, rows), ContinuityLimits(looks=2))
    assert looked == 2
    assert weakest is not None
    assert weakest < ContinuityLimits().link
