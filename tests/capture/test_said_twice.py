"""What the protocol page says of messages that come twice, not at all, or at the wrong moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from renzheng.capture.bounds import ChannelLimits
from tests.capture.inside import World, picture, world


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as opened:
        await opened.issue()
        yield opened


async def test_a_second_start_is_ignored_and_begins_no_attempt_by_itself(inside: World) -> None:
    async with inside.person() as person:
        assert (await person.until("welcome"))["protocol"] == 1
        await person.action()
        for _ in range(3):
            person.say("start")
        await person.until("attempt_over")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await person.next()
        await person.action()


async def test_a_frame_with_a_sequence_that_was_there_is_dropped_and_the_first_stays(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        await person.action()
        person.frame()
        person.sequence -= 1
        person.jpeg = picture(320, 240)
        person.frame()
        person.jpeg = picture(640, 480)
        person.frame()  # the same picture again, under a sequence of its own, is a frame like any other
        while (await person.until("ack"))["sequence"] < person.sequence:
            pass
        session = await inside.store.sessions.find("TOKEN")
        assert session is not None
        frames = await inside.store.sessions.frames(session.id, 1)
        assert [record.sequence for record, _ in frames] == sorted({record.sequence for record, _ in frames})
        assert {jpeg for _, jpeg in frames} == {picture(640, 480)}


async def test_a_pong_that_never_comes_is_told_as_a_slow_line_and_costs_nothing(tmp_path: Path) -> None:
    async with world(tmp_path, limits=ChannelLimits(round_trip_seconds=0.01)) as inside:
        await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            person.answers = False
            person.say("start")
            told = await person.until("network")
            assert (told["ok"], told["reason"]) == (False, "slow_round_trip")
            inside.clock.ahead += 60
            assert await person.over() == ("not_ready", False, 3)


async def test_who_cancels_within_an_attempt_and_comes_back_in_time_goes_on_in_it(inside: World) -> None:
    async with inside.person() as person:
        device = (await person.until("welcome"))["device"]
        asked = await person.action()
        person.say("cancel")
        assert await person.close_code() == 1000
    async with inside.person(device=device) as person:
        welcome = await person.until("welcome")
        assert (welcome["state"], welcome["attempts_left"]) == ("capturing", 2)
        # The baseline is taken again of the stored frames, and the same action is shown with the time that is left.
        step = await person.until("step")
        assert (step["action"], step["nonce"]) == (asked["action"], asked["nonce"])
        assert step["seconds"] <= asked["seconds"]


async def test_a_hand_over_that_is_asked_for_late_gets_a_code_with_time_left(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        codes = []
        for ahead in (0, 40, 30):  # of a hundred and twenty seconds: before the half of them and after
            inside.clock.ahead += ahead
            person.say("handover")
            codes.append(await person.until("handover"))
        assert codes[0]["code"] == codes[1]["code"] != codes[2]["code"]
        assert codes[2]["expires_in"] > codes[1]["expires_in"]
