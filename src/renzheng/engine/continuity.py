"""Continuity: one face, the same person, no jump, no loop, plausible times - from the first frame to the last.

A camera's noise never gives the same picture twice; a picture that comes back is a recording that loops. Just
after itself the same picture is common, as pages read slow cameras faster than they see, so that counts only as
standing still.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

from .limits import ContinuityLimits
from .liveness import Glance
from .measurement import Continuity
from .runtimes import Image

LEAST_SECONDS = 0.05
"""Times are times of arrival, and frames arrive in bursts: closer ones are taken as this far apart."""
SAMPLED = 8


@dataclass(frozen=True, slots=True)
class Picture:
    """A digest by which a picture is known again, exactly."""

    digest: bytes

    @classmethod
    def of(cls, image: Image) -> Picture:
        return cls(blake2b(image[::SAMPLED, ::SAMPLED].tobytes(), digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame, as far as continuity is concerned. ``at``: seconds."""

    at: float
    glance: Glance
    picture: Picture


def measure_continuity(
    seen: Sequence[Moment], frontal: Sequence[float], turned: Sequence[float], limits: ContinuityLimits
) -> Continuity:
    """``seen``: all frames in order; ``frontal``: cosines among the compared frames; ``turned``: of the turned
    frames to the first of them."""
    found = [(moment.at, moment.glance) for moment in seen if moment.glance.box is not None]
    speed, growth = fastest(found)
    gap = without_face(seen, limits.gap)
    repeated, frozen = repetition(seen)
    disorder = sum(later.at < earlier.at for earlier, later in pairwise(seen))
    low_frontal, low_turned = min(frontal, default=None), min(turned, default=None)
    turning = fastest_turn(found)
    faults = {
        "frontal": low_frontal is None or low_frontal < limits.frontal,
        "turned": low_turned is None or low_turned < limits.turned,
        "speed": speed > limits.speed,
        "growth": growth > limits.growth,
        "yaw_speed": turning > limits.yaw_speed,
        "gap": gap > limits.gap,
        "repeated": repeated > limits.repeated,
        "frozen": frozen > limits.frozen,
        "disorder": disorder > 0,
    }
    return Continuity(
        frontal=low_frontal,
        turned=low_turned,
        speed=speed,
        growth=growth,
        yaw_speed=turning,
        gap=gap,
        repeated=repeated,
        frozen=frozen,
        disorder=disorder,
        frontal_threshold=limits.frontal,
        turned_threshold=limits.turned,
        faults=tuple(name for name, wrong in faults.items() if wrong),
        passed=not any(faults.values()),
    )


def without_face(seen: Sequence[Moment], silence: float) -> float:
    """The longest time, seconds, in which frames came but showed no face.

    Where no frame came at all for more than ``silence`` seconds the connection was lost. That time is the network's,
    not the person's: the step's deadline bounds it, and who stands there afterwards is compared like everybody else.
    """
    longest = since = 0.0
    for before, moment in pairwise(seen):
        passed = moment.at - before.at
        since += passed if passed <= silence else 0.0
        longest = max(longest, since)
        if moment.glance.box is not None:
            since = 0.0
    return longest


def repetition(seen: Sequence[Moment]) -> tuple[int, float]:
    """How many pictures had been there before (not just before), and the longest time without any change."""
    known: set[bytes] = set()
    repeated, frozen, since = 0, 0.0, 0.0
    previous: bytes | None = None
    for moment in seen:
        digest = moment.picture.digest
        if digest == previous:
            frozen = max(frozen, moment.at - since)
            continue
        repeated += digest in known
        known.add(digest)
        previous, since = digest, moment.at
    return repeated, frozen


def fastest(found: Sequence[tuple[float, Glance]]) -> tuple[float, float]:
    """The fastest move (face sizes a second) and growth (factor a second) between neighbouring frames."""
    speed, growth = 0.0, 1.0
    for (earlier, first), (later, second) in pairwise(found):
        if first.box is None or second.box is None:
            continue
        seconds = max(later - earlier, LEAST_SECONDS)
        (x, y, size), (x_next, y_next, size_next) = _centre(first.box), _centre(second.box)
        way = ((x_next - x) ** 2 + (y_next - y) ** 2) ** 0.5 / max(size, 1.0)
        speed = max(speed, way / seconds)
        factor = max(size_next / max(size, 1.0), size / max(size_next, 1.0))
        growth = max(growth, 1 + (factor - 1) / seconds)
    return speed, growth


def fastest_turn(found: Sequence[tuple[float, Glance]]) -> float:
    """The fastest change of the yaw proxy between neighbouring frames, a second."""
    speeds = (
        abs(after.yaw - before.yaw) / max(later - earlier, 2 * LEAST_SECONDS)
        for (earlier, before), (later, after) in pairwise(found)
    )
    return max(speeds, default=0.0)


def _centre(box: tuple[float, float, float, float]) -> tuple[float, float, float]:
    x, y, width, height = box
    return x + width / 2, y + height / 2, max(width, height)
