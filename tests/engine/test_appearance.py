"""Image scores: each answers to what it is named for, in its range, and none of them decides anything."""

from __future__ import annotations

import json
from dataclasses import replace

import cv2
import msgspec
import numpy as np
import pytest

from renzheng.engine.aligned import aligned_points
from renzheng.engine.appearance import covered_of, measure_appearance
from renzheng.engine.embedding import align
from renzheng.engine.landmarks import Mesh
from renzheng.engine.liveness import DEFAULT_HINTS
from renzheng.engine.measurement import Appearance, Measurement
from renzheng.engine.observation import FaceModels
from renzheng.engine.reasons import reasons
from renzheng.engine.runtimes import Image
from renzheng.evaluation.appearances import area_under, find, interval
from renzheng.evaluation.presentations import measured_layers
from renzheng.evaluation.spoiling import SPOILS, Spoil


@pytest.fixture(scope="session")
def face(selfie: Image, models: FaceModels) -> Mesh:
    found = find(selfie, models)
    assert found is not None
    return found


@pytest.mark.parametrize(("score", "name", "spoil"), SPOILS, ids=[name for _, name, _ in SPOILS])
def test_a_score_rises_where_what_it_is_named_for_is_in_the_picture(
    score: str, name: str, spoil: Spoil, selfie: Image, face: Mesh, models: FaceModels
) -> None:
    plain = getattr(measure_appearance(selfie, face), score)
    for seed in range(3):
        made = spoil(selfie, face, np.random.default_rng(seed))
        # What is held up is seen smaller; everything else leaves the face where it was.
        mesh = find(made, models) if score == "borders" else face
        assert mesh is not None
        assert getattr(measure_appearance(made, mesh), score) > 1.3 * plain


def test_more_blur_gives_a_higher_score(selfie: Image, face: Mesh) -> None:
    scores = [measure_appearance(cv2.GaussianBlur(selfie, (0, 0), sigma), face).blur for sigma in (1, 3, 6, 12)]
    assert scores == sorted(scores)
    assert 0 <= scores[0] < 0.6 < scores[-1] <= 1


def test_exposure_is_the_share_of_the_face_that_is_black_or_white(selfie: Image, face: Mesh) -> None:
    assert measure_appearance(selfie, face).exposure < 0.05
    assert measure_appearance(np.zeros_like(selfie), face).exposure == 1.0
    assert measure_appearance(np.full_like(selfie, 255), face).exposure == 1.0


def test_moire_is_told_from_grain_and_from_the_blocks_of_jpeg(selfie: Image, face: Mesh) -> None:
    grain = np.random.default_rng(1).normal(0, 12, selfie.shape)
    noisy = np.clip(selfie + grain, 0, 255).astype(np.uint8)
    blocky = cv2.imdecode(cv2.imencode(".jpg", selfie, [cv2.IMWRITE_JPEG_QUALITY, 20])[1], cv2.IMREAD_COLOR)
    y, x = np.mgrid[: selfie.shape[0], : selfie.shape[1]]
    waves = (6 * np.sin(2 * np.pi * (0.21 * x + 0.13 * y)))[..., None]
    striped = np.clip(selfie + waves, 0, 255).astype(np.uint8)
    innocent = max(measure_appearance(image, face).moire for image in (selfie, noisy, np.asarray(blocky)))
    assert measure_appearance(striped, face).moire > innocent + 6


@pytest.mark.parametrize("fill", [0, 128, 255])
def test_a_picture_of_nothing_is_measured_without_an_error(fill: int, face: Mesh) -> None:
    found = measure_appearance(np.full((480, 640, 3), fill, np.uint8), face)
    assert (found.occlusion, found.moire, found.borders) == (0.0, 0.0, 0.0)
    assert 0 <= found.blur <= 1


def test_a_face_that_reaches_out_of_a_small_picture_is_measured_without_an_error(selfie: Image, face: Mesh) -> None:
    cut = np.ascontiguousarray(selfie[200:240, 300:340])
    moved = Mesh((face.points - np.array([300, 200, 0], np.float32)).astype(np.float32), face.presence)
    assert measure_appearance(cut, moved).moire == 0.0


def test_the_best_frame_of_a_verification_has_an_appearance(measured: Measurement) -> None:
    assert measured.best is not None
    assert measured.appearance is not None


def test_no_appearance_changes_a_layer_or_a_tag(measured: Measurement) -> None:
    for awful in (Appearance(1.0, 1.0, 180.0, 60.0, 1.0), None):
        other = replace(measured, appearance=awful)
        assert reasons(other) == measured.tags
        assert measured_layers(other) == measured_layers(measured)


def test_a_measurement_that_was_stored_before_is_still_read(measured: Measurement) -> None:
    stored = json.loads(json.dumps(measured.as_dict()))
    del stored["appearance"]
    assert msgspec.convert(stored, Measurement) == replace(measured, appearance=None)


def test_the_area_under_the_curve_counts_pairs_in_the_right_order() -> None:
    low, high = np.array([1.0, 2.0, 2.0]), np.array([2.0, 3.0])
    assert area_under(low, high) == pytest.approx((3 + 1 + 2 * 0.5) / 6)
    assert interval(np.arange(3.0), np.arange(3.0) + 9) == (0.0, 1.0)
    found = interval(np.arange(100.0), np.arange(100.0) + 30)
    assert found[0] < area_under(np.arange(100.0), np.arange(100.0) + 30) < found[1] < 0.95


@pytest.mark.parametrize("colour", [(235, 230, 228), (200, 170, 120), (40, 38, 36)])
def test_a_mask_is_told_from_a_bare_face(portrait: Image, models: FaceModels, colour: tuple[int, int, int]) -> None:
    """White, light blue and black; the bare face stays below, in bright, dim and coloured light too."""
    mesh = models.observe(portrait, eyes=False).mesh
    assert mesh is not None
    masked = portrait.copy()
    lower = [93, 132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 323, 280, 5, 50]
    cv2.fillConvexPoly(masked, cv2.convexHull(np.round(mesh.flat[lower]).astype(np.int32)), colour)
    limit = DEFAULT_HINTS.covered

    def covered(image: Image) -> float:
        return covered_of(align(image, mesh.five_points), aligned_points(mesh))

    assert covered(masked) > limit
    for gain in ((1.0, 1.0, 1.0), (0.35, 0.35, 0.35), (0.8, 1.0, 1.15)):
        assert covered(np.clip(portrait * np.array(gain), 0, 255).astype(np.uint8)) < limit
