"""Every once-only effect has one winner among sixteen that come at once, from two processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from renzheng.store.open import Store
from renzheng.verification.decision import NO_USABLE_FRAME, PASSED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.session import EndReason

from .conftest import World
from .racers import CONTENDERS, Racers

ROUNDS = [pytest.param(3, id="sample"), pytest.param(50, id="full", marks=[pytest.mark.stress, pytest.mark.races])]


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    both = Racers()
    yield both
    both.stop()


def winners(results: list[Any]) -> int:
    return sum(result not in (None, False) for result in results)


async def claim_device(store: Store, number: int, now: float, session_id: int, code: str | None) -> bool:
    return await store.sessions.claim_device(session_id, f"device{number}", now, 10, code)


async def begin_attempt(store: Store, number: int, now: float, session_id: int, attempt: int) -> int | None:
    return await store.sessions.begin_attempt(session_id, attempt, ("blink", "turn_left"), now)


async def submit(store: Store, number: int, now: float, session_id: int) -> bool:
    return await store.sessions.submit(session_id, 1, EndReason.COMPLETED, now)


async def claim_judging(store: Store, number: int, now: float) -> tuple[int, int] | None:
    """Session and epoch."""
    job = await store.sessions.claim_judging(now, 15)
    return (job.session.id, job.epoch) if job else None


async def record_verdict(store: Store, number: int, now: float, session_id: int, epoch: int) -> bool:
    return await store.sessions.record_verdict(session_id, epoch, Verdict(PASSED, 80.0), "{}", None, now)


async def reveal(store: Store, number: int, now: float, session_id: int, steps: tuple[Any, Any]) -> bool:
    return await store.sessions.reveal(session_id, 1, steps[1], True, None)


async def reveal_own(store: Store, number: int, now: float, ids: list[int], step: Any, day: str) -> bool:
    return await store.sessions.reveal(ids[number], 1, step, True, day)


async def set_limit(store: Store, number: int, now: float, account_id: int) -> int:
    await store.billing.set_limit(account_id, f"Action{number}", number)
    return number


async def draw_id(store: Store, number: int, now: float) -> int:
    return await store.identities._draw_id()


async def add_first_pair(store: Store, number: int, now: float, account_id: int) -> Any:
    return bool(await store.encryption_keys.add_first(account_id, f"PEM{number}", now))


async def end_or_retry(store: Store, number: int, now: float, session_id: int, epoch: int, end: float) -> bool:
    """Judges, devices and sweepers of a token that dies, some a moment too late."""
    failed = Verdict(NO_USABLE_FRAME, 0.0, (), "face", may_retry=True)
    sessions, at = store.sessions, end + (-0.01 if number // 2 % 2 else 0.01)
    given: Any = (session_id, epoch, failed, "{}", None, at)
    match number // 2 % 4:
        case 0:
            return await sessions.again(*given)
        case 1:
            return await sessions.again(*given) or await sessions.record_verdict(*given)
        case 2:
            return bool(await sessions.lapse(end + 1, 10))
        case _:
            return await sessions.begin_attempt(session_id, 2, ("blink",), at) is not None


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_device_of_sixteen_gets_the_session(world: World, racers: Racers, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.issue(f"T{number}")
        assert winners(await racers.race(world, claim_device, session_id, None)) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_handover_code_serves_one_of_sixteen(world: World, racers: Racers, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.issue(f"T{number}")
        sessions = world.store.sessions
        assert await sessions.claim_device(session_id, "first", world.clock(), 10, None)
        assert await sessions.offer_handover(session_id, "first", "CODE", world.clock() + 60)
        assert winners(await racers.race(world, claim_device, session_id, "CODE")) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_of_sixteen_begins_the_attempt(world: World, racers: Racers, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.issue(f"T{number}")
        for attempt in (0, 1):
            results = await racers.race(world, begin_attempt, session_id, attempt)
            assert winners(results) == 1
            assert max(result or 0 for result in results) == attempt + 1
        # The key of the evidence is one, whoever won: what another process seals opens.
        assert await world.store.sessions.store_frames(session_id, 2, [world.frame(1)])
        assert len(await world.store.sessions.frames(session_id, 2)) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_of_sixteen_hands_in_and_a_token_is_spent_once(world: World, racers: Racers, rounds: int) -> None:
    for number in range(rounds):
        session_id = await world.capture(f"T{number}")
        assert winners(await racers.race(world, submit, session_id)) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_one_judge_of_sixteen_claims_and_one_verdict_of_sixteen_is_recorded(
    world: World, racers: Racers, rounds: int
) -> None:
    for number in range(rounds):
        session_id = await world.hand_in(f"T{number}")
        jobs = await racers.race(world, claim_judging)
        assert winners(jobs) == 1
        _, epoch = next(job for job in jobs if job)
        assert winners(await racers.race(world, record_verdict, session_id, epoch)) == 1
        assert world.count("SELECT count(*) FROM ledger WHERE session_id = ?", session_id) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_of_another_try_a_verdict_and_a_sweep_of_a_dying_token_one_wins_and_it_is_billed_once(
    world: World, racers: Racers, rounds: int
) -> None:
    """An attempt failed as its token's life ends."""
    for number in range(rounds):
        session_id = await world.hand_in(f"T{number}")
        job = await world.store.sessions.claim_judging(world.clock(), 15)
        assert job is not None
        end = job.session.expires_at
        await racers.race(world, end_or_retry, session_id, job.epoch, end)
        await world.store.sessions.lapse(end + 1, 10)
        assert await world.store.sessions.expire(end + 1, 10) == 0
        assert world.state(session_id) == "failed"
        assert world.count("SELECT count(*) FROM ledger WHERE session_id = ?", session_id) == 1
        assert world.count("SELECT attempt FROM verdicts WHERE session_id = ?", session_id) == 1


@pytest.mark.parametrize("rounds", ROUNDS)
async def test_of_one_person_s_sixteen_attempts_as_many_begin_as_the_day_has(
    world: World, racers: Racers, rounds: int
) -> None:
    most = 5
    for number in range(rounds):
        ids = [await world.issue(f"T{number}-{one}", policy=Policy(attempts_a_day=most)) for one in range(CONTENDERS)]
        for session_id in ids:
            assert await world.store.sessions.begin_attempt(session_id, 0, ("blink",), world.clock()) == 1
        day = f"2026-11-{number + 1:02}"
        assert winners(await racers.race(world, reveal_own, ids, world.step(1), day)) == most
        assert world.count("SELECT count FROM day_counts WHERE day = ?", day) == most


async def test_sixteen_sessions_go_to_sixteen_judges(world: World, racers: Racers) -> None:
    ids = [await world.hand_in(f"T{number}") for number in range(CONTENDERS)]
    jobs = await racers.race(world, claim_judging)
    assert sorted(job[0] for job in jobs) == ids


async def test_of_sixteen_limits_set_at_once_none_is_lost(world: World, racers: Racers) -> None:
    await racers.race(world, set_limit, world.account.id)
    assert await world.store.billing.limits(world.account.id) == {f"Action{n}": n for n in range(CONTENDERS)}


async def test_sixteen_numbers_of_people_drawn_at_once_are_sixteen(world: World, racers: Racers) -> None:
    assert len(set(await racers.race(world, draw_id))) == CONTENDERS


async def test_one_of_sixteen_makes_an_account_s_first_key_pairs(world: World, racers: Racers) -> None:
    assert winners(await racers.race(world, add_first_pair, world.account.id)) == 1
    assert len(await world.store.encryption_keys.usable(world.account.id)) == 1


async def test_one_of_sixteen_reveals_a_step_and_the_attempt_counts_once(world: World, racers: Racers) -> None:
    session_id = await world.issue()
    sessions = world.store.sessions
    assert await sessions.begin_attempt(session_id, 0, ("blink", "turn_left"), world.clock()) == 1
    steps = world.step(0), world.step(1)
    assert await sessions.reveal(session_id, 1, steps[0], False, None)
    results = await racers.race(world, reveal, session_id, steps)
    assert winners(results) == 1
    assert world.count("SELECT counted FROM sessions WHERE id = ?", session_id) == 1
