"""Two servers on the same records: a device that goes to the other one goes on there, and is at one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from renzheng.capture.messages import Close
from renzheng.store import nodes
from renzheng.store.engines import PostgresPlace
from renzheng.verification.session import EndReason, FrameRecord
from tests.support.postgres import cluster, migrated

from .inside import PACE, Person, World, world

UNHURRIED = replace(PACE, step_seconds=1.2)
"""For a device that connects again in the middle of a step, however busy the machine is."""


class Pair(NamedTuple):
    one: World
    other: World


@pytest.fixture
async def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Pair]:
    """Nobody's heartbeats go by themselves here: a node is as one that was killed, but while it is `beating`."""
    monkeypatch.setattr(nodes, "BEAT_SECONDS", 0.2)
    place = PostgresPlace(cluster().create(migrated()), cluster().create())
    async with (
        world(tmp_path, postgres=place, pace=UNHURRIED) as one,
        world(tmp_path, postgres=place, pace=UNHURRIED) as other,
    ):
        await one.issue()
        yield Pair(one, other)


@contextlib.asynccontextmanager
async def beating(node: World) -> AsyncIterator[None]:
    """Its heartbeats go on."""

    async def beat() -> None:
        while True:
            await node.membership.beat()
            await asyncio.sleep(0.2)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def first_action(person: Person) -> tuple[str, dict[str, Any]]:
    """The device's secret, and its first action."""
    device = (await person.until("welcome"))["device"]
    return device, await person.action()


async def test_a_device_that_comes_by_another_node_goes_on_in_its_step_and_the_first_socket_is_closed(
    pair: Pair,
) -> None:
    async with pair.one.person() as person:
        device, asked = await first_action(person)
        async with beating(pair.one), pair.other.person(device=device) as moved:
            assert (await moved.until("welcome"))["state"] == "capturing"
            assert (await moved.until("step"))["action"] == asked["action"]
            assert await person.close_code() == Close.TAKEN_OVER
            assert await moved.over() == ("timeout", True, 2), "it moved by itself: that is no fault of a server"


async def test_the_socket_that_was_left_reveals_nothing_stores_nothing_and_hands_in_nothing(pair: Pair) -> None:
    async with pair.one.person() as person:
        device, _ = await first_action(person)
        session = await pair.one.store.sessions.find("TOKEN")
        assert session is not None
        visit = pair.one.channel._open[session.id]
        visit._is_stirred.set = lambda: None  # type: ignore[method-assign]  # it does not hear of it
        attempt = await pair.one.store.sessions.attempt(session.id, 1)
        assert attempt is not None
        assert attempt.current is not None
        async with pair.other.person(device=device) as moved:
            await moved.until("step")
            sessions, now = pair.one.store.sessions, pair.one.clock()
            further = replace(attempt.current, index=2)
            assert not await sessions.reveal(session.id, 1, further, True, None, visit._socket)
            frame = FrameRecord(99, 1, attempt.current.nonce, now, b"d" * 32), person.jpeg
            assert not await sessions.store_frames(session.id, 1, [frame], visit._socket)
            assert not await sessions.submit(session.id, 1, EndReason.COMPLETED, now, False, visit._socket)
            assert not await sessions.touch_device(session.id, device, now, visit._socket)


@pytest.mark.parametrize("how", ["killed", "drained"])
async def test_an_attempt_goes_on_elsewhere_when_its_node_is_gone_and_costs_the_person_nothing(
    pair: Pair, how: str
) -> None:
    async with pair.one.person() as person:
        device, asked = await first_action(person)
        if how == "drained":
            await pair.one.membership.drain()
        async with pair.other.person(device=device) as moved:
            assert (await moved.until("welcome"))["state"] == "capturing"
            assert (await moved.until("step"))["action"] == asked["action"]
            assert await moved.over() == ("server", False, 3)


async def test_who_comes_back_too_late_for_the_step_has_all_attempts_left_where_the_node_is_gone(pair: Pair) -> None:
    async with pair.one.person() as person:
        device, asked = await first_action(person)
        pair.other.clock.ahead += 10
        async with pair.other.person(device=device) as moved:
            welcome = await moved.until("welcome")
            assert (welcome["state"], welcome["attempts_left"]) == ("ready", 3)
            again = await moved.action()
            assert again["index"] == asked["index"]


async def test_who_comes_back_too_late_by_themself_has_used_an_attempt(pair: Pair) -> None:
    async with pair.one.person() as person:
        device, _ = await first_action(person)
        pair.other.clock.ahead += 10
        async with beating(pair.one), pair.other.person(device=device) as moved:
            welcome = await moved.until("welcome")
            assert (welcome["state"], welcome["attempts_left"]) == ("ready", 2)


async def test_another_device_at_another_node_is_refused_until_it_is_handed_over_to(pair: Pair) -> None:
    async with pair.one.person() as person:
        await first_action(person)
        async with pair.other.person() as stranger:
            assert await stranger.close_code() == Close.OTHER_DEVICE
        person.say("handover")
        code = (await person.until("handover"))["code"]
        async with pair.other.person(handover=code) as second, beating(pair.one):
            assert (await second.until("welcome"))["state"] == "ready"
            assert await person.close_code() == Close.TAKEN_OVER


async def test_the_attempts_of_a_dead_node_are_marked_by_whoever_buries_it(pair: Pair) -> None:
    one, other = pair
    async with one.person() as person:
        await first_action(person)
        session = await one.store.sessions.find("TOKEN")
        assert session is not None
        silent = "UPDATE nodes SET seen_at = seen_at - :dead WHERE id = :id"
        given = {"dead": nodes.DEAD_SECONDS + 1, "id": one.membership.number}
        await other.store.database.write(lambda tx: tx.run(silent, **given))
        await other.membership.beat()
        attempt = await other.store.sessions.attempt(session.id, 1)
        assert attempt is not None
        assert attempt.is_server_fault
        assert other.membership.leads
        before = one.membership.number
        await one.membership.beat()
        assert one.membership.number != before
        assert not one.membership.leads
