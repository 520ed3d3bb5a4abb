"""Alignment, embedding, and the score that a cosine becomes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renzheng.engine import packs
from renzheng.engine.embedding import TEMPLATE, align, centred, cosine, likeness, similarity
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import decode
from renzheng.engine.observation import FaceModels
from renzheng.engine.packs import Calibration, PackError
from renzheng.engine.runtimes import Floats, Image


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    found = packs.pack_for("embedding").calibration
    assert found is not None
    return found


@pytest.mark.parametrize(("value", "score"), [(0.339, 60.0), (0.414, 70.0), (0.48, 80.0)])
def test_the_anchors_of_the_scale_are_exact(calibration: Calibration, value: float, score: float) -> None:
    assert similarity(value, calibration) == pytest.approx(score)


def test_the_scale_rises_from_0_to_100(calibration: Calibration) -> None:
    scores = [similarity(value, calibration) for value in np.linspace(-1, 1, 401)]
    assert scores == sorted(scores)
    assert (scores[0], scores[200], scores[-1]) == (0.0, 0.0, 100.0)


def test_what_all_faces_share_is_taken_off_before_a_comparison(calibration: Calibration) -> None:
    random = np.random.default_rng(5)
    shared = np.array(calibration.centre, np.float32)
    own = [random.normal(0, 0.08, 128).astype(np.float32) for _ in range(2)]
    first, second = ((one + shared) / np.linalg.norm(one + shared) for one in own)
    assert float(np.linalg.norm(centred(first, calibration))) == pytest.approx(1.0, abs=1e-5)
    assert cosine(centred(first, calibration), centred(second, calibration)) < cosine(first, second) - 0.03
    assert likeness(first, first, calibration) == pytest.approx(100.0, abs=0.01)


def test_a_pack_without_a_centre_is_compared_as_it_is(calibration: Calibration) -> None:
    plain = replace(calibration, centre=())
    first = np.eye(128, dtype=np.float32)[3]
    assert centred(first, plain) is first
    with pytest.raises(PackError, match="centre has 2 numbers, an embedding 128"):
        centred(first, replace(calibration, centre=(0.1, 0.1)))


def test_points_on_the_template_are_left_where_they_are() -> None:
    image = np.random.default_rng(3).integers(0, 255, (112, 112, 3), np.uint8)
    assert float(np.abs(align(image, TEMPLATE).astype(int) - image).max()) <= 1


def test_alignment_undoes_size_shift_and_roll() -> None:
    turn = cv2.getRotationMatrix2D((60, 60), 25, 1.7)
    points = (TEMPLATE @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    image = cv2.GaussianBlur(np.random.default_rng(3).integers(0, 255, (112, 112, 3), np.uint8), (0, 0), 3)
    moved = cv2.warpAffine(image, turn, (240, 240))
    assert float(np.abs(align(moved, points).astype(int) - image)[30:80, 30:80].mean()) < 3


def test_an_embedding_has_length_one_and_knows_its_person_at_another_size(models: FaceModels, portrait: Image) -> None:
    first = models.embed(portrait)
    second = models.embed(cv2.resize(portrait, None, fx=1.7, fy=1.7))
    assert first is not None
    assert second is not None
    assert first.shape == (128,)
    assert float(np.linalg.norm(first)) == pytest.approx(1.0, abs=1e-5)
    assert cosine(first, second) > 0.9


def test_the_same_image_gives_the_same_numbers(models: FaceModels, portrait: Image) -> None:
    first, second = models.embed(portrait), models.embed(portrait)
    assert first is not None
    assert second is not None
    assert np.array_equal(first, second)


def test_sixty_labelled_pairs_fall_on_the_right_side_of_70(
    models: FaceModels, data: Path, calibration: Calibration
) -> None:
    with (data / "lfw_fold1" / "pairs.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = [row for row in rows if row["same"] == "1"][:30] + [row for row in rows if row["same"] == "0"][:30]
    cache: dict[str, Floats] = {}

    def embedding(name: str) -> Floats:
        if name not in cache:
            image = decode((data / "lfw_fold1" / name).read_bytes(), MediaLimits()).image
            found = models.embed(image)
            assert found is not None
            cache[name] = found
        return cache[name]

    scores = [likeness(embedding(row["a"]), embedding(row["b"]), calibration) for row in rows]
    misses = sum(score < 70 for score in scores[:30])
    false_matches = sum(score >= 70 for score in scores[30:])
    assert misses <= 3
    assert false_matches == 0
