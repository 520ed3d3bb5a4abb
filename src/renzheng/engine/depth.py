"""Depth from a turn of the head: between two views a flat picture moves by one homography, a head does not.

The residual of the best homography over the 468 points, in units of the eye distance, is small for prints
and screens and large for heads, without any training. It separates only at a real turn (a yaw proxy of 0.5 or
thirty degrees, and more), so only such frames are compared, and several, by their median.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import TypeVar

import cv2
import numpy as np

from .landmarks import Mesh
from .limits import DepthLimits
from .measurement import Depth
from .planarity import Planarity

T = TypeVar("T")
GRAIN = 0.01
"""Share of the grey levels that nothing explains, even in the best pictures."""

MIN_DEGREES = 8.0
"""Smaller turns count as this one: a flat picture at its natural distance shows seven degrees."""


def homography_residual(frontal: Mesh, turned: Mesh) -> float:
    """Return the RMS distance of the turned mesh, mapped by the best homography, from the frontal one.

    It is divided by the frontal eye distance, so it has no unit. The homography is the least-squares one over all 468
    points.
    """
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
    aside = enough([(sign * reach(mesh, rest, limits), mesh) for mesh in turned], limits)
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
    """Return how far a head is turned, where 1 is enough, above 0 to its own left. ``rest``: its ``turn`` when
    neutral."""
    return max(mesh.yaw / limits.turn, (mesh.turn - rest) / limits.degrees, key=abs)


def least_relief(degrees: float, limits: DepthLimits) -> float:
    """Return the least relief that a head shows at the height of a turn by so many degrees; see ``DepthLimits``."""
    return max(limits.relief, limits.relief_by_turn * _grown(degrees, limits))


def brought_to_height(views: Sequence[tuple[float, float]], limits: DepthLimits) -> tuple[float, float | None]:
    """Scale the relief of views, given as (degrees, relief), to the largest turn. None without any.

    Returns the most degrees, and the median relief. The median, as a search fails now and then, and as the views that
    are turned least say least about a real face.
    """
    most = max((degrees for degrees, _ in views), default=0.0)
    height = _grown(most, limits)
    brought = [max(0.0, relief) * height / _grown(degrees, limits) for degrees, relief in views]
    return most, float(median(brought)) if brought else None


def solidity_of(views: Sequence[tuple[float, Planarity]], limits: DepthLimits) -> float | None:
    """Return how much better a head explains the views, given as (degrees, comparison), than a plane. None without any.

    Above 0 for a head. It is the sum of three medians over the views, each the logarithm of a ratio: what the plane
    leaves unexplained over what the head does, and, at half the weight, the relief and the parallax over what a head
    shows.
    """
    if not views:
        return None
    most, relief = brought_to_height([(degrees, 1.0 - one.plane) for degrees, one in views], limits)
    better = median(math.log((1.0 - one.plane + GRAIN) / (1.0 - one.head + GRAIN)) for _, one in views)
    shown = [one.parallax / _sine(degrees) for degrees, one in views if one.parallax is not None]
    parts = [(relief or 0.0) / least_relief(most, limits), *([median(shown) / limits.parallax] if shown else [])]
    return float(better + sum(0.5 * math.log(max(part, GRAIN)) for part in parts))


def _sine(degrees: float) -> float:
    return math.sin(math.radians(min(max(degrees, MIN_DEGREES), 90.0)))


def _grown(degrees: float, limits: DepthLimits) -> float:
    """Return by how much relief has grown at a turn, relative to that at a right angle."""
    return math.pow(_sine(degrees), limits.relief_power)


def enough(turned: Sequence[tuple[float, T]], limits: DepthLimits) -> list[T]:
    """Return the views that are turned enough, by their reach; if these are too few, also those that nearly are.

    An answered turn may be at its height for one frame only.
    """
    far = [one for reached, one in turned if reached >= 1.0]
    return far if len(far) >= limits.minimum else [one for reached, one in turned if reached >= limits.nearly]


def spread(items: Sequence[T], count: int) -> list[T]:
    """Return at most ``count`` items, evenly taken from first to last."""
    if len(items) <= count:
        return list(items)
    return [items[round(index * (len(items) - 1) / (count - 1))] for index in range(count)]
