"""Money: a verdict is charged exactly once, in its own transaction; accounts do not disturb each other."""

from __future__ import annotations

import asyncio

import pytest

from renzheng.accounts.billing import BillingRefusal, BillingStatus
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.engine import ConflictError
from renzheng.verification.decision import NOT_ENROLLED, NOT_LIVE, PASSED, WRONG_NAME, Result, Verdict

from .conftest import World


async def prepay(world: World, amount: int, account_id: int | None = None) -> int:
    number = account_id or world.account.id
    await world.store.billing.set_prepaid(number)
    await world.store.billing.top_up(number, amount, world.clock())
    return number


async def judge(world: World, token: str, result: Result) -> None:
    session_id = await world.hand_in(token)
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    verdict = Verdict(result, 0.0)
    assert await world.store.sessions.record_verdict(session_id, job.epoch, verdict, "{}", None, world.clock())


async def balance(world: World, account_id: int | None = None) -> int | None:
    return (await world.store.billing.standing(account_id or world.account.id)).balance


async def books_agree(world: World, account_id: int) -> bool:
    """Whether what was paid in, less what was charged, is what is left."""
    paid = sum(row.amount for row in await world.store.billing.top_ups(account_id))
    charged = sum(row.charged for row in await world.store.ledger.entries(account_id))
    return await balance(world, account_id) == paid - charged


async def test_sixteen_verdicts_of_one_session_are_charged_once(world: World) -> None:
    await prepay(world, 100)
    beside = await world.beside()
    for number in range(5):
        session_id = await world.hand_in(f"T{number}")
        job = await world.store.sessions.claim_judging(world.clock(), 15)
        assert job is not None
        verdict = Verdict(PASSED, 80.0)
        won = await asyncio.gather(
            *(
                (beside if n % 2 else world.store).sessions.record_verdict(
                    session_id, job.epoch, verdict, "{}", None, world.clock()
                )
                for n in range(16)
            )
        )
        assert won.count(True) == 1
        assert await balance(world) == 99 - number
    await beside.stop()
    assert await world.store.ledger.billed(world.account.id) == 5
    assert await books_agree(world, world.account.id)


async def test_sixteen_sessions_judged_at_once_are_charged_sixteen_times_and_a_neighbour_never(world: World) -> None:
    other = await world.store.accounts.create("other", world.clock())
    await prepay(world, 10)
    await prepay(world, 10, other.id)
    for number in range(16):
        await world.hand_in(f"T{number}")
    jobs = [await world.store.sessions.claim_judging(world.clock(), 15) for _ in range(16)]
    await asyncio.gather(
        *(
            world.store.sessions.record_verdict(
                job.session.id, job.epoch, Verdict(PASSED, 80.0), "{}", None, world.clock()
            )
            for job in jobs
            if job is not None
        )
    )
    assert (await balance(world), await balance(world, other.id)) == (-6, 10)
    assert await books_agree(world, world.account.id)
    assert await books_agree(world, other.id)
    await world.store.keys.refresh()
    assert world.store.keys.standing(world.account.id).to_fetch is BillingRefusal.IN_ARREARS
    assert world.store.keys.standing(other.id).to_issue is None


@pytest.mark.parametrize(("result", "left"), [(PASSED, 4), (WRONG_NAME, 4), (NOT_LIVE, 5), (NOT_ENROLLED, 5)])
async def test_what_the_list_of_results_bills_is_charged_and_nothing_else(
    world: World, result: Result, left: int
) -> None:
    await prepay(world, 5)
    await judge(world, "T", result)
    assert await balance(world) == left
    (entry,) = await world.store.ledger.entries(world.account.id)
    assert entry.charged is entry.billed is (left == 4)


async def test_an_unlimited_account_is_billed_and_never_charged(world: World) -> None:
    await judge(world, "T", PASSED)
    assert await world.store.billing.standing(world.account.id) == BillingStatus(True, None)
    (entry,) = await world.store.ledger.entries(world.account.id)
    assert (entry.billed, entry.charged) == (True, False)
    await prepay(world, 3)  # what went before is not charged afterwards
    assert await balance(world) == 3
    assert await books_agree(world, world.account.id)


async def test_a_verdict_that_is_undone_charges_nothing(world: World) -> None:
    await prepay(world, 5)
    session_id = await world.hand_in("T")
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    world.force(
        "INSERT INTO ledger (account_id, session_id, result, billed, at) VALUES (?, ?, '0', 0, 0)",
        *(world.account.id, session_id),
    )
    with pytest.raises(ConflictError):
        await world.store.sessions.record_verdict(
            session_id, job.epoch, Verdict(PASSED, 80.0), "{}", None, world.clock()
        )
    assert await balance(world) == 5
    assert world.state(session_id) == "judging"


async def test_what_concerns_a_running_server_reaches_it_by_the_counter(world: World) -> None:
    cache, billing, mine = world.store.keys, world.store.billing, world.account.id
    await prepay(world, 2)
    await cache.refresh()
    assert cache.standing(mine).to_issue is None
    await judge(world, "A", PASSED)
    assert not await cache.refresh()  # one is left: nothing that a request would be answered by has changed
    await judge(world, "B", PASSED)
    assert await cache.refresh()
    assert (cache.standing(mine).to_issue, cache.standing(mine).to_fetch) == (BillingRefusal.IN_ARREARS, None)
    await billing.top_up(mine, 1, world.clock())
    assert await cache.refresh()
    assert cache.standing(mine).to_issue is None
    await billing.set_active(mine, False)
    await cache.refresh()
    assert cache.standing(mine).to_fetch is BillingRefusal.NOT_ACTIVATED
    await billing.set_active(mine, True)
    await billing.set_unlimited(mine)
    await cache.refresh()
    assert cache.standing(mine) == BillingStatus()


async def test_a_change_of_balances_alone_does_not_read_the_keys_anew(world: World) -> None:
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    cache = world.store.keys
    await cache.refresh()
    kept = cache._keys
    await prepay(world, 1)
    assert await cache.refresh()
    assert cache._keys is kept
    assert cache.find(key.secret_id) == key


async def test_limits_reach_the_dictionary_that_the_gateway_holds(world: World) -> None:
    held, billing, mine = world.store.keys.limits, world.store.billing, world.account.id
    other = await world.store.accounts.create("other", world.clock())
    await billing.set_limit(mine, "GetFaceIdToken", 5)
    await billing.set_limit(other.id, "GetFaceIdResult", 0)
    await world.store.keys.refresh()
    assert held == {(mine, "GetFaceIdToken"): 5, (other.id, "GetFaceIdResult"): 0}
    await billing.set_limit(mine, "GetFaceIdToken", None)
    await world.store.keys.refresh()
    assert world.store.keys.limits is held
    assert held == {(other.id, "GetFaceIdResult"): 0}
    with pytest.raises(RefusedError):
        await billing.set_limit(mine, "GetFaceIdToken", -1)


async def test_top_ups_are_refused_where_they_mean_nothing(world: World) -> None:
    billing, mine = world.store.billing, world.account.id
    with pytest.raises(RefusedError, match="unlimited"):
        await billing.top_up(mine, 5, world.clock())
    await prepay(world, 5)
    for amount in (0, 10**12 + 1):
        with pytest.raises(RefusedError):
            await billing.top_up(mine, amount, world.clock())
    for wrong in (billing.top_up(99, 5, world.clock()), billing.set_active(99, True), billing.standing(99)):
        with pytest.raises(NotFoundError):
            await wrong
    await billing.set_prepaid(mine)  # again: what is there stays
    assert await balance(world) == 5
