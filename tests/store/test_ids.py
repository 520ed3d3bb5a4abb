"""Ids of several processes: they never meet, and where they did all the same, nothing of the first is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from renzheng.store.engine import ConflictError
from renzheng.store.open import Store
from renzheng.store.records import SLOTS, Ids
from renzheng.store.sealer import Kind, Subject
from renzheng.verification.policy import Policy
from renzheng.verification.records import SessionOutcome

from .conftest import DETAILS, World
from .racers import CONTENDERS, Racers

PHOTO = b"\xff\xd8\xffPHOTO" * 50


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    both = Racers()
    yield both
    both.stop()


def test_ids_of_two_slots_never_meet_and_rise_with_time() -> None:
    one, other = Ids(7_000_001, slot=0), Ids(7_000_001, slot=SLOTS - 1)
    for ids in (one, other):
        drawn = [ids.draw(now) for now in (1.0, 8.0, 8.0, 8.0, 9.5, 3.0)]
        assert drawn == sorted(set(drawn))
        assert {number % SLOTS for number in drawn} == {ids.slot}
        assert 0 <= 8_000_000 - drawn[1] < SLOTS
        assert drawn[0] > 7_000_001


async def issue(store: Store, number: int, now: float, account_id: int, photo: bytes | None, slots: int) -> int:
    """Issue a token like a server whose client tries again: three refusals in a row are an error."""
    store._ids.slot = number % slots
    while True:
        try:
            own = None if photo is None else photo + b"%d" % number
            return await store.sessions.create(account_id, f"T{number}", DETAILS, own, Policy(), now, 600)
        except ConflictError:
            continue


@pytest.mark.parametrize(("slots", "photo"), [(1, None), (2, None), (2, PHOTO)], ids=["one slot", "two", "photos"])
async def test_two_processes_issue_sixteen_tokens_at_one_moment_and_all_of_them_open(
    world: World, racers: Racers, slots: int, photo: bytes | None
) -> None:
    """With one slot both draw the same ids, as never happens by itself: the later one is refused, and draws anew."""
    drawn = await racers.race(world, issue, world.account.id, photo, slots)
    assert len(set(drawn)) == CONTENDERS
    for number, session_id in enumerate(drawn):
        found = await world.store.sessions.result(world.account.id, f"T{number}")
        assert isinstance(found, SessionOutcome)
        assert (found.session.id, found.session.details) == (session_id, DETAILS)
        if photo:
            assert await world.store.sessions.photo(session_id) == photo + b"%d" % number


async def add_pair(store: Store, number: int, now: float, accounts: list[int]) -> Any:
    return await store.encryption_keys.add_first(accounts[number], f"PEM{number}", now)


async def test_key_pairs_of_sixteen_accounts_made_at_once_have_numbers_of_their_own(
    world: World, racers: Racers
) -> None:
    accounts = [(await world.store.accounts.create(f"a{n}", world.clock())).id for n in range(CONTENDERS)]
    assert await racers.race(world, add_pair, accounts) == [True] * CONTENDERS
    for number, account_id in enumerate(accounts):
        assert [made.pem for made in await world.store.encryption_keys.usable(account_id)] == [f"PEM{number}"]


async def test_another_key_of_a_subject_is_refused_and_the_same_one_is_kept(world: World) -> None:
    vault, subject = world.store.vault, Subject(Kind.PERSON, 12345)
    first, second = vault.draw(subject), vault.draw(subject)
    for _ in range(2):
        await world.store.database.write(lambda _: vault.keep(first), keys=True)
    with pytest.raises(ConflictError, match="person 12345 has another data key"):
        await world.store.database.write(lambda _: vault.keep(second), keys=True)
    await world.store.database.write(lambda _: vault.ensure(subject), keys=True)
    assert (await vault.of(subject)).open("f", first.seal("f", b"content")) == b"content"
