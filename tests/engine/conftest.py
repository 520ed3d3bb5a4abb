"""Real models, the astronaut's portrait, and test data where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from renzheng.engine import packs
from renzheng.engine.judging import measure
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.portrait import models as portrait_models
from renzheng.evaluation.puppet import Puppet
from tests.support.puppets import sample_puppet

LENGTHS = {"neutral": 10, "turn_left": 24, "blink": 12}


@pytest.fixture(scope="session")
def models() -> FaceModels:
    return portrait_models()


@pytest.fixture(scope="session")
def portrait_bytes() -> bytes:
    return packs.require("sample").read_bytes()


@pytest.fixture(scope="session")
def portrait() -> Image:
    """The astronaut, 512 x 512."""
    image: Image | None = cv2.imread(str(packs.require("sample")))
    assert image is not None
    return image


@pytest.fixture(scope="session")
def selfie(portrait: Image) -> Image:
    """The same face as a camera would frame it, 640 x 480."""
    picture: Image = cv2.resize(portrait[30:270, 65:385], (640, 480), interpolation=cv2.INTER_CUBIC)
    return picture


@pytest.fixture(scope="session")
def puppet() -> Puppet:
    return sample_puppet()


def jpeg(image: Image, quality: int = 90) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return bytes(data)


def png(image: Image | NDArray[np.uint16]) -> bytes:
    done, data = cv2.imencode(".png", image)
    assert done
    return bytes(data)


@pytest.fixture(scope="session")
def recording(puppet: Puppet) -> list[Frame]:
    """A head that complies: ten frames a second of a neutral second and two actions."""
    performance, frames, start = Performance(puppet, seed=4), list[Frame](), 1_000.0
    for step, action in enumerate(("neutral", "blink", "turn_left")):
        for number in range(LENGTHS[action]):
            image = performance.frame(action, number / 10)
            frames.append(Frame(jpeg(image, 85), step, action, start + number / 10))
        start += LENGTHS[action] / 10
    return frames


@pytest.fixture(scope="session")
def measured(models: FaceModels, recording: list[Frame], portrait_bytes: bytes) -> Measurement:
    return measure(recording, portrait_bytes, models)


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test data; skips by name where it is missing."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("RENZHENG_TEST_DATA", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data: set RENZHENG_TEST_DATA (looked for {folder.name})")
    return folder
