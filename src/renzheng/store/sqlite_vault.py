"""The vault in the keys folder: wrapped data keys in `keys.db`, and the list of erasures in `erasures.db`.

If a keys folder comes back from an older backup, the next start brings it up to that list.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from renzheng.store.checkpoints import WriteAheadLog
from renzheng.store.engine import StoreError
from renzheng.store.erasures import SqliteErasures, soil, truncate
from renzheng.store.files import ERASURES_FILE, KEYS_FILE
from renzheng.store.keyring import prepare_folder
from renzheng.store.locks import file_lock
from renzheng.store.master_seal import MasterSeal
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.store.vault import LOOKUP, Vault

ROTATION_PATIENCE = 5.0
"""Seconds for which a rotation waits until no other process reads keys wrapped under the old master key."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS data_keys (
    kind INTEGER NOT NULL, id INTEGER NOT NULL, master INTEGER NOT NULL,
    wrapped BLOB NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
"""


class SqliteVault(Vault):
    """The open keys folder. Its `begin`, `commit` and `rollback` are the keys' part of a batch of the database."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float],
        entropy: Callable[[int], bytes],
        busy_timeout: float = 5.0,
        seals: Sequence[MasterSeal] = (),
    ) -> None:
        super().__init__(folder, clock, entropy, seals)
        self._busy_timeout = busy_timeout
        prepare_folder(folder)
        with file_lock(folder / "lock"):
            self._open_masters(has_keys=(folder / KEYS_FILE).exists())
            for name in (KEYS_FILE, ERASURES_FILE):
                # SQLite's log gets the mode of the database, so the database must be private from the start.
                os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._create()
            self.erasures: SqliteErasures = SqliteErasures(folder, clock, busy_timeout)
            self.erasures.open()
        self._reader = connect(folder / KEYS_FILE, busy_timeout=busy_timeout)
        beside = connect(folder / KEYS_FILE, busy_timeout=0)
        self._writer = connect(folder / KEYS_FILE, busy_timeout=0, secure_delete=True)
        self._log = WriteAheadLog(self._writer, beside)
        self._current = self._read_current(self._reader)
        wrapped, generation = self._select(self._reader, LOOKUP) or (b"", 0)
        self._lookup = self._unwrap(LOOKUP, wrapped, generation)

    def close(self) -> None:
        self._log.close()
        self._reader.close()
        self._writer.close()
        self.erasures.close()

    async def stop(self) -> None:
        self.close()

    @property
    def id(self) -> str:
        return str(self._reader.execute("SELECT value FROM meta WHERE name = 'vault'").fetchone()[0])

    @property
    def place(self) -> str:
        return f"the keys folder {self.folder}"

    def _create(self) -> None:
        connection = connect(self.folder / KEYS_FILE, busy_timeout=self._busy_timeout)
        try:
            connection.executescript(_SCHEMA)
            if connection.execute("SELECT 1 FROM meta WHERE name = 'vault'").fetchone():
                return
            generation = max(self._masters)
            wrapped = self._make_lookup(generation)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO meta VALUES ('master', ?)", (generation,))
            connection.execute("INSERT INTO meta VALUES ('replayed', 0)")
            connection.execute(
                "INSERT INTO data_keys VALUES (?, ?, ?, ?, ?)", (*LOOKUP, generation, wrapped, self._clock())
            )
            connection.execute("INSERT INTO meta VALUES ('vault', ?)", (self._entropy(8).hex(),))
            connection.execute("COMMIT")
        finally:
            connection.close()

    def _read_current(self, connection: sqlite3.Connection) -> int:
        row = connection.execute("SELECT value FROM meta WHERE name = 'master'").fetchone()
        return self._have_master(int(row[0]))

    # -- the transaction that a batch of the database's writes opens beside its own

    def begin(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        # Read inside the lock: once a rotation has set a new generation, no key is wrapped under the old one.
        self._current = self._read_current(self._writer)

    def commit(self) -> None:
        self._writer.execute("COMMIT")
        self._log.committed()

    def rollback(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    # -- keys of subjects

    def _select(self, connection: sqlite3.Connection, subject: Subject) -> tuple[bytes, int] | None:
        row: tuple[bytes, int] | None = connection.execute(
            "SELECT wrapped, master FROM data_keys WHERE kind = ? AND id = ?", subject
        ).fetchone()
        return row

    async def _find(self, subject: Subject) -> tuple[bytes, int] | None:
        return self._select(self._reader, subject)

    async def _put(self, subject: Subject, wrapped: bytes) -> tuple[bytes, int] | None:
        stored = self._writer.execute(
            "INSERT INTO data_keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            # The driver takes a plain int as it is, but searches for an adapter for an enum.
            (int(subject.kind), subject.id, self._current, wrapped, self._clock()),
        )
        return None if stored.rowcount else self._select(self._writer, subject)

    async def generation(self) -> int:
        return self._read_current(self._reader)

    async def recoverable(self) -> int:
        return 0  # erased content is overwritten, in the file and in its log

    async def count(self) -> int:
        return int(self._reader.execute("SELECT count(*) FROM data_keys").fetchone()[0])

    async def subjects(self, kind: Kind, after: int, before: float, limit: int) -> list[Subject]:
        rows = self._reader.execute(
            "SELECT id FROM data_keys WHERE kind = ? AND id > ? AND created_at < ? ORDER BY id LIMIT ?",
            (kind, after, before, limit),
        ).fetchall()
        return [Subject(kind, row[0]) for row in rows]

    def mark(self, name: str) -> bool:
        return self._reader.execute("SELECT 1 FROM meta WHERE name = ?", (name,)).fetchone() is not None

    def set_mark(self, name: str) -> None:
        connection = connect(self.folder / KEYS_FILE, busy_timeout=self._busy_timeout)
        try:
            connection.execute("INSERT INTO meta (name, value) VALUES (?, 1) ON CONFLICT DO NOTHING", (name,))
        finally:
            connection.close()

    # -- rotation

    def rotate(self, chunk: int = 1000) -> int:
        with file_lock(self.folder / "lock"):
            connection = connect(self.folder / KEYS_FILE, busy_timeout=self._busy_timeout, secure_delete=True)
            try:
                generation = self._next_master(self._read_current(connection))
                connection.execute("UPDATE meta SET value = ? WHERE name = 'master'", (generation,))
                count = 0
                while wrapped := self._rewrap(connection, generation, chunk):
                    count += wrapped
                if not truncate(connection, ROTATION_PATIENCE):
                    raise StoreError("the old master key was kept: other processes were reading; rotate again")
            finally:
                connection.close()
            self._drop_masters(below=generation)
        return count

    def _rewrap(self, connection: sqlite3.Connection, generation: int, chunk: int) -> int:
        connection.execute("BEGIN IMMEDIATE")
        rows = connection.execute(
            "SELECT kind, id, wrapped, master FROM data_keys WHERE master < ? LIMIT ?", (generation, chunk)
        ).fetchall()
        updates: list[tuple[bytes, int, int, int]] = []
        for kind, number, wrapped, old in rows:
            subject = Subject(Kind(kind), number)
            key = self._unwrap(subject, wrapped, old)
            updates.append((self._wrap(subject, key, generation), generation, kind, number))
        soil(connection)
        connection.executemany("UPDATE data_keys SET wrapped = ?, master = ? WHERE kind = ? AND id = ?", updates)
        connection.execute("COMMIT")
        return len(rows)
