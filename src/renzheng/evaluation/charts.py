"""The plots of the report, each from `results` alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from renzheng.evaluation.calibration import ANCHORS, promised_fmr
from renzheng.evaluation.results import Point, Presentations, Recognition
from renzheng.evaluation.texts import Words, digits
from renzheng.web.svg import Axis, Plot

WIDE, SQUARE = (1000, 430), (480, 410)


def _percent(value: float) -> str:
    return f"{digits(100 * value)}%"


def _decades(low: float, high: float) -> list[tuple[float, str]]:
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    return [(10.0**power, _percent(10.0**power)) for power in range(first, last + 1)]


def _floor_of(trials: int) -> float:
    """Return the power of ten below the smallest rate that so many trials can show."""
    return float(10.0 ** math.floor(math.log10(0.5 / max(trials, 1))))


def _marks(plot: Plot, results: Recognition) -> None:
    for point in results.points:
        if point.score in ANCHORS:
            plot.upright(point.cosine, f"{point.score:g}")


def _cosines(low: float, high: float, step: float) -> list[tuple[float, str]]:
    return [(float(value), f"{value:.1f}".replace("-", "−")) for value in np.arange(low, high + step / 2, step)]


def score_spread(results: Recognition, words: Words) -> str:
    """Draw the histogram of genuine and impostor scores, each as shares of its own total."""
    found = results.histogram
    shares = {
        kind: [count / max(sum(counts), 1) for count in counts]
        for kind, counts in (("impostor", found.impostor), ("genuine", found.genuine))
    }
    top = max(0.05, 1.15 * max(max(row) for row in shares.values()))
    step = 0.05 if top > 0.12 else 0.02
    ticks = [(float(v), _percent(float(v))) for v in np.arange(0, top, step)]
    low = -0.3 if found.edges[0] < -0.3 else found.edges[0]
    x = Axis(low, 1.0, _cosines(-0.2, 1.0, 0.2), words("axis_cosine"))
    plot = Plot(x, Axis(0, top, ticks, words("axis_share")), words("fig_scores"), *WIDE)
    plot.corner(words("axis_score"))
    for kind in ("impostor", "genuine"):
        counts = found.impostor if kind == "impostor" else found.genuine
        titles = [
            f"{words(kind)}: {count:,}  ({one:.2f} … {other:.2f})"
            for count, one, other in zip(counts, found.edges, found.edges[1:], strict=False)
        ]
        plot.area(found.edges, shares[kind], kind, titles)
        peak = max(range(len(shares[kind])), key=shares[kind].__getitem__)
        if shares[kind][peak]:
            at = (found.edges[peak] + found.edges[peak + 1]) / 2
            plot.text(at, shares[kind][peak], words(kind), f"name {kind}", anchor="middle", shift=(0, -8))
    _marks(plot, results)
    return plot.render()


def error_rates(results: Recognition, words: Words) -> str:
    """Draw FMR and FNMR over the threshold, logarithmic, with their intervals and the scale's promise."""
    curve, data = results.curve, results.data
    low = min(_floor_of(data.impostor), _floor_of(data.genuine), 1e-3)
    x = Axis(0.15, 0.85, _cosines(0.2, 0.8, 0.1), words("axis_cosine"))
    plot = Plot(x, Axis(low, 1.0, _decades(low, 1.0), words("axis_rate"), log=True), words("fig_rates"), *WIDE)
    plot.corner(words("axis_score"))
    inside = [k for k, cosine in enumerate(curve.cosines) if x.low <= cosine <= x.high]
    xs = [curve.cosines[k] for k in inside]
    columns = (
        ("impostor", data.impostor, curve.fmr, curve.fmr_low, curve.fmr_high),
        ("genuine", data.genuine, curve.fnmr, curve.fnmr_low, curve.fnmr_high),
    )
    for kind, trials, value, lower, upper in columns:
        if not trials:
            continue
        plot.band(xs, [max(lower[k], low) for k in inside], [upper[k] for k in inside], kind)
        seen = [(curve.cosines[k], value[k]) for k in inside if value[k] > 0]
        plot.line(seen, kind)
        name = words("fmr" if kind == "impostor" else "fnmr")
        # The names stand where the two lines are far apart: each at the end where its rate is high.
        high = [at for at in seen if (at[1] <= 0.1 if kind == "impostor" else at[1] >= 0.15)]
        at = high[0] if high else (x.low, low)
        side, shift = ("start", (14.0, -4.0)) if kind == "impostor" else ("end", (-10.0, -14.0))
        plot.text(*at, name, f"name {kind}", anchor=side, shift=shift)
    promised = _promise(results)
    plot.line([(cosine, fmr) for cosine, fmr in promised if fmr >= low], "promise")
    _marks(plot, results)
    return plot.render()


def _promise(results: Recognition) -> list[tuple[float, float]]:
    """Return (cosine, FMR) of the scale, for the scores at which it makes a promise."""
    kept = [point.score for point in results.points if point.promised is not None]
    if not kept:
        return []
    scores = np.arange(kept[0], kept[-1] + 0.5, 0.5)
    cosines = np.interp(scores, results.scale_scores, results.scale_cosines)
    return [(float(cosine), promised_fmr(float(score))) for cosine, score in zip(cosines, scores, strict=True)]


def _title(point: Point, words: Words) -> str:
    fmr, fnmr = point.fmr, point.fnmr
    return (
        f"{words('score')} {point.score:g} · FMR {words.percent(fmr.value or 0)} ({words.range(fmr)}) · "
        f"FNMR {words.percent(fnmr.value or 0)} ({words.range(fnmr)})"
    )


def _operating(results: Recognition) -> list[Point]:
    return [p for p in results.points if p.score in ANCHORS and p.fmr.value is not None and p.fnmr.value is not None]


def _kind(point: Point) -> str:
    """Return the marker's class: hollow if a rate is 0, as the point is then on the edge of the plot, not at its
    value."""
    return "score" if point.fmr.errors and point.fnmr.errors else "score hollow"


def trade_off(results: Recognition, words: Words) -> str:
    """Draw the DET: FNMR over FMR, both logarithmic, the equal error rate, and the marked scores with their
    intervals."""
    curve, data = results.curve, results.data
    low_x, low_y = _floor_of(data.impostor), min(_floor_of(data.genuine), 1e-2)
    high = 1.0
    x = Axis(low_x, high, _decades(low_x, high), words("axis_fmr"), log=True)
    plot = Plot(
        x, Axis(low_y, high, _decades(low_y, high), words("axis_fnmr"), log=True), words("fig_det"), *SQUARE, top=16
    )
    start = max(low_x, low_y)
    plot.line([(start, start), (high, high)], "diagonal")
    points = [(a, b) for a, b in zip(curve.fmr, curve.fnmr, strict=True) if a > 0 and b > 0]
    plot.line(points, "curve")
    if results.equal_error is not None and results.equal_error.value > 0:
        value = results.equal_error.value
        plot.text(value, value, f"EER {words.percent(value)}", "name", shift=(10, -8))
    places: dict[tuple[float, float], list[str]] = {}
    for point in _operating(results):
        fmr, fnmr = point.fmr, point.fnmr
        at = max(fmr.value or 0, low_x), max(fnmr.value or 0, low_y)
        ends = [(max(r.low or 0, least), r.high or 0) for r, least in ((fmr, low_x), (fnmr, low_y))]
        plot.cross(at, ends[0], ends[1], _kind(point), _title(point, words))
        places.setdefault(at, []).append(f"{point.score:g}")
    for at, scores in places.items():
        plot.text(*at, " · ".join(scores), "name score", shift=(9, -8))
    return plot.render()


def characteristic(results: Recognition, words: Words) -> str:
    """Draw the ROC: true match rate over FMR, the latter logarithmic."""
    curve, data = results.curve, results.data
    low_x = _floor_of(data.impostor)
    rates = [1 - value for value, fmr in zip(curve.fnmr, curve.fmr, strict=True) if fmr > 0]
    shown = [1 - (point.fnmr.high or 0) for point in _operating(results)]
    low_y = max(0.0, math.floor(20 * min([*rates, *shown, 0.95])) / 20)
    step = 0.01 if low_y >= 0.93 else 0.05 if low_y >= 0.7 else 0.2
    ticks = [(float(v), _percent(float(v))) for v in np.arange(low_y, 1 + step / 2, step)]
    x = Axis(low_x, 1.0, _decades(low_x, 1.0), words("axis_fmr"), log=True)
    plot = Plot(x, Axis(low_y, 1.0, ticks, words("axis_tar")), words("fig_roc"), *SQUARE, top=16)
    plot.line([(a, 1 - b) for a, b in zip(curve.fmr, curve.fnmr, strict=True) if a > 0], "curve")
    places: dict[tuple[float, float], list[str]] = {}
    for point in _operating(results):
        fmr, tar = point.fmr, point.fnmr.complement
        at = max(fmr.value or 0, low_x), tar.value or 0
        ends = (max(fmr.low or 0, low_x), fmr.high or 0), (tar.low or 0, tar.high or 1)
        plot.cross(at, ends[0], ends[1], _kind(point), _title(point, words))
        places.setdefault(at, []).append(f"{point.score:g}")
    for at, scores in places.items():
        plot.text(*at, " · ".join(scores), "name score", shift=(9, 16))
    return plot.render()


def attack_rates(results: Presentations, words: Words) -> str:
    """Draw APCER by type, and BPCER below, each as a point with its interval; empty if there is no rate."""
    rows = [
        (words.maybe("attack", a.name), a.apcer, "impostor")
        for a in results.attacks
        if a.suite is None or a.suite.nature != "uncaught"
    ]
    rows.append((words("genuine_row"), results.bpcer, "genuine"))
    rows = [row for row in rows if row[1].value is not None]
    if not rows:
        return ""
    high = 1.0 if max(r.high or 0 for _, r, _ in rows) > 0.5 else 0.5
    ticks: Sequence[tuple[float, str]] = [(float(v), _percent(float(v))) for v in np.arange(0, high + 0.01, high / 5)]
    height = 60 + 34 * len(rows)
    y = Axis(len(rows) + 0.0, 0.0, [], "")
    plot = Plot(
        Axis(0, high, ticks, "APCER / BPCER"), y, words("fig_attacks"), 1000, height, left=260, right=110, top=12
    )
    for k, (name, found, kind) in enumerate(rows):
        at = k + 0.5
        value = found.value or 0.0
        plot.text(0, at, name, "row-name", anchor="end", shift=(-12, 4))
        title = f"{name}: {words('of', errors=found.errors, trials=found.trials)}, {words.range(found)}"
        plot.cross((value, at), (found.low or 0, found.high or 0), (at, at), kind, title)
        plot.text(found.high or 0, at, words("of", errors=found.errors, trials=found.trials), "tick", shift=(10, 4))
    return plot.render()
