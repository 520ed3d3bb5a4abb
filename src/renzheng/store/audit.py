"""The audit log: who did what to which account, key or person. Names operators and row ids, never people's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from renzheng.store.engine import Database, Transaction


class AuditEvent(NamedTuple):
    """`subject`: such as `account 1`, `key AKID...`, `person 1785...`. `at`: unix seconds."""

    id: int
    at: float
    actor: str
    verb: str
    subject: str


class Audit:
    """Writes and reads the audit log. `actor`: who works with this store, such as `cli:root` or `server`."""

    def __init__(self, database: Database, clock: Callable[[], float], actor: str) -> None:
        self._database = database
        self._clock = clock
        self.actor = actor

    async def add(self, tx: Transaction, verb: str, subject: str) -> None:
        """Log an event within the transaction that makes the change, so that neither exists without the other."""
        await tx.run(
            "INSERT INTO audit (at, actor, verb, subject) VALUES (:at, :actor, :verb, :subject)",
            at=self._clock(),
            actor=self.actor,
            verb=verb,
            subject=subject,
        )

    async def record(self, verb: str, subject: str) -> None:
        """Log an event that is not a write to this database, such as one on the keys, once it is done."""
        await self._database.write(lambda tx: self.add(tx, verb, subject))

    async def newest(self, limit: int = 100) -> list[AuditEvent]:
        """Return the last events by rising id."""
        rows = await self._database.all(
            "SELECT id, at, actor, verb, subject FROM audit ORDER BY id DESC LIMIT :limit", limit=limit
        )
        return [AuditEvent(*row) for row in reversed(rows)]

    async def events(self, after: int = 0, limit: int = 1000) -> list[AuditEvent]:
        """Return events by rising id, those above the id `after`."""
        rows = await self._database.all(
            "SELECT id, at, actor, verb, subject FROM audit WHERE id > :after ORDER BY id LIMIT :limit",
            after=after,
            limit=limit,
        )
        return [AuditEvent(*row) for row in rows]
