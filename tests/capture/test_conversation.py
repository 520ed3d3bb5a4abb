"""What holds of every conversation, whatever the device, the line, the engine and the disk do."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renzheng.capture.effects import End, Send
from renzheng.verification import challenge, transcript
from renzheng.verification.challenge import ACTIONS, COLOURS, LIGHT_WARNING
from tests.capture.conversations import BEGIN, PACE, Person, Play, Server, Told

EXAMPLES = settings(max_examples=max(150, settings().max_examples), suppress_health_check=list(HealthCheck))

some_actions = st.lists(st.sampled_from(ACTIONS), min_size=1, max_size=4).map(tuple)
seeds = st.integers(0, 2**32)


def upto(least: float, most: float, tail: float = 0.0) -> Callable[[float], float]:
    """Mostly between two bounds; once in twenty times longer by `tail`."""
    return lambda chance: least + (most - least) * chance + (tail if chance > 0.95 else 0.0)


def spells(most: int, longest: float) -> st.SearchStrategy[list[tuple[float, float]]]:
    """Times, in seconds from the begin, at which something stands still."""
    one = st.tuples(st.floats(0, 20), st.floats(0.01, longest)).map(lambda pair: (pair[0], pair[0] + pair[1]))
    return st.lists(one, max_size=most)


any_server = st.builds(
    lambda look, tail, store, loses, stalls, crowded: Server(
        upto(0.005, look, tail), upto(0.001, store), upto(0.0, store), loses, stalls, crowded
    ),
    st.floats(0.01, 0.5),
    st.sampled_from([0.0, 0.9, 3.0]),
    st.floats(0.002, 0.5),
    st.sampled_from([0.0, 0.0, 0.2, 0.8, 1.0]),
    spells(2, 3.0),
    st.booleans(),
)
any_person = st.builds(
    lambda interval, line, acts, pauses, gone, turns: Person(
        upto(interval / 2, interval), upto(line / 2, line, line), acts, pauses, gone, turns
    ),
    st.sampled_from([0.03, 0.1, 0.25, 1.0]),
    st.sampled_from([0.01, 0.1, 1.0, 4.0]),
    st.booleans(),
    spells(2, 5.0),
    st.sampled_from([0.0, 0.0, 0.3, 1.0]),
    st.one_of(st.none(), st.none(), st.floats(0, 15)),
)


def holds(told: Told, actions: tuple[str, ...]) -> None:
    """What no conversation may break."""
    assert [step.index for step in told.steps] == list(range(len(told.steps))), "each step once, in order"
    assert [step.action for step in told.steps[1:]] == list(actions[: max(0, len(told.steps) - 1)])
    assert len({step.nonce for step in told.steps}) == len(told.steps)
    assert told.counted == (len(told.steps) > 1), "it counts from its first action, and once"
    found = set(transcript.faults(actions, told.steps, told.stored))
    # Only an attempt that is completed has all steps, and a frame of each.
    unfinished = {transcript.TranscriptFault.STEPS, transcript.TranscriptFault.NO_FRAMES}
    assert found <= (set() if told.end is End.COMPLETED else unfinished), found
    shown = [message for message in told.sent if message.kind == "step"]
    assert len(shown) in (len(told.steps), len(told.steps) - 1), "nothing is shown that was not stored before"
    assert told.seconds <= PACE.ready_seconds + 30 + len(actions) * (PACE.step_seconds + 6)


@EXAMPLES
@given(some_actions, seeds)
def test_whoever_keeps_the_first_nonce_answers_nothing(actions: tuple[str, ...], seed: int) -> None:
    """The same person with each step's own nonce completes the attempt."""
    kept = Play(actions, Server(), Person(keeps_first_nonce=True), seed).run()
    assert kept.end is not End.COMPLETED
    assert [step.index for step in kept.steps] == [0, 1]
    assert {record.step for record in kept.stored} == {0}
    assert Play(actions, Server(), Person(), seed).run().end is End.COMPLETED


@EXAMPLES
@given(some_actions, any_server, any_person, seeds)
def test_every_conversation_ends_and_keeps_its_order(
    actions: tuple[str, ...], server: Server, person: Person, seed: int
) -> None:
    holds(Play(actions, server, person, seed).run(), actions)


@EXAMPLES
@given(some_actions, any_person, seeds, st.booleans())
def test_no_device_makes_a_server_that_watches_say_that_it_did_not(
    actions: tuple[str, ...], person: Person, seed: int, crowded: bool
) -> None:
    """Whoever could do that would have further challenges for nothing."""
    told = Play(actions, Server(upto(0.005, 0.15), is_crowded=crowded), person, seed).run()
    holds(told, actions)
    assert told.end is not End.SERVER
    assert not told.is_unwatched


@EXAMPLES
@given(some_actions, any_server, seeds)
def test_who_does_what_is_asked_fails_by_nothing_but_the_server(
    actions: tuple[str, ...], server: Server, seed: int
) -> None:
    told = Play(actions, server, Person(), seed).run()
    holds(told, actions)
    if told.end is not End.COMPLETED:
        slow = max(server.look(0.99), server.store(0.99)) > 0.2 or server.stalls or server.loses
        assert slow or told.end is End.NOT_READY
        assert told.end in (End.SERVER, End.NOT_READY), "a timeout would count against them"


@EXAMPLES
@given(some_actions, seeds, st.floats(0.1, 0.25), st.floats(0.0, 1.0))
def test_on_a_server_that_keeps_up_they_complete_it(
    actions: tuple[str, ...], seed: int, interval: float, line: float
) -> None:
    told = Play(actions, Server(), Person(upto(interval / 2, interval), upto(line / 2, line)), seed).run()
    assert told.end is End.COMPLETED
    assert [message.kind for message in told.sent].count("step") == len(actions) + 1


@EXAMPLES
@given(some_actions, any_server, seeds)
def test_who_does_nothing_never_completes_it(actions: tuple[str, ...], server: Server, seed: int) -> None:
    assert Play(actions, server, Person(acts=False), seed).run().end is not End.COMPLETED


@EXAMPLES
@given(seeds, any_server, st.integers(1, 7))
def test_colours_follow_in_order_and_no_screen_changes_faster_than_it_may(
    seed: int, server: Server, count: int
) -> None:
    colours = (list(COLOURS) * 2)[:count]
    actions = ("nod", LIGHT_WARNING, *colours)
    told = Play(actions, server, Person(), seed).run()
    holds(told, actions)
    shown = [step for step in told.steps if step.action in COLOURS]
    waits = [after.revealed_at - before.revealed_at for before, after in pairwise(shown)]
    assert all(wait >= PACE.colour_seconds for wait in waits)


@pytest.mark.parametrize("life", [3.0, 6.0, 9.0])
def test_nothing_lasts_longer_than_the_token(life: float) -> None:
    told = Play(("nod",) * 4, Server(), Person(acts=False), 1, life).run()
    assert told.seconds <= life + 0.1
    assert all(step.deadline <= BEGIN + life for step in told.steps)


def test_a_look_that_takes_long_in_the_neutral_second_costs_the_judge_no_frame() -> None:
    """0.9 s in which the hint process did not answer: the frames of that time are the neutral second's all the same."""
    looks = iter([0.9] + [0.02] * 500)
    told = Play(("nod",), Server(look=lambda chance: next(looks)), Person(), 3).run()
    neutral = [record for record in told.stored if record.step == 0]
    assert told.end is End.COMPLETED
    assert len(neutral) >= 9
    assert neutral[-1].received_at - neutral[0].received_at >= PACE.neutral_seconds


def test_the_line_is_measured_by_the_answer_to_each_ping_and_by_no_other() -> None:
    class Hasty(Play):
        """Answers before it can have heard what was asked."""

        def _hear(self, message: Send) -> None:
            super()._hear(message)
            if message.kind == "ping":
                self._in(0.01, lambda now: self.conversation.pong("guessed", now))

    told = Hasty(("nod",), Server(), Person(line=lambda chance: 2.0), 1).run()
    assert told.end is End.NOT_READY
    assert {message.fields["reason"] for message in told.sent if message.kind == "network"} == {"slow_round_trip"}


def test_colours_are_steps_of_a_challenge() -> None:
    assert challenge.is_light(LIGHT_WARNING)


def test_who_is_told_that_too_few_frames_come_is_told_when_enough_come_again() -> None:
    told = Play(("nod",), Server(), Person(acts=False, pauses=[(2.2, 3.6)]), 1).run()
    said = [dict(message.fields) for message in told.sent if message.kind == "network"]
    assert said == [{"ok": False, "reason": "too_few_frames"}, {"ok": True}]
