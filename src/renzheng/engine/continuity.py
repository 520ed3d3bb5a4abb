"""Continuity: one face, the same person, no jump, plausible times - from the first frame to the last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from .limits import ContinuityLimits
from .liveness import Glance
from .measurement import Continuity


def measure_continuity(
    seen: Sequence[tuple[float, Glance]],
    frontal: Sequence[float],
    turned: Sequence[float],
    limits: ContinuityLimits,
) -> Continuity:
    """``seen``: (seconds, glance) of all frames in order; ``frontal``, ``turned``: cosines to the first frame."""
    found = [(at, glance) for at, glance in seen if glance.box is not None]
    speed, growth = fastest(found)
    gap = without_face(seen, limits.gap)
    low_frontal, low_turned = min(frontal, default=None), min(turned, default=None)
    passed = (
        (low_frontal is not None and low_frontal >= limits.frontal)
        and (low_turned is not None and low_turned >= limits.turned)
        and speed <= limits.speed
        and growth <= limits.growth
        and gap <= limits.gap
    )
    return Continuity(low_frontal, low_turned, speed, growth, gap, limits.frontal, limits.turned, passed=passed)


def without_face(seen: Sequence[tuple[float, Glance]], silence: float) -> float:
    """The longest time, seconds, in which frames came but showed no face.

    Where no frame came at all for more than ``silence`` the connection was lost. That time is the network's, not the
    person's: the step's deadline bounds it, and who stands there afterwards is compared like everybody else.
    """
    longest = since = 0.0
    for (earlier, _), (later, glance) in pairwise(seen):
        since += later - earlier if later - earlier <= silence else 0.0
        longest = max(longest, since)
        if glance.box is not None:
            since = 0.0
    return longest


def fastest(found: Sequence[tuple[float, Glance]]) -> tuple[float, float]:
    """The fastest move (face sizes a second) and growth (factor a second) between neighbouring frames.

    Times closer than 50 ms are taken as 50 ms: they are times of arrival, and frames arrive in bursts.
    """
    speed, growth = 0.0, 1.0
    for (earlier, first), (later, second) in pairwise(found):
        if first.box is None or second.box is None:
            continue
        seconds = max(later - earlier, 0.05)
        (x, y, size), (x_next, y_next, size_next) = _centre(first.box), _centre(second.box)
        way = ((x_next - x) ** 2 + (y_next - y) ** 2) ** 0.5 / max(size, 1.0)
        speed = max(speed, way / seconds)
        factor = max(size_next / max(size, 1.0), size / max(size_next, 1.0))
        growth = max(growth, 1 + (factor - 1) / seconds)
    return speed, growth


def _centre(box: tuple[float, float, float, float]) -> tuple[float, float, float]:
    x, y, width, height = box
    return x + width / 2, y + height / 2, max(width, height)
