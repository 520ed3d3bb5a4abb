"""A photo whose face stands upright: in whichever quarter turn it was stored, and with its eyes levelled.

Scanners, messengers and programs that drop EXIF leave photos on their side or head. The detector finds faces there too,
with points that fit no face, but it is surest of the upright one: in 128 photos it gave that 0.905 to 0.95, the same
photo in another quarter turn 0.90 at most, and in each less than upright. Its points do not follow a tilt of more than
some 15 degrees; the mesh's do.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .detection import Face
from .landmarks import Mesh, MeshModel
from .runtimes import Floats, Image

Search = Callable[[Image], list[Face]]
"""Returns the faces in an image, the largest first."""
CERTAIN = 0.91
"""The detector's score from which an orientation is correct and no other is tried."""
LEVEL = 12.0
"""Degrees of tilt up to which points and embedding are as good as level ones."""
MAX_TILT = 60.0
"""Degrees of tilt beyond which another quarter turn is nearer."""
UNSURE = 0.05
"""By how much the detector may be less sure of a levelled face: a tilted one with wrong points sometimes has 0.92."""
LOOKS = 4
"""Looks of the mesh model at a tilted face, each from the last one's mesh. After these its tilt is exact."""
QUARTER_TURNS = (1, 3, 2)
"""Quarter turns counter-clockwise, in the order in which they are tried."""


@dataclass(frozen=True)
class Upright:
    """``image``: with the face upright; ``faces``: in it, the largest first; ``mesh``: of the largest. ``turned``:
    quarter turns counter-clockwise, 0-3; ``tilt``: degrees counter-clockwise after that; ``back``: 2 x 3, from
    ``image`` to what was turned by them, and ``size`` (width, height) of that."""

    image: Image
    faces: list[Face]
    mesh: Mesh | None = None
    turned: int = 0
    tilt: float = 0.0
    back: Floats | None = None
    size: tuple[int, int] = (0, 0)

    @property
    def score(self) -> float:
        """How sure the detector is of the largest face, 0-1."""
        return self.faces[0].score if self.faces else 0.0

    def outside(self, points: Floats) -> float:
        """Return the share 0-1 of n x 2 points outside of the photo itself, which levelling has put into a larger
        one."""
        if self.back is None:
            return 0.0
        there = points @ self.back[:, :2].T + self.back[:, 2]
        return 1.0 - float(((there >= 0) & (there <= np.array(self.size) - 1)).all(axis=1).mean())


class Levelling:
    """Rotates photos by what the models see in them."""

    def __init__(self, search: Search, mesh_model: MeshModel) -> None:
        self._search = search
        self._mesh_model = mesh_model

    def stand_upright(self, image: Image) -> Upright:
        """Return the photo with its largest face upright; unchanged if no face is found in any orientation."""
        best = self._seen(image, 0)
        for turns in QUARTER_TURNS:
            if best.score >= CERTAIN:
                break
            other = self._seen(np.ascontiguousarray(np.rot90(image, turns)), turns)
            best = max(best, other, key=lambda one: one.score)
        return best

    def _seen(self, image: Image, turned: int) -> Upright:
        faces = self._search(image)
        if not faces:
            return Upright(image, faces, turned=turned)
        # A second look from the first mesh: only then are the points of a cut face in their places.
        mesh = self._mesh_model(image, self._mesh_model(image, faces[0]))
        seen = Upright(image, faces, mesh, turned)
        tilt = self._tilt(image, mesh)
        if not LEVEL < abs(tilt) <= MAX_TILT:
            return seen
        height, width = image.shape[:2]
        level, back = _rotated(image, tilt)
        faces = self._search(level)
        if not faces or faces[0].score < seen.score - UNSURE:
            return seen
        mesh = self._mesh_model(level, self._mesh_model(level, faces[0]))
        return Upright(level, faces, mesh, turned, tilt, back, (width, height))

    def _tilt(self, image: Image, mesh: Mesh) -> float:
        """Return the degrees by which the line of the eyes is rotated clockwise."""
        for _ in range(LOOKS - 2):
            if abs(math.degrees(mesh.roll)) <= LEVEL / 2:
                break
            mesh = self._mesh_model(image, mesh)
        return math.degrees(mesh.roll)


def _rotated(image: Image, degrees: float) -> tuple[Image, Floats]:
    """Rotate counter-clockwise into a larger image that contains everything. Returns it and the inverse map."""
    height, width = image.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    across, down = math.ceil(width * cosine + height * sine), math.ceil(height * cosine + width * sine)
    turn[:, 2] += (across / 2 - width / 2, down / 2 - height / 2)
    level = cv2.warpAffine(image, turn, (across, down), flags=cv2.INTER_LINEAR)
    return level, cv2.invertAffineTransform(turn).astype(np.float32)
