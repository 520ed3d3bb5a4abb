"""Time that the server did not watch is never the person's: such an attempt does not count, and fails nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from renzheng.capture import watching
from renzheng.verification.policy import Policy
from renzheng.verification.session import EndReason, Session, State
from tests.capture.inside import PACE, Person, World, world

SLOW_PACE = replace(PACE, step_seconds=0.3)


@pytest.fixture
async def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(watching, "MAX_GAP_SECONDS", 0.05)
    async with world(tmp_path, Policy(attempts=2), pace=SLOW_PACE) as opened:
        await opened.issue()
        yield opened


async def state(inside: World) -> Session:
    session = await inside.store.sessions.find("TOKEN")
    assert session is not None
    return session


async def pause(inside: World, person: Person, seconds: float) -> None:
    """An action is asked, and the hint process does not answer for so long, while frames come."""
    look, held = inside.lookout.look, asyncio.Event()

    async def later(jpeg: bytes, action: str) -> Any:
        await held.wait()
        return await look(jpeg, action)

    inside.lookout.look = later  # type: ignore[method-assign]
    for _ in range(int(seconds / 0.01)):
        person.frame()
        await asyncio.sleep(0.01)
    held.set()
    inside.lookout.look = look  # type: ignore[method-assign]
    person.frame()


async def test_an_action_that_was_not_watched_costs_no_attempt_and_after_two_it_ends_as_our_fault(
    inside: World,
) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        for _ in range(2):
            await person.action()
            await pause(inside, person, 0.2)
            assert await person.over() == ("server", False, 2)
        await person.action()
        await pause(inside, person, 0.2)
        await person.until("judging")
    session = await state(inside)
    assert (session.state, session.ending) == (State.JUDGING, EndReason.SERVER_LOST)
    assert (session.excused, session.spared) == (2, 0)
    assert inside.steps.seen["excused", ""] == 2
    assert inside.steps.seen["not_excused", ""] == 1


async def test_a_device_that_sends_nothing_for_long_and_then_much_is_not_unwatched(tmp_path: Path) -> None:
    """With the gap as shipped: by itself even a busy machine makes none of that length."""
    async with world(tmp_path, Policy(attempts=2), pace=replace(PACE, step_seconds=1.5)) as inside:
        await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            await person.action()
            await asyncio.sleep(watching.MAX_GAP_SECONDS + 0.2)
            for _ in range(20):
                person.frame()
            assert await person.over() == ("timeout", True, 1)


async def test_a_server_that_stood_still_tells_the_judge(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        await person.action()
        inside.lookout.sees = True
        pulse = inside.channel._parts.pulse
        pulse._stalls.append((inside.clock(), inside.clock() + 0.5))
        person.frame()
        while (message := await person.next())["type"] != "judging":
            if message["type"] == "step":
                person.frame()
    attempt = await inside.store.sessions.attempt((await state(inside)).id, 1)
    assert attempt is not None
    assert attempt.unwatched


async def test_who_was_cut_off_by_a_restart_comes_back_to_all_attempts(
    inside: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the gap as shipped: the attempt at the end is watched on a busy machine too
    async with inside.person() as person:
        device = (await person.until("welcome"))["device"]
        await person.action()
    assert await inside.store.sessions.mark_interrupted() == 1  # as a start does
    inside.clock.ahead += 1.0  # too late for the step
    async with inside.person(device=device) as person:
        welcome = await person.until("welcome")
        assert (welcome["state"], welcome["attempts_left"]) == ("ready", 2)
        await person.action()
        assert await person.over() == ("timeout", True, 1)


async def test_who_comes_back_in_time_after_a_restart_goes_on_and_loses_nothing_by_it(inside: World) -> None:
    async with inside.person() as person:
        device = (await person.until("welcome"))["device"]
        asked = await person.action()
    assert await inside.store.sessions.mark_interrupted() == 1
    async with inside.person(device=device) as person:
        assert (await person.until("welcome"))["state"] == "capturing"
        assert (await person.until("step"))["action"] == asked["action"]
        assert await person.over() == ("server", False, 2)


@pytest.mark.parametrize("delay", [0.0, 0.15])
async def test_the_neutral_second_that_is_judged_is_the_one_that_was_seen_however_late_a_look_returns(
    tmp_path: Path, delay: float
) -> None:
    """Frames are kept by when they came: from the first good one on, and none from before the last bad one."""
    async with world(tmp_path, pace=replace(PACE, neutral_seconds=0.2, step_seconds=5)) as inside:
        session_id = await inside.issue()
        hints = ["no_face"] * 3
        look = inside.lookout.look

        async def late(jpeg: bytes, action: str) -> Any:
            await asyncio.sleep(delay)
            return await look(jpeg, action)

        inside.lookout.look = late  # type: ignore[method-assign]
        inside.lookout.hint = lambda glance, action: hints.pop() if hints else None  # type: ignore[method-assign]
        async with inside.person() as person:
            await person.until("welcome")
            person.say("start")
            assert (await person.until("step"))["index"] == 0
            sending = asyncio.create_task(_send(person))
            while (await person.next()).get("index") != 1:
                pass
            sending.cancel()
        stored = await inside.store.sessions.frames(session_id, 1)
        neutral = [record for record, _ in stored if record.step == 0]
        assert len(neutral) >= 0.2 / 0.02 / 2, "those that came while the first look was under way are there"
        assert neutral[-1].received_at - neutral[0].received_at >= 0.2
        assert neutral[0].sequence > 3 or delay == 0, "what came before the face was seen well is not"


async def _send(person: Person) -> None:
    while True:
        person.frame()
        await asyncio.sleep(0.02)
