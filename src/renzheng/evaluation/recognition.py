"""`renzheng evaluate` on pairs: acquire, compare, count, and say how far the numbers can be trusted."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from renzheng.engine import packs
from renzheng.engine.embedding import centred, similarity
from renzheng.engine.packs import Calibration
from renzheng.evaluation import acquisition, bootstrap
from renzheng.evaluation.acquisition import STAGES, Acquired
from renzheng.evaluation.calibration import calibrate, promised_fmr
from renzheng.evaluation.matching import KEPT, Matched, match
from renzheng.evaluation.pairs import Pairs
from renzheng.evaluation.rates import (
    CONFIDENCE,
    GRID,
    Comparisons,
    ErrorCounts,
    Rate,
    Reals,
    area_under_roc,
    best_accuracy,
    bound_without_errors,
    count_errors,
    equal_error,
    every_threshold,
    rate,
    with_failures,
)
from renzheng.evaluation.results import (
    FORMAT,
    BestThreshold,
    Curve,
    Data,
    EqualError,
    Histogram,
    Point,
    Recognition,
    Run,
    Timing,
    significant,
)

SCORES = (50.0, 55.0, 60.0, 65.0, 70.0, 75.0, 80.0, 85.0, 90.0)
"""Scores whose rates are in the tables."""
BAR = 0.02  # width of a bar of the histogram, cosine
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Options:
    """`rule`: which face of a photo is meant (`acquisition.FACE_RULES`). `replicates`: bootstrap draws of people."""

    rule: str = "central"
    processes: int = 1
    replicates: int = 1000
    seed: int = 0
    calibrate: bool = False
    kept: int = KEPT


@dataclass(frozen=True)
class Evaluated:
    """`results` for the report, and what the lists of single comparisons are written from."""

    results: Recognition
    pairs: Pairs
    matched: Matched


def evaluate_pairs(
    pairs: Pairs,
    folder: Path,
    *,
    command: str,
    version: str,
    clock: Callable[[], float],
    options: Options | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Evaluated:
    """Run it all. `folder` keeps the embeddings, so that a run that broke off goes on; `progress` gets
    (stage, done, total), the stages being `acquire`, `compare` and `intervals`.

    Raises `packs.PackError` where a model is missing, ValueError where not one comparison could be made.
    """
    options = options or Options()
    began = time.monotonic()
    acquired = acquisition.acquire_all(
        pairs.images,
        folder,
        rule=options.rule,
        processes=options.processes,
        progress=lambda done, total: progress("acquire", done, total),
    )
    scale = _scale()
    embeddings = [None if one.embedding is None else centred(one.embedding, scale) for one in acquired]
    if (usable := sum(embedding is not None for embedding in embeddings)) < 2:
        raise ValueError(f"{usable} of {len(embeddings)} images could be read and show a face: nothing to compare")
    matched = match(pairs, embeddings, kept=options.kept, progress=lambda d, t: progress("compare", d, t))
    if not matched.comparisons.genuine_count and not matched.comparisons.impostor_count:
        raise ValueError("not one comparison could be made: no image gave an embedding")
    run = Run(
        command=command,
        version=version,
        made_at=clock(),
        seconds=0.0,
        packs=[packs.pack_for(part).id for part in ("detection", "embedding")],
        replicates=options.replicates,
        seed=options.seed,
        confidence=CONFIDENCE,
    )
    replicates = bootstrap.draw(
        matched.comparisons,
        thresholds(scale),
        replicates=options.replicates,
        seed=options.seed,
        progress=lambda done, total: progress("intervals", done, total),
    )
    results = measure(pairs, acquired, matched, scale, replicates, run, options)
    took = msgspec.structs.replace(results.run, seconds=round(time.monotonic() - began, 1))
    return Evaluated(msgspec.structs.replace(results, run=took), pairs, matched)


def _scale() -> Calibration:
    calibration = packs.pack_for("embedding").calibration
    if calibration is None:
        raise packs.PackError("the embedding's pack has no calibration, so there are no scores to measure")
    return calibration


def thresholds(scale: Calibration) -> Reals:
    """Return the cosines at which rates are taken: the grid and those of the named scores."""
    return np.unique(np.concatenate([GRID, [cosine_of(score, scale) for score in SCORES]]))


def measure(
    pairs: Pairs,
    acquired: Sequence[Acquired],
    matched: Matched,
    scale: Calibration,
    replicates: bootstrap.Replicates,
    run: Run,
    options: Options,
) -> Recognition:
    """Compute all rates of completed comparisons. `scale` turns cosines into scores; `replicates` are drawn at its
    `thresholds`."""
    comparisons = matched.comparisons
    at = np.searchsorted(replicates.thresholds, [cosine_of(score, scale) for score in SCORES])
    rates = _rates(count_errors(comparisons, replicates.thresholds), replicates)
    acquire, enrol = _failures(pairs, acquired)
    fta = acquire.value or 0.0
    points = [
        _point(score, promise(score, scale), replicates.thresholds[k], rates[0][k], rates[1][k], fta)
        for score, k in zip(SCORES, at, strict=True)
    ]
    curve = _curve(replicates.thresholds, *rates, scale)
    exact = count_errors(comparisons, every_threshold(comparisons))
    return Recognition(
        format=FORMAT,
        run=run,
        data=_data(pairs, acquired, matched, options.rule),
        acquire=acquire,
        enrol=enrol,
        failures=dict(Counter(one.failure for one in acquired if one.failure)),
        timings=_timings(acquired),
        points=points,
        equal_error=_equal_error(exact, replicates, scale),
        # Of all pairs nearly every one is an impostor: an accuracy would say nothing of genuine ones.
        best=_best(exact, scale) if pairs.mode == "pairs" else None,
        area=area_under_roc(comparisons),
        curve=curve,
        histogram=_histogram(comparisons),
        scale=scale.data,
        scale_cosines=list(scale.cosines),
        scale_scores=list(scale.scores),
        calibration=calibrate(comparisons) if options.calibrate else None,
    )


def cosine_of(score: float, scale: Calibration) -> float:
    """Return the cosine at which a score is reached."""
    return float(np.interp(score, scale.scores, scale.cosines))


def _rates(counts: ErrorCounts, replicates: bootstrap.Replicates) -> tuple[list[Rate], list[Rate]]:
    """Return FMR and FNMR with their intervals at each threshold."""
    drawn = replicates.interval(replicates.fmr), replicates.interval(replicates.fnmr)
    fmr = [rate(int(e), counts.impostors, b) for e, b in zip(counts.false_matches, drawn[0], strict=True)]
    fnmr = [rate(int(e), counts.genuines, b) for e, b in zip(counts.false_non_matches, drawn[1], strict=True)]
    return fmr, fnmr


def _point(score: float, promised: float | None, cosine: float, fmr: Rate, fnmr: Rate, fta: float) -> Point:
    far = frr = None
    if fmr.value is not None:
        far = with_failures(fmr.value, 0.0, fta)[0]
    if fnmr.value is not None:
        frr = with_failures(0.0, fnmr.value, fta)[1]
    return Point(score, round(float(cosine), 6), fmr, fnmr, far, frr, promised, agreement(fmr, promised))


def promise(score: float, scale: Calibration) -> float | None:
    """Return the FMR that the scale stands for at a score; None on its two ends, which are lines that claim no rate."""
    return promised_fmr(score) if scale.scores[1] <= score <= scale.scores[-2] else None


def agreement(fmr: Rate, promised: float | None) -> str:
    """Return whether the measured FMR agrees with the promised one.

    `too_small`: fewer than three errors were expected, and the result is within chance.
    """
    if promised is None or fmr.low is None or fmr.high is None:
        return "too_small"
    if fmr.low > promised:
        return "worse"
    if promised * fmr.trials < 3:
        return "too_small"
    return "better" if fmr.high < promised else "consistent"


def _failures(pairs: Pairs, acquired: Sequence[Acquired]) -> tuple[Rate, Rate]:
    """Return (failure to acquire by image, failure to enrol by person: none of whose images gave an embedding)."""
    good = np.array([one.embedding is not None for one in acquired])
    enrolled = len(np.unique(pairs.person_of[good]))
    everyone = len(np.unique(pairs.person_of))
    return rate(int((~good).sum()), len(good)), rate(everyone - enrolled, everyone)


def _data(pairs: Pairs, acquired: Sequence[Acquired], matched: Matched, rule: str) -> Data:
    comparisons = matched.comparisons
    return Data(
        name=pairs.name,
        mode=pairs.mode,
        images=len(pairs.images),
        people=comparisons.people,
        genuine=comparisons.genuine_count,
        impostor=comparisons.impostor_count,
        genuine_lost=matched.genuine_lost,
        impostor_lost=matched.impostor_lost,
        face_rule=rule,
        several_faces=sum(one.several for one in acquired),
        contradictions=pairs.contradictions,
    )


def _timings(acquired: Sequence[Acquired]) -> dict[str, Timing]:
    """Return the timings of images that gave an embedding, so that every stage ran."""
    spent = np.array([one.milliseconds for one in acquired if one.embedding is not None])
    if not len(spent):
        return {}
    columns = zip(STAGES, spent.T, strict=True)
    return {name: timing(column) for name, column in columns}


def timing(milliseconds: Reals) -> Timing:
    return Timing(
        len(milliseconds),
        round(float(np.median(milliseconds)), 2),
        round(float(np.quantile(milliseconds, 0.95)), 2),
    )


def _equal_error(exact: ErrorCounts, replicates: bootstrap.Replicates, scale: Calibration) -> EqualError | None:
    if not exact.genuines or not exact.impostors:
        return None
    value, cosine = equal_error(exact.thresholds, exact.fmr, exact.fnmr)
    low, high = replicates.equal_error() or (None, None)
    if value == 0:
        # No error of either kind: what the smaller side could hide.
        low, high = 0.0, bound_without_errors(min(exact.genuines, exact.impostors))
    return EqualError(value, low, high, round(cosine, 6), round(similarity(cosine, scale), 2))


def _best(exact: ErrorCounts, scale: Calibration) -> BestThreshold | None:
    if not exact.genuines or not exact.impostors:
        return None
    errors, cosine = best_accuracy(exact)
    accuracy = rate(errors, exact.genuines + exact.impostors).complement
    return BestThreshold(accuracy, round(cosine, 6), round(similarity(cosine, scale), 2))


def _curve(thresholds: Reals, fmr: list[Rate], fnmr: list[Rate], scale: Calibration) -> Curve:
    """Return every fifth step of the grid and the named scores, from where impostors become rare: enough for a plot."""
    wanted = [
        k
        for k, value in enumerate(thresholds)
        if value >= -0.3 and (round(float(value) * 1000) % 5 == 0 or not np.isclose(GRID, value).any())
    ]

    def column(rates: list[Rate], name: str) -> list[float]:
        return [significant(float(getattr(rates[k], name) or 0.0)) for k in wanted]

    cosines = [round(float(thresholds[k]), 6) for k in wanted]
    return Curve(
        cosines,
        [round(similarity(cosine, scale), 3) for cosine in cosines],
        *(column(fmr, name) for name in ("value", "low", "high")),
        *(column(fnmr, name) for name in ("value", "low", "high")),
    )


def _histogram(comparisons: Comparisons) -> Histogram:
    edges = np.round(np.arange(-0.5, 1.0 + BAR / 2, BAR), 3)
    inside = edges[0], np.nextafter(edges[-1], -1)
    genuine = np.histogram(np.clip(comparisons.genuine, *inside), edges)[0]
    impostor = np.histogram(np.clip(comparisons.impostor, *inside), edges)[0]
    below = np.histogram(np.clip(GRID + 0.0005, *inside), edges, weights=comparisons.below)[0]
    return Histogram(edges.tolist(), genuine.tolist(), (impostor + below).astype(int).tolist())
