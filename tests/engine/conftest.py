"""Real models, the astronaut's portrait, and test data where it is there."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import pytest

from renzheng.engine import packs
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image


@pytest.fixture(scope="session")
def models() -> FaceModels:
    return FaceModels()


@pytest.fixture(scope="session")
def portrait_bytes() -> bytes:
    return packs.require("sample").read_bytes()


@pytest.fixture(scope="session")
def portrait() -> Image:
    """The astronaut, 512 x 512."""
    image = cv2.imread(str(packs.require("sample")))
    assert image is not None
    return image


@pytest.fixture(scope="session")
def selfie(portrait: Image) -> Image:
    """The same face as a camera would frame it, 640 x 480."""
    return cv2.resize(portrait[30:270, 65:385], (640, 480), interpolation=cv2.INTER_CUBIC)


def jpeg(image: Image, quality: int = 90) -> bytes:
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def png(image: Image) -> bytes:
    done, data = cv2.imencode(".png", image)
    assert done
    return data.tobytes()


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of test data; skips by name where it is missing."""
    default = Path(__file__).parents[2] / ".." / "shared" / "data"
    folder = Path(os.environ.get("RENZHENG_TEST_DATA", default)).resolve()
    if not folder.is_dir():
        pytest.skip(f"no test data: set RENZHENG_TEST_DATA (looked for {folder.name})")
    return folder
