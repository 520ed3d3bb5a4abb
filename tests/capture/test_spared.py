"""Attempts that end through nothing the person did: spared within one budget, and help that can be asked for once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.requests import Request

from renzheng.capture.bounds import ChannelLimits
from renzheng.verification import challenge
from renzheng.verification.policy import Policy
from tests.capture.inside import PACE, SETTINGS, Person, World, picture, world


@pytest.fixture
async def inside(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as opened:
        await opened.issue()
        yield opened


async def day(inside: World) -> int:
    session = await inside.store.sessions.find("TOKEN")
    assert session is not None
    assert session.id_hash is not None
    return await inside.store.sessions.attempts_today(session.account_id, session.id_hash, "today")


def turn(person: Person) -> None:
    person.jpeg = picture(480, 640)
    person.frame()
    person.jpeg = picture(640, 480)


async def test_a_phone_that_is_turned_ends_the_attempt_uncounted(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        await person.action()
        turn(person)
        assert await person.over() == ("turned", False, 3)
        assert await day(inside) == 1, "it counts for the day all the same"


async def test_all_reasons_share_one_budget_and_then_attempts_count(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        await person.action()
        person.say("restart", reason="camera")
        assert await person.over() == ("camera", False, 3)
        await person.action()
        turn(person)
        assert await person.over() == ("turned", False, 3)
        await person.action()
        person.say("restart", reason="turned")
        assert await person.over() == ("turned", True, 2)
        await person.action()
        person.say("ease")
        assert await person.over() == ("eased", True, 1)
        assert await day(inside) == 4


async def test_before_the_first_action_nothing_is_taken_from_the_budget(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        for _ in range(4):
            person.say("start")
            while (await person.next())["type"] != "step":
                pass
            person.say("restart", reason="camera")
            assert await person.over() == ("camera", False, 3)
        await person.action()
        person.say("restart", reason="camera")
        assert await person.over() == ("camera", False, 3)
        assert await day(inside) == 1


async def test_another_connection_has_no_new_budget(inside: World) -> None:
    device = None
    for expected in (False, False, True):
        async with inside.person(**({"device": device} if device else {})) as person:
            device = (await person.until("welcome"))["device"]
            await person.action()
            person.say("restart", reason="camera")
            assert (await person.over())[1] is expected


async def test_more_time_and_another_action_are_given_once_and_counted_in_the_funnel(inside: World) -> None:
    async with inside.person() as person:
        assert (await person.until("welcome"))["eases"] is True
        asked = await person.action()
        assert asked["seconds"] == pytest.approx(PACE.step_seconds, abs=0.11)
        person.say("ease")
        message = await person.until("attempt_over")
        assert (message["reason"], message["counted"], message["eases"]) == ("eased", False, False)
        for _ in range(3):
            step = await person.action()
            assert step["action"] != asked["action"]
            assert step["seconds"] == pytest.approx(PACE.eased_seconds, abs=0.11)
            person.say("ease")  # once a token: from here on it ends an attempt and changes nothing
            assert (await person.until("attempt_over"))["eases"] is False
            if message["attempts_left"] == 1:
                break
            message["attempts_left"] -= 1
    assert inside.steps.seen["eased", ""] == 1


async def test_help_can_be_asked_for_between_two_attempts(inside: World) -> None:
    async with inside.person() as person:
        await person.until("welcome")
        asked = await person.action()
        await person.until("attempt_over")
        person.say("ease")
        step = await person.action()
        assert step["action"] != asked["action"]
        assert step["seconds"] == pytest.approx(PACE.eased_seconds, abs=0.11)


async def test_a_line_too_slow_for_the_action_is_named_and_spared(tmp_path: Path) -> None:
    limits = ChannelLimits(min_frames_per_second=0.5, max_frames_per_second=1000)
    pace = type(PACE)(neutral_seconds=0.02, step_seconds=3.2, ready_seconds=5)
    async with world(tmp_path, limits=limits, pace=pace) as inside:
        await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            await person.action()
            inside.clock.ahead += 1.6
            slow = await person.until("network")
            inside.clock.ahead += 1.6
            assert (slow["ok"], slow["reason"]) == (False, "too_few_frames")
            assert await person.over() == ("slow_line", False, 3)


async def test_a_rule_chooses_the_actions_and_how_long_they_may_take(tmp_path: Path) -> None:
    policy = Policy(challenge_length=1, challenge_kinds=("turn_left",), step_seconds=12)
    async with world(tmp_path, policy) as inside:
        await inside.issue()
        async with inside.person() as person:
            await person.until("welcome")
            step = await person.action()
            assert (step["action"], step["of"]) == ("turn_left", 1)
            assert step["seconds"] == pytest.approx(12, abs=0.11)


async def test_what_people_read_of_the_account_comes_with_the_welcome(inside: World) -> None:
    for language, name in (("zh-CN", "青禾银行"), ("en-US", "Qinghe Bank"), (None, "Qinghe Bank")):
        await inside.issue(f"TOKEN-{language}")
        async with inside.person(f"TOKEN-{language}", language=language) as person:
            welcome = await person.until("welcome")
            assert welcome["account"] == name
            assert welcome["names"] == {"zh-CN": "青禾银行", "en-US": "Qinghe Bank"}
            assert (welcome["privacy_url"], welcome["contact"]) == ("https://shop.example/privacy", "400 820 8820")


async def test_a_plain_request_is_told_to_upgrade_and_counted(inside: World) -> None:
    scope = {"type": "http", "method": "GET", "path": "/capture/v1", "headers": [(b"user-agent", b"Firefox/130")]}
    reply = await inside.channel.refuse(Request(scope))
    assert reply.status_code == 426
    assert reply.headers["Upgrade"] == "websocket"
    assert inside.steps.seen["refused", "no_upgrade"] == 1


@pytest.mark.parametrize("action", challenge.ACTIONS)
def test_an_action_is_spared_where_a_challenge_without_it_is_left(action: str) -> None:
    assert action not in challenge.spared(challenge.ACTIONS, 2, action)
    few = ("turn_left", "blink")
    assert challenge.spared(few, 3, action) == few
    assert challenge.spared(challenge.ACTIONS, 2, None) == challenge.ACTIONS
    assert SETTINGS.spared_attempts == 2


async def test_frames_that_the_server_lost_are_no_fault_of_the_persons(inside: World) -> None:
    """A hint process that is down while an action is asked: nobody saw whether it was done."""
    async with inside.person() as person:
        await person.until("welcome")
        await person.action()
        inside.lookout.loses = True
        person.frame()
        person.frame()
        assert await person.over() == ("server", False, 3)
        inside.lookout.loses = False
        await person.action()
        for _ in range(4):
            person.frame()
            await asyncio.sleep(0.006)
        inside.lookout.loses = True
        person.frame()
        assert (await person.over())[:2] == ("timeout", True)  # most of them were looked at


async def test_a_reconnect_while_the_server_loses_frames_costs_no_attempt(inside: World) -> None:
    async with inside.person() as person:
        device = (await person.until("welcome"))["device"]
        await person.action()
    inside.lookout.loses = True
    async with inside.person(device=device) as person:
        assert (await person.until("welcome"))["state"] == "capturing"
        assert (await person.over())[:2] == ("server", False)
