"""Attempts that the server could not watch: given back within a budget of their own, and found after a restart."""

from __future__ import annotations

import pytest

from renzheng.store.nodes import DEAD_SECONDS, JUDGE, SERVER
from renzheng.verification.decision import ENGINE_LOST, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.session import EndReason, Session
from tests.store.conftest import World

ACTIONS = ("blink", "turn_left")


async def begun(world: World, token: str = "TOKEN", attempts: int = 3) -> int:
    """A session whose first action is on the screen."""
    session_id = await world.issue(token, policy=Policy(attempts=attempts))
    await world.store.sessions.claim_device(session_id, "device", world.clock(), 10, None)
    assert await world.store.sessions.begin_attempt(session_id, 0, ACTIONS, world.clock()) == 1
    assert await world.store.sessions.reveal(session_id, 1, world.step(1), True, None)
    return session_id


async def found(world: World, token: str = "TOKEN") -> Session:
    session = await world.store.sessions.find(token)
    assert session is not None
    return session


async def test_it_is_given_back_within_a_budget_that_devices_cannot_use(world: World) -> None:
    sessions = world.store.sessions
    session_id = await begun(world)
    assert await sessions.spare(session_id, 1, 1)
    for number in (2, 3, 4):
        assert await sessions.begin_attempt(session_id, number - 1, ACTIONS, world.clock()) == number
        assert await sessions.reveal(session_id, number, world.step(1), True, None)
        assert await sessions.excuse(session_id, number, 2) is (number < 4)
        assert not await sessions.excuse(session_id, number - 1, 9), "only the current one"
    session = await found(world)
    assert (session.spared, session.excused, session.counted) == (1, 2, 1)


@pytest.mark.parametrize(("seen", "cut_off"), [(5.9, True), (6.1, False)])
async def test_after_a_restart_attempts_are_marked_whose_step_had_time_when_their_device_was_last_seen(
    world: World, seen: float, cut_off: bool
) -> None:
    session_id = await begun(world)
    await world.store.sessions.touch_device(session_id, "device", world.clock() + seen)
    assert await world.store.sessions.mark_interrupted() == int(cut_off)
    attempt = await world.store.sessions.attempt(session_id, 1)
    assert attempt is not None
    assert (attempt.unwatched, attempt.is_server_fault) == (cut_off, cut_off)


async def test_what_had_not_counted_or_was_handed_in_is_not_marked(world: World) -> None:
    sessions = world.store.sessions
    assert await sessions.begin_attempt(await world.issue("A"), 0, ACTIONS, world.clock()) == 1
    handed_in = await begun(world, "B")
    assert await sessions.submit(handed_in, 1, EndReason.COMPLETED, world.clock())
    abandoned = await begun(world, "C")
    assert await sessions.begin_attempt(abandoned, 1, ACTIONS, world.clock()) == 2
    assert await sessions.mark_interrupted() == 0


@pytest.mark.parametrize("end", ["removed", "drained", "buried"])
async def test_with_a_node_the_attempts_of_its_own_devices_are_cut_off(world: World, end: str) -> None:
    sessions, nodes, now = world.store.sessions, world.store.nodes, world.clock()
    ends, stays, judge = [await nodes.add(kind, "E") for kind in (SERVER, SERVER, JUDGE)]
    numbers = [await begun(world, token) for token in ("A", "B")]
    for number, node in zip(numbers, (ends, stays), strict=True):
        assert await sessions.return_device(number, "device", now, node.id, 1)

    async def cut_off() -> list[bool]:
        found = [await sessions.attempt(number, 1) for number in numbers]
        return [one is not None and one.unwatched for one in found]

    world.force("UPDATE nodes SET seen_at = seen_at - ? WHERE id = ?", DEAD_SECONDS + 1, judge.id)
    assert await nodes.bury(judge.id)
    assert await cut_off() == [False, False]
    if end == "buried":
        world.force("UPDATE nodes SET seen_at = seen_at - ? WHERE id = ?", DEAD_SECONDS + 1, ends.id)
        assert await nodes.bury(ends.id)
    elif end == "drained":
        assert await nodes.drain(ends.id) == 1
    else:
        await nodes.remove(ends.id)
    assert await cut_off() == [True, False]


async def test_an_attempt_that_ran_out_is_ended_by_the_node_of_its_device_and_by_any_once_that_is_gone(
    world: World,
) -> None:
    sessions, now = world.store.sessions, world.clock()
    node, other = [await world.store.nodes.add(SERVER, "E") for _ in range(2)]
    number = await begun(world, attempts=1)
    assert await sessions.return_device(number, "device", now, node.id, 1)
    assert await sessions.run_out(now + 99, 10, other.id) == []
    assert await sessions.run_out(now + 99, 10, node.id) == [(number, 1)]
    await world.store.nodes.remove(node.id)
    assert await sessions.run_out(now + 99, 10, other.id) == [(number, 1)]


async def test_a_hand_over_to_the_judge_notes_what_was_not_watched(world: World) -> None:
    sessions = world.store.sessions
    for token, unwatched in (("A", True), ("B", False)):
        session_id = await begun(world, token)
        assert await sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock(), unwatched)
        attempt = await sessions.attempt(session_id, 1)
        assert attempt is not None
        assert attempt.unwatched is unwatched
        job = await sessions.claim_judging(world.clock(), 15)
        assert job is not None
        assert job.attempt == attempt


async def test_after_the_verdict_the_last_attempt_is_given_back_too(world: World) -> None:
    sessions = world.store.sessions
    session_id = await begun(world, attempts=1)
    assert await sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock(), True)
    job = await sessions.claim_judging(world.clock(), 15)
    assert job is not None
    verdict = Verdict(ENGINE_LOST, 0.0, (), "later", True)
    assert not await sessions.again(session_id, job.epoch, verdict, "{}", None, world.clock())
    assert await sessions.again(session_id, job.epoch, verdict, "{}", None, world.clock(), True)
    session = await found(world)
    assert (session.counted, session.excused, session.attempts_left(1)) == (0, 1, 1)
    attempt = await sessions.attempt(session_id, 1)
    assert attempt is not None
    assert attempt.is_spared
    assert await sessions.begin_attempt(session_id, session.attempt, ACTIONS, world.clock()) is not None
