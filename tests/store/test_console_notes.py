"""What the console notes for whichever server is asked next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from renzheng.accounts.operators import Role
from renzheng.store.console_notes import FORM_SECONDS, MAX_CALLS
from renzheng.store.open import Store

from .conftest import World
from .racers import Racers

WINDOW = 900.0
KEYS = [("both 10.0.0.1 li", 5), ("address 10.0.0.1", 20)]


@pytest.fixture(scope="module")
def racers() -> Iterator[Racers]:
    both = Racers()
    yield both
    both.stop()


async def take_try(store: Store, number: int, now: float) -> bool:
    return await store.console_notes.take_try(KEYS, WINDOW, now) == 0


async def take_form(store: Store, number: int, now: float) -> bool:
    return await store.console_notes.take_form(b"session", "mark", now)


async def keep_call(store: Store, number: int, now: float, operator_id: int) -> None:
    await store.console_notes.keep_call(operator_id, b"session", b"%d" % number)


async def test_of_sixteen_tries_at_two_servers_as_many_are_made_as_there_may_be(world: World, racers: Racers) -> None:
    assert sum(await racers.race(world, take_try)) == 5
    notes, now = world.store.console_notes, world.clock()
    assert 0 < await notes.take_try(KEYS, WINDOW, now + 1) <= WINDOW
    assert await notes.take_try(KEYS[1:], WINDOW, now) == 0, "those that were refused are not counted"
    assert await notes.take_try(KEYS, WINDOW, now + WINDOW) == 0
    await notes.give_back_try(KEYS[0][0], [KEYS[1][0]])
    for _ in range(5):
        assert await notes.take_try(KEYS, WINDOW, now + WINDOW) == 0
    assert await notes.take_try(KEYS, WINDOW, now + WINDOW) > 0


async def test_a_clock_that_went_back_for_long_locks_nobody_out(world: World) -> None:
    notes, now = world.store.console_notes, world.clock()
    for _ in range(5):
        assert await notes.take_try(KEYS, WINDOW, now) == 0
    assert await notes.take_try(KEYS, WINDOW, now - 59) > WINDOW
    assert await notes.take_try(KEYS, WINDOW, now - 61) == 0


async def test_one_of_sixteen_sends_a_form(world: World, racers: Racers) -> None:
    assert sum(await racers.race(world, take_form)) == 1
    assert await world.store.console_notes.take_form(b"other", "mark", world.clock())


async def test_the_last_calls_of_a_session_are_sealed_and_go_with_it(world: World, racers: Racers) -> None:
    notes, operator = world.store.console_notes, 7
    await notes.keep_call(operator, b"session", b"first of all")
    await racers.race(world, keep_call, operator)
    for number in range(MAX_CALLS + 3):
        await notes.keep_call(operator, b"session", b"call %d" % number)
    kept = await notes.calls(operator, b"session")
    assert kept == [b"call %d" % number for number in reversed(range(3, MAX_CALLS + 3))]
    assert await notes.calls(operator, b"other") == []
    assert b"call" not in bytes(world.row("SELECT sealed FROM console_calls LIMIT 1")[0])


async def test_what_is_over_is_forgotten(world: World) -> None:
    notes, now = world.store.console_notes, world.clock()
    operator = await world.store.operators.add("li", Role.OWNER, now)
    secret = await world.store.sign_in.begin(operator.id, "whole", "browser", now)
    session = await world.store.sign_in.session(secret)
    assert session is not None
    for digest in (session.digest, b"of a session that has ended"):
        await notes.keep_call(operator.id, digest, b"x")
    await notes.take_try(KEYS, WINDOW, now)
    await notes.take_form(b"session", "mark", now)
    await notes.forget(now - WINDOW, now)
    tables = ("sign_in_tries", "sent_forms", "console_calls")
    assert [world.count(f"SELECT count(*) FROM {table}") for table in tables] == [2, 1, 1]
    await notes.forget(now + 1, now + FORM_SECONDS + 1)
    assert world.count("SELECT count(*) FROM sign_in_tries") == world.count("SELECT count(*) FROM sent_forms") == 0
