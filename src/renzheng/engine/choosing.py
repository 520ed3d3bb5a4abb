"""Chooses the frames to compare with the photo: the best frontal one of each step, so that they span the sequence.

They are filled up to three with second bests that are at least ``apart`` seconds away.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from .frames import FrameMeasurement
from .landmarks import Mesh
from .measurement import Quality

NEUTRAL_PITCH = 0.15
"""Difference from the neutral pitch at which a frame is worth a third for comparison."""


@dataclass(frozen=True, slots=True)
class FrontalFrame:
    """A frontal frame and its worth for comparison: 0-1, higher is better."""

    index: int
    step: int
    at: float
    score: float
    quality: Quality
    mesh: Mesh


@dataclass(frozen=True, slots=True)
class NeutralFace:
    """What of the neutral face decides a frame's worth; None if it was not seen."""

    lids: float | None = None
    pitch: float | None = None

    @classmethod
    def of(cls, neutral: Sequence[Mesh]) -> NeutralFace:
        if not neutral:
            return cls()
        return cls(median(sum(mesh.eye_openings) for mesh in neutral), median(mesh.pitch for mesh in neutral))


def worth(frame: FrameMeasurement, rest: NeutralFace, mouth_wide: float) -> float:
    """Return the worth of a frame with a face: its quality, reduced for a wide mouth, shut eyes or a nod."""
    assert frame.mesh is not None
    assert frame.quality is not None
    factor = 0.5 if frame.mesh.mouth_opening > mouth_wide else 1.0
    if rest.lids is not None and rest.pitch is not None:
        factor *= min(1.0, sum(frame.mesh.eye_openings) / max(rest.lids, 1e-6)) ** 2
        factor *= math.exp(-(((frame.mesh.pitch - rest.pitch) / NEUTRAL_PITCH) ** 2))
    return factor * frame.quality.score


def two_best(candidates: Sequence[FrontalFrame], apart: float) -> list[FrontalFrame]:
    """Return the best frame of a step and the best of those ``apart`` seconds from it, in the order of their time."""
    best: list[FrontalFrame] = []
    for one in candidates:
        near = [other for other in best if abs(other.at - one.at) < apart]
        least = max((other.score for other in near), default=best[1].score if len(best) == 2 else 0.0)
        if one.score > least:
            kept = [*(other for other in best if other not in near), one]
            best = sorted(kept, key=lambda other: (-other.score, other.index))[:2]
    return best


def chosen(ranked: Sequence[Sequence[FrontalFrame]], most: int) -> list[FrontalFrame]:
    """Return the frames to compare, in order, from each step's two best."""
    ranks = ([row[rank] for row in ranked if len(row) > rank] for rank in (0, 1))
    ordered = [one for row in ranks for one in sorted(row, key=lambda one: (-one.score, one.index))]
    return sorted(ordered[:most], key=lambda one: one.index)
