"""Challenges are drawn without bias out of all that may be asked, always with a turn."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter

import pytest

from renzheng.verification import challenge
from renzheng.verification.policy import MAX_LUCK, Policy


def seeded(seed: int) -> challenge.Entropy:
    return random.Random(seed).randbytes


def runs(actions: tuple[str, ...]) -> int:
    """How often the action that is asked most often in a row comes in that row."""
    return max(len(list(group)) for _, group in itertools.groupby(actions))


@pytest.mark.parametrize("length", range(1, 7))
def test_every_challenge_has_a_turn_at_most_one_blink_and_no_action_three_times_in_a_row(length: int) -> None:
    entropy = seeded(length)
    for _ in range(300):
        actions = challenge.draw(entropy, length)
        assert len(actions) == length
        assert set(actions) <= set(challenge.ACTIONS)
        assert set(actions) & set(challenge.TURNS)
        assert actions.count("blink") <= 1
        assert runs(actions) <= 2


def test_the_possible_challenges_are_all_that_the_rule_allows() -> None:
    allowed = {
        actions
        for actions in itertools.product(challenge.ACTIONS, repeat=4)
        if set(actions) & set(challenge.TURNS) and actions.count("blink") <= 1 and runs(actions) <= 2
    }
    assert set(challenge.possible(4)) == allowed
    assert len(challenge.possible(4)) == len(allowed)


def test_challenges_of_one_sort_come_equally_often_and_one_of_sixteen_asks_for_a_blink() -> None:
    entropy, draws = seeded(7), 60_000
    counts = Counter(challenge.draw(entropy, 3) for _ in range(draws))
    assert set(counts) == set(challenge.possible(3))
    expected = [draws * share for share in challenge.chances(3)]
    chi_square = sum((n - expected["blink" in one]) ** 2 / expected["blink" in one] for one, n in counts.items())
    assert chi_square < 278  # the 0.1 % point of 209 degrees of freedom; the seed is fixed
    assert sum(n for one, n in counts.items() if "blink" in one) == pytest.approx(draws / 16, rel=0.05)


def test_with_few_other_kinds_a_blink_is_asked_for_as_often_as_any() -> None:
    kinds = ("blink", "nod", "turn_left", "turn_right")
    number = len(challenge.possible(3, kinds))
    assert challenge.chances(3, kinds) == (1 / number, 1 / number)
    entropy, draws = seeded(8), 20_000
    counts = Counter(challenge.draw(entropy, 3, kinds) for _ in range(draws))
    assert set(counts) == set(challenge.possible(3, kinds))
    chi_square = sum((count - draws / number) ** 2 / (draws / number) for count in counts.values())
    assert chi_square < 1.8 * number


@pytest.mark.parametrize(("length", "number"), [(1, 2), (2, 24), (3, 210), (4, 1606), (5, 11420), (6, 77682)])
def test_there_are_as_many_challenges_as_the_security_page_says(length: int, number: int) -> None:
    assert len(challenge.possible(length)) == number


def test_a_token_asks_for_four_actions_then_five_then_six() -> None:
    assert [Policy().next_challenge(shown)[0] for shown in range(4)] == [4, 5, 6, 6]


@pytest.mark.parametrize(
    ("policy", "longer"),
    [
        (Policy(challenge_length=6), 6),
        (Policy(challenge_length=1, challenge_kinds=("turn_left",)), 2),
        (Policy(challenge_length=2, challenge_kinds=("turn_left",)), 2),
        (Policy(challenge_length=3, step_seconds=20), 3),
        (Policy(challenge_length=3, step_seconds=15), 4),
    ],
)
def test_a_further_challenge_is_only_as_long_as_its_actions_and_the_frames_that_are_kept_allow(
    policy: Policy, longer: int
) -> None:
    assert policy.next_challenge(1)[0] == longer


def test_the_luck_of_a_recording_grows_with_attempts_and_falls_with_actions_and_kinds() -> None:
    assert 1 / Policy().luck == pytest.approx(903, abs=0.5)
    assert Policy(attempts=1).luck == pytest.approx(15 / 16 / 1002)
    assert Policy(challenge_length=2).luck == pytest.approx(1 - math.prod(1 - 15 / 16 / one for one in (20, 150, 1002)))
    assert Policy().luck < MAX_LUCK < Policy(challenge_kinds=("turn_left", "turn_right")).luck


def test_where_an_action_is_spared_a_further_challenge_has_two_actions_more_as_there_are_fewer_kinds() -> None:
    length, kinds = Policy().next_challenge(1, "turn_left")
    assert (length, set(kinds)) == (6, set(challenge.ACTIONS) - {"turn_left"})
    assert Policy().next_challenge(1, "") == (5, challenge.ACTIONS)  # more time alone was asked for
    assert Policy(challenge_kinds=("turn_left", "blink")).next_challenge(1, "turn_left")[0] == 5
    assert Policy(step_seconds=11).next_challenge(1, "nod")[0] == 5


@pytest.mark.parametrize("action", challenge.ACTIONS)
def test_an_action_that_somebody_cannot_do_is_not_asked_again(action: str) -> None:
    rest = challenge.spared(challenge.ACTIONS, 5, action)
    assert set(rest) == set(challenge.ACTIONS) - {action}
    assert challenge.is_possible(5, rest)


def test_who_cannot_do_the_only_turn_is_asked_for_it_all_the_same_as_depth_needs_one() -> None:
    kinds = ("turn_left", "blink", "nod")
    assert challenge.spared(kinds, 3, "turn_left") == kinds
    assert challenge.spared(kinds, 3, "") == kinds


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
    pairs = iter([65535, 65099])
    assert challenge.below(438, lambda size: next(pairs).to_bytes(size)) == 65099 % 438


@pytest.mark.parametrize("limit", [0, 65537])
def test_a_limit_that_two_bytes_cannot_serve_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="1 to 65536"):
        challenge.below(limit, seeded(1))


@pytest.mark.parametrize(
    ("length", "kinds"),
    [(2, ("blink", "nod")), (0, challenge.ACTIONS), (6, ("turn_left", "blink")), (7, challenge.ACTIONS)],
)
def test_a_challenge_that_cannot_be_drawn_is_refused(length: int, kinds: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="cannot draw"):
        challenge.draw(seeded(1), length, kinds)


def test_four_kinds_beside_the_blink_are_many() -> None:
    """Then one challenge of sixteen has a blink; with three kinds each is needed as often as another."""
    many, few = (challenge.BLINK, "nod", "open_mouth", *challenge.TURNS), (challenge.BLINK, "nod", *challenge.TURNS)
    for kinds, is_rare in ((many, True), (few, False)):
        known = challenge.possible(3, kinds)
        with_blink = sum(challenge.BLINK in one for one in known)
        share = 1 / challenge.BLINK_SHARE if is_rare else with_blink / len(known)
        assert challenge.chances(3, kinds)[1] * with_blink == pytest.approx(share)


def test_colours_are_colours_of_a_screen_and_far_from_each_other() -> None:
    for colour in challenge.COLOURS.values():
        assert all(0 <= part <= 255 for part in colour)
    for one, other in itertools.combinations(challenge.COLOURS.values(), 2):
        assert max(abs(left - right) for left, right in zip(one, other, strict=True)) >= 100


def test_a_nonce_is_sixteen_bytes_as_they_were_drawn() -> None:
    assert challenge.nonce(random.Random(1).randbytes) == random.Random(1).randbytes(16)
