"""What is done in a faster way gives the same numbers, to the last bit."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from renzheng.engine import packs
from renzheng.engine.landmarks import EYE_SIDE, MESH_SIDE
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image, TfliteModel, averaged, square_crop

RANDOM = np.random.default_rng(5)


def test_a_network_of_which_less_is_asked_answers_that_alone_and_the_same(models: FaceModels) -> None:
    path = packs.require("iris")
    whole, first = TfliteModel(path), TfliteModel(path, outputs=1)
    for _ in range(3):
        crop = RANDOM.integers(0, 256, (EYE_SIDE, EYE_SIDE, 3), dtype=np.uint8)
        contours, iris = whole.look(crop)
        (alone,) = first.look(crop)
        assert np.array_equal(alone, contours)
        assert iris.size
    assert len(TfliteModel(path, outputs=2).look(crop)) == 2


@pytest.mark.parametrize("size", [(224, 168), (160, 120), (256, 101), (131, 97), (320, 240), (640, 480), (1, 1)])
def test_averages_are_those_of_opencv(portrait: Image, size: tuple[int, int]) -> None:
    image = cv2.resize(portrait, (640, 480))
    for picture in (image, RANDOM.integers(0, 256, image.shape, dtype=np.uint8)):
        expected = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        assert np.array_equal(averaged(picture, size), expected)


@pytest.mark.parametrize("angle", [0.0, 0.2, -1.0])
def test_a_fourth_channel_changes_no_pixel_of_a_crop(portrait: Image, angle: float) -> None:
    for centre, side in (((200.0, 120.0), 150.0), ((20.0, 30.0), 333.0)):
        where = (np.array(centre, np.float32), side, angle, MESH_SIDE)
        crop, back = square_crop(portrait, *where)
        again, same = square_crop(cv2.cvtColor(portrait, cv2.COLOR_BGR2BGRA), *where)
        assert np.array_equal(again[:, :, :3], crop)
        assert np.array_equal(same, back)
