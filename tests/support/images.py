"""Images for tests: the sample photo that comes out of a package, drawn ones, and the test data where it is there."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from renzheng.engine import packs
from renzheng.engine.runtimes import Image

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("RENZHENG_TEST_DATA") or ROOT / "../shared/data").resolve()

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no test data: RENZHENG_TEST_DATA ({DATA}) is missing")


def sample() -> bytes:
    """The sample photo: a portrait in the public domain, as PNG."""
    return packs.require("sample").read_bytes()


def sample_picture() -> Image:
    """The sample photo's pixels, BGR."""
    picture: Image | None = cv2.imdecode(np.frombuffer(sample(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def drawn(width: int = 320, height: int = 240) -> bytes:
    """A JPEG without a face."""
    picture = np.full((height, width, 3), 200, np.uint8)
    cv2.circle(picture, (width // 2, height // 2), height // 4, (40, 90, 160), -1)
    return bytes(cv2.imencode(".jpg", picture)[1])


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()
