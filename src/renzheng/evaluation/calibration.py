"""Cosine -> score, derived from impostor comparisons, and refused where the data is too small to bear it.

The scale is `packs.Calibration`'s: score = 30 - 10 log10(FMR), so that two different people reach 60 once in a
thousand comparisons, 70 once in ten thousand, 80 once in a hundred thousand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from renzheng.evaluation.rates import EXPECTED_ERRORS, GRID, Comparisons

SCORES = (50.0, 55.0, 60.0, 62.5, 65.0, 67.5, 70.0, 72.5, 75.0, 77.5, 80.0, 82.5, 85.0)
"""Scores of the points that are attempted. Between them the scale is a straight line."""
ANCHORS = (60.0, 70.0, 80.0)
"""The best-known scores of the scale. Data that does not support the lowest gives no table at all."""


def promised_fmr(score: float) -> float:
    """Return the false match rate that a score stands for."""
    return float(10.0 ** ((30.0 - score) / 10.0))


class CalibrationPoint(msgspec.Struct, frozen=True):
    """`cosine` is the lowest at which the observed FMR is at most `fmr`; `errors` impostors reach it."""

    score: float
    fmr: float
    cosine: float
    errors: int


class UnwrittenPoint(msgspec.Struct, frozen=True):
    """A point that was not written: it would rest on `expected` errors; `needed` impostor comparisons bear it."""

    score: float
    fmr: float
    expected: float
    needed: int

    def __str__(self) -> str:
        return (
            f"score {self.score:g} (FMR {self.fmr:.3g}) is refused: {self.expected:.3g} expected errors, "
            f"at least {EXPECTED_ERRORS} are needed, which takes {self.needed:,} impostor comparisons"
        )


class CalibrationTable(msgspec.Struct, frozen=True):
    """What the data bears. `usable`: the lowest anchor is among the points, so the table may go into a model pack."""

    points: list[CalibrationPoint]
    refused: list[UnwrittenPoint]

    @property
    def usable(self) -> bool:
        return any(point.score == ANCHORS[0] for point in self.points)


def calibrate(comparisons: Comparisons, expected_errors: int = EXPECTED_ERRORS) -> CalibrationTable:
    """Return every point of SCORES with at least `expected_errors`, and what the others would need."""
    points: list[CalibrationPoint] = []
    refused: list[UnwrittenPoint] = []
    descending = np.sort(comparisons.impostor)[::-1]
    for score in SCORES:
        fmr = promised_fmr(score)
        expected = fmr * comparisons.impostor_count
        # A hair of tolerance: 0.0001 x 300,000 must count as 30.
        if expected < expected_errors * (1 - 1e-9):
            refused.append(UnwrittenPoint(score, fmr, expected, math.ceil(expected_errors / fmr * (1 - 1e-9))))
            continue
        allowed = int(expected * (1 + 1e-9))
        cosine = _cosine_of(comparisons, descending, allowed)
        errors = int(np.searchsorted(-descending, -cosine, side="right")) if cosine >= comparisons.floor else allowed
        if points and cosine <= points[-1].cosine:
            continue  # ties in the data: a table must rise strictly
        points.append(CalibrationPoint(score, fmr, cosine, errors))
    return CalibrationTable(points, refused)


def _cosine_of(comparisons: Comparisons, descending: np.ndarray, allowed: int) -> float:
    """Return the lowest cosine that at most `allowed` impostors reach, rounded up to four digits."""
    if allowed < len(descending):
        return (math.floor(float(descending[allowed]) * 1e4) + 1) / 1e4
    above = np.cumsum(comparisons.below[::-1])[::-1] + len(descending)
    fitting = np.flatnonzero(above <= allowed)
    return float(GRID[fitting[0]]) if len(fitting) else float(comparisons.floor)


def as_toml(
    table: CalibrationTable, *, data: str, images: int, genuine: int, impostor: int, centre: Sequence[float] = ()
) -> str:
    """Return the `[pack.calibration]` block of a model pack's manifest. Raises ValueError if the table is not usable.

    `centre`: what was subtracted from the embeddings; without it the cosines would mean something else. From 0 to the
    lowest point, and from the highest to 100, the scale is a line that claims no rate.
    """
    if not table.usable:
        raise ValueError(f"the data does not bear score {ANCHORS[0]:g}, so there is no table to write")
    inner = [point for point in table.points if 0.0 < point.cosine < 1.0]
    cosines = [0.0, *(point.cosine for point in inner), 1.0]
    scores = [0.0, *(point.score for point in inner), 100.0]
    return "\n".join(
        [
            "[pack.calibration]",
            f"data = {msgspec.json.encode(data).decode()}",
            f"images = {images}",
            f"genuine_pairs = {genuine}",
            f"impostor_pairs = {impostor}",
            f"cosines = {cosines}",
            f"scores = {scores}",
            *([f"centre = {list(centre)}"] if centre else []),
            "",
        ]
    )
