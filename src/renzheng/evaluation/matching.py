"""Embeddings -> scores: the pairs of a list, or every pair, of which only the high impostor scores are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from renzheng.engine.runtimes import Floats
from renzheng.evaluation.bootstrap import compact
from renzheng.evaluation.pairs import Pairs
from renzheng.evaluation.rates import GRID, Comparisons, Indices, Reals

KEPT = 2_000_000
"""Impostor comparisons of which score and people are kept. Lower ones are counted in a histogram."""
AT_ONCE = 8_000_000  # scores held at a time, about 100 MB with what is computed on them

Progress = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Matched:
    """`comparisons` for the rates; `cosines` (n) of a list's pairs in its order, NaN where one was not compared;
    `genuine_lost` and `impostor_lost`: comparisons that failed as an image gave no embedding."""

    comparisons: Comparisons
    genuine_lost: int
    impostor_lost: int
    cosines: Reals | None = None


def match(pairs: Pairs, embeddings: list[Floats | None], *, kept: int = KEPT, progress: Progress = _ignore) -> Matched:
    """Make all comparisons of `pairs`. `embeddings`: in the order of its images; None if there is none."""
    if pairs.first is None:
        return _every_pair(pairs, embeddings, kept, progress)
    return _listed(pairs, embeddings)


def _listed(pairs: Pairs, embeddings: list[Floats | None]) -> Matched:
    assert pairs.first is not None
    assert pairs.second is not None
    assert pairs.same is not None
    acquired = np.array([embedding is not None for embedding in embeddings])
    table = _table(embeddings)
    whole = acquired[pairs.first] & acquired[pairs.second]
    cosines = np.clip(np.einsum("nd,nd->n", table[pairs.first], table[pairs.second]).astype(np.float64), -1, 1)
    cosines[~whole] = np.nan
    genuine, impostor = whole & pairs.same, whole & ~pairs.same
    people = np.stack([pairs.person_of[pairs.first], pairs.person_of[pairs.second]], axis=1)
    (of_genuine, of_impostor), count = compact(people[genuine, 0], people[impostor])
    comparisons = Comparisons(cosines[genuine], of_genuine, cosines[impostor], of_impostor, count)
    lost = ~whole
    return Matched(comparisons, int((lost & pairs.same).sum()), int((lost & ~pairs.same).sum()), cosines)


def _table(embeddings: list[Floats | None]) -> Floats:
    size = next((len(embedding) for embedding in embeddings if embedding is not None), 1)
    nothing = np.zeros(size, np.float32)
    return np.stack([nothing if embedding is None else embedding for embedding in embeddings])


def _every_pair(pairs: Pairs, embeddings: list[Floats | None], kept: int, progress: Progress) -> Matched:
    acquired = np.array([embedding is not None for embedding in embeddings])
    table = _table(embeddings)[acquired]
    (person_of,), people = compact(pairs.person_of[acquired])
    total, lost = _pair_counts(person_of, people), _pair_counts(pairs.person_of, pairs.people)
    blocks = 2 * len(_starts(table))
    histogram = np.zeros(len(GRID), dtype=np.int64)
    for done, (_, scores, wanted) in enumerate(_impostors(table, person_of)):
        histogram += np.bincount(_step(scores[wanted]), minlength=len(GRID))
        progress(done + 1, blocks)
    floor = _floor(histogram, kept)
    tail: list[tuple[Reals, Indices, Indices]] = []
    for done, (start, scores, wanted) in enumerate(_impostors(table, person_of)):
        rows, columns = np.nonzero(wanted & (scores >= np.float32(GRID[floor] - 0.0005)))
        high = _step(scores[rows, columns]) >= floor
        rows, columns = rows[high], columns[high]
        cosines = np.clip(scores[rows, columns].astype(np.float64), -1, 1)
        tail.append((cosines, person_of[start + rows], person_of[start + columns]))
        progress(blocks // 2 + done + 1, blocks)
    genuine, of_genuine = _genuine(table, person_of)
    histogram[floor:] = 0
    comparisons = Comparisons(
        genuine,
        of_genuine,
        np.concatenate([row[0] for row in tail]),
        np.stack([np.concatenate([row[side] for row in tail]) for side in (1, 2)], axis=1),
        people,
        float(GRID[floor]),
        histogram,
        np.bincount(person_of, minlength=people),
    )
    return Matched(comparisons, lost[0] - total[0], lost[1] - total[1])


def _step(scores: NDArray[np.float32]) -> Indices:
    """Return the step of GRID that contains a score. float32 is widened first, so that both passes agree."""
    return np.clip(np.searchsorted(GRID, scores.astype(np.float64), side="right") - 1, 0, len(GRID) - 1)


def _floor(histogram: Indices, kept: int) -> int:
    """Return the lowest step above which there are at most `kept` comparisons."""
    above = np.cumsum(histogram[::-1])[::-1]
    return int(np.argmax(above <= kept)) if above[-1] <= kept else len(GRID) - 1


def _pair_counts(person_of: Indices, people: int) -> tuple[int, int]:
    """Return the numbers of (genuine, impostor) pairs among images of these people."""
    sizes = [int(size) for size in np.bincount(person_of, minlength=people)]
    images, genuine = sum(sizes), sum(size * (size - 1) // 2 for size in sizes)
    return genuine, images * (images - 1) // 2 - genuine


def _starts(table: Floats) -> range:
    return range(0, len(table), max(1, AT_ONCE // max(len(table), 1)))


def _impostors(table: Floats, person_of: Indices) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield (start, scores, wanted) by block of rows from `start`. Column k is image start + k; each pair is wanted
    once."""
    starts = _starts(table)
    for start in starts:
        stop = min(start + starts.step, len(table))
        scores = table[start:stop] @ table[start:].T
        later = np.arange(stop - start)[:, None] < np.arange(len(table) - start)[None, :]
        yield start, scores, later & (person_of[start:stop, None] != person_of[None, start:])


def _genuine(table: Floats, person_of: Indices) -> tuple[Reals, Indices]:
    """Return scores and person of all pairs of one person's images."""
    scores: list[Reals] = []
    people: list[Indices] = []
    order = np.argsort(person_of, kind="stable")
    starts = np.flatnonzero(np.diff(person_of[order], prepend=-1))
    for images in np.split(order, starts[1:]):
        rows, columns = np.triu_indices(len(images), 1)
        scores.append((table[images] @ table[images].T)[rows, columns].astype(np.float64))
        people.append(person_of[images[rows]])
    return np.clip(np.concatenate(scores), -1, 1), np.concatenate(people)
