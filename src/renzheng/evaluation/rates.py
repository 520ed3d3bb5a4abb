"""Error rates of face comparison and of attack detection, each with an interval that says how far to trust it.

Terms follow ISO/IEC 19795-1 (FMR, FNMR, FAR, FRR, EER, failure to acquire, failure to enrol) and
ISO/IEC 30107-3 (APCER, BPCER, non-response). A comparison is a match where its score is at or above the
threshold. Arrays in, plain numbers out; nothing here knows an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import msgspec
import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Indices = NDArray[np.int64]

CONFIDENCE = 0.95
EXPECTED_ERRORS = 30
"""Errors that a measured rate must rest on before it may be called a calibration point: with 30 errors the true
rate lies within 30 % of the observed one with 90 % confidence (the rule of 30, ISO/IEC 19795-1)."""

WILSON, BOOTSTRAP, ONE_SIDED = "wilson", "wilson+bootstrap", "one-sided"


class Rate(msgspec.Struct, frozen=True):
    """A proportion: `errors` of `trials`. `value`, `low` and `high` are 0-1, or None where there was no trial.

    `method` is `wilson`, `wilson+bootstrap` (each end the more cautious of the two), or `one-sided` (no error, or
    nothing but errors: the exact bound on one side, which for no error is close to 3 / trials).
    """

    errors: int
    trials: int
    value: float | None
    low: float | None
    high: float | None
    method: str = WILSON

    @property
    def complement(self) -> Rate:
        """The share without error, of the same trials."""
        value, low, high = (None if end is None else 1 - end for end in (self.value, self.high, self.low))
        return Rate(self.trials - self.errors, self.trials, value, low, high, self.method)


def wilson(errors: int, trials: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion (E. B. Wilson, 1927). `trials` at least 1."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = errors / trials
    middle = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)


def bound_without_errors(trials: int, confidence: float = CONFIDENCE) -> float:
    """Return the largest rate that still shows no error in `trials` with probability 1 - confidence.

    Exact: 1 - (1 - confidence) ** (1 / trials); for 95 % this is the rule of three, 3 / trials.
    """
    return -math.expm1(math.log1p(-confidence) / trials)


def rate(
    errors: int, trials: int, bootstrap: tuple[float, float] | None = None, confidence: float = CONFIDENCE
) -> Rate:
    """Return a proportion with its interval. `bootstrap`: the ends of an interval over people, if one was drawn."""
    if not 0 <= errors <= trials:
        raise ValueError(f"{errors} errors of {trials} trials are not a proportion")
    if trials == 0:
        return Rate(0, 0, None, None, None)
    if errors == 0:
        return Rate(0, trials, 0.0, 0.0, bound_without_errors(trials, confidence), ONE_SIDED)
    if errors == trials:
        return Rate(errors, trials, 1.0, 1 - bound_without_errors(trials, confidence), 1.0, ONE_SIDED)
    low, high = wilson(errors, trials, confidence)
    if bootstrap is None:
        return Rate(errors, trials, errors / trials, low, high)
    return Rate(errors, trials, errors / trials, min(low, bootstrap[0]), max(high, bootstrap[1]), BOOTSTRAP)


GRID: Reals = np.round(np.linspace(-1.0, 1.0, 2001), 3)
"""Thresholds at which curves are computed: cosines in steps of 0.001."""


@dataclass(frozen=True)
class Comparisons:
    """The scores of completed comparisons and whom they compared.

    `genuine` (n) and `impostor` (m) are cosines; `genuine_people` (n) and `impostor_people` (m, 2) are indices of
    people below `people`. Of impostor comparisons below `floor` only the counts are kept: `below[k]` are those in
    [GRID[k], GRID[k + 1]); with the smallest floor, -1, every one is in `impostor`. `images_of` (people) is the
    number of images of each where every pair of images was compared, None where a list named the pairs.
    """

    genuine: Reals
    genuine_people: Indices
    impostor: Reals
    impostor_people: Indices
    people: int
    floor: float = -1.0
    below: Indices = field(default_factory=lambda: np.zeros(len(GRID), dtype=np.int64))
    images_of: Indices | None = None

    @property
    def genuine_count(self) -> int:
        return len(self.genuine)

    @property
    def impostor_count(self) -> int:
        return len(self.impostor) + int(self.below.sum())


@dataclass(frozen=True)
class ErrorCounts:
    """Errors at rising thresholds: false matches of `impostors`, false non-matches of `genuines`."""

    thresholds: Reals
    false_matches: Indices
    false_non_matches: Indices
    impostors: int
    genuines: int

    @property
    def fmr(self) -> Reals:
        return self.false_matches / max(self.impostors, 1)

    @property
    def fnmr(self) -> Reals:
        return self.false_non_matches / max(self.genuines, 1)


def count_errors(comparisons: Comparisons, thresholds: Reals) -> ErrorCounts:
    """Count the errors at each threshold (rising). Below the floor, a threshold counts as the next lower step of
    GRID."""
    genuine = np.sort(comparisons.genuine)
    impostor = np.sort(comparisons.impostor)
    matches = len(impostor) - np.searchsorted(impostor, thresholds, side="left")
    above = np.append(np.cumsum(comparisons.below[::-1])[::-1], 0)
    steps = np.clip(np.searchsorted(GRID, thresholds, side="right") - 1, 0, len(GRID))
    matches = matches + np.where(thresholds < comparisons.floor, above[steps], 0)
    return ErrorCounts(
        thresholds,
        matches.astype(np.int64),
        np.searchsorted(genuine, thresholds, side="left").astype(np.int64),
        comparisons.impostor_count,
        comparisons.genuine_count,
    )


def every_threshold(comparisons: Comparisons) -> Reals:
    """Return all thresholds at which a count can change: every score, the steps below the floor, and one above all."""
    scores = [comparisons.genuine, comparisons.impostor]
    if comparisons.below.any():
        scores.append(GRID[comparisons.floor > GRID])
    top = max((float(row.max()) for row in scores if len(row)), default=1.0)
    return np.unique(np.concatenate([*scores, [np.nextafter(top, np.inf)]]))


def equal_error(thresholds: Reals, fmr: Reals, fnmr: Reals) -> tuple[float, float]:
    """Return (rate, threshold) where FMR and FNMR cross, on the straight lines between neighbouring thresholds.

    `fmr` falls and `fnmr` rises. If they do not cross within the thresholds, it is the nearest end.
    """
    gap = fnmr - fmr
    after = int(np.searchsorted(gap >= 0, True))
    if after == 0 or after == len(gap):
        at = min(after, len(gap) - 1)
        return float((fmr[at] + fnmr[at]) / 2), float(thresholds[at])
    before = after - 1
    part = -gap[before] / (gap[after] - gap[before])
    value = fmr[before] + part * (fmr[after] - fmr[before])
    return float(value), float(thresholds[before] + part * (thresholds[after] - thresholds[before]))


def best_accuracy(counts: ErrorCounts) -> tuple[int, float]:
    """Return (errors, threshold) of the threshold with the fewest errors; of several, the middle of the longest run.

    Optimistic by construction: the threshold is chosen on the same comparisons on which it is measured.
    """
    errors = counts.false_matches + counts.false_non_matches
    fewest = int(errors.min())
    at = np.flatnonzero(errors == fewest)
    runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
    # A count holds from the threshold before (exclusive) up to its own.
    spans = [(counts.thresholds[max(run[0] - 1, 0)], counts.thresholds[run[-1]]) for run in runs]
    low, high = max(spans, key=lambda span: span[1] - span[0])
    middle = float((low + high) / 2)
    return fewest, middle if middle > low else float(high)


def area_under_roc(comparisons: Comparisons) -> float | None:
    """Return the probability that a genuine comparison scores above an impostor one (ties count half); None without
    both."""
    if not comparisons.genuine_count or not comparisons.impostor_count:
        return None
    impostor = np.sort(comparisons.impostor)
    low = np.searchsorted(impostor, comparisons.genuine, side="left")
    high = np.searchsorted(impostor, comparisons.genuine, side="right")
    lower = np.append(0, np.cumsum(comparisons.below))
    steps = np.clip(np.searchsorted(GRID, comparisons.genuine, side="right") - 1, 0, len(GRID))
    beaten = (low + high) / 2 + lower[steps]
    return float(beaten.sum() / (comparisons.genuine_count * comparisons.impostor_count))


def with_failures(fmr: float, fnmr: float, fta: float) -> tuple[float, float]:
    """Return (FAR, FRR) of one attempt: a failure to acquire accepts nobody (ISO/IEC 19795-1)."""
    return fmr * (1 - fta), fta + fnmr * (1 - fta)
