"""Comparing embeddings: all pairs, streamed, agree with every pair counted one by one; and calibration."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from renzheng.engine.packs import Calibration, parse_manifest
from renzheng.engine.runtimes import Floats
from renzheng.evaluation import matching
from renzheng.evaluation.calibration import as_toml, calibrate, promised_fmr
from renzheng.evaluation.matching import match
from renzheng.evaluation.pairs import Pairs
from renzheng.evaluation.rates import GRID, Comparisons, count_errors


def crowd(people: int, images: int, seed: int = 0) -> tuple[Pairs, list[Floats | None]]:
    random = np.random.default_rng(seed)
    centres = random.normal(size=(people, 16))
    of = np.repeat(np.arange(people), images)
    rows = centres[of] + 0.5 * random.normal(size=(len(of), 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = Pairs("crowd", [Path(f"{k}.jpg") for k in range(len(of))], of, people)
    return pairs, list(rows.astype(np.float32))


@pytest.mark.parametrize("kept", [10**9, 500, 0])
def test_all_pairs_streamed_give_what_single_pairs_give(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "AT_ONCE", 1000)  # several blocks, the last one short
    pairs, embeddings = crowd(30, 4)
    embeddings[5] = embeddings[50] = None
    genuine: list[float] = []
    impostor: list[float] = []
    lost = 0
    for i, j in combinations(range(len(embeddings)), 2):
        one, other = embeddings[i], embeddings[j]
        if one is None or other is None:
            lost += 1
        else:
            (genuine if pairs.person_of[i] == pairs.person_of[j] else impostor).append(float(one @ other))
    found = match(pairs, embeddings, kept=kept)
    assert found.comparisons.genuine_count == len(genuine)
    assert found.comparisons.impostor_count == len(impostor)
    assert found.genuine_lost + found.impostor_lost == lost
    assert len(found.comparisons.impostor) <= kept
    nobody = np.zeros((0, 2), np.int64)
    whole = Comparisons(np.array(genuine), nobody[:, 0], np.array(impostor), nobody, 30)
    counted, expected = count_errors(found.comparisons, GRID), count_errors(whole, GRID)
    # A product in another order may fall on the other side of a threshold by its last bit.
    assert np.abs(counted.false_matches - expected.false_matches).max() <= 1
    assert np.abs(counted.false_non_matches - expected.false_non_matches).max() <= 1


def test_kept_comparisons_know_their_people() -> None:
    pairs, embeddings = crowd(12, 3)
    found = match(pairs, embeddings).comparisons
    assert (found.impostor_people[:, 0] != found.impostor_people[:, 1]).all()
    assert found.images_of is not None
    assert found.images_of.tolist() == [3] * 12
    both = np.bincount(found.impostor_people.ravel(), minlength=12)
    assert (both == 3 * 33).all()


def test_a_list_loses_the_pairs_of_an_image_without_a_face() -> None:
    pairs, embeddings = crowd(3, 2)
    first, second = np.array([0, 0, 2]), np.array([1, 2, 4])
    listed = Pairs("list", pairs.images, pairs.person_of, 3, first, second, np.array([True, False, False]))
    embeddings[2] = None
    found = match(listed, embeddings)
    assert (found.comparisons.genuine_count, found.comparisons.impostor_count) == (1, 0)
    assert (found.genuine_lost, found.impostor_lost) == (0, 2)
    assert found.cosines is not None
    assert np.isnan(found.cosines).tolist() == [False, True, True]


def impostors(scores: np.ndarray) -> Comparisons:
    nobody: np.ndarray = np.zeros(0)
    return Comparisons(nobody, nobody.astype(np.int64), scores, np.zeros((len(scores), 2), np.int64), 2)


def test_no_calibration_point_rests_on_fewer_than_thirty_expected_errors() -> None:
    for size, written, refused in ((29_999, 55, 60), (30_000, 60, 62.5), (299_999, 67.5, 70), (300_000, 70, 72.5)):
        table = calibrate(impostors(np.random.default_rng(0).normal(0.1, 0.1, size)))
        assert max(point.score for point in table.points) == written
        assert min(refusal.score for refusal in table.refused) == refused
        assert all(refusal.expected < 30 for refusal in table.refused)
        assert all(size * point.fmr >= 30 * (1 - 1e-9) for point in table.points)
        sentence = str(table.refused[0])
        assert f"score {refused:g}" in sentence
        assert "at least 30 are needed" in sentence


def test_a_point_is_the_lowest_cosine_that_keeps_its_rate() -> None:
    scores = np.random.default_rng(1).normal(0.1, 0.1, 400_000)
    for point in calibrate(impostors(scores)).points:
        assert point.errors == (scores >= point.cosine).sum() <= promised_fmr(point.score) * len(scores)
        assert (scores >= point.cosine - 2e-4).sum() > promised_fmr(point.score) * len(scores)


def test_the_written_block_is_a_pack_calibration() -> None:
    table = calibrate(impostors(np.random.default_rng(1).normal(0.1, 0.1, 400_000)))
    block = as_toml(table, data='our "own" people', images=900, genuine=500, impostor=400_000)
    head = '[[pack]]\nname = "x"\npart = "embedding"\ntitle = ""\npackage = ""\nversion = ""\nmember = ""\n'
    head += 'sha256 = "0"\nbytes = 1\nlicence = "MIT"\nsource = ""\nruntime = "opencv"\n'
    calibration = parse_manifest(head + block)[0].calibration
    assert isinstance(calibration, Calibration)
    assert calibration.impostor_pairs == 400_000
    assert calibration.centre == ()
    own = as_toml(table, data="", images=9, genuine=5, impostor=400_000, centre=(0.25, -0.5))
    [pack] = parse_manifest(head + own)
    assert pack.calibration is not None
    assert pack.calibration.centre == (0.25, -0.5)
    assert np.interp(point := table.points[3].cosine, calibration.cosines, calibration.scores) == pytest.approx(
        table.points[3].score
    ), point


def test_data_too_small_for_the_lowest_anchor_gives_no_table() -> None:
    table = calibrate(impostors(np.zeros(300)))
    assert not table.usable
    with pytest.raises(ValueError, match="does not bear score 60"):
        as_toml(table, data="", images=1, genuine=1, impostor=300)
