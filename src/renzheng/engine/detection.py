"""Detects faces with YuNet: boxes and five points, in the coordinates of the given image.

The network sees a reduced copy whose longer side is ``detection_side``. Its cost grows with the area, and it still
finds faces of about ten pixels in that copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from .conversion import converted, network_of
from .manifests import PackError
from .runtimes import Floats, Image, TfliteModel, averaged, shrink

REFINED_SIDE, REFINED_FACE = 256, 110
"""Pixels of the picture in which a face is refined, and of the longer side of the face in it.

About the 250 pixels of the images that the scale was calibrated on. Of 324,290 pairs of strangers of LFW's first fold
426 pass a score of 60 so, 419 where the whole image is searched at its own size; at 208 pixels it was 552.
"""
CELLS = (8, 16, 32)
"""Sizes of the cells, in pixels, into which the network divides a picture. Each cell may find a face."""
OUTPUTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""The network's outputs for each cell, with their numbers: two confidences, a box and five points."""
MOST = 100
"""Most faces, the surest ones, among which overlapping ones are removed."""
SIZES = 8
"""Picture sizes for which the network is kept: a frame's, those around a face, some of photos."""
RIGHT_EYE, LEFT_EYE, NOSE, RIGHT_MOUTH, LEFT_MOUTH = range(5)
"""Rows of ``Face.points``, named from the person's view: the right eye is on the image's left side."""


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
    """YuNet, loaded once. Not for use by several threads at a time. Raises PackError if the file cannot run."""

    def __init__(self, path: Path, *, score: float = 0.7, overlap: float = 0.3, threads: int = 1) -> None:
        try:
            self._network = network_of(path)
        except PackError as error:
            raise PackError(f"{path.name}: {error}") from error
        if missing := {f"{name}_{cell}" for name in OUTPUTS for cell in CELLS}.difference(self._network.outputs):
            raise PackError(f"{path.name}: not a YuNet: it has no output {', '.join(sorted(missing))}")
        self._models: dict[tuple[int, int], tuple[TfliteModel, Floats]] = {}
        self._score, self._overlap, self._threads = score, overlap, threads

    def __call__(self, image: Image, side: int = 320, *, quick: bool = False) -> list[Face]:
        """Return the faces in an image, the largest first.

        ``side``: longer side in pixels of the searched copy. ``quick``: the copy is made in halves, which is as good
        for a frame; for photos the exact way stays, as their figures were measured with it.
        """
        height, width = image.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (width, height):
            image = shrink(image, size) if quick else averaged(image, size)
        back = np.array([width / size[0], height / size[1]] * 7, dtype=np.float32)
        return sorted((_face(row, back) for row in self._rows(image)), key=lambda face: -face.size)

    def _rows(self, image: Image) -> Floats:
        """Return n x 15: for each face x, y, width, height, five points and score, the surest first.

        A box's centre and the points are relative to the cell's corner, the box's sides are logarithms, all in cells.
        """
        model, cells = self._sized(*(-(-side // CELLS[-1]) * CELLS[-1] for side in image.shape[:2]))
        found = dict(zip(self._network.outputs, model.look_at(image), strict=True))
        certain, facelike, boxes, points = (
            np.concatenate([found[f"{name}_{cell}"].reshape(-1, size) for cell in CELLS])
            for name, size in OUTPUTS.items()
        )
        both = (certain * facelike)[:, 0]
        hits = np.flatnonzero(both >= self._score**2)
        corner, cell, box = cells[hits, :2], cells[hits, 2:], boxes[hits]
        sides = np.exp(box[:, 2:])
        places = [box[:, :2] + corner - sides / 2, sides, points[hits] + np.tile(corner, 5)]
        every = np.column_stack([np.concatenate(places, axis=1) * cell, np.sqrt(both[hits])])
        rows: Floats = every[np.isfinite(every).all(axis=1)]
        if len(rows) < 2:
            return rows
        # Whole pixels, as OpenCV's class for this network has it.
        whole = rows[:, :4].astype(np.int32).tolist()
        kept = cv2.dnn.NMSBoxes(whole, rows[:, 14].tolist(), self._score, self._overlap, top_k=MOST)
        apart: Floats = rows[np.asarray(kept, np.intp)]
        return apart

    def _sized(self, height: int, width: int) -> tuple[TfliteModel, Floats]:
        """Return the network for pictures of this size, and the column, row and size of each of its cells."""
        size = (height, width)
        if size in self._models:
            self._models[size] = self._models.pop(size)  # the latest
            return self._models[size]
        cells = [
            (column, row, cell) for cell in CELLS for row in range(height // cell) for column in range(width // cell)
        ]
        model = TfliteModel(converted(self._network, height, width), self._threads)
        self._models[size] = model, np.array(cells, np.float32)
        if len(self._models) > SIZES:
            del self._models[next(iter(self._models))]
        return self._models[size]

    def refine(self, image: Image, centre: tuple[float, float], size: float) -> Face | None:
        """Search the face around ``centre``, ``size`` pixels long, at the size at which points are most exact.

        The similarity scale was calibrated on faces of about 90 x 110 pixels. The face is scaled to that size, so that
        its points, and the embedding, are as exact as they were there. None if no face is found.
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
