"""Places are of attempts under way: as many as the server carries, in turn, and no account has all of them."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from renzheng.capture.capacity import Capacity, CapacityLimits, Load
from renzheng.capture.places import RETURN_SECONDS, Line, NoPlaceError, Patience, Places, QueuePosition

from .inside import SETTINGS, world


def fill(line: Line, accounts: list[int]) -> dict[int, int]:
    """How many each has when all of them ask for more than there is."""
    held: dict[int, int] = {}
    tickets = {line.join(1000 * account + n, account, 0): account for account in accounts for n in range(100)}
    for ticket in line.admit(1000):
        held[tickets[ticket]] = held.get(tickets[ticket], 0) + 1
    return held


@pytest.mark.parametrize(
    ("most", "share", "accounts", "held"),
    [
        (64, 0.75, [1], {1: 48}),
        (64, 0.75, [1, 2], {1: 28, 2: 27}),
        (64, 1.0, [1], {1: 64}),
        (1, 0.75, [1], {1: 1}),
        (1, 0.1, [1], {1: 1}),
        (4, 0.5, [1], {1: 2}),
    ],
)
def test_an_account_gets_its_share_and_leaves_some(
    most: int, share: float, accounts: list[int], held: dict[int, int]
) -> None:
    assert fill(Line(most, share), accounts) == held


def test_an_account_without_any_finds_a_place_beside_any_number_of_busy_ones() -> None:
    line = Line(64, 0.75)
    fill(line, [1, 2, 3])
    ticket = line.join(9, 4, 0)
    assert line.positions()[ticket] == 1, "and goes before all who wait"
    assert line.admit(64) == [ticket]


def test_the_next_place_goes_to_the_account_with_fewest_and_in_it_to_who_came_first() -> None:
    line = Line(64, 1.0)
    crowd = [line.join(n, 1, 0) for n in range(4)]
    late = [line.join(n, 2, 0) for n in (10, 11)]
    assert [line.positions()[ticket] for ticket in (*crowd, *late)] == [1, 3, 5, 6, 2, 4]
    assert line.admit(3) == [crowd[0], late[0], crowd[1]]
    assert line.admit(3) == []
    line.leave(crowd[0], 1)
    assert line.admit(3) == [late[1]] or line.holds(crowd[1])
    assert line.taken == 3


def test_a_line_that_was_lost_costs_no_turn_and_the_next_attempt_comes_before_all_who_have_none() -> None:
    line = Line(64, 1.0)
    first, second, third = (line.join(n, 1, 0.0) for n in (1, 2, 3))
    line.leave(first, 10.0)
    back = line.join(1, 1, 20.0)
    assert line.positions() == {back: 1, second: 2, third: 3}
    line.leave(back, 20.0)
    late = line.join(1, 1, 20.1 + RETURN_SECONDS)
    assert line.positions() == {second: 1, third: 2, late: 3}
    assert line.admit(1) == [second]
    line.leave(second, 100.0)
    again = line.join(2, 1, 110.0)
    assert line.positions()[again] == 1
    assert line.admit(1) == [again]
    line.leave(again, 111.0, keeps_turn=False)  # no face was shown in all the time that it was held
    last = line.join(2, 1, 112.0)
    assert line.positions()[last] == 3


def test_two_sockets_of_one_session_do_not_take_each_others_place() -> None:
    line = Line(64, 1.0)
    old = line.join(1, 1, 0)
    new = line.join(1, 1, 1)
    line.leave(old, 2)
    assert line.admit(1) == [new]


class Server:
    """What is measured is what a test says; time stands still."""

    def __init__(self, carries: int) -> None:
        self.carries = carries
        self.capacity = Capacity(CapacityLimits())
        self.capacity.places = lambda now, load: self.carries  # type: ignore[method-assign]
        self.places = Places(self.capacity, 8, 1.0, 3, self.none, lambda: 0.0)
        self.told: list[QueuePosition] = []

    async def none(self) -> Load:
        return Load()

    async def tell(self, turn: QueuePosition) -> None:
        self.told.append(turn)

    def place(self, session_id: int, seconds: float = 1000.0, is_own: bool = False, **given: Any) -> Any:
        return self.places.place(session_id, 1, lambda: Patience(seconds, is_own), self.tell, **given)


async def test_who_waits_is_told_and_gets_the_place_that_another_leaves() -> None:
    server, got = Server(1), asyncio.Event()

    async def second() -> None:
        async with server.place(2):
            got.set()

    async with server.place(1):
        waiting = asyncio.create_task(second())
        await asyncio.sleep(0.01)
        assert not got.is_set()
        assert [turn.position for turn in server.told] == [1]
        assert (server.places.taken, server.places.waiting) == (1, 1)
    await waiting
    assert got.is_set()
    assert server.places.taken == 0


@pytest.mark.parametrize("is_own", [True, False])
async def test_a_wait_that_is_too_long_is_told_at_once_and_by_what(is_own: bool) -> None:
    server = Server(1)
    async with server.place(1):
        with pytest.raises(NoPlaceError) as refused:
            async with server.place(2, 0.0, is_own):
                pass
        assert refused.value.too_late is is_own
        assert server.told == []
    async with server.place(2, 0.0, is_own):
        pass  # without a wait no time is too short


async def test_the_line_has_a_bound() -> None:
    server = Server(1)
    async with server.place(1), contextlib.AsyncExitStack() as stack:
        waiting = [asyncio.create_task(stack.enter_async_context(server.place(n))) for n in (2, 3, 4)]
        await asyncio.sleep(0.01)
        with pytest.raises(NoPlaceError) as refused:
            async with server.place(5):
                pass
        assert not refused.value.too_late
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert server.places.waiting == 0


async def test_a_place_is_free_again_however_its_attempt_ended_and_an_attempt_that_goes_on_has_one_at_once() -> None:
    server = Server(1)
    with contextlib.suppress(RuntimeError):
        async with server.place(1):
            raise RuntimeError
    assert server.places.taken == 0
    async with server.place(1), server.place(2, has_begun=True):
        assert server.places.taken == 2


async def test_open_pages_take_no_place_and_one_that_starts_without_room_waits_or_is_told(tmp_path: Path) -> None:
    limits = replace(SETTINGS.limits, captures=1, place_seconds=0.05)
    async with world(tmp_path, limits=limits) as inside, contextlib.AsyncExitStack() as opened:
        for token in ("A", "B", "C"):
            await inside.issue(token)
        first, second, _ = [await opened.enter_async_context(inside.person(token)) for token in ("A", "B", "C")]
        assert (await second.until("welcome"))["state"] == "ready"
        await first.action()
        second.say("start")
        with pytest.raises(AssertionError, match="4503"):
            await second.until("step")
        assert inside.steps.seen["closed", "full"] == 1
        session = await inside.store.sessions.find("B")
        assert session is not None
        assert session.attempt == 0  # nothing of the token was used


async def test_one_who_waits_is_told_where_they_stand_and_goes_on_when_it_is_their_turn(tmp_path: Path) -> None:
    async with world(tmp_path) as inside, contextlib.AsyncExitStack() as opened:
        inside.channel.places._capacity.places = lambda now, load: 1  # type: ignore[method-assign]
        for token in ("A", "B"):
            await inside.issue(token)
        first, second = [await opened.enter_async_context(inside.person(token)) for token in ("A", "B")]
        await first.action()
        second.say("start")
        told = await second.until("wait")
        assert told["position"] == 1
        assert told["seconds"] > 0
        second.say("start")  # a second press changes nothing
        first.outgoing.put_nowait({"type": "websocket.disconnect", "code": 1006})
        assert (await second.until("step"))["index"] == 0


async def test_a_token_that_would_not_live_long_enough_is_told_at_once(tmp_path: Path) -> None:
    async with world(tmp_path) as inside:
        inside.channel.places._capacity.places = lambda now, load: 0  # type: ignore[method-assign]
        await inside.issue("A")
        async with inside.person("A") as person:
            await person.until("welcome")
            inside.clock.ahead += 590  # of 600
            person.say("start")
            assert await person.close_code() == 4504
        assert inside.steps.seen["refused", "no_time"] == 1
