"""What the detector and the mesh say about one face must agree; where one of them fails, the other one goes on."""

from __future__ import annotations

import numpy as np
import pytest

from renzheng.engine.detection import Face
from renzheng.engine.embedding import cosine
from renzheng.engine.observation import FaceModels, within
from renzheng.engine.runtimes import Image

BACKGROUND = Face((5.0, 5.0, 200.0, 300.0), np.array([[60, 90], [150, 90], [105, 150], [70, 220], [140, 220]]), 0.75)


class Mistaken:
    """The real detector, which in addition takes a piece of the background for the largest face."""

    def __init__(self, models: FaceModels) -> None:
        self._real = models.detector

    def refine(self, image: Image, centre: tuple[float, float], size: float) -> Face | None:
        return self._real.refine(image, centre, size)

    def __call__(self, image: Image, side: int = 320, *, quick: bool = False) -> list[Face]:
        return [BACKGROUND, *self._real(image, side, quick=quick)]


class Blind(Mistaken):
    def __call__(self, image: Image, side: int = 320, *, quick: bool = False) -> list[Face]:
        return []

    def refine(self, image: Image, centre: tuple[float, float], size: float) -> Face | None:
        return None


@pytest.fixture
def own() -> FaceModels:
    return FaceModels()


@pytest.fixture(scope="module")
def room(selfie: Image) -> Image:
    """The face on the right side of an empty room."""
    wall = np.full((600, 1000, 3), 128, np.uint8)
    wall[60:540, 360:] = selfie
    return wall


def test_a_background_that_the_detector_takes_for_a_face_is_no_face(own: FaceModels, room: Image) -> None:
    right = own.observe(room, eyes=False)
    own.detector = Mistaken(own)  # type: ignore[assignment]
    seen = own.observe(room, eyes=False)
    assert seen.glance == right.glance
    assert seen.glance.faces == 1
    beside = own.observe(np.ascontiguousarray(np.full_like(room, 128)), eyes=False)
    assert beside.glance.faces == 0


def test_the_face_that_is_embedded_is_the_one_that_was_measured(own: FaceModels, room: Image) -> None:
    mesh, right = own.observe(room, eyes=False).mesh, own.embed(room)
    assert mesh is not None
    assert right is not None
    own.detector = Mistaken(own)  # type: ignore[assignment]
    found = own.embed(room, mesh)
    assert found is not None
    assert cosine(found, right) > 0.85
    wrong = own.embed(room)
    assert wrong is None or cosine(wrong, right) < 0.5


def test_a_face_that_the_detector_loses_is_tracked_on(own: FaceModels, selfie: Image) -> None:
    mesh = own.observe(selfie, eyes=False).mesh
    own.detector = Blind(own)  # type: ignore[assignment]
    tracked = own.observe(selfie, eyes=False, near=mesh)
    assert tracked.face is None
    assert tracked.glance.faces == 1
    assert own.observe(selfie, eyes=False).glance.faces == 0
    gone = own.observe(np.full_like(selfie, 128), eyes=False, near=mesh)
    assert gone.glance.faces == 0
    assert own.embed(selfie, mesh) is None


def test_the_middle_of_a_box_is_within_it_and_its_edge_is_not() -> None:
    box = (100.0, 50.0, 80.0, 120.0)
    assert within(box, (140.0, 110.0))
    assert within(box, (125.0, 135.0))
    assert not within(box, (105.0, 110.0))
    assert not within(box, (140.0, 55.0))


def test_a_face_is_looked_for_where_it_was_and_nowhere_else(own: FaceModels, selfie: Image) -> None:
    mesh = own.observe(selfie, eyes=False).mesh
    assert mesh is not None
    tracked = own.observe(selfie, eyes=True, near=mesh)
    assert (tracked.face, tracked.glance.faces) == (None, 1)
    assert tracked.glance.left_eye is not None
    both = np.hstack([selfie, selfie])
    assert own.observe(both, eyes=False, near=mesh).glance.faces == 1
    assert own.observe(both, eyes=False).glance.faces == 2
    elsewhere = np.ascontiguousarray(np.hstack([np.full_like(selfie, 128), selfie]))
    assert own.observe(elsewhere, eyes=False, near=mesh).glance.box is None
    assert own.observe(elsewhere, eyes=False).glance.box is not None
