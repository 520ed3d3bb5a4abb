"""Verifications are listed without anything of a person, and found by the number that the log names."""

from __future__ import annotations

from renzheng.verification.session import State
from tests.store.conftest import NAME, World


async def test_the_newest_come_first_in_portions_by_account_and_state(world: World) -> None:
    other = await world.store.accounts.create("other", world.clock())
    ids = [await world.issue(token) for token in "ABC"]
    ids.append(await world.capture("D"))
    listing = world.store.listing
    assert [one.id for one in await listing.newest()] == ids[::-1]
    assert [one.id for one in await listing.newest(2, before=ids[3])] == [ids[2], ids[1]]
    assert await listing.newest(account_id=other.id) == []
    [capturing] = await listing.newest(state=State.CAPTURING)
    assert (capturing.id, capturing.attempts, capturing.result) == (ids[3], 1, None)
    assert NAME not in repr(capturing)


async def test_a_session_is_found_by_its_number(world: World) -> None:
    number = await world.issue("A")
    outcome = await world.store.sessions.outcome(number)
    assert outcome is not None
    assert (outcome.session.id, outcome.session.details.name, outcome.verdict) == (number, NAME, None)
    assert await world.store.sessions.outcome(number + 1) is None
