"""The sample portrait as a puppet, and the photos of the test data where they are."""

import os
from pathlib import Path

import cv2
import pytest

from renzheng.engine import packs
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.portrait import models
from renzheng.evaluation.puppet import Puppet
from tests.support.puppets import sample_puppet

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("RENZHENG_TEST_DATA", ROOT.parent / "shared" / "data"))


@pytest.fixture(scope="session")
def engine() -> FaceModels:
    return models()


@pytest.fixture(scope="session")
def portrait_photo() -> Image:
    photo: Image | None = cv2.imread(str(packs.require("sample")))
    assert photo is not None
    return photo


@pytest.fixture(scope="session")
def puppet() -> Puppet:
    return sample_puppet()


@pytest.fixture(scope="session")
def another(engine: FaceModels) -> Puppet:
    return Puppet(data_photo("deepface/img35.jpg"), engine=engine)


def data_photo(name: str) -> Image:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"test data {name} is not there (RENZHENG_TEST_DATA)")
    photo: Image | None = cv2.imread(str(path))
    assert photo is not None
    return photo
