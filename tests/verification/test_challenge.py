"""Challenges are drawn without bias, always with exactly one turn."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from renzheng.verification import challenge


def seeded(seed: int) -> challenge.Entropy:
    return random.Random(seed).randbytes


@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_every_challenge_has_one_turn_and_no_action_twice(length: int) -> None:
    entropy = seeded(length)
    for _ in range(300):
        actions = challenge.draw(entropy, length)
        assert len(set(actions)) == length
        assert sum(action in challenge.TURNS for action in actions) == 1


def test_all_twelve_challenges_of_two_come_equally_often() -> None:
    entropy, draws = seeded(7), 24_000
    counts = Counter(challenge.draw(entropy) for _ in range(draws))
    expected = {
        pair
        for turn, other in itertools.product(challenge.TURNS, challenge.OTHERS)
        for pair in ((turn, other), (other, turn))
    }
    assert set(counts) == expected
    chi_square = sum((count - draws / 12) ** 2 / (draws / 12) for count in counts.values())
    assert chi_square < 31.3  # the 0.1 % point of eleven degrees of freedom; the seed is fixed


@pytest.mark.parametrize(("length", "number"), [(1, 2), (2, 12), (3, 36), (4, 48)])
def test_there_are_as_many_challenges_as_the_security_page_says(length: int, number: int) -> None:
    entropy = seeded(length)
    assert len({challenge.draw(entropy, length) for _ in range(3000)}) == number


@pytest.mark.parametrize("length", [1, 7, 12])
def test_a_light_challenge_warns_first_and_shows_no_colour_twice_in_a_row(length: int) -> None:
    entropy = seeded(length)
    for _ in range(300):
        warning, *colours = challenge.draw_light(entropy, length)
        assert warning == challenge.LIGHT_WARNING
        assert len(colours) == length
        assert set(colours) <= set(challenge.COLOURS)
        assert all(first != second for first, second in itertools.pairwise(colours))
        assert all(challenge.is_light(step) for step in (warning, *colours))
    assert not any(challenge.is_light(action) for action in (challenge.NEUTRAL, *challenge.ACTIONS))


def test_all_150_beginnings_of_a_light_challenge_come_equally_often() -> None:
    entropy, draws = seeded(9), 30_000
    counts = Counter(challenge.draw_light(entropy, 3)[1:] for _ in range(draws))
    assert len(counts) == 6 * 5 * 5
    chi_square = sum((count - draws / 150) ** 2 / (draws / 150) for count in counts.values())
    assert chi_square < 208  # the 0.1 % point of 149 degrees of freedom; the seed is fixed


def test_bytes_that_would_favour_some_numbers_are_drawn_again() -> None:
    given = iter([255, 254])
    assert challenge.below(5, lambda _: bytes([next(given)])) == 254 % 5


@pytest.mark.parametrize("limit", [0, 257])
def test_a_limit_that_a_byte_cannot_serve_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 256"):
        challenge.below(limit, seeded(1))


@pytest.mark.parametrize(
    ("length", "kinds"),
    [(2, ("blink", "nod")), (0, challenge.ACTIONS), (3, ("turn_left", "blink")), (5, challenge.ACTIONS)],
)
def test_a_challenge_that_cannot_be_drawn_is_refused(length: int, kinds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        challenge.draw(seeded(1), length, kinds)
