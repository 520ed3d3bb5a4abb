"""Leases and epochs: judging survives the death of a judge, and a verdict is one."""

from __future__ import annotations

from renzheng.store.sealer import Kind, Subject
from renzheng.verification.decision import NOT_LIVE, PASSED, Verdict

from .conftest import World


async def test_the_session_that_waited_longest_is_judged_first(world: World) -> None:
    ids = []
    for token in "ABC":
        ids.append(await world.hand_in(token))
        world.clock.now += 1
    assert await world.store.sessions.waiting(world.clock()) == 3
    claimed = [await world.store.sessions.claim_judging(world.clock(), 15) for _ in range(4)]
    assert [job.session.id if job else None for job in claimed] == [*ids, None]
    assert await world.store.sessions.waiting(world.clock()) == 0


async def test_a_judge_that_died_is_replaced_and_its_verdict_is_refused(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.hand_in()
    first = await sessions.claim_judging(world.clock(), 15)
    assert first is not None
    assert await sessions.claim_judging(world.clock() + 14.9, 15) is None
    second = await sessions.claim_judging(world.clock() + 15, 15)
    assert second is not None
    assert (first.epoch, first.lost_leases, second.epoch, second.lost_leases) == (1, 0, 2, 1)
    assert second.attempt == first.attempt
    assert not await sessions.renew_judging(session_id, first.epoch, world.clock() + 60)
    assert not await sessions.record_verdict(session_id, first.epoch, Verdict(PASSED, 99.0), "{}", None, world.clock())
    assert world.state(session_id) == "judging"
    assert world.count("SELECT count(*) FROM ledger") == 0
    assert await sessions.record_verdict(session_id, second.epoch, Verdict(NOT_LIVE, 0.0), "{}", None, world.clock())
    assert world.state(session_id) == "failed"
    assert not await sessions.renew_judging(session_id, second.epoch, world.clock() + 60)


async def test_a_heartbeat_keeps_the_lease(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.hand_in()
    job = await sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await sessions.renew_judging(session_id, job.epoch, world.clock() + 40)
    assert await sessions.claim_judging(world.clock() + 30, 15) is None
    assert await sessions.claim_judging(world.clock() + 40, 15) is not None


async def test_a_session_given_back_at_a_shutdown_lost_no_lease(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.hand_in()
    job = await sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await sessions.release_judging(session_id, job.epoch)
    again = await sessions.claim_judging(world.clock(), 15)
    assert again is not None
    assert (again.epoch, again.lost_leases) == (2, 0)


async def test_the_ledger_has_one_row_a_verdict_billed_or_not(world: World) -> None:
    sessions = world.store.sessions
    for token, verdict in (("A", Verdict(PASSED, 80.0)), ("B", Verdict(NOT_LIVE, 0.0))):
        session_id = await world.hand_in(token)
        job = await sessions.claim_judging(world.clock(), 15)
        assert job is not None
        assert await sessions.record_verdict(session_id, job.epoch, verdict, "{}", None, world.clock())
    entries = await world.store.ledger.entries(world.account.id)
    assert [(entry.result, entry.billed) for entry in entries] == [("0", True), ("1005", False)]
    assert await world.store.ledger.billed(world.account.id) == 1
    assert await world.store.ledger.entries(world.account.id, after=entries[0].id) == entries[1:]


async def test_a_device_keeps_the_session_while_it_is_heard_and_for_the_grace_after(world: World) -> None:
    sessions, now = world.store.sessions, world.clock()
    session_id = await world.issue()
    assert await sessions.claim_device(session_id, "first", now, 10, None)
    assert await sessions.claim_device(session_id, "first", now + 1, 10, None)
    assert await sessions.touch_device(session_id, "first", now + 5)
    assert not await sessions.claim_device(session_id, "second", now + 14.9, 10, None)
    assert await sessions.claim_device(session_id, "second", now + 15, 10, None)
    assert not await sessions.touch_device(session_id, "first", now + 16)
    assert not await sessions.offer_handover(session_id, "first", "CODE", now + 60)


async def test_a_handover_code_works_once_in_time_and_for_its_own_session(world: World) -> None:
    sessions, now = world.store.sessions, world.clock()
    session_id, other = await world.issue("A"), await world.issue("B")
    for number in (session_id, other):
        assert await sessions.claim_device(number, "first", now, 10, None)
    assert await sessions.offer_handover(session_id, "first", "CODE", now + 5)
    assert not await sessions.claim_device(other, "second", now + 1, 10, "CODE")
    assert not await sessions.claim_device(session_id, "second", now + 1, 10, "ANOTHER")
    assert not await sessions.claim_device(session_id, "second", now + 5, 10, "CODE")
    assert await sessions.claim_device(session_id, "first", now + 2, 10, None)  # a reconnect keeps the offer
    assert await sessions.claim_device(session_id, "second", now + 4, 10, "CODE")
    assert not await sessions.claim_device(session_id, "third", now + 4, 10, "CODE")


async def test_a_session_whose_key_is_gone_does_not_keep_the_others_from_being_judged(world: World) -> None:
    erased, next_one = await world.hand_in("A"), await world.hand_in("B")
    await world.store.vault.erasures.destroy([Subject(Kind.SESSION, erased)])
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert job.session.id == next_one
    assert await world.store.sessions.claim_judging(world.clock(), 15) is None
