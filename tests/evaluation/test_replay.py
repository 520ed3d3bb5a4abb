"""The replay simulation: what a recording answers, and how many tokens that is worth."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from renzheng.cli.replay import is_kept
from renzheng.engine.judging import measure
from renzheng.engine.liveness import Glance
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.rates import rate
from renzheng.evaluation.replay import Actions, Blinks, answers, as_sent, record, share, try_tokens
from renzheng.evaluation.replays import KINDS, ReplayPlan, Row, replay_all, tabulate_replays
from renzheng.verification.challenge import possible
from renzheng.verification.policy import Policy

from .conftest import DATA

REST = Glance(
    *(640, 480, 1, (220.0, 140.0, 200.0, 200.0)),
    left_eye=0.3,
    right_eye=0.3,
    mouth=0.05,
    sharpness=0.02,
    brightness=120.0,
    contrast=30.0,
    presence=1.0,
)
DONE = {
    "turn_left": [replace(REST, yaw=yaw) for yaw in (0.3, 0.7, 0.7, 0.3)],
    "turn_right": [replace(REST, yaw=-yaw) for yaw in (0.3, 0.7, 0.7, 0.3)],
    "nod": [replace(REST, pitch=pitch) for pitch in (0.06, 0.2, 0.2, 0.06)],
    "tilt_left": [replace(REST, roll=roll) for roll in (6.0, 18.0, 18.0, 6.0)],
    "tilt_right": [replace(REST, roll=-roll) for roll in (6.0, 18.0, 18.0, 6.0)],
    "open_mouth": [replace(REST, mouth=mouth) for mouth in (0.15, 0.5, 0.5, 0.15)],
    "blink": [replace(REST, left_eye=0.05, right_eye=0.05)] * 2,
}
PAUSE = 10  # frames of rest after an action, longer than the simulation may let pass


def shown(*actions: str, pause: int = PAUSE) -> list[Glance]:
    """The frames of somebody who looks straight and then does this."""
    glances = [REST] * 14
    for action in actions:
        glances += [*DONE[action], *[REST] * pause]
    return glances


def asked(known: frozenset[Actions], length: int) -> set[Actions]:
    return {one for one in known if len(one) == length}


def test_a_recording_answers_what_it_shows_from_any_beginning_and_nothing_else() -> None:
    known = answers(shown("turn_left", "nod", "open_mouth", "turn_right"), 5)
    assert asked(known, 5) == set()
    assert asked(known, 4) == {("turn_left", "nod", "open_mouth", "turn_right")}
    assert asked(known, 3) == {("turn_left", "nod", "open_mouth"), ("nod", "open_mouth", "turn_right")}
    assert ("turn_left", "open_mouth") not in known


def test_a_blink_between_two_actions_answers_one_that_is_asked_and_passes_where_none_is() -> None:
    known = answers(shown("turn_left", "blink", "nod"), 3)
    assert {("turn_left", "blink", "nod"), ("turn_left", "nod")} <= known


@pytest.mark.parametrize("action", ["turn_left", "turn_right", "nod", "open_mouth", "tilt_left", "tilt_right"])
def test_no_other_action_is_skipped_without_a_cut(action: str) -> None:
    before = "turn_right" if action == "turn_left" else "turn_left"
    after = "nod" if action == "open_mouth" else "open_mouth"
    known = answers(shown(before, action, after), 3)
    assert (before, action, after) in known
    assert (before, after) not in known


def test_a_picture_that_is_held_changes_nothing_about_the_actions() -> None:
    """The attacker may pause: every frame is sent again, and the same is answered."""
    glances = shown("turn_left", "blink", "nod", pause=12)
    held = [glance for glance in glances for _ in range(2)]
    assert answers(held, 3) == answers(glances, 3)


def test_one_picture_that_is_held_serves_as_the_neutral_second() -> None:
    glances = [REST, REST, *DONE["turn_left"], *[REST] * 5]
    assert answers(glances, 1) == {("turn_left",)}


def test_a_token_asks_anew_for_every_attempt_that_counts_and_once_where_an_action_is_spared() -> None:
    entropy = random.Random(3).randbytes
    plain, with_blink = ({one for one in possible(4) if ("blink" in one) is blinks} for blinks in (False, True))
    assert try_tokens(frozenset(list(plain)[:1]), Policy(), 1, entropy).chance == pytest.approx(15 / 16 / 1002)
    assert try_tokens(frozenset(list(with_blink)[:1]), Policy(), 1, entropy).chance == pytest.approx(1 / 16 / 604)
    found = try_tokens(frozenset(with_blink), Policy(attempts=1), 20_000, entropy)
    assert found.chance == pytest.approx(1 / 16)
    assert found.passed / found.tokens == pytest.approx(1 / 16, rel=0.1)
    assert try_tokens(frozenset(possible(4)), Policy(), 10, entropy).passed == 10
    five = frozenset([("turn_left", "nod", "turn_left", "nod", "turn_left")])
    assert try_tokens(five, Policy(attempts=2), 1, entropy).chance == pytest.approx(15 / 16 / 6336)
    without_blinks = frozenset(one for one in possible(6) if "blink" not in one)
    spared = try_tokens(without_blinks, Policy(), 100, entropy)  # spared the blink, all that is asked is known
    assert (spared.passed, spared.chance) == (100, 1.0)
    assert share(without_blinks, *Policy().next_challenge(1)) == 0
    assert share(frozenset(possible(5)), *Policy().next_challenge(1)) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("passed", "chance", "kept"), [(100, 0.01, True), (101, 0.01, False), (100, 0.011, False)])
def test_each_kind_of_recording_decides_whether_the_promise_is_kept(
    kind: str, passed: int, chance: float, kept: bool
) -> None:
    rows = [Row(one, 1, rate(0, 10_000), 0.0, 0.0) for one in KINDS if one != kind]
    assert is_kept([*rows, Row(kind, 1, rate(passed, 10_000), chance, chance)]) is kept


def test_people_blink_about_seventeen_times_a_minute() -> None:
    blinks = Blinks(1)
    closed = [blinks.at(step / 50) > 0.9 for step in range(50 * 600)]
    began = sum(later and not earlier for earlier, later in pairwise(closed))
    assert 120 < began < 220


def test_what_the_numbers_say_of_a_recording_the_whole_judge_says_too(puppet: Puppet, engine: FaceModels) -> None:
    made = record(puppet, [("nod", "turn_left")], person="sample", seed=2, engine=engine)
    assert made is not None
    known = answers(made.glances, 2)
    assert ("nod", "turn_left") in known
    assert ("turn_left", "nod") not in known
    sent = as_sent(made, ("nod", "turn_left"))
    assert sent is not None
    assert measure(sent, None, engine).challenge_passed
    assert as_sent(made, ("turn_left", "nod")) is None


@pytest.mark.stress
@pytest.mark.replay
def test_recordings_of_each_kind_pass_at_most_one_token_in_a_hundred(engine: FaceModels) -> None:
    folders: Sequence[Path] = [DATA / "deepface", DATA / "lfw_fold1"]
    if not all(folder.is_dir() for folder in folders):
        pytest.skip("the test data's folders of photos are not there (RENZHENG_TEST_DATA)")
    found = replay_all(folders, ReplayPlan(), engine)
    assert len({one.person for one in found}) == 13
    assert all(one.own for one in found), "a genuine recording answers its own challenge"
    rows = tabulate_replays(found)
    assert [row.kind for row in rows] == list(KINDS)
    for row in rows:
        assert row.passed.value is not None
        assert row.passed.trials >= 11 * 2000
        assert row.passed.value <= 0.01
        assert row.chance <= 0.01
