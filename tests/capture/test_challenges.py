"""Which challenges a token's attempts get, and how the device is told of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from renzheng.capture.bounds import AttemptPace
from renzheng.verification.challenge import is_light
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, Session, State
from tests.capture.inside import PACE, Person, World, world

UNHURRIED = replace(PACE, step_seconds=30)


async def asked(inside: World) -> list[tuple[str, ...]]:
    """The actions of every attempt, in order."""
    found, number = [], 1
    while (attempt := await inside.store.sessions.attempt(inside.session, number)) is not None:
        found.append(tuple(action for action in attempt.actions if not is_light(action)))
        number += 1
    return found


@pytest_asyncio.fixture
async def inside(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path, Policy(attempts=4, attempts_a_day=0), pace=UNHURRIED) as made:
        made.session = await made.issue()
        yield made


async def look_straight(person: Person) -> None:
    person.say("start")
    assert (await person.until("step"))["index"] == 0


async def restart(person: Person) -> bool:
    """End the attempt as that of a phone that was turned; whether it counted."""
    person.say("restart", reason="turned")
    counted: bool = (await person.over())[1]
    return counted


async def test_each_challenge_of_a_token_has_one_action_more_up_to_six(tmp_path: Path) -> None:
    async with world(tmp_path, Policy(attempts_a_day=0), spared_attempts=0, pace=UNHURRIED) as inside:
        await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            lengths = [(await person.action())["of"]]
            for _ in range(2):
                assert await restart(person)
                lengths.append((await person.action())["of"])
            assert lengths == [4, 5, 6]


async def test_an_attempt_that_is_given_back_asks_the_same_once_more(inside: World) -> None:
    """Otherwise each would be another chance for a recording."""
    async with inside.person() as person:
        await person.until("welcome")
        for _ in range(2):
            await person.action()
            assert not await restart(person)
            await look_straight(person)  # one that shows no action is no way to another challenge
            assert not await restart(person)
        await person.action()
        assert await restart(person)  # beyond the budget: it counts
        await person.action()
    *same, other = await asked(inside)
    assert set(same) == {same[0]}
    assert (len(same), len(same[0]), len(other)) == (5, 4, 5)


async def test_an_attempt_that_showed_no_action_makes_no_challenge_longer(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        for _ in range(3):
            await look_straight(person)
            assert not await restart(person)
        assert (await person.action())["of"] == 4


async def test_who_asks_for_another_action_gets_another_challenge_without_it(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        spared = (await person.action())["action"]
        person.say("ease")
        assert (await person.over())[:2] == ("eased", False)
        assert (await person.action())["of"] == 6  # fewer kinds, so one action more than others are asked
        assert not await restart(person)
        await person.action()
    first, second, third = await asked(inside)
    assert spared in first
    assert spared not in second
    assert second == third


async def test_the_same_challenge_comes_with_new_colours(tmp_path: Path) -> None:
    async with world(tmp_path, Policy(light=True), pace=UNHURRIED) as inside:
        session = await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            await person.action()
            assert not await restart(person)
            await person.action()
        attempts = [await inside.store.sessions.attempt(session, number) for number in (1, 2)]
        (first, lit), (second, lit_again) = (
            (attempt.actions[:4], attempt.actions[4:]) for attempt in attempts if attempt is not None
        )
        assert first == second
        assert lit != lit_again


@pytest.mark.parametrize(("length", "again"), [(2, [False, False, True]), (1, [False, False])])
async def test_a_step_says_that_it_asks_for_the_same_action_again(
    tmp_path: Path, length: int, again: list[bool]
) -> None:
    policy = Policy(challenge_length=length, challenge_kinds=("turn_left",))
    async with world(tmp_path, policy, pace=UNHURRIED) as inside:
        await inside.issue()
        inside.lookout.sees = True
        async with inside.person() as person:
            await person.until("welcome")
            person.say("start")
            said = []
            feeding = asyncio.create_task(_feed(person))
            while (message := await person.next())["type"] != "judging":
                if message["type"] == "step":
                    said.append(message.get("again", False))
            feeding.cancel()
            assert said == again


async def _feed(person: Person) -> None:
    """Frames of whatever is on the screen, as a camera gives them."""
    while True:
        if person.nonce:
            person.frame()
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(("length", "seconds"), [(4, 15), (5, 12)])
def test_who_asks_for_more_time_gets_it_for_every_action_of_the_challenge(length: int, seconds: float) -> None:
    details = Details(CompareLib.BUSINESS, "11204416541220243X", "韦小宝")
    session = Session(1, 1, State.ISSUED, 1000.0, 1600.0, 0, 0, details, False, Policy())
    pace = AttemptPace()
    assert pace.for_one_action(session, length) == pace.step_seconds
    assert pace.for_one_action(replace(session, eased=""), length) == seconds
