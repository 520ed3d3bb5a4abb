"""Face detection with YuNet: boxes and five points, in the coordinates of the image handed in.

The network sees a reduced copy whose longer side is ``detection_side``; its cost grows with the area and
faces of about ten pixels in that copy are still found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .runtimes import Floats, Image, averaged, shrink

REFINED_SIDE, REFINED_FACE = 256, 110
"""Pixels of the picture in which a face is refined, and of the longer side of the face in it.

About the 250 pixels of the images that the scale was calibrated on. Of 324,290 pairs of strangers of LFW's first fold
426 pass a score of 60 so, 419 where the whole image is searched at its own size; at 208 pixels it was 552.
"""
RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH = range(5)
"""Rows of ``Face.points``, named from the person: the right eye is on the image's left side."""


@dataclass(frozen=True)
class Face:
    """One face: box (x, y, width, height) and 5 x 2 points in pixels, score 0-1."""

    box: tuple[float, float, float, float]
    points: Floats
    score: float

    @property
    def size(self) -> float:
        """The longer side of the box in pixels."""
        return max(self.box[2], self.box[3])

    @property
    def centre(self) -> tuple[float, float]:
        x, y, width, height = self.box
        return (x + width / 2, y + height / 2)


class Detector:
    """YuNet, loaded once; not for several threads at a time."""

    def __init__(self, path: Path, *, score: float = 0.7, overlap: float = 0.3) -> None:
        self._net: Any = cv2.FaceDetectorYN.create(str(path), "", (320, 320), score, overlap, 100)
        self._size = (320, 320)

    def __call__(self, image: Image, side: int = 320, *, quick: bool = False) -> list[Face]:
        """Faces in an image, the largest first. ``side``: longer side in pixels of the copy searched; ``quick``:
        the copy is made in halves, which is as good for a frame, while what was measured on photos stands."""
        height, width = image.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            image = shrink(image, size) if quick else averaged(image, size)
        if size != self._size:
            self._net.setInputSize(size)
            self._size = size
        _, rows = self._net.detect(image)
        if rows is None:
            return []
        back = np.array([width / size[0], height / size[1]] * 7, dtype=np.float32)
        faces = [_face(row, back) for row in rows if np.isfinite(row).all()]
        return sorted(faces, key=lambda face: -face.size)

    def refine(self, image: Image, centre: tuple[float, float], size: float) -> Face | None:
        """The face around ``centre``, ``size`` pixels long, looked at at the size at which points are best known.

        The similarity scale was calibrated on faces of about 90 x 110 pixels; the face is brought to that
        size, so that its points, and the embedding, are as exact as they were there. None where there is none.
        """
        half = REFINED_SIDE / REFINED_FACE / 2 * size
        (x, y), (height, width) = centre, image.shape[:2]
        left, top = max(0, int(x - half)), max(0, int(y - half))
        right, bottom = min(width, int(x + half) + 1), min(height, int(y + half) + 1)
        if right <= left or bottom <= top:
            return None
        found = self(np.ascontiguousarray(image[top:bottom, left:right]), REFINED_SIDE)
        if not found:
            return None
        nearest = min(found, key=lambda one: np.hypot(one.centre[0] + left - x, one.centre[1] + top - y))
        if abs(nearest.centre[0] + left - x) + abs(nearest.centre[1] + top - y) > 0.5 * size:
            return None
        box = (nearest.box[0] + left, nearest.box[1] + top, nearest.box[2], nearest.box[3])
        return Face(box, nearest.points + np.array([left, top], dtype=np.float32), nearest.score)


def _face(row: Floats, back: Floats) -> Face:
    places = row[:14] * back
    x, y, width, height = places[:4].tolist()
    return Face((x, y, width, height), places[4:].reshape(5, 2), float(row[14]))
