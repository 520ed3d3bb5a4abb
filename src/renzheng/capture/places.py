"""Places for attempts under way, and the line of those who wait for one: fair among accounts, kept across reconnects.

An attempt takes a place before it begins, and gives it back when it is over. Looking at the page takes none.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from renzheng.capture.capacity import Capacity, Load
from renzheng.capture.ports import Clock

RETURN_SECONDS = 60.0
"""How long a session that left the line, or gave its place back, keeps its turn for its next attempt."""

LOOK_AGAIN_SECONDS = 1.0
"""How often a waiting session checks whether the server can run more attempts."""

FIRST = -1
"""The turn of a session that had a place before."""

TELL_SECONDS = 5.0
"""Longest time between two messages to a waiting device, so that it knows that the server is there."""


class NoPlaceError(Exception):
    """No place came free in time. `too_late`: the session's own lifetime is too short for the wait."""

    def __init__(self, too_late: bool = False) -> None:
        super().__init__("the session's time is too short for the wait" if too_late else "the wait is too long")
        self.too_late = too_late


class Line:
    """Tracks who holds a place and who waits, in the order of service. It knows no clock and waits for nothing.

    The next place goes to the account with the fewest places, and in it to the session that came first. An account
    takes a further place only while it has less than its share of those that others leave: alone at most `share` of
    `most`, two busy ones less each. So some places always stay free for an account that has none.
    """

    def __init__(self, most: int, share: float) -> None:
        self._most = most
        self._share = share
        self._held: dict[int, _Ticket] = {}
        self._waiting: dict[int, _Ticket] = {}
        self._returning: dict[int, tuple[int, float]] = {}
        self._numbers = itertools.count()

    @property
    def taken(self) -> int:
        return len(self._held)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def holds(self, ticket: int) -> bool:
        return ticket in self._held

    def join(self, session_id: int, account_id: int, now: float) -> int:
        """Wait for a place, at the session's earlier turn if it waited recently. Returns the number of a ticket."""
        self._forget(now)
        ticket = next(self._numbers)
        turn, _ = self._returning.pop(session_id, (ticket, 0.0))
        self._waiting[ticket] = _Ticket(session_id, account_id, turn)
        return ticket

    def enter(self, ticket: int) -> None:
        """Give this ticket a place at once, whatever is free: its attempt has already begun."""
        self._held[ticket] = self._waiting.pop(ticket)

    def leave(self, ticket: int, now: float, keeps_turn: bool = True) -> None:
        """Give back the place, or stop waiting for one."""
        waited, held = self._waiting.pop(ticket, None), self._held.pop(ticket, None)
        if keeps_turn and waited is not None:
            self._returning[waited.session_id] = (waited.turn, now)
        elif keeps_turn and held is not None:
            self._returning[held.session_id] = (FIRST, now)

    def admit(self, places: int) -> list[int]:
        """Give the free ones of `places` to waiting tickets; returns the tickets that got one."""
        admitted: list[int] = []
        if self.taken >= min(places, self._most):
            return admitted
        for ticket in self._turns(self._may_hold):
            self._held[ticket] = self._waiting.pop(ticket)
            admitted.append(ticket)
            if self.taken >= min(places, self._most):
                break
        return admitted

    def positions(self) -> dict[int, int]:
        """Return the position of each waiting ticket: 1 gets the next place."""
        return {ticket: n for n, ticket in enumerate(self._turns(lambda *_: True), 1)}

    def _turns(self, may_hold: Callable[[int, int], bool]) -> Iterator[int]:
        """Yield the waiting tickets in the order in which they would get places."""
        queues: dict[int, list[tuple[int, int]]] = {}
        for number, ticket in self._waiting.items():
            queues.setdefault(ticket.account_id, []).append((ticket.turn, number))
        for queue in queues.values():
            queue.sort(reverse=True)
        held = Counter(ticket.account_id for ticket in self._held.values())
        while queues:
            account_id = min(queues, key=lambda one: (held[one], queues[one][-1]))
            if not may_hold(held[account_id], held.total()):
                del queues[account_id]
                continue
            _, number = queues[account_id].pop()
            if not queues[account_id]:
                del queues[account_id]
            held[account_id] += 1
            yield number

    def _may_hold(self, held: int, taken: int) -> bool:
        """Return whether an account with `held` places, of all that are taken, may have one more."""
        free = self._most - taken
        return free > 0 and held * (1 - self._share) < self._share * free

    def _forget(self, now: float) -> None:
        for session_id, (_, at) in list(self._returning.items()):
            if now - at <= RETURN_SECONDS:
                break
            del self._returning[session_id]


@dataclass(frozen=True, slots=True)
class _Ticket:
    """`turn`: the lowest is served first."""

    session_id: int
    account_id: int
    turn: int


@dataclass(frozen=True, slots=True)
class QueuePosition:
    """The position of a waiting session. `seconds`: expected time until it gets a place."""

    position: int
    seconds: float


class Patience(NamedTuple):
    """The longest useful wait, and whether the session's own lifetime bounds it."""

    seconds: float
    is_own: bool


Tell = Callable[[QueuePosition], Awaitable[None]]


class Places:
    """The line of this process. It moves on as the server's capacity allows.

    `most`: places in all, whatever the capacity; one account alone may have `share` of them. `load()`: verifications
    that wait for a judge, and what other nodes do.
    """

    def __init__(
        self,
        capacity: Capacity,
        most: int,
        share: float,
        max_waiting: int,
        load: Callable[[], Awaitable[Load]],
        clock: Clock,
    ) -> None:
        self._capacity = capacity
        self._most = most
        self._line = Line(most, share)
        self._max_waiting = max_waiting
        self._ask_load = load
        self._clock = clock
        self._load = Load()
        self._asked_at = -LOOK_AGAIN_SECONDS
        self._positions: dict[int, int] = {}
        self._news: dict[int, asyncio.Event] = {}

    @property
    def taken(self) -> int:
        return self._line.taken

    @property
    def waiting(self) -> int:
        return self._line.waiting

    def capacity(self) -> int:
        """Return how many attempts the server can run at once, by the newest measurements."""
        return min(self._capacity.places(self._clock(), self._load), self._most)

    @contextlib.asynccontextmanager
    async def place(
        self, session_id: int, account_id: int, patience: Callable[[], Patience], tell: Tell, has_begun: bool = False
    ) -> AsyncIterator[Place]:
        """Hold a place for the block. `has_begun`: an attempt that goes on gets one at once.

        `tell` is called when the session has to wait, and whenever its position changes. Raises NoPlaceError as soon as
        the expected wait is longer than `patience()`.
        """
        ticket = self._line.join(session_id, account_id, self._clock())
        self._positions = {}
        place = Place()
        try:
            if has_begun:
                self._line.enter(ticket)
            else:
                await self._wait(ticket, patience, tell)
            began = self._clock()
            try:
                yield place
            finally:
                self._capacity.held(self._clock() - began)
        finally:
            self._line.leave(ticket, self._clock(), place.keeps_turn)
            self._positions = {}
            self._move_on()

    async def _wait(self, ticket: int, patience: Callable[[], Patience], tell: Tell) -> None:
        told, told_at = 0, 0.0
        news = self._news[ticket] = asyncio.Event()
        try:
            while True:
                await self._look()
                self._move_on()
                if self._line.holds(ticket):
                    return
                turn, most = self._turn(ticket), patience()
                if turn.seconds > most.seconds or self._line.waiting > self._max_waiting:
                    raise NoPlaceError(most.is_own and turn.seconds > most.seconds)
                if turn.position != told or self._clock() - told_at >= TELL_SECONDS:
                    told, told_at = turn.position, self._clock()
                    await tell(turn)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                        await news.wait()
        finally:
            del self._news[ticket]

    def _turn(self, ticket: int) -> QueuePosition:
        if ticket not in self._positions:
            self._positions = self._line.positions()
        position = self._positions[ticket]
        return QueuePosition(position, self._capacity.wait_seconds(position, self._clock(), self._load))

    async def _look(self) -> None:
        """Read the load from the store, at most once a second."""
        now = self._clock()
        if now - self._asked_at >= LOOK_AGAIN_SECONDS:
            self._asked_at = now
            self._load = await self._ask_load()

    def _move_on(self) -> None:
        """Admit as many sessions as the server can run."""
        admitted = self._line.admit(self.capacity())
        if admitted:
            self._positions = {}
        for ticket in admitted:
            if (news := self._news.get(ticket)) is not None:
                news.set()


@dataclass(slots=True)
class Place:
    """A place held by one attempt. `keeps_turn`: whether the session's next attempt goes before those of sessions that
    have not begun."""

    keeps_turn: bool = True
