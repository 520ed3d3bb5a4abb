"""The private keys that sealed fields are opened with: one sealed row a generation, each under a key of its own."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from renzheng.store.audit import Audit
from renzheng.store.changes import changed
from renzheng.store.database import Database
from renzheng.store.sealer import Erased, Kind, Subject
from renzheng.store.vault import Vault

_FIELD = "key pairs"


class Generation(NamedTuple):
    """`created_at`: unix seconds. `pem`: the private keys made together, as the gateway writes and reads them."""

    id: int
    created_at: float
    pem: str

    def __repr__(self) -> str:
        return f"Generation({self.id}, {self.created_at})"


def read_generations(database: Database, vault: Vault, known: tuple[Generation, ...] = ()) -> tuple[Generation, ...]:
    """All generations, newest first; those that are `known` are not unsealed again."""
    have = {generation.id: generation for generation in known}
    rows = database.fetch_all("SELECT id, created_at, sealed FROM encryption_keys ORDER BY id DESC")
    found = (have.get(row[0]) or _opened(vault, *row) for row in rows)
    return tuple(generation for generation in found if generation is not None)


def _opened(vault: Vault, number: int, created_at: float, sealed: bytes) -> Generation | None:
    """None where its data key is gone, as after a restore: that must not keep a server from starting."""
    try:
        opened = vault.of(Subject(Kind.ENCRYPTION, number)).open(_FIELD, sealed)
    except Erased:
        return None
    return Generation(number, created_at, opened.decode("ascii"))


class EncryptionKeys:
    """For the first start and the operator. Nothing is ever overwritten, so what was sealed stays readable."""

    def __init__(self, database: Database, vault: Vault, audit: Audit) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit

    async def all(self) -> tuple[Generation, ...]:
        """Newest first."""
        return read_generations(self._database, self._vault)

    async def add_first(self, pem: str, now: float) -> bool:
        """Keep the first generation. False, and nothing kept, where there is one already."""
        return await self._add(pem, now, first=True)

    async def add(self, pem: str, now: float) -> bool:
        """Keep a further generation; a running server publishes and uses it within a second."""
        return await self._add(pem, now, first=False)

    async def _add(self, pem: str, now: float, *, first: bool) -> bool:
        # By the time, as a session's: a number that a crash left a data key under is never drawn again.
        number = int(now * 1_000_000)
        sealer = self._vault.draw(Subject(Kind.ENCRYPTION, number))
        sealed = sealer.seal(_FIELD, pem.encode("ascii"))

        def insert(connection: sqlite3.Connection) -> bool:
            if first and connection.execute("SELECT 1 FROM encryption_keys LIMIT 1").fetchone():
                return False
            self._vault.keep(sealer)
            connection.execute(
                "INSERT INTO encryption_keys (id, created_at, sealed) VALUES (?, ?, ?)", (number, now, sealed)
            )
            self._audit.add(connection, "key pairs made", f"generation {number}")
            changed(connection)
            return True

        return await self._database.write(insert, keys=True)
