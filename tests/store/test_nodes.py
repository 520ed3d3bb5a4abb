"""The processes of one store know each other, and the silent are buried once."""

from __future__ import annotations

import os
import time

import pytest

from renzheng.store.engine import StoreError
from renzheng.store.nodes import DEAD_SECONDS, JUDGE, SERVER, Membership, Nodes, Report

from .conftest import World


def silence(world: World, number: int, seconds: float = DEAD_SECONDS + 1) -> None:
    world.force("UPDATE nodes SET seen_at = seen_at - ? WHERE id = ?", seconds, number)


async def test_each_knows_the_others_and_what_they_do(world: World) -> None:
    nodes = world.store.nodes
    judge = Membership(nodes, JUDGE, world.store.objects.identity, lambda: Report(1.5))
    server = Membership(nodes, SERVER, world.store.objects.identity, lambda: Report(0.5, 3))
    await judge.join()
    await server.join()
    await server.beat()
    await judge.beat()
    await server.beat()
    assert [(node.kind, node.judged_per_second) for node in server.others] == [(JUDGE, 1.5)]
    assert [(node.attempts, node.slot) for node in judge.others] == [(3, 0)]
    assert judge.counts() == server.counts() == {SERVER: 1, JUDGE: 1}
    assert all(-1 < node.age < DEAD_SECONDS for node in await nodes.all())
    await judge.leave()
    await server.beat()
    assert server.others == ()


async def test_servers_have_slots_of_their_own_and_leave_them(world: World) -> None:
    nodes = world.store.nodes
    first, second = [await nodes.add(SERVER, "E") for _ in range(2)]
    assert [first.slot, second.slot] == [0, 1]
    await nodes.remove(first.id)
    assert (await nodes.add(SERVER, "E")).slot == 0
    assert (await nodes.add(JUDGE, "E")).slot is None


async def test_the_silent_are_buried_by_one_and_find_out(world: World) -> None:
    nodes = world.store.nodes
    silent, other = (
        Membership(nodes, SERVER, world.store.objects.identity),
        Membership(nodes, JUDGE, world.store.objects.identity),
    )
    await silent.join()
    await other.join()
    assert silent.own is not None
    buried = silent.own.id
    assert not await nodes.bury(buried), "it is there"
    silence(world, buried)
    await other.beat()
    assert not other.others
    assert not await nodes.bury(buried), "once"
    assert [node.kind for node in await nodes.all()] == [JUDGE]
    await silent.beat()
    assert silent.own.id != buried
    await other.beat()
    assert {known.id for known in other.others} == {silent.own.id}


async def elsewhere() -> str:
    return "elsewhere"


async def test_evidence_that_is_kept_elsewhere_is_refused(world: World) -> None:
    nodes = Nodes(world.store.database, os.urandom)
    await Membership(nodes, SERVER, world.store.objects.identity).join()
    with pytest.raises(StoreError, match="keeps evidence elsewhere"):
        await Membership(nodes, JUDGE, elsewhere).join()
    assert len(await nodes.all()) == 1


async def test_a_folder_is_known_by_what_lies_in_it(world: World) -> None:
    other = await world.beside()
    assert await other.objects.identity() == await world.store.objects.identity()
    await other.stop()


async def test_a_process_whose_clock_is_not_the_databases_is_refused_and_one_that_drifts_says_so(world: World) -> None:
    ahead = 0.0
    given = (
        world.store.nodes,
        JUDGE,
        world.store.objects.identity,
        Report,
        lambda _: None,
        lambda: time.time() + ahead,
    )
    early = Membership(*given)
    await early.join()
    assert not early.trouble
    ahead = -60.0
    await early.beat()
    assert "differs from the database's by -60.0 seconds" in str(early.trouble)
    with pytest.raises(StoreError, match="let NTP set both"):
        await Membership(*given).join()


async def test_one_server_leads_and_the_next_does_when_it_drains(world: World) -> None:
    both = [Membership(world.store.nodes, SERVER, world.store.objects.identity) for _ in range(2)]
    for node in both:
        await node.join()
    for node in both:
        await node.beat()
    [one] = [node for node in both if node.leads]  # the older; at the same millisecond either
    [other] = [node for node in both if not node.leads]
    await one.drain()
    await other.beat()
    await one.beat()
    assert (one.leads, other.leads) == (False, True)
    assert await world.store.nodes.is_gone(one.number)
