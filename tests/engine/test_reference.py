"""A reference photo as it comes: turned, tilted, dark, pale. What can be compared is taken, what is lost is refused."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from renzheng.engine import packs
from renzheng.engine.comparison import Reference, examine_reference
from renzheng.engine.embedding import likeness as score
from renzheng.engine.limits import QualityLimits
from renzheng.engine.liveness import Glance, hint
from renzheng.engine.measurement import Quality
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image

PASS = 70.0


@pytest.fixture(scope="module")
def upright(models: FaceModels, portrait: Image) -> Reference:
    found = examine_reference(portrait, 1.0, models)
    assert found.status == "ok"
    return found


def likeness(found: Reference, upright: Reference) -> float:
    """The score of the two, 0 where the photo was refused."""
    calibration = packs.pack_for("embedding").calibration
    if found.embedding is None or upright.embedding is None or calibration is None:
        return 0.0
    return score(found.embedding, upright.embedding, calibration)


def tilted(image: Image, degrees: float) -> Image:
    """Turned counter-clockwise in a larger picture that holds all of it."""
    height, width = image.shape[:2]
    side = int(np.hypot(height, width)) + 1
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turn[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
    return np.asarray(cv2.warpAffine(image, turn, (side, side), borderValue=(90, 90, 90)))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_photo_on_its_side_or_head_is_turned_upright(
    models: FaceModels, portrait: Image, upright: Reference, turns: int
) -> None:
    seen = models.stand_upright(np.ascontiguousarray(np.rot90(portrait, -turns)))
    assert seen.turned == turns
    found = examine_reference(np.ascontiguousarray(np.rot90(portrait, -turns)), 1.0, models)
    assert (found.status, found.faces) == ("ok", upright.faces)
    assert likeness(found, upright) > 99


@pytest.mark.parametrize("degrees", [-135, -60, -45, -30, -20, 20, 30, 45, 60, 135])
def test_a_tilted_face_is_levelled(models: FaceModels, portrait: Image, upright: Reference, degrees: int) -> None:
    found = examine_reference(tilted(portrait, degrees), 1.0, models)
    assert found.status == "ok"
    assert likeness(found, upright) >= PASS


def test_an_upright_photo_is_looked_at_once(models: FaceModels, portrait: Image) -> None:
    seen = models.stand_upright(portrait)
    assert seen.image is portrait
    assert (seen.turned, seen.tilt) == (0, 0)


def test_two_people_on_their_side_are_two(models: FaceModels, selfie: Image) -> None:
    both = np.ascontiguousarray(np.rot90(np.hstack([selfie, selfie])))
    assert examine_reference(both, 1.0, models).status == "several_faces"


def test_a_face_that_a_tilted_photo_cuts_is_cut(models: FaceModels, selfie: Image) -> None:
    """The levelled copy is larger than the photo: what is missing is told by the photo's own edge."""
    whole = tilted(selfie, 40)
    assert examine_reference(whole, 1.0, models).status == "ok"
    seen = models.stand_upright(whole)
    assert seen.mesh is not None
    assert seen.back is not None
    centre = seen.mesh.flat.mean(axis=0) @ seen.back[:, :2].T + seen.back[:, 2]
    found = examine_reference(np.ascontiguousarray(whole[:, int(centre[0]) + 20 :]), 1.0, models)
    assert found.status in ("cut", "no_face")


def test_nothing_in_any_turn_is_no_face(models: FaceModels) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    assert examine_reference(noise, 1.0, models).status == "no_face"


def shown(portrait: Image, contrast: float, more: float = 0.0, noise: float = 0.0) -> Image:
    grain = np.random.default_rng(0).normal(0, 1, portrait.shape) * noise
    return np.clip(np.round(portrait * contrast + more + grain), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("light", [0.5, 0.25, 0.15, 1.3])
def test_a_face_is_not_refused_for_being_dark_or_pale(
    models: FaceModels, portrait: Image, upright: Reference, light: float
) -> None:
    found = examine_reference(shown(portrait, light), 1.0, models)
    assert found.status == "ok"
    assert likeness(found, upright) >= PASS


@pytest.mark.parametrize(
    ("contrast", "more", "noise"),
    [(6.0, 0.0, 0.0), (0.06, 120.0, 0.0), (0.4, 60.0, 40.0)],
    ids=["white", "fog", "noise"],
)
def test_a_face_whose_detail_is_lost_is_refused(
    models: FaceModels, portrait: Image, contrast: float, more: float, noise: float
) -> None:
    assert examine_reference(shown(portrait, contrast, more, noise), 1.0, models).status in ("poor", "no_face")


FIT = Quality(200, 0.01, 110, 40, 0, 0, 0, 1, 0.0, 0.5)


@pytest.mark.parametrize("brightness", [12, 25, 110, 200, 245])
def test_brightness_alone_decides_nothing(brightness: float) -> None:
    contrast = min(40.0, brightness / 3, 255 - brightness + 10)
    assert replace(FIT, brightness=brightness, contrast=contrast).fault(QualityLimits()) is None


@pytest.mark.parametrize(
    "lost", [{"contrast": 3.0}, {"contrast": 5.0}, {"clipped": 0.7}, {"noise": 15.0}], ids=lambda lost: next(iter(lost))
)
def test_each_kind_of_lost_detail_decides(lost: dict[str, float]) -> None:
    assert replace(FIT, **lost).fault(QualityLimits()) == "poor"


def test_a_dark_face_with_its_detail_is_not_asked_for_more_light() -> None:
    seen = Glance(640, 480, 1, (200, 120, 240, 260), sharpness=0.01, brightness=25, contrast=9, presence=1)
    assert hint(seen) is None
    assert hint(replace(seen, contrast=3)) == "more_light"
    assert hint(replace(seen, brightness=235, contrast=45)) is None
    assert hint(replace(seen, brightness=235, contrast=12)) == "less_light"
