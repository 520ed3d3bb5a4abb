"""Intervals over people."""

from __future__ import annotations

import numpy as np
import pytest

from renzheng.evaluation.bootstrap import compact, draw, share
from renzheng.evaluation.rates import Comparisons, count_errors, rate


def population(random: np.random.Generator, people: int, images: int) -> Comparisons:
    """Every person has an own difficulty, so that comparisons of one person go wrong together."""
    ease = random.normal(0.0, 0.1, people)
    of = np.repeat(np.arange(people), images)
    genuine = 0.55 + ease[of] + random.normal(0, 0.05, len(of))
    first, second = np.triu_indices(people, 1)
    impostor = 0.1 + (ease[first] + ease[second]) / 2 + random.normal(0, 0.1, len(first))
    return Comparisons(genuine, of, impostor, np.stack([first, second], axis=1), people)


def test_the_same_seed_gives_the_same_numbers() -> None:
    found = population(np.random.default_rng(1), 30, 4)
    thresholds = np.array([0.2, 0.4])
    one, other = (draw(found, thresholds, replicates=50, seed=5) for _ in range(2))
    assert np.array_equal(one.fmr, other.fmr)
    assert np.array_equal(one.fnmr, other.fnmr)
    assert not np.array_equal(one.fmr, draw(found, thresholds, replicates=50, seed=6).fmr)


def test_replicates_scatter_about_the_measured_rates() -> None:
    found = population(np.random.default_rng(2), 60, 5)
    thresholds = np.array([0.2, 0.45])
    counts = count_errors(found, thresholds)
    drawn = draw(found, thresholds, replicates=2000, seed=0)
    assert drawn.fmr.mean(axis=0) == pytest.approx(counts.fmr, rel=0.1)
    assert drawn.fnmr.mean(axis=0) == pytest.approx(counts.fnmr, rel=0.1)


def test_every_replicate_is_monotone() -> None:
    drawn = draw(population(np.random.default_rng(3), 25, 3), np.linspace(-0.5, 1, 40), replicates=100)
    assert (np.diff(drawn.fmr, axis=1) <= 1e-12).all()
    assert (np.diff(drawn.fnmr, axis=1) >= -1e-12).all()


def test_intervals_over_people_cover_the_truth_where_intervals_over_comparisons_do_not() -> None:
    """200 studies of 40 people with 10 images each: the true rates are known from a study of 200,000 people."""
    random = np.random.default_rng(11)
    threshold = np.array([0.45])
    ease = random.normal(0.0, 0.1, 200_000)
    truth = float((0.55 + ease + random.normal(0, 0.05, len(ease)) < threshold[0]).mean())
    covered = naive = 0
    for study in range(200):
        found = population(random, 40, 10)
        counts = count_errors(found, threshold)
        drawn = draw(found, threshold, replicates=200, seed=study)
        errors = int(counts.false_non_matches[0])
        wide, plain = rate(errors, 400, drawn.interval(drawn.fnmr)[0]), rate(errors, 400)
        assert wide.low is not None
        assert wide.high is not None
        assert plain.low is not None
        assert plain.high is not None
        covered += wide.low <= truth <= wide.high
        naive += plain.low <= truth <= plain.high
    assert covered / 200 >= 0.90
    assert naive / 200 <= 0.75


def test_impostor_intervals_are_cautious_where_no_comparisons_share_a_person() -> None:
    """Independent comparisons at a true rate of 5 %: at least the promised 95 % of intervals hold it."""
    random = np.random.default_rng(13)
    covered = 0
    people = np.arange(800).reshape(-1, 2)
    nobody: np.ndarray = np.zeros(0)
    for study in range(200):
        matches = (random.random(400) < 0.05).astype(float)
        found = Comparisons(nobody, nobody.astype(np.int64), matches, people, 800)
        drawn = draw(found, np.array([0.5]), replicates=200, seed=study)
        interval = drawn.interval(drawn.fmr)[0]
        assert interval is not None
        covered += interval[0] <= 0.05 <= interval[1]
    assert covered / 200 >= 0.95


def test_below_the_floor_no_interval_is_claimed() -> None:
    whole = population(np.random.default_rng(4), 20, 3)
    kept = whole.impostor >= 0.2
    below = np.zeros(2001, dtype=np.int64)
    below[1000] = (~kept).sum()
    images = np.ones(20, dtype=np.int64)
    found = Comparisons(
        whole.genuine, whole.genuine_people, whole.impostor[kept], whole.impostor_people[kept], 20, 0.2, below, images
    )
    thresholds = np.array([0.1, 0.2, 0.3])
    drawn = draw(found, thresholds, replicates=300, seed=2)
    assert drawn.interval(drawn.fmr)[0] is None
    same = draw(
        Comparisons(whole.genuine, whole.genuine_people, whole.impostor, whole.impostor_people, 20),
        thresholds,
        replicates=300,
        seed=2,
    )
    # With one image a person, the closed form of all pairs weighs as the pairs themselves do.
    assert drawn.fmr[:, 1:] == pytest.approx(same.fmr[:, 1:])


def test_shares_draw_people_not_trials() -> None:
    """Two of twenty people fail in all of their ten trials: the interval is that of 2 of 20, not of 20 of 200."""
    people = np.repeat(np.arange(20), 10)
    interval = share((people < 2).astype(np.int64), people, seed=3)
    assert interval is not None
    assert interval[0] == 0
    assert 0.2 <= interval[1] <= 0.3
    spread = share((np.arange(200) % 10 == 0).astype(np.int64), people, seed=3)
    # Everybody fails once in ten, so it does not matter who is drawn.
    assert spread is not None
    assert list(spread) == pytest.approx([0.1, 0.1])
    assert share(np.array([1, 0]), np.array([4, 4])) is None


def test_people_who_take_no_part_are_not_drawn() -> None:
    (one, pairs), people = compact(np.array([7, 3, 7]), np.array([[3, 9], [7, 9]]))
    assert people == 3
    assert one.tolist() == [1, 0, 1]
    assert pairs.tolist() == [[0, 2], [1, 2]]
