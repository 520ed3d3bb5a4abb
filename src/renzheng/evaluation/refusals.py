"""Which reference photos are refused, by how bright the face is and by how the photo lies.

The photos are examined as the server does it. A photo that is taken as it is, is made darker and brighter, turned and
tilted, encoded as a JPEG, and examined again; what is taken has to match the photo as it was at the default score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import simplejpeg

from renzheng.engine import packs
from renzheng.engine.comparison import Reference, examine_reference
from renzheng.engine.embedding import likeness
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import MediaError, decode
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.rates import rate
from renzheng.evaluation.results import Refused

GROUPS = ("dark", "medium", "bright")
LIGHTS = (0.5, 0.25, 0.125, 2.0)
"""Parts of the light; what rises above white is lost."""
TILTS = (90, 180, 270, -45, -30, -15, 15, 30, 45)
"""Degrees counter-clockwise."""
LOOKED_AT = 6
"""Photos looked at for each one of a group: some show several people."""
SCORE = 70.0
Progress = Callable[[str, int, int], None]
Item = TypeVar("Item")


@dataclass(frozen=True)
class _Photo:
    image: Image
    found: Reference

    @property
    def brightness(self) -> float:
        return self.found.quality.brightness if self.found.quality else 0.0


def measure_refusals(
    images: Sequence[Path], each: int, models: FaceModels | None = None, progress: Progress = lambda *_: None
) -> list[Refused]:
    """`each`: photos of each third by brightness; as many are turned. Empty where fewer than three photos are taken."""
    models = models or FaceModels()
    chosen = images[:: max(1, len(images) // (LOOKED_AT * each))]
    steps = len(chosen) + len(GROUPS) * len(LIGHTS) + len(TILTS)
    seen = [photo for path in _with_progress(chosen, steps, progress) if (photo := _look(path, models))]
    seen.sort(key=lambda photo: photo.brightness)
    taken = [photo for photo in seen if photo.found.embedding is not None]
    if len(taken) < len(GROUPS):
        return []
    bounds = [taken[len(taken) * part // len(GROUPS)].brightness for part in range(1, len(GROUPS))]
    rows = []
    for number, name in enumerate(GROUPS):
        inside = [photo for photo in seen if int(np.searchsorted(bounds, photo.brightness, "right")) == number]
        rows.append(_row("light", name, "1", inside, [photo.found for photo in inside]))
        some = _evenly([photo for photo in inside if photo.found.embedding is not None], each)
        for light in LIGHTS:
            lit = [_again(_lit(photo.image, light), models) for photo in some]
            rows.append(_row("light", name, f"{light:g}", some, lit))
            progress("examine", len(chosen) + len(rows) - number - 1, steps)
    some = _evenly(taken, each)
    for degrees in TILTS:
        turned = [_again(tilted(photo.image, degrees), models) for photo in some]
        rows.append(_row("turn", "", str(degrees), some, turned))
        progress("examine", len(chosen) + len(rows) - len(GROUPS), steps)
    return rows


def _with_progress(items: Sequence[Item], steps: int, progress: Progress) -> Iterator[Item]:
    for number, item in enumerate(items, 1):
        yield item
        progress("examine", number, steps)


def _look(path: Path, models: FaceModels) -> _Photo | None:
    """Return the photo; None if no face, or several, are found, as that has nothing to do with light."""
    try:
        decoded = decode(path.read_bytes(), MediaLimits())
    except (MediaError, OSError):
        return None
    found = examine_reference(decoded.image, decoded.scale, models)
    return None if found.status in ("no_face", "several_faces", "cut", "too_small") else _Photo(decoded.image, found)


def _again(image: Image, models: FaceModels) -> Reference:
    jpeg = simplejpeg.encode_jpeg(np.ascontiguousarray(image), 90, "BGR")
    return examine_reference(decode(bytes(jpeg), MediaLimits()).image, 1.0, models)


def _evenly(items: Sequence[Item], most: int) -> list[Item]:
    return [items[len(items) * number // most] for number in range(most)] if len(items) > most else list(items)


def _lit(image: Image, light: float) -> Image:
    return np.clip(np.round(image * light), 0, 255).astype(np.uint8)


def tilted(image: Image, degrees: float) -> Image:
    """Rotate counter-clockwise. A tilt that is not a quarter turn is put into a larger, grey picture."""
    if degrees % 90 == 0:
        return np.ascontiguousarray(np.rot90(image, round(degrees / 90)))
    height, width = image.shape[:2]
    side = int(np.hypot(height, width)) + 1
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    turn[:, 2] += (side / 2 - width / 2, side / 2 - height / 2)
    return np.asarray(cv2.warpAffine(image, turn, (side, side), borderValue=(128, 128, 128)))


def _row(kind: str, group: str, name: str, before: Sequence[_Photo], after: Sequence[Reference]) -> Refused:
    calibration = packs.pack_for("embedding").calibration
    assert calibration is not None
    refused = sum(found.embedding is None for found in after)
    unlike = sum(
        likeness(photo.found.embedding, found.embedding, calibration) < SCORE
        for photo, found in zip(before, after, strict=True)
        if photo.found.embedding is not None and found.embedding is not None
    )
    return Refused(kind, group, name, rate(refused, len(after)), rate(unlike, len(after) - refused))
