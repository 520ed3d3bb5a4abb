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

    async def record(self, verb: str, subject: str) -> None:
        """For a deed that is no write to this database, such as one on the keys; once it is done."""
        await self._database.write(lambda connection: self.add(connection, verb, subject))

    async def newest(self, limit: int = 100) -> list[Event]:
        """The last events, by rising id."""
        rows = self._database.fetch_all(
            "SELECT id, at, actor, verb, subject FROM audit ORDER BY id DESC LIMIT ?", (limit,)
        )
        return [Event(*row) for row in reversed(rows)]

    async def events(self, after: int = 0, limit: int = 1000) -> list[Event]:
        """Events by rising id, those above the id `after`."""
        rows = self._database.fetch_all(
            "SELECT id, at, actor, verb, subject FROM audit WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        return [Event(*row) for row in rows]
