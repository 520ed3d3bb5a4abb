"""Rates and their intervals: closed forms, and what must hold for any scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from renzheng.evaluation.rates import (
    BOOTSTRAP,
    GRID,
    ONE_SIDED,
    Comparisons,
    area_under_roc,
    best_accuracy,
    bound_without_errors,
    count_errors,
    equal_error,
    every_threshold,
    rate,
    wilson,
    with_failures,
)

scores = st.lists(st.floats(-1, 1, allow_nan=False), min_size=1, max_size=60)


def comparisons(genuine: list[float], impostor: list[float]) -> Comparisons:
    """Make comparisons in which nobody shares a person."""
    people = len(genuine) + 2 * len(impostor)
    pairs = np.arange(len(genuine), people).reshape(-1, 2)
    return Comparisons(np.array(genuine), np.arange(len(genuine)), np.array(impostor), pairs, people)


def test_wilson_gives_the_published_interval() -> None:
    # 81 of 263 (R. G. Newcombe, Statistics in Medicine 17, 1998, method 3): 0.2553 to 0.3662.
    low, high = wilson(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    # 1 of 29, same table: 0.0061 to 0.1718.
    low, high = wilson(1, 29)
    assert (round(low, 4), round(high, 4)) == (0.0061, 0.1718)


@pytest.mark.parametrize("trials", [30, 300, 29_600_000])
def test_no_error_gives_the_rule_of_three(trials: int) -> None:
    found = rate(0, trials)
    assert found.method == ONE_SIDED
    assert found.low == 0
    assert found.high is not None
    assert (1 - found.high) ** trials == pytest.approx(0.05)
    assert found.high == pytest.approx(3 / trials, rel=0.06)


def test_nothing_but_errors_is_bounded_from_below() -> None:
    found = rate(40, 40)
    assert (found.high, found.method) == (1.0, ONE_SIDED)
    assert found.low == pytest.approx(1 - bound_without_errors(40))


def test_without_a_trial_there_is_no_rate() -> None:
    found = rate(0, 0)
    assert (found.value, found.low, found.high) == (None, None, None)
    with pytest.raises(ValueError, match="not a proportion"):
        rate(3, 2)


def test_each_end_is_the_more_cautious_one() -> None:
    plain = rate(10, 100)
    assert plain.low is not None
    wider = rate(10, 100, (plain.low + 0.01, 0.9))
    assert (wider.low, wider.high, wider.method) == (plain.low, 0.9, BOOTSTRAP)


def test_complement_turns_the_interval_around() -> None:
    found = rate(3, 600)
    accuracy = found.complement
    assert accuracy.value == pytest.approx(0.995)
    assert (accuracy.errors, accuracy.low, accuracy.high) == (597, 1 - (found.high or 0), 1 - (found.low or 0))


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_wilson_covers_the_truth_as_often_as_it_says(share: float) -> None:
    random = np.random.default_rng(7)
    errors = random.binomial(300, share, size=4000)
    covered = 0
    for k in errors:
        found = rate(int(k), 300)
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= share <= found.high
    # Wilson's coverage swings about 95 %; with few expected errors it stays above 92.
    assert 0.92 <= covered / len(errors) <= 0.985


def test_counts_at_a_threshold_are_what_one_counts_by_hand() -> None:
    counts = count_errors(comparisons([0.2, 0.5, 0.5, 0.9], [-0.1, 0.3, 0.5]), np.array([-1.0, 0.3, 0.5, 0.51, 1.0]))
    assert counts.false_matches.tolist() == [3, 2, 1, 0, 0]
    assert counts.false_non_matches.tolist() == [0, 1, 1, 3, 4]


@given(scores, scores)
def test_fmr_never_rises_and_fnmr_never_falls_with_the_threshold(genuine: list[float], impostor: list[float]) -> None:
    found = comparisons(genuine, impostor)
    counts = count_errors(found, every_threshold(found))
    assert (np.diff(counts.false_matches) <= 0).all()
    assert (np.diff(counts.false_non_matches) >= 0).all()
    assert counts.false_matches[-1] == 0
    assert counts.false_non_matches[0] == 0 or min(genuine) > min(impostor) or min(genuine) < counts.thresholds[0]


@given(scores, scores)
def test_equal_error_lies_between_the_rates_at_its_threshold(genuine: list[float], impostor: list[float]) -> None:
    found = comparisons(genuine, impostor)
    counts = count_errors(found, every_threshold(found))
    value, threshold = equal_error(counts.thresholds, counts.fmr, counts.fnmr)
    after = min(int(np.searchsorted(counts.thresholds, threshold)), len(counts.thresholds) - 1)
    before = max(after - 1, 0)
    assert min(counts.fmr[after], counts.fnmr[before]) - 1e-9 <= value
    assert value <= max(counts.fmr[before], counts.fnmr[after]) + 1e-9


def test_equal_error_of_two_normals_is_the_closed_form() -> None:
    # Equal spread, means d apart: FMR = FNMR = Phi(-d / 2 sigma) in the middle between them.
    random = np.random.default_rng(3)
    found = comparisons(random.normal(0.6, 0.1, 200_000).tolist(), random.normal(0.2, 0.1, 200_000).tolist())
    counts = count_errors(found, every_threshold(found))
    value, threshold = equal_error(counts.thresholds, counts.fmr, counts.fnmr)
    assert value == pytest.approx(0.5 * math.erfc(2 / math.sqrt(2)), rel=0.03)
    assert threshold == pytest.approx(0.4, abs=0.002)
    assert area_under_roc(found) == pytest.approx(0.5 * math.erfc(-2.0), abs=2e-4)


@given(scores, scores)
def test_area_is_the_share_of_pairs_in_the_right_order(genuine: list[float], impostor: list[float]) -> None:
    order = np.sign(np.subtract.outer(genuine, impostor))
    assert area_under_roc(comparisons(genuine, impostor)) == pytest.approx(float(((order + 1) / 2).mean()))


@given(scores, scores)
def test_best_accuracy_is_reached_at_its_threshold_and_by_none_better(
    genuine: list[float], impostor: list[float]
) -> None:
    found = comparisons(genuine, impostor)
    counts = count_errors(found, every_threshold(found))
    errors, threshold = best_accuracy(counts)
    at = count_errors(found, np.array([threshold]))
    assert at.false_matches[0] + at.false_non_matches[0] == errors
    for other in counts.thresholds:
        assert sum(s < other for s in genuine) + sum(s >= other for s in impostor) >= errors


@settings(max_examples=50)
@given(st.lists(st.integers(0, 1999), min_size=1, max_size=80), st.integers(0, 2000))
def test_counts_below_the_floor_agree_with_those_of_single_scores(steps: list[int], floor: int) -> None:
    """A histogram below the floor gives at every step of the grid what the scores themselves give."""
    impostor = np.array([GRID[step] + 0.0004 for step in steps])
    kept = impostor >= GRID[floor]
    below = np.bincount([s for s, k in zip(steps, kept, strict=True) if not k], minlength=len(GRID)).astype(np.int64)
    whole = comparisons([0.5], impostor.tolist())
    folded = Comparisons(
        whole.genuine,
        whole.genuine_people,
        impostor[kept],
        whole.impostor_people[kept],
        whole.people,
        float(GRID[floor]),
        below,
    )
    assert folded.impostor_count == whole.impostor_count
    assert (count_errors(folded, GRID).false_matches == count_errors(whole, GRID).false_matches).all()


def test_a_failure_to_acquire_accepts_nobody() -> None:
    far, frr = with_failures(0.01, 0.02, 0.1)
    assert far == pytest.approx(0.009)
    assert frr == pytest.approx(0.118)
