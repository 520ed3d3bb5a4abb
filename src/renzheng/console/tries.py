"""How often somebody may try to sign in: counted by person, by address, and by both together."""

from __future__ import annotations

from collections.abc import Iterator

from renzheng.base.addresses import subscriber

MAX_COUNTED = 10_000
"""Persons and addresses in memory at once; above it the oldest windows are forgotten."""
PER_ADDRESS, PER_PERSON = 4, 10
"""How many times as many tries an address has for all persons, and a person from all addresses."""


class Tries:
    """Windows of `seconds` that begin with a first try. `most`: tries of one person from one address in a window.

    Whoever guesses at a person from elsewhere does not lock that person out at once: a person's own window is wider.
    """

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def _keys(self, person: str, address: str) -> Iterator[tuple[tuple[str, str], int]]:
        place = subscriber(address)
        yield (person, place), self._most
        yield ("", place), self._most * PER_ADDRESS
        yield (person, ""), self._most * PER_PERSON

    def take(self, person: str, address: str, now: float) -> float:
        """Count a try. 0 where it may be made; else the seconds to wait, and it is not counted."""
        person = person.casefold()[:64] or "?"
        found = [(key, most, *self._window(key, now)) for key, most in self._keys(person, address)]
        waits = [begun + self._seconds - now for _, most, begun, count in found if count >= most]
        if waits:
            return max(waits)
        for key, _, begun, count in found:
            self._windows.pop(key, None)  # so that the oldest are first
            self._windows[key] = (begun, count + 1)
        while len(self._windows) > MAX_COUNTED:
            del self._windows[next(iter(self._windows))]
        return 0.0

    def give_back(self, person: str, address: str) -> None:
        """The try was right: the person starts afresh from this address, and the wider windows get theirs back."""
        person = person.casefold()[:64] or "?"
        own, *wider = (key for key, _ in self._keys(person, address))
        self._windows.pop(own, None)
        for key in wider:
            if key in self._windows:
                begun, count = self._windows[key]
                self._windows[key] = (begun, count - 1)

    def _window(self, key: tuple[str, str], now: float) -> tuple[float, int]:
        begun, count = self._windows.get(key, (now, 0))
        return (now, 0) if now >= begun + self._seconds or now < begun - 60 else (begun, count)
