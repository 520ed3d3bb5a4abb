"""Depth from a turn of the head: between two views a flat picture moves by one homography, a head does not.

The residual of the best homography over the 468 points, in units of the eye distance, is small for prints
and screens and large for heads, without any training. It separates only at a real turn (a yaw proxy of 0.5 or
thirty degrees, and more), so only such frames are compared, and several, by their median.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import cv2
import numpy as np

from .landmarks import Mesh
from .limits import DepthLimits
from .measurement import Depth


def homography_residual(frontal: Mesh, turned: Mesh) -> float:
    """RMS distance of the turned mesh, taken back by the best homography, from the frontal one, over the
    frontal eye distance. Without unit. The homography is the least-squares one over all 468 points."""
    source, target = turned.flat.astype(np.float64), frontal.flat.astype(np.float64)
    found, _ = cv2.findHomography(source, target, 0)
    transform = np.asarray(np.eye(3) if found is None else found, dtype=np.float64)
    back = cv2.perspectiveTransform(source[None], transform)[0]
    error = float(np.sqrt(((back - target) ** 2).sum(axis=1).mean()))
    return error / max(frontal.flat_eye_distance, 1e-6)


def measure_depth(frontal: Sequence[Mesh], turned: Sequence[Mesh], sign: int, limits: DepthLimits) -> Depth:
    """Compare frontal views with views of the asked turn (``sign`` +1: to the person's left)."""
    ahead = [mesh for mesh in frontal if abs(mesh.yaw) <= limits.frontal]
    rest = median(mesh.turn for mesh in ahead) if ahead else 0.0
    aside = [mesh for mesh in turned if sign * reach(mesh, rest, limits) >= 1.0]
    turn = max((sign * mesh.yaw for mesh in turned), default=0.0)
    residuals = [
        homography_residual(first, second)
        for first in spread(ahead, limits.views)
        for second in spread(aside, limits.views)
    ]
    if not residuals or len(aside) < limits.minimum:
        return Depth(None, None, turn, len(aside), limits.residual, passed=False)
    middle = float(median(residuals))
    passed = middle >= limits.residual
    return Depth(middle, min(residuals), turn, len(aside), limits.residual, passed)


def reach(mesh: Mesh, rest: float, limits: DepthLimits) -> float:
    """How far a head is turned, 1 being enough, above 0 to its own left. ``rest``: its ``turn`` when neutral."""
    return max(mesh.yaw / limits.turn, (mesh.turn - rest) / limits.degrees, key=abs)


def spread(items: Sequence[Mesh], count: int) -> list[Mesh]:
    """At most ``count`` items, evenly taken from first to last."""
    if len(items) <= count:
        return list(items)
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]
