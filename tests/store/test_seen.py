"""A frame that was sent before is known again, within one account, for as long as its evidence is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from renzheng.store.sweeper import DAY
from renzheng.verification.policy import Policy
from renzheng.verification.session import EndReason

from .conftest import DETAILS, World


async def captured(world: World, token: str, digests: list[int], account: int | None = None) -> int:
    """A session in `judging` with frames of these digests."""
    world.clock.now += 1
    sessions = world.store.sessions
    owner = world.account.id if account is None else account
    session_id = await sessions.create(owner, token, DETAILS, None, Policy(), world.clock(), 600)
    assert await sessions.begin_attempt(session_id, 0, ("blink",), world.clock()) == 1
    assert await sessions.reveal(session_id, 1, world.step(0), False, None)
    assert await sessions.reveal(session_id, 1, world.step(1), True, None)
    frames = [world.frame(number) for number in range(len(digests))]
    named = [
        (replace(record, digest=bytes([digest]) * 32), jpeg)
        for (record, jpeg), digest in zip(frames, digests, strict=True)
    ]
    assert await sessions.store_frames(session_id, 1, named)
    assert await sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock())
    return session_id


async def test_frames_of_an_earlier_session_are_counted_and_its_own_are_not(world: World) -> None:
    sessions = world.store.sessions
    first = await captured(world, "A", [1, 2, 3, 3])
    second = await captured(world, "B", [9, 2, 3, 8])
    assert await sessions.seen_before(first, 1) == 0  # neither its own nor what comes later
    assert await sessions.seen_before(second, 1) == 2


async def test_frames_of_an_earlier_attempt_are_counted_in_the_next(world: World) -> None:
    sessions = world.store.sessions
    number = await world.capture(frames=3)
    assert await sessions.begin_attempt(number, 1, ("blink",), world.clock()) == 2
    assert await sessions.reveal(number, 2, world.step(1), True, None)
    world.clock.now += 1
    assert await sessions.store_frames(number, 2, [world.frame(one) for one in range(2)])
    assert (await sessions.seen_before(number, 1), await sessions.seen_before(number, 2)) == (0, 2)


async def test_nothing_is_known_of_another_accounts_frames(world: World) -> None:
    other = await world.store.accounts.create("other", world.clock())
    await captured(world, "A", [1, 2, 3])
    session_id = await captured(world, "B", [1, 2, 3], account=other.id)
    assert await world.store.sessions.seen_before(session_id, 1) == 0


async def test_what_is_known_goes_with_the_evidence(world: World) -> None:
    await captured(world, "A", [1, 2, 3])
    await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    world.clock.now += 4 * DAY
    assert world.count("SELECT count(*) FROM frames") == 0
    again = await captured(world, "B", [1, 2, 3])
    assert await world.store.sessions.seen_before(again, 1) == 0


@pytest.mark.sqlite
async def test_a_lookup_reads_an_index_however_many_frames_there_are(world: World) -> None:
    plan = await world.store.database.all(
        "EXPLAIN QUERY PLAN SELECT 1 FROM frames AS before WHERE before.digest = :digest", digest=b"d" * 32
    )
    assert "frames_digest" in str(plan)
