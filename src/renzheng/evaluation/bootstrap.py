"""Intervals over people: what the error rates would have been, had other people taken part.

Comparisons that share a person are not independent, so people are drawn, not comparisons: in every replicate a
person counts as often as drawn, a genuine comparison with the count of its person, an impostor comparison with
the product of both counts. The product is cautious: where no two comparisons share a person it overstates the
variance (A. B. Owen, The pigeonhole bootstrap, 2007).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from renzheng.evaluation.rates import CONFIDENCE, Comparisons, Indices, Reals, equal_error


@dataclass(frozen=True)
class Replicates:
    """FMR and FNMR of each replicate (rows) at each threshold (columns); NaN where it had no comparison.

    FMR is NaN below the floor of the comparisons, where it is not known who was compared.
    """

    thresholds: Reals
    fmr: Reals
    fnmr: Reals

    def interval(self, rates: Reals, confidence: float = CONFIDENCE) -> list[tuple[float, float] | None]:
        """Return the percentile interval by column; None if fewer than half of the replicates have a number."""
        tail = (1 - confidence) / 2
        found: list[tuple[float, float] | None] = []
        for column in rates.T:
            known = column[np.isfinite(column)]
            enough = len(known) * 2 > len(column)
            found.append((float(np.quantile(known, tail)), float(np.quantile(known, 1 - tail))) if enough else None)
        return found

    def equal_error(self, confidence: float = CONFIDENCE) -> tuple[float, float] | None:
        """Return the percentile interval of the equal error rate; None if it does not exist."""
        known = np.isfinite(self.fmr).all(axis=0)
        values = [
            equal_error(self.thresholds[known], fmr, fnmr)[0]
            for fmr, fnmr in zip(self.fmr[:, known], self.fnmr[:, known], strict=True)
            if np.isfinite(fnmr).all() and len(fmr)
        ]
        return self.interval(np.array(values)[:, None], confidence)[0] if values else None


def draw(
    comparisons: Comparisons,
    thresholds: Reals,
    *,
    replicates: int = 1000,
    seed: int = 0,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replicates:
    """Resample people with replacement. The same seed gives the same numbers. `thresholds` rise.

    `progress` is called with (done, total) after each draw.
    """
    random = np.random.default_rng(seed)
    steps = len(thresholds)
    genuine = np.searchsorted(thresholds, comparisons.genuine, side="right")
    impostor = np.searchsorted(thresholds, comparisons.impostor, side="right")
    first, second = comparisons.impostor_people[:, 0], comparisons.impostor_people[:, 1]
    fmr = np.full((replicates, steps), np.nan)
    fnmr = np.full((replicates, steps), np.nan)
    chances = np.full(comparisons.people, 1 / max(comparisons.people, 1))
    for row in range(replicates if comparisons.people else 0):
        times = random.multinomial(comparisons.people, chances).astype(np.float64)
        weights = times[comparisons.genuine_people]
        if (total := weights.sum()) > 0:
            missed = np.bincount(genuine, weights, minlength=steps + 1)
            fnmr[row] = np.cumsum(missed)[:steps] / total
        weights = times[first] * times[second]
        if (total := _impostor_weight(comparisons, times, weights)) > 0:
            matched = np.bincount(impostor, weights, minlength=steps + 1)
            fmr[row] = np.cumsum(matched[::-1])[::-1][1:] / total
        progress(row + 1, replicates)
    if comparisons.below.any():
        fmr[:, thresholds < comparisons.floor] = np.nan
    return Replicates(thresholds, fmr, fnmr)


def _impostor_weight(comparisons: Comparisons, times: Reals, weights: Reals) -> float:
    """Return the weight of all impostor comparisons of a replicate, including those below the floor."""
    if comparisons.images_of is None:
        return float(weights.sum())
    images = times * comparisons.images_of
    return float((images.sum() ** 2 - (images**2).sum()) / 2)


def share(
    errors: Indices, people: Indices, *, replicates: int = 1000, seed: int = 0, confidence: float = CONFIDENCE
) -> tuple[float, float] | None:
    """Return the percentile interval of a share of trials. `errors` (n): 0 or 1. `people` (n): whose trial each was.

    None if fewer than two people took part.
    """
    _, of = np.unique(people, return_inverse=True)
    count = int(of.max()) + 1 if len(of) else 0
    if count < 2:
        return None
    wrong = np.bincount(of, errors, minlength=count)
    tried = np.bincount(of, minlength=count)
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=replicates)
    shares = (times @ wrong) / (times @ tried)
    tail = (1 - confidence) / 2
    return float(np.quantile(shares, tail)), float(np.quantile(shares, 1 - tail))


def compact(*columns: Indices) -> tuple[list[Indices], int]:
    """Renumber people so that only those who take part are drawn. Returns the columns, and how many people there
    are."""
    people, inverse = np.unique(np.concatenate([column.ravel() for column in columns]), return_inverse=True)
    sizes = np.cumsum([column.size for column in columns])[:-1]
    parts = np.split(inverse.ravel(), sizes)
    return [part.reshape(column.shape) for part, column in zip(parts, columns, strict=True)], len(people)
