"""Limits sign-in tries: counted by person, by address, and by both together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from renzheng.base.addresses import subscriber

PER_ADDRESS, PER_PERSON = 4, 10
"""How many times more tries an address has for all persons, and a person from all addresses."""


class CountedTries(Protocol):
    """Counts tries for all servers, by key, in windows of seconds that begin with a first try."""

    async def take_try(self, keys: Sequence[tuple[str, int]], seconds: float, now: float) -> float: ...
    async def give_back_try(self, own: str, wider: Sequence[str]) -> None: ...


class Tries:
    """Windows of `seconds` that begin with a first try. `most`: tries of one person from one address in a window.
    `kind`: what is tried, a word.

    An attacker elsewhere does not lock a person out at once, as a person's own window is wider.
    """

    def __init__(self, counted: CountedTries, kind: str, most: int, seconds: float) -> None:
        self._counted = counted
        self._kind = kind
        self._most = most
        self._seconds = seconds

    def _keys(self, person: str, address: str) -> Iterator[tuple[str, int]]:
        place, name = subscriber(address), person.casefold()[:64] or "?"
        yield f"{self._kind} both {place} {name}", self._most
        yield f"{self._kind} address {place}", self._most * PER_ADDRESS
        yield f"{self._kind} person {name}", self._most * PER_PERSON

    async def take(self, person: str, address: str, now: float) -> float:
        """Count a try. Returns 0 if it is allowed, else the seconds to wait; then it is not counted."""
        return await self._counted.take_try(list(self._keys(person, address)), self._seconds, now)

    async def give_back(self, person: str, address: str) -> None:
        """Undo a correct try: the count for this address starts again at 0, and the wider windows lose one."""
        own, *wider = (key for key, _ in self._keys(person, address))
        await self._counted.give_back_try(own, wider)
