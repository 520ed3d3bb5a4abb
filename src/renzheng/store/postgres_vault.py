"""The vault in a PostgreSQL database of its own, with rights and backups apart from the records.

The master keys stay in the keys folder of each node, and must be the same everywhere. Deleting a row is not enough to
erase it: its old version stays in the table until VACUUM FULL, and in earlier archives and copies.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
from psycopg import AsyncConnection

from renzheng.store.engine import Row, StoreError, Transaction, run_to_end
from renzheng.store.keyring import master_made_at, prepare_folder
from renzheng.store.locks import file_lock
from renzheng.store.master_seal import MasterSeal
from renzheng.store.postgres import PostgresDatabase, PostgresTransaction
from renzheng.store.postgres_session import PostgresSettings, connecting
from renzheng.store.postgres_sync import SyncTransaction, connect
from renzheng.store.sealer import Kind, Subject
from renzheng.store.vault import LOOKUP, Vault

RETRY_SECONDS = 60.0
"""Seconds after which the sweeper tries again to rewrite the table, if something held old rows."""
_LOCK = 0x72656E7A  # the number of an advisory lock of PostgreSQL: one process at a time makes or rotates keys
SCHEMA = (
    "CREATE TABLE IF NOT EXISTS meta (name text PRIMARY KEY, value text NOT NULL)",
    "CREATE TABLE IF NOT EXISTS data_keys (kind integer NOT NULL, id bigint NOT NULL, master integer NOT NULL,"
    " wrapped bytea NOT NULL, created_at double precision NOT NULL, PRIMARY KEY (kind, id))",
    "CREATE TABLE IF NOT EXISTS erasures (number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " kind integer NOT NULL, id bigint NOT NULL, erased_at double precision NOT NULL)",
)
HALF_COPIED = "store_copy"
"""A table that exists while `moving.move` fills the database, and after a move that did not finish."""
_META = "SELECT value FROM meta WHERE name = :name"
_SET = "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
_SOIL = (
    "INSERT INTO meta (name, value) VALUES ('soiled', '1')"
    " ON CONFLICT (name) DO UPDATE SET value = (meta.value::bigint + 1)::text"
)
_HELD = """
SELECT coalesce(bool_or(age(seen) > age(%(now)s::text::xid)), false) FROM (
    SELECT backend_xmin AS seen FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()
    UNION ALL SELECT xmin FROM pg_replication_slots
    UNION ALL SELECT transaction FROM pg_prepared_xacts WHERE database = current_database()
) AS readers WHERE seen IS NOT NULL
"""
_FIND = "SELECT wrapped, master FROM data_keys WHERE kind = :kind AND id = :id"
_PUT = (
    "INSERT INTO data_keys (kind, id, master, wrapped, created_at) VALUES (:kind, :id, :master, :wrapped, :now)"
    " ON CONFLICT DO NOTHING"
)


class PostgresVault(Vault):
    """Keys in PostgreSQL. `begin`, `commit`, `rollback` and `drop` are the keys' part of a batch of the database."""

    def __init__(
        self,
        folder: Path,
        url: str,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        settings: PostgresSettings | None = None,
        seals: Sequence[MasterSeal] = (),
    ) -> None:
        super().__init__(folder, clock, entropy, seals)
        self._url = url
        self._settings = settings or PostgresSettings()
        prepare_folder(folder)
        self._database = PostgresDatabase(url, settings=self._settings)
        self._reading: PostgresDatabase | SyncTransaction = self._database
        self.erasures: PostgresErasures = PostgresErasures(self._database, url, self._settings, clock)
        self._writer: AsyncConnection[Row] | None = None
        with contextlib.closing(connect(url, self._settings)) as connection:
            self._open(SyncTransaction(connection))

    def _open(self, tx: SyncTransaction) -> None:
        if run_to_end(tx.one("SELECT 1 WHERE to_regclass(:mark) IS NOT NULL", mark=HALF_COPIED)):
            raise StoreError(
                f"a copy into {self.place} goes on, or did not end: renzheng store copy --replace begins it again"
            )
        run_to_end(tx.one("SELECT pg_advisory_lock(:lock)", lock=_LOCK))
        for statement in SCHEMA:
            run_to_end(tx.run(statement))
        made = run_to_end(tx.one(_META, name="vault"))
        self._open_masters(has_keys=made is not None)
        if made is None:
            generation = max(self._masters)
            values = {"kind": int(LOOKUP.kind), "id": LOOKUP.id, "master": generation, "now": self._clock()}
            run_to_end(tx.run("BEGIN"))
            run_to_end(tx.run(_PUT, wrapped=self._make_lookup(generation), **values))
            run_to_end(tx.run(_SET, name="master", value=str(generation)))
            run_to_end(tx.run(_SET, name="vault", value=self._entropy(8).hex()))
            run_to_end(tx.run("COMMIT"))
        self._id = self._meta(tx, "vault")
        self._current = self._have_master(int(self._meta(tx, "master")))
        row = run_to_end(tx.one("SELECT wrapped, master FROM data_keys WHERE kind = 0 AND id = 0"))
        if row is None:
            raise StoreError(f"{self.place} has lost the key of its look-ups; restore it from its backup")
        self._lookup = self._unwrap(LOOKUP, bytes(row[0]), row[1])

    @staticmethod
    def _meta(tx: SyncTransaction, name: str) -> str:
        row = run_to_end(tx.one(_META, name=name))
        return str(row[0]) if row else ""

    @property
    def id(self) -> str:
        return self._id

    @property
    def place(self) -> str:
        return f"the key database {self._database.place}"

    async def stop(self) -> None:
        await self._database.stop()
        if self._writer is not None:
            await self._writer.close()

    # -- the transaction that a batch of the database's writes opens beside its own

    async def begin(self) -> None:
        if self._writer is None or self._writer.closed or self._writer.broken:
            self._writer = await AsyncConnection.connect(**connecting(self._url, self._settings))
        # A shared lock, so that a rotation waits: after it sets a new generation, no key is wrapped under the old one.
        cursor = await self._writer.execute("BEGIN; SELECT value FROM meta WHERE name = 'master' FOR SHARE")
        cursor.nextset()
        row = await cursor.fetchone()
        self._current = self._have_master(int(row[0]) if row else 0)

    async def commit(self) -> None:
        if self._writer is not None:
            await self._writer.execute("COMMIT")

    async def rollback(self) -> None:
        if self._writer is not None and not self._writer.closed:
            try:
                await self._writer.execute("ROLLBACK")
            except psycopg.Error:
                await self._writer.close()

    async def drop(self) -> None:
        if self._writer is not None:
            with contextlib.suppress(psycopg.Error):
                await self._writer.close()

    # -- keys of subjects

    @contextlib.contextmanager
    def at_once(self) -> Iterator[None]:
        """Find keys synchronously in this block, while the store is opened outside an event loop."""
        with contextlib.closing(connect(self._url, self._settings)) as connection:
            self._reading = SyncTransaction(connection)
            try:
                yield
            finally:
                self._reading = self._database

    async def _find(self, subject: Subject) -> tuple[bytes, int] | None:
        row = await self._reading.one(_FIND, kind=int(subject.kind), id=subject.id)
        return (bytes(row[0]), row[1]) if row else None

    async def _put(self, subject: Subject, wrapped: bytes) -> tuple[bytes, int] | None:
        if self._writer is None:
            raise RuntimeError("a key is kept outside a write that was handed in with keys=True")
        tx, given = PostgresTransaction(self._writer), {"kind": int(subject.kind), "id": subject.id}
        if await tx.run(_PUT, **given, master=self._current, wrapped=wrapped, now=self._clock()):
            return None
        row = await tx.one(_FIND, **given)
        return (bytes(row[0]), row[1]) if row else None

    async def generation(self) -> int:
        row = await self._database.one(_META, name="master")
        return int(row[0]) if row else 0

    async def recoverable(self) -> int:
        made = master_made_at(self.folder, await self.generation())
        row = await self._database.one("SELECT count(*) FROM erasures WHERE erased_at >= :made", made=made)
        return int(row[0]) if row else 0

    async def count(self) -> int:
        row = await self._database.one("SELECT count(*) FROM data_keys")
        return int(row[0]) if row else 0

    async def subjects(self, kind: Kind, after: int, before: float, limit: int) -> list[Subject]:
        rows = await self._database.all(
            "SELECT id FROM data_keys WHERE kind = :kind AND id > :after AND created_at < :before"
            " ORDER BY id LIMIT :limit",
            kind=int(kind),
            after=after,
            before=before,
            limit=limit,
        )
        return [Subject(kind, row[0]) for row in rows]

    def mark(self, name: str) -> bool:
        with contextlib.closing(connect(self._url, self._settings)) as connection:
            return bool(self._meta(SyncTransaction(connection), name))

    def set_mark(self, name: str) -> None:
        with contextlib.closing(connect(self._url, self._settings)) as connection:
            run_to_end(SyncTransaction(connection).run(_SET, name=name, value="1"))

    # -- rotation

    def rotate(self, chunk: int = 1000) -> int:
        with file_lock(self.folder / "lock"), contextlib.closing(connect(self._url, self._settings)) as connection:
            tx = SyncTransaction(connection)
            run_to_end(tx.one("SELECT pg_advisory_lock(:lock)", lock=_LOCK))
            generation = self._next_master(int(self._meta(tx, "master")))
            run_to_end(tx.run(_SET, name="master", value=str(generation)))
            count = 0
            while wrapped := self._rewrap(tx, generation, chunk):
                count += wrapped
            run_to_end(tx.run("VACUUM (TRUNCATE FALSE) data_keys"))
            self._drop_masters(below=generation)
        return count

    def _rewrap(self, tx: SyncTransaction, generation: int, chunk: int) -> int:
        run_to_end(tx.run("BEGIN"))
        rows = run_to_end(
            tx.all(
                "SELECT kind, id, wrapped, master FROM data_keys WHERE master < :generation LIMIT :chunk FOR UPDATE",
                generation=generation,
                chunk=chunk,
            )
        )
        updates = []
        for kind, number, wrapped, old in rows:
            subject = Subject(Kind(kind), number)
            key = self._unwrap(subject, bytes(wrapped), old)
            updates.append(
                {"wrapped": self._wrap(subject, key, generation), "master": generation, "kind": kind, "id": number}
            )
        run_to_end(
            tx.run_each(
                "UPDATE data_keys SET wrapped = :wrapped, master = :master WHERE kind = :kind AND id = :id", updates
            )
        )
        run_to_end(tx.run("COMMIT"))
        return len(rows)


class PostgresErasures:
    """Deletes keys, and has PostgreSQL remove what deleting leaves in the table.

    A plain VACUUM frees the place of a deleted row and leaves its bytes there; VACUUM FULL rewrites the table. What is
    in the write-ahead log, in copies and in archives stays there until the master key is rotated.
    """

    def __init__(
        self, database: PostgresDatabase, url: str, settings: PostgresSettings, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._url = url
        self._settings = settings
        self._clock = clock
        self._tried = 0.0

    async def destroy(self, subjects: Sequence[Subject], *, listed: bool = True) -> bool:
        """Erase; see `vault.Erasures.destroy`. What retention erases is deleted, and its bytes wait for the next
        rewrite."""
        rows = [{"kind": int(kind), "id": number, "now": self._clock()} for kind, number in subjects]
        if not rows:
            return True

        async def delete(tx: Transaction) -> None:
            if listed:
                await tx.run_each("INSERT INTO erasures (kind, id, erased_at) VALUES (:kind, :id, :now)", rows)
                await tx.run(_SOIL)
            await tx.run_each("DELETE FROM data_keys WHERE kind = :kind AND id = :id", rows)

        await self._database.write(delete)
        return await self._rewrite() if listed else True

    async def is_clean(self) -> bool:
        """Return whether no requested erasure waits for the table to be rewritten."""
        soiled, cleaned = await self._numbers()
        return soiled <= cleaned

    async def _numbers(self) -> tuple[int, int]:
        """Return how many erasures were requested, and how many of them the last rewrite covers."""
        rows = await self._database.all("SELECT name, value FROM meta WHERE name IN ('soiled', 'cleaned')")
        found = {name: int(value) for name, value in rows}
        return found.get("soiled", 0), found.get("cleaned", 0)

    async def clean(self, seconds: float = 0) -> bool:
        if await self.is_clean():
            return True
        if not seconds and time.monotonic() - self._tried < RETRY_SECONDS:
            return False
        return await self._rewrite()

    async def _rewrite(self) -> bool:
        """Rewrite the table. False if old versions stay because somebody may still read them; the next call tries
        again."""
        self._tried = time.monotonic()
        soiled, _ = await self._numbers()
        try:
            is_rewritten = await asyncio.to_thread(self._rewrite_now)
        except (psycopg.Error, StoreError):
            return False
        if is_rewritten:
            # A number instead of a flag: what is erased meanwhile is not marked as clean.
            await self._database.write(lambda tx: tx.run(_SET, name="cleaned", value=str(soiled)))
        return is_rewritten and await self.is_clean()

    def _rewrite_now(self) -> bool:
        """Rewrite the table now. False if transactions, replicas or slots older than the erasure keep old rows."""
        with contextlib.closing(connect(self._url, self._settings)) as connection:
            connection.execute("SET statement_timeout = 0")
            row = connection.execute("SELECT pg_current_xact_id()::xid").fetchone()
            connection.execute("VACUUM (FULL) data_keys")
            held = connection.execute(_HELD, {"now": str(row[0]) if row else "0"}).fetchone()
            if _may_checkpoint(connection):  # the checkpoint also removes the old table's file
                connection.execute("CHECKPOINT")
        return held is not None and not held[0]

    async def replay(self, erasures: Path) -> int:
        raise StoreError(
            "the list of erasures is a table of the key database: restore both together, or erase again what was "
            "erased since the backup"
        )

    async def forget(self, before: float) -> int:
        sql = "DELETE FROM erasures WHERE erased_at < :before"
        return await self._database.write(lambda tx: tx.run(sql, before=before))


def _may_checkpoint(connection: psycopg.Connection[Row]) -> bool:
    """Return whether this user may run CHECKPOINT."""
    row = connection.execute("SELECT pg_has_role(current_user, 'pg_checkpoint', 'USAGE')").fetchone()
    return bool(row and row[0])
