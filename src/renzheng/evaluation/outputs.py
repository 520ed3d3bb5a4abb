"""The CSV files of an evaluation: curves, single comparisons, and the comparisons that look most wrong."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from renzheng.engine.embedding import similarity
from renzheng.engine.packs import Calibration
from renzheng.evaluation.matching import Matched
from renzheng.evaluation.pairs import Pairs
from renzheng.evaluation.rates import Rate
from renzheng.evaluation.results import Curve, Filmed, Presentations, Recognition


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], *, private: bool = False) -> None:
    """Write a CSV file. `private`: only its owner may read it, as it names people's images."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600 if private else 0o644)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(header)
        table.writerows(rows)


def write_curve(curve: Curve, path: Path) -> None:
    names = Curve.__struct_fields__
    write_rows(path, names, zip(*(getattr(curve, name) for name in names), strict=True))


def write_points(results: Recognition, path: Path) -> None:
    header = ["score", "cosine", "promised_fmr", "agreement"]
    for name in ("fmr", "fnmr"):
        header += [f"{name}_errors", f"{name}_comparisons", name, f"{name}_low", f"{name}_high", f"{name}_interval"]
    rows = []
    for point in results.points:
        row: list[object] = [point.score, point.cosine, point.promised, point.agreement]
        for found in (point.fmr, point.fnmr):
            row += [found.errors, found.trials, found.value, found.low, found.high, found.method]
        rows.append(row)
    write_rows(path, header, rows)


def write_comparisons(pairs: Pairs, matched: Matched, scale: Calibration, folder: Path, path: Path) -> None:
    """Write every pair of a list with its cosine and score, the largest contradictions to their label first. Names
    images.

    A contradiction is how far a cosine is on the wrong side of score 70.
    """
    assert pairs.first is not None
    assert pairs.second is not None
    assert pairs.same is not None
    assert matched.cosines is not None
    middle = float(np.interp(70.0, scale.scores, scale.cosines))
    against = np.where(pairs.same, matched.cosines - middle, middle - matched.cosines)
    rows = []
    for k in np.argsort(against, kind="stable"):
        cosine = float(matched.cosines[k])
        names = [_relative(pairs.images[side[k]], folder) for side in (pairs.first, pairs.second)]
        scores = ["", ""] if np.isnan(cosine) else [f"{cosine:.6f}", f"{similarity(cosine, scale):.2f}"]
        rows.append([*names, int(pairs.same[k]), *scores])
    write_rows(path, ["a", "b", "same", "cosine", "score"], rows, private=True)


def _relative(path: Path, folder: Path) -> str:
    try:
        return str(path.relative_to(folder))
    except ValueError:
        return str(path)


def write_attacks(results: Presentations, path: Path) -> None:
    header = ["type", "presentations", "people", "errors", "classified", "error_rate", "low", "high", "no_response"]
    rows = [_attack_row("genuine (BPCER)", results.genuine, results.genuine_people, results.bpcer, results.no_response)]
    rows += [_attack_row(a.name, a.presentations, a.people, a.apcer, a.no_response) for a in results.attacks]
    write_rows(path, header, rows)


def _attack_row(name: str, presentations: int, people: int, found: Rate, silent: Rate) -> list[object]:
    return [name, presentations, people, found.errors, found.trials, found.value, found.low, found.high, silent.errors]


def write_presentations(filmed: Filmed, path: Path) -> None:
    """Write every presentation of the clips, with its verdict, its reasons and its measures."""
    measures = list(dict.fromkeys(name for one in filmed.listed for name in one.values))
    rows = [
        [one.name, one.person, one.attack or "real", one.verdict, ", ".join(one.stopped_by), "; ".join(one.causes)]
        + [str(one.values.get(name, "")) for name in measures]
        for one in filmed.listed
    ]
    write_rows(path, ["presentation", "person", "kind", "verdict", "stopped_by", "causes", *measures], rows)
