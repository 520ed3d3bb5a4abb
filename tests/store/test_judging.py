"""Leases and epochs: judging survives the death of a judge, and a verdict is one."""

from __future__ import annotations

from dataclasses import replace

from renzheng.store.sealer import Kind, Subject
from renzheng.verification.decision import NO_USABLE_FRAME, NOT_LIVE, PASSED, Verdict
from renzheng.verification.records import SessionOutcome
from renzheng.verification.session import EndReason, State

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


async def test_a_device_is_known_by_the_whole_of_its_hash(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.issue()
    assert await sessions.claim_device(session_id, "first", world.clock(), 10, None)
    session = await sessions.find("TOKEN")
    assert session is not None
    kept = session.device_hash
    assert kept is not None
    assert sessions.is_device(session, "first")
    for other in (kept[:-1] + bytes([kept[-1] ^ 1]), kept[:-1], b"", None):
        assert not sessions.is_device(replace(session, device_hash=other), "first")


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
    left = "SELECT count(*) FROM sessions WHERE handover IS NOT NULL OR handover_until IS NOT NULL"
    assert world.count(left) == 0  # it is spent, and nothing of it is kept


async def test_a_session_whose_key_is_gone_does_not_keep_the_others_from_being_judged(world: World) -> None:
    erased, next_one = await world.hand_in("A"), await world.hand_in("B")
    await world.store.vault.erasures.destroy([Subject(Kind.SESSION, erased)])
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert job.session.id == next_one
    assert await world.store.sessions.claim_judging(world.clock(), 15) is None


async def test_who_waits_longest_is_by_when_it_was_handed_in_and_not_when_it_began(world: World) -> None:
    first = await world.capture("FIRST")
    second = await world.capture("SECOND")
    for session_id in (second, first):
        assert await world.store.sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock())
        world.clock.now += 1
    claimed = [await world.store.sessions.claim_judging(world.clock(), 15) for _ in range(2)]
    assert [job.session.id for job in claimed if job] == [second, first]


async def test_a_judge_of_an_epoch_that_is_over_changes_nothing(world: World) -> None:
    session_id = await world.hand_in()
    sessions = world.store.sessions
    old = await sessions.claim_judging(world.clock(), 15)
    world.clock.now += 15
    new = await sessions.claim_judging(world.clock(), 15)
    assert old is not None
    assert new is not None
    assert new.lost_leases == 1
    assert not await sessions.renew_judging(session_id, old.epoch, world.clock() + 99)
    assert not await sessions.release_judging(session_id, old.epoch)
    assert not await sessions.record_verdict(session_id, old.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock())
    assert world.count("SELECT count(*) FROM verdicts") == 0
    assert await sessions.renew_judging(session_id, new.epoch, world.clock() + 99)
    assert await sessions.record_verdict(session_id, new.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock())
    assert not await sessions.renew_judging(session_id, new.epoch, world.clock() + 99)  # it is decided


async def test_a_period_of_the_ledger_has_its_beginning_and_not_its_end(world: World) -> None:
    ledger, own = world.store.ledger, world.account.id
    times = []
    for token in "ABC":
        session_id = await world.hand_in(token)
        job = await world.store.sessions.claim_judging(world.clock(), 15)
        assert job is not None
        await world.store.sessions.record_verdict(session_id, job.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock())
        times.append(world.clock())
        world.clock.now += 10
    assert await ledger.billed(own, times[0], times[2]) == 2
    assert await ledger.billed(own, times[1]) == 2
    found = await ledger.entries(own, times[0], times[2])
    assert [entry.at for entry in found] == times[:2]
    assert [entry.at for entry in await ledger.entries(own, times[1], after=found[1].id)] == [times[2]]


NOT_ALIVE = Verdict(NO_USABLE_FRAME, 0.0, ("02",), "face", may_retry=True)


async def tried_again(world: World, token: str = "TOKEN") -> int:
    """A session whose first attempt was judged and failed by liveness."""
    sessions = world.store.sessions
    session_id = await world.hand_in(token)
    job = await sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await sessions.again(session_id, job.epoch, NOT_ALIVE, '{"n":1}', 2, world.clock())
    return session_id


async def test_after_a_judged_attempt_the_result_is_unfinished_and_a_new_attempt_may_pass(world: World) -> None:
    sessions = world.store.sessions
    session_id = await tried_again(world)
    outcome = await sessions.result(world.account.id, "TOKEN")
    assert isinstance(outcome, SessionOutcome)
    assert (outcome.session.state, outcome.verdict, outcome.session.judged) == (State.CAPTURING, None, 1)
    assert not await sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock())  # the judged one, once more
    assert not await sessions.store_frames(session_id, 1, [world.frame(9)])
    assert await sessions.begin_attempt(session_id, outcome.session.attempt, ("nod",), world.clock()) == 3
    assert await sessions.reveal(session_id, 3, world.step(0), False, None)
    assert await sessions.reveal(session_id, 3, world.step(1), True, None)
    assert await sessions.store_frames(session_id, 3, [world.frame(0)])
    assert await sessions.submit(session_id, 3, EndReason.COMPLETED, world.clock())
    job = await sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await sessions.record_verdict(session_id, job.epoch, Verdict(PASSED, 91.0), "{}", 0, world.clock())
    found = await sessions.result(world.account.id, "TOKEN")
    assert isinstance(found, SessionOutcome)
    assert found.verdict is not None
    assert (found.verdict.result, found.verdict.attempt) == ("0", 3)
    assert [entry.result for entry in await world.store.ledger.entries(world.account.id)] == ["0"]


async def test_a_token_whose_life_ends_after_a_judged_attempt_has_its_verdict_once(world: World) -> None:
    sessions = world.store.sessions
    session_id = await tried_again(world)
    assert await sessions.lapse(world.clock(), 10) == 0  # it lives
    world.clock.now += 600
    assert await sessions.expire(world.clock(), 10) == 0
    assert [await sessions.lapse(world.clock(), 10) for _ in range(2)] == [1, 0]
    found = await sessions.result(world.account.id, "TOKEN")
    assert isinstance(found, SessionOutcome)
    assert found.verdict is not None
    assert (found.session.state, found.verdict.result, found.verdict.attempt) == (State.FAILED, "1004", 1)
    assert (found.verdict.tags, found.verdict.best_frame) == (("02",), 2)
    assert await sessions.measurement(session_id) == '{"n":1}'
    assert [entry.result for entry in await world.store.ledger.entries(world.account.id)] == ["1004"]
    assert len(await sessions.frames(session_id, 1)) == 3


async def test_the_sweeper_ends_what_lapsed(world: World) -> None:
    session_id = await tried_again(world)
    world.clock.now += 601
    await world.store.sweeper.sweep(world.clock())
    assert world.state(session_id) == "failed"


async def test_the_last_attempt_and_a_dead_token_are_not_tried_again(world: World) -> None:
    sessions = world.store.sessions
    for token, change in (("A", "counted = most_attempts"), ("B", f"expires_at = {world.clock()}")):
        session_id = await world.hand_in(token)
        job = await sessions.claim_judging(world.clock(), 15)
        assert job is not None
        world.force(f"UPDATE sessions SET {change} WHERE id = ?", session_id)
        assert not await sessions.again(session_id, job.epoch, NOT_ALIVE, "{}", None, world.clock())
        assert not await sessions.again(session_id, job.epoch - 1, NOT_ALIVE, "{}", None, world.clock())
        assert world.count("SELECT count(*) FROM verdicts") == 0
        assert world.state(session_id) == "judging"
        await sessions.release_judging(session_id, job.epoch)
        world.force("DELETE FROM sessions WHERE id = ?", session_id)
