"""Continuity: one face, the same person, no jump, no loop, plausible times - from the first frame to the last.

A camera's noise never gives the same picture twice; a picture that comes back is a recording that loops. Just
after itself the same picture is common, as pages read slow cameras faster than they see, so that counts only as
standing still.

Times are times of arrival. A line that stalls delivers its frames in a burst, and how long ago each was taken is lost:
no earlier than the last frame before the burst came, no later than it came itself. What lies between two frames
therefore has all the time since before the earlier one's burst. At an even pace that is two intervals, always.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise

from .limits import ContinuityLimits
from .liveness import Glance
from .measurement import Continuity, Turn
from .runtimes import Image

BURST_SECONDS = 0.05
"""Frames that arrive within this time, or within half of the mean interval if that is less, form one burst."""
MIN_SECONDS = 0.1
PAUSE_INTERVALS = 3.0
"""A pause counts as at most this many usual intervals without a face: the rest is the network's."""
SAMPLED_ROWS = 32
"""A picture's digest reads every so many rows, whole ones, as they are contiguous in memory."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A digest that recognises an identical picture."""

    digest: bytes

    @classmethod
    def of(cls, image: Image) -> Picture:
        return cls(blake2b(image[::SAMPLED_ROWS].tobytes(), digest_size=16).digest())


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame with what continuity needs of it. ``at``: seconds."""

    at: float
    glance: Glance
    picture: Picture


def measure_continuity(
    seen: Sequence[Moment],
    frontal: Sequence[float],
    turned: Sequence[float],
    limits: ContinuityLimits,
    turn: Turn | None = None,
    link: float | None = None,
) -> Continuity:
    """Measure the continuity of a sequence.

    ``seen``: all frames in order; ``frontal``: cosines among the compared frames; ``turned``: cosines of the turned
    frames to the first of them; ``turn``: the course of the turn, if one was asked; ``link``: the weakest link of the
    chain of faces (see ``identity``), if there is one.
    """
    found = [(moment.at, moment.glance) for moment in seen if moment.glance.box is not None]
    speed, growth = fastest(found)
    gap = without_face(seen, limits.gap, PAUSE_INTERVALS * mean_interval([moment.at for moment in seen]))
    repeated, frozen = repetition(seen)
    disorder = sum(later.at < earlier.at for earlier, later in pairwise(seen))
    low_frontal, low_turned = min(frontal, default=None), min(turned, default=None)
    turning = fastest_turn(found)
    faults = {
        "frontal": low_frontal is None or low_frontal < limits.frontal,
        "turned": low_turned is None or low_turned < limits.turned,
        "link": link is not None and link < limits.link,
        "speed": speed > limits.speed,
        "growth": growth > limits.growth,
        "yaw_speed": turning > limits.yaw_speed,
        "sudden": turn is not None and turn.between < limits.between,
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
        link=link,
        link_threshold=limits.link,
    )


def without_face(seen: Sequence[Moment], silence: float, pause: float = math.inf) -> float:
    """Return the longest time, in seconds, in which frames came but showed no face.

    If no frame came at all for more than ``silence`` seconds, the connection was lost. That time is the network's, not
    the person's: the step's deadline bounds it, and whoever is seen afterwards is compared like everybody else. Each
    shorter wait counts for at most ``pause`` seconds.
    """
    longest = since = 0.0
    for before, moment in pairwise(seen):
        passed = moment.at - before.at
        since += min(passed, pause) if passed <= silence else 0.0
        longest = max(longest, since)
        if moment.glance.box is not None:
            since = 0.0
    return longest


def mean_interval(times: Sequence[float], silence: float = 1.0) -> float:
    """Return the mean seconds between frames, without silences; infinite if there are not two frames."""
    waits = [later - earlier for earlier, later in pairwise(times) if later - earlier <= silence]
    return sum(waits) / len(waits) if waits else math.inf


def repetition(seen: Sequence[Moment]) -> tuple[int, float]:
    """Return how many pictures had occurred before (not just before), and the longest time without any change."""
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


def allowances(times: Sequence[float]) -> list[float]:
    """Return, for each frame but the first, the seconds that may lie between it and the one before; see the module."""
    together = min(BURST_SECONDS, mean_interval(times) / 2)
    found, since = [], None
    for number in range(1, len(times)):
        if number > 1 and times[number - 1] - times[number - 2] > together:
            since = times[number - 2]
        # Nothing is known before the first frame; it is assumed to have come at the pace of the next.
        begin = 2 * times[number - 1] - times[number] if since is None else since
        found.append(max(times[number] - begin, MIN_SECONDS))
    return found


def fastest(found: Sequence[tuple[float, Glance]]) -> tuple[float, float]:
    """Return the fastest move (face sizes per second) and growth (factor per second) between neighbouring frames."""
    speed, growth = 0.0, 1.0
    for seconds, first, second in _neighbours(found):
        if first.box is None or second.box is None:
            continue
        (x, y, size), (x_next, y_next, size_next) = _centre(first.box), _centre(second.box)
        way = ((x_next - x) ** 2 + (y_next - y) ** 2) ** 0.5 / max(size, 1.0)
        speed = max(speed, way / seconds)
        factor = max(size_next / max(size, 1.0), size / max(size_next, 1.0))
        growth = max(growth, 1 + (factor - 1) / seconds)
    return speed, growth


def fastest_turn(found: Sequence[tuple[float, Glance]]) -> float:
    """Return the fastest change of the yaw proxy between neighbouring frames, per second."""
    return max((abs(after.yaw - before.yaw) / seconds for seconds, before, after in _neighbours(found)), default=0.0)


def _neighbours(found: Sequence[tuple[float, Glance]]) -> Iterator[tuple[float, Glance, Glance]]:
    """Yield two neighbouring frames, with the time that may lie between them."""
    allowed = allowances([at for at, _ in found])
    for seconds, ((_, first), (_, second)) in zip(allowed, pairwise(found), strict=True):
        yield seconds, first, second


def _centre(box: tuple[float, float, float, float]) -> tuple[float, float, float]:
    x, y, width, height = box
    return x + width / 2, y + height / 2, max(width, height)
