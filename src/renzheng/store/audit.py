"""Who did what to which account, key or person. Names operators and row ids, never people's data."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import NamedTuple

from renzheng.store.database import Database


class Event(NamedTuple):
    """`subject`: such as `account 1`, `key AKID...`, `person 1785...`. `at`: unix seconds."""

    id: int
    at: float
    actor: str
    verb: str
    subject: str


class Audit:
    """`actor`: who works with this store, such as `cli:root` or `server`."""

    def __init__(self, database: Database, clock: Callable[[], float], actor: str) -> None:
        self._database = database
        self._clock = clock
        self._actor = actor

    def add(self, connection: sqlite3.Connection, verb: str, subject: str) -> None:
        """Part of the transaction of the deed itself, so that neither is there without the other."""
        connection.execute(
            "INSERT INTO audit (at, actor, verb, subject) VALUES (?, ?, ?, ?)",
            (self._clock(), self._actor, verb, subject),
        )

    async def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events by rising id, those above the id `after`."""
        rows = self._database.fetch_all(
            "SELECT id, at, actor, verb, subject FROM audit WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        return [Event(*row) for row in rows]
