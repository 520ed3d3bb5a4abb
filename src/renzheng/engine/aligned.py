"""Maps a mesh to its aligned face (see ``embedding.align``)."""

from __future__ import annotations

import cv2
import numpy as np

from .embedding import SIDE, alignment
from .landmarks import Mesh
from .runtimes import Floats, Image


def aligned_points(mesh: Mesh) -> Floats:
    """Return the mesh's points, (468, 2), in pixels of the aligned face."""
    turn = alignment(mesh.five_points)
    return np.asarray(mesh.flat @ turn[:, :2].T + turn[:, 2], dtype=np.float32)


def outline(points: Floats) -> Image:
    """Return a mask, 255 within the convex hull of these points and 0 outside; ``SIDE`` x ``SIDE``."""
    mask = np.zeros((SIDE, SIDE), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.round(points).astype(np.int32)), 255)
    return mask
