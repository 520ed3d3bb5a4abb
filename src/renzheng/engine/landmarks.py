"""The 468-point face mesh, the eye contours, and what follows from them directly.

Conventions: images are unmirrored. ``yaw`` and ``turn`` are positive when the person turns to their own left, so
that the nose moves to the image's right side; ``pitch`` is positive when the chin goes down. ``yaw`` and ``pitch`` are
proportions without unit, ``turn`` is in degrees. Left and right are the person's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from .detection import LEFT_EYE, RIGHT_EYE, Face
from .runtimes import Floats, Image, TfliteModel, square_crop

MESH_SIDE, EYE_SIDE = 192, 64
MESH_MARGIN, EYE_MARGIN = 1.5, 2.3
BESIDE_MESH, ABOVE_MESH = 1.10, 0.05
"""The detector's box relative to the mesh's: longer, and its centre higher, as shares of it (median of 270 photos)."""

NOSE, FOREHEAD, CHIN = 1, 10, 152
RIGHT_CHEEK, LEFT_CHEEK = 234, 454
RIGHT_EYE_CORNERS, LEFT_EYE_CORNERS = (33, 133), (263, 362)  # outer, inner
RIGHT_EYE_LIDS = ((160, 144), (159, 145), (158, 153))  # upper, lower
LEFT_EYE_LIDS = ((387, 373), (386, 374), (385, 380))
INNER_LIPS, MOUTH_CORNERS = (13, 14), (61, 291)
ACROSS = [[33, 127, 234, 93, 103, 67, 69, 104, 109], [263, 356, 454, 323, 332, 297, 299, 333, 338]]
"""Points right, and left of them, that are fixed to the skull: the face's own axis from right to left."""
FIVE = [RIGHT_EYE_CORNERS[0], LEFT_EYE_CORNERS[0], NOSE, *MOUTH_CORNERS, RIGHT_EYE_CORNERS[1], LEFT_EYE_CORNERS[1]]
# The iris model's first 16 points: the lower lid from corner to corner, then the upper lid between them.
CONTOUR_CORNERS, CONTOUR_LIDS = (0, 8), ((11, 3), (12, 4), (13, 5))


@dataclass(frozen=True)
class Mesh:
    """468 x 3 points: x and y in the image's pixels, z in the same scale, smaller is nearer.

    ``presence`` 0-1: how sure the model is that it sees a face.
    """

    points: Floats
    presence: float

    @cached_property
    def flat(self) -> Floats:
        """468 x 2, the pixels."""
        return self.points[:, :2]

    @property
    def eye_distance(self) -> float:
        """Pixels between the centres of the eyes, in three dimensions, so that a turn does not shorten it."""
        right = self.points[list(RIGHT_EYE_CORNERS)].mean(axis=0)
        left = self.points[list(LEFT_EYE_CORNERS)].mean(axis=0)
        return float(np.linalg.norm(left - right))

    @property
    def flat_eye_distance(self) -> float:
        """The same in the image plane."""
        return float(np.linalg.norm(self.five_points[1] - self.five_points[0]))

    @cached_property
    def yaw(self) -> float:
        """-1..1: (nose to right cheek - nose to left cheek) / their sum; about 0.5 at 30 degrees."""
        return _balance(self.flat, RIGHT_CHEEK, LEFT_CHEEK)

    @cached_property
    def turn(self) -> float:
        """Degrees by which the face's own axis from right to left is turned away from the camera.

        A fit of the whole pose against the neutral one (``pose``) agrees within about two degrees in thirty. The proxy
        ``yaw`` stops growing at 0.5 on some faces while they turn on to 45 degrees; this does not.
        """
        x, y, z = (self.points[ACROSS[1]] - self.points[ACROSS[0]]).sum(axis=0).tolist()
        return math.degrees(math.atan2(z, math.hypot(x, y)))

    @cached_property
    def pitch(self) -> float:
        """-1..1: (nose to forehead - nose to chin) / their sum."""
        return _balance(self.flat, FOREHEAD, CHIN)

    @property
    def roll(self) -> float:
        """Radians: direction of the line from the right eye to the left one in the image, clockwise."""
        return _direction(self.five_points[RIGHT_EYE], self.five_points[LEFT_EYE])

    @property
    def mouth_opening(self) -> float:
        """Gap between the inner lips over the width of the mouth, to be compared with the closed mouth.

        In three dimensions: a turn shortens the width in the picture, and would open the mouth.
        """
        upper, lower, right, left = (self.points[point] for point in (*INNER_LIPS, *MOUTH_CORNERS))
        return math.dist(upper, lower) / max(math.dist(right, left), 1e-6)

    @property
    def eye_openings(self) -> tuple[float, float]:
        """(left, right): gap between the lids over the width of the eye, from the mesh alone."""
        return (
            _ratio(self.flat, LEFT_EYE_LIDS, LEFT_EYE_CORNERS),
            _ratio(self.flat, RIGHT_EYE_LIDS, RIGHT_EYE_CORNERS),
        )

    @cached_property
    def five_points(self) -> Floats:
        """5 x 2: eyes, nose tip and corners of the mouth, as the detector would give them."""
        points = self.flat[FIVE]
        points[:2] = (points[:2] + points[5:]) / 2
        return points[:5]

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """(x, y, width, height) around the points, in pixels."""
        across, down = self.flat[:, 0], self.flat[:, 1]
        low, high = (across.min(), down.min()), (across.max(), down.max())
        return (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


class MeshModel:
    """Finds the mesh of a face that the detector, or the frame before, has located."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = TfliteModel(path, threads)

    def __call__(self, image: Image, where: Face | Mesh) -> Mesh:
        """Return the mesh of the face at ``where``: a detected face, or the mesh of the frame before (tracking)."""
        centre, side, angle = _region(where)
        # The same pixels: OpenCV rotates four channels more than twice as fast as three.
        crop, back = square_crop(cv2.cvtColor(image, cv2.COLOR_BGR2BGRA), centre, side, angle, MESH_SIDE)
        raw, logit = self._model.look(crop)
        points = raw.reshape(468, 3).astype(np.float32)
        flat = points[:, :2] @ back[:, :2].T + back[:, 2]
        depth = points[:, 2:] * (side / MESH_SIDE)
        presence = 1 / (1 + float(np.exp(-np.clip(logit.item(), -50, 50))))
        return Mesh(np.hstack([flat, depth]).astype(np.float32), presence)


class EyeModel:
    """Contours of both eyes: finer than the mesh's lids, for blinks. The iris itself is not computed."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        self._model = TfliteModel(path, threads, outputs=1)

    def __call__(self, image: Image, mesh: Mesh) -> tuple[float, float]:
        """Return the (left, right) eye opening: gap between the lids over the width of the eye."""
        return (
            self._opening(image, mesh, LEFT_EYE_CORNERS, mirrored=True),
            self._opening(image, mesh, RIGHT_EYE_CORNERS, mirrored=False),
        )

    def _opening(self, image: Image, mesh: Mesh, corners: tuple[int, int], *, mirrored: bool) -> float:
        outer, inner = mesh.flat[corners[0]], mesh.flat[corners[1]]
        side = EYE_MARGIN * max(2.0, float(np.linalg.norm(outer - inner)))
        angle = _direction(inner, outer) if mirrored else _direction(outer, inner)
        crop, _ = square_crop(image, (outer + inner) / 2, side, angle, EYE_SIDE)
        if mirrored:
            crop = np.ascontiguousarray(crop[:, ::-1])
        contour = self._model.look(crop)[0].reshape(-1, 3)[:16, :2]
        return _ratio(contour, CONTOUR_LIDS, CONTOUR_CORNERS)


def _region(where: Face | Mesh) -> tuple[Floats, float, float]:
    """Return centre, side and angle of the square for the mesh model.

    It is the same for a found and for a tracked face: in a square a tenth larger, the mesh of some open mouths is half
    as wide again.
    """
    x, y, width, height = where.box
    size = max(width, height, 1.0)
    if isinstance(where, Mesh):
        return np.array([x + width / 2, y + height / 2], dtype=np.float32), MESH_MARGIN * size, where.roll
    angle = _direction(where.points[RIGHT_EYE], where.points[LEFT_EYE])
    down = np.array([-math.sin(angle), math.cos(angle)], dtype=np.float32)
    centre = np.array([x + width / 2, y + height / 2], dtype=np.float32) + ABOVE_MESH * size * down
    return centre, MESH_MARGIN * size / BESIDE_MESH, angle


def _direction(start: Floats, end: Floats) -> float:
    return math.atan2(float(end[1] - start[1]), float(end[0] - start[0]))


def _distance(points: Floats, first: int, second: int) -> float:
    x, y = points[first], points[second]
    return math.hypot(float(x[0] - y[0]), float(x[1] - y[1]))


def _balance(points: Floats, first: int, second: int) -> float:
    near, far = _distance(points, NOSE, first), _distance(points, NOSE, second)
    return (near - far) / max(near + far, 1e-6)


def _ratio(points: Floats, gaps: tuple[tuple[int, int], ...], across: tuple[int, int]) -> float:
    gap = sum(_distance(points, upper, lower) for upper, lower in gaps) / len(gaps)
    return gap / max(_distance(points, *across), 1e-6)
