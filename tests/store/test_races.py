"""Every once-only effect has one winner among 16 that come at once."""

# ruff: noqa: B023 - the contests are over before their round is

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from renzheng.store.open import Store, open_store
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.session import Ending

from .conftest import World

ROUNDS = [pytest.param(3, id="sample"), pytest.param(50, id="full", marks=pytest.mark.stress)]
Contest = Callable[[Store, World, int, int], Awaitable[Any]]


async def sixteen(world: World, contest: Callable[[Store, int], Awaitable[Any]]) -> list[Any]:
    """Half of them through a second store beside the first, as another process would come."""
    beside = open_store(world.root / "data", world.root / "keys", world.clock, os.urandom)
    await beside.start(serving=False)
    try:
        return await asyncio.gather(*(contest(beside if n % 2 else world.store, n) for n in range(16)))
    finally:
        await beside.stop()


def winners(results: list[Any]) -> int:
    return sum(result not in (None, False) for result in results)


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_device_of_sixteen_gets_the_session(world: World, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.issue(f"T{number}")
        results = await sixteen(
            world, lambda store, n: store.sessions.claim_device(session_id, f"device{n}", world.clock(), 10, None)
        )
        assert winners(results) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_handover_code_serves_one_of_sixteen(world: World, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.issue(f"T{number}")
        sessions = world.store.sessions
        assert await sessions.claim_device(session_id, "first", world.clock(), 10, None)
        assert await sessions.offer_handover(session_id, "first", "CODE", world.clock() + 60)
        results = await sixteen(
            world, lambda store, n: store.sessions.claim_device(session_id, f"device{n}", world.clock(), 10, "CODE")
        )
        assert winners(results) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_of_sixteen_begins_the_attempt(world: World, rounds: int) -> None:
    actions = ("blink", "turn_left")
    for number in range(rounds):
        session_id = await world.issue(f"T{number}")
        for attempt in (0, 1):
            results = await sixteen(
                world, lambda store, _: store.sessions.begin_attempt(session_id, attempt, actions, world.clock())
            )
            assert winners(results) == 1
            assert max(result or 0 for result in results) == attempt + 1
        # The key of the evidence is one, whoever won: what either store seals opens.
        assert await world.store.sessions.store_frames(session_id, 2, [world.frame(1)])
        assert len(await world.store.sessions.frames(session_id, 2)) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_of_sixteen_hands_in_and_a_token_is_spent_once(world: World, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.capture(f"T{number}")
        results = await sixteen(
            world, lambda store, _: store.sessions.submit(session_id, 1, Ending.COMPLETED, world.clock())
        )
        assert winners(results) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_judge_of_sixteen_claims_and_one_verdict_of_sixteen_is_recorded(world: World, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.hand_in(f"T{number}")
        jobs = await sixteen(world, lambda store, _: store.sessions.claim_judging(world.clock(), 15))
        assert winners(jobs) == 1
        epoch = next(job.epoch for job in jobs if job)
        verdict = Verdict(PASSED, 80.0)
        results = await sixteen(
            world,
            lambda store, _: store.sessions.record_verdict(session_id, epoch, verdict, "{}", None, world.clock()),
        )
        assert winners(results) == 1
        assert world.count("SELECT count(*) FROM ledger WHERE session_id = ?", session_id) == 1


async def test_sixteen_sessions_go_to_sixteen_judges(world: World) -> None:
    ids = [await world.hand_in(f"T{number}") for number in range(16)]
    jobs = await sixteen(world, lambda store, _: store.sessions.claim_judging(world.clock(), 15))
    assert sorted(job.session.id for job in jobs) == ids
