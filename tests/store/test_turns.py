"""Judging takes turns by account: who hands in much waits for their own, not everybody else for them."""

from __future__ import annotations

from dataclasses import replace

from .conftest import World


async def handed_in(world: World, sessions: dict[str, int]) -> dict[int, str]:
    """Submit this many sessions by account, each a second after the one before. Returns their names by number."""
    names = {}
    for name, count in sessions.items():
        account = await world.store.accounts.create(name, world.clock())
        for number in range(count):
            world.clock.now += 1
            names[await replace(world, account=account).hand_in(f"{name}{number}")] = f"{name}{number}"
    return names


async def test_accounts_take_turns_and_of_each_the_oldest_comes_first(world: World) -> None:
    names = await handed_in(world, {"a": 4, "b": 1, "c": 2})
    order, after = [], 0
    for _ in names:
        job = await world.store.sessions.claim_judging(world.clock(), 600, after)
        assert job is not None
        after = job.session.account_id
        order.append(names[job.session.id])
    assert order == ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]


async def test_the_turn_is_the_next_accounts_wherever_it_stands(world: World) -> None:
    await handed_in(world, {"a": 2, "b": 2})
    ids = {name: world.count("SELECT id FROM accounts WHERE name = ?", name) for name in ("a", "b")}
    order = []
    for after in (ids["a"], ids["a"], ids["b"], ids["b"] + 1):
        job = await world.store.sessions.claim_judging(world.clock(), 600, after)
        assert job is not None
        order.append(job.session.account_id)
    assert order == [ids["b"], ids["b"], ids["a"], ids["a"]]
