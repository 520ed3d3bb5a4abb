"""Moves an installation from SQLite to PostgreSQL: records, keys and the list of erasures, and verifies each row.

Nothing is written to SQLite meanwhile: its three files are locked. First the keys and then the records are copied, each
in one transaction that is committed when every table has been read back and found equal. Until the last step both
databases carry a mark, and a server does not open them. The SQLite files stay as they are, except for a mark of their
own that keeps a server from using them: it would take the new evidence for orphans, and erase it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from renzheng.store import postgres_sync
from renzheng.store.authenticity import TABLES, Authenticity, selected
from renzheng.store.engine import Row, StoreError, run_to_end
from renzheng.store.engines import MOVED, PostgresPlace, StoreLocation, open_sqlite
from renzheng.store.files import ERASURES_FILE, KEYS_FILE, RECORDS_FILE
from renzheng.store.locks import ServerLock, file_lock
from renzheng.store.nodes import DEAD_SECONDS
from renzheng.store.postgres_session import PostgresSettings, place, trouble_of
from renzheng.store.postgres_vault import HALF_COPIED, SCHEMA
from renzheng.store.schema import migrate_postgres
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sqlite import connect, is_busy
from renzheng.store.table_copy import CopiedTable, TableSource, copy_table, go_on_counting, rows_of, tables_in_order
from renzheng.store.vault import Vault

_COPYING = 0x72656E7C  # the number of an advisory lock of PostgreSQL: one copy at a time
# SQLite's notes about its own log stay behind; `vault` and marks are copied.
_META = TableSource("meta", ("name", "value"), "SELECT name, CAST(value AS TEXT) FROM meta WHERE name NOT IN "
              "('replayed', 'log_soiled', 'log_cleaned')")  # fmt: skip
_DATA_KEYS = TableSource(
    "data_keys",
    ("kind", "id", "master", "wrapped", "created_at"),
    "SELECT kind, id, master, wrapped, created_at FROM data_keys",
)
_ERASURES = TableSource(
    "erasures", ("number", "kind", "id", "erased_at"), "SELECT number, kind, id, erased_at FROM erasures"
)


class Moved(NamedTuple):
    """`keys`: data keys that opened under their master key. `signed`: rows whose signature is valid in the target.
    `changed`: rows whose signature is valid on neither side."""

    tables: list[CopiedTable]
    keys: int
    signed: int
    changed: int


class _Source(NamedTuple):
    records: sqlite3.Connection
    keys: sqlite3.Connection
    erasures: sqlite3.Connection
    vault: Vault


def move(
    given: StoreLocation,
    where: PostgresPlace,
    *,
    actor: str,
    replace: bool = False,
    told: Callable[[CopiedTable], None] = lambda _: None,
) -> Moved:
    """Move everything. `told` is called for each table. `replace`: start again over an unfinished copy.

    Raises StoreError with a sentence: a server runs, a target is not empty, rows do not arrive.
    """
    settings = dataclasses.replace(where.settings or PostgresSettings(), statement_seconds=0)  # no bound
    with contextlib.ExitStack() as stack:
        lock = ServerLock(given.data / "server.lock")
        lock.acquire()
        stack.callback(lock.release)
        source = stack.enter_context(_lock_source(given))
        records = stack.enter_context(contextlib.closing(postgres_sync.connect(where.records, settings)))
        keys = stack.enter_context(contextlib.closing(postgres_sync.connect(where.keys, settings)))
        try:
            _prepare(records, keys, replace)
            migrate_postgres(where.records, settings)
            source.records.execute(
                "INSERT INTO audit (at, actor, verb, subject) VALUES (?, ?, 'records moved', ?)",
                (given.clock(), actor, place(where.records)),
            )
            moved = _copy(source, records, keys, told)
            _leave(source, place(where.records))
            _release(keys, records)
        except psycopg.Error as error:
            trouble = trouble_of(error, place(where.records))
            raise StoreError(f"the copy did not end: {trouble}") from None
    return moved


def _leave(source: _Source, to: str) -> None:
    source.records.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (MOVED, to))
    source.records.execute("COMMIT")


def _release(keys: psycopg.Connection[Row], records: psycopg.Connection[Row]) -> None:
    """Let servers open the target. The keys are released first, as servers check only their mark."""
    for connection in (keys, records):
        connection.execute(f"DROP TABLE {HALF_COPIED}")
        connection.execute("ANALYZE")


@contextlib.contextmanager
def _lock_source(given: StoreLocation) -> Iterator[_Source]:
    """Bring the SQLite side up to date, then lock it against all writes."""
    if not (given.data / RECORDS_FILE).exists():
        raise StoreError(f"there are no records in {given.data / RECORDS_FILE}")
    opened = open_sqlite(given._replace(may_be_moved=True))
    run_to_end(opened.database.stop())
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: run_to_end(opened.vault.stop()))
        stack.enter_context(file_lock(given.keys / "lock"))  # no rotation meanwhile
        names = (given.data / RECORDS_FILE, given.keys / KEYS_FILE, given.keys / ERASURES_FILE)
        files = [stack.enter_context(contextlib.closing(_lock(path, given.busy_timeout))) for path in names]
        source = _Source(files[0], files[1], files[2], opened.vault)
        source.records.execute("DELETE FROM meta WHERE name = ?", (MOVED,))  # of a copy that failed in its last step
        there = source.records.execute(
            "SELECT name FROM nodes WHERE seen_at > ?", (given.clock() - DEAD_SECONDS,)
        ).fetchone()
        if there is not None:
            raise StoreError(f"{there[0]} still works on these records; stop every renzheng judge first")
        source.records.execute("DELETE FROM nodes")  # processes that ended without reporting it
        seen = source.keys.execute("SELECT value FROM meta WHERE name = 'replayed'").fetchone()[0]
        listed = source.erasures.execute("SELECT coalesce(max(number), 0) FROM erasures").fetchone()[0]
        if seen != listed:
            raise StoreError("an erasure is going on; copy again when it has ended")
        yield source


def _lock(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = connect(path, busy_timeout=busy_timeout)
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        connection.close()
        if is_busy(error):
            raise StoreError(f"another command is writing to {path}; copy again when it has ended") from None
        raise
    return connection


# -- the target


def _prepare(records: psycopg.Connection[Row], keys: psycopg.Connection[Row], replace: bool) -> None:
    """Check that both databases are empty, or hold an unfinished copy, and mark them."""
    row = records.execute("SELECT pg_try_advisory_lock(%s)", (_COPYING,)).fetchone()
    if row is None or not row[0]:
        raise StoreError("another copy into this database is going on")
    found = {connection: _tables(connection) for connection in (records, keys)}
    for connection, tables in found.items():
        if tables and HALF_COPIED not in tables:
            raise StoreError(
                f"the database {connection.info.dbname} is not empty (it has {tables[0]}); "
                "a copy goes into two new databases only"
            )
    if any(found.values()) and not replace:
        raise StoreError("a copy into these databases began and did not end; --replace throws it away and begins again")
    for connection, tables in found.items():
        connection.execute("BEGIN")
        for table in tables:
            connection.execute(f'DROP TABLE IF EXISTS "{table}" CASCADE')
        connection.execute(f"CREATE TABLE {HALF_COPIED} (begun_at timestamptz NOT NULL DEFAULT now())")
        connection.execute("COMMIT")


def _tables(connection: psycopg.Connection[Row]) -> list[str]:
    return [
        row[0]
        for row in connection.execute(
            "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
            " AND relkind IN ('r', 'p', 'f', 'v', 'm') ORDER BY 1"
        )
    ]


def _copy(
    source: _Source,
    records: psycopg.Connection[Row],
    keys: psycopg.Connection[Row],
    told: Callable[[CopiedTable], None],
) -> Moved:
    tables: list[CopiedTable] = []

    def note(copied: CopiedTable) -> None:
        tables.append(copied)
        told(copied)

    keys.execute("BEGIN")
    for statement in SCHEMA:
        keys.execute(statement)
    for file, table in ((source.keys, _META), (source.keys, _DATA_KEYS), (source.erasures, _ERASURES)):
        note(copy_table(file, keys, table)._replace(name=f"keys: {table.name}"))
    go_on_counting(source.erasures, keys)
    opened = _open_all(source.vault, keys)
    keys.execute("COMMIT")
    records.execute("BEGIN")
    going = [table for table in tables_in_order(records) if table.name not in ("alembic_version", HALF_COPIED)]
    records.execute(f"TRUNCATE {', '.join(table.name for table in going)}")  # the migrations made these rows
    for table in going:
        note(copy_table(source.records, records, table))
    go_on_counting(source.records, records)
    signed, changed = _check_signatures(source, records)
    records.execute("COMMIT")
    return Moved(tables, opened, signed, changed)


def _open_all(vault: Vault, keys: psycopg.Connection[Row]) -> int:
    """Open every data key of the target. Returns how many. Raises KeysRefusedError."""
    count = 0
    for kind, number, master, wrapped, _ in rows_of(keys, _DATA_KEYS):
        vault.check(Subject(Kind(kind), number), wrapped, master)
        count += 1
    return count


def _check_signatures(source: _Source, records: psycopg.Connection[Row]) -> tuple[int, int]:
    """Return how many rows of the target have a valid signature, and how many have one neither here nor in SQLite."""
    here, there = Authenticity(source.vault), Authenticity(source.vault)
    count = 0
    for table in TABLES:
        sql = f"SELECT {selected(table)} FROM {table}"
        for row in source.records.execute(sql):
            here.trusts(table, row)
        for row in records.execute(sql):
            count += there.trusts(table, row)
    if here.found != there.found:
        raise StoreError("signatures that hold in SQLite do not hold in PostgreSQL")
    return count, sum(map(len, there.found.values()))


# -- the old files


def reopen(given: StoreLocation) -> None:
    """Let servers use the SQLite files again. Raises StoreError if they were not moved."""
    with contextlib.closing(connect(moved_path(given), busy_timeout=given.busy_timeout)) as connection:
        connection.execute("DELETE FROM meta WHERE name = ?", (MOVED,))


def discard(given: StoreLocation, vault_id: str) -> list[Path]:
    """Delete the SQLite files of an installation that was moved, after overwriting the keys.

    `vault_id`: of the keys in PostgreSQL. Raises StoreError if they were not moved, or not there.
    """
    records = moved_path(given)
    keys = given.keys / KEYS_FILE
    if keys.exists():
        with contextlib.closing(connect(keys, busy_timeout=given.busy_timeout)) as connection:
            row = connection.execute("SELECT value FROM meta WHERE name = 'vault'").fetchone()
            if row is None or row[0] != vault_id:
                raise StoreError(f"{keys} holds other keys than the key database; nothing was removed")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    removed = []
    for path in (keys, given.keys / ERASURES_FILE, records):
        for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if file.exists():
                if path == keys:
                    _write_over(file)
                file.unlink()
                removed.append(file)
    return removed


def moved_path(given: StoreLocation) -> Path:
    """Return SQLite's file of moved records. Raises StoreError if there is none."""
    path = given.data / RECORDS_FILE
    if path.exists():
        with contextlib.closing(connect(path, busy_timeout=given.busy_timeout)) as connection:
            if connection.execute("SELECT 1 FROM meta WHERE name = ?", (MOVED,)).fetchone():
                return path
    raise StoreError(f"{path} has no records that were moved to PostgreSQL")


def _write_over(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
