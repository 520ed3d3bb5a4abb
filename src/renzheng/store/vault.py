"""Envelope encryption at rest. Each subject has a data key of its own, wrapped by the master key.

Data keys live in `keys.db` in the keys folder, never beside the records, so that a copy of the data alone is
worth nothing and destroying one key erases one subject wherever its records were copied to. What was destroyed
is listed in `erasures.db`; a keys folder that comes back from an older backup is brought up to that list at the
next start. Nothing is cached: a key that was destroyed by another process opens nothing from that moment on.

AES-256-GCM with 96-bit random nonces. One data key seals a few thousand blobs at most; one master key may wrap
2^32 data keys (NIST SP 800-38D, 8.3), after which it has to be rotated.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from renzheng.store.database import StoreError, connect, file_lock
from renzheng.store.erasures import Erasures, truncate
from renzheng.store.keyring import (
    KEY_BYTES,
    KeysRefused,
    generations,
    make_master,
    master_path,
    prepare_folder,
    read_master,
    sync_folder,
)
from renzheng.store.sealer import NONCE_BYTES, Erased, Kind, Sealer, Subject, prefix

DIGEST_BYTES = 16


_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS data_keys (
    kind INTEGER NOT NULL, id INTEGER NOT NULL, master INTEGER NOT NULL,
    wrapped BLOB NOT NULL, created_at REAL NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID;
"""


class Vault:
    """The keys folder, open. `clock`: unix seconds. `entropy`: gives that many unpredictable bytes."""

    def __init__(
        self, folder: Path, clock: Callable[[], float], entropy: Callable[[int], bytes], busy_timeout: float = 5.0
    ) -> None:
        self.folder = folder
        self._clock = clock
        self._entropy = entropy
        self._busy_timeout = busy_timeout
        prepare_folder(folder)
        with file_lock(folder / "lock"):
            self._masters = self._open_masters()
            for name in ("keys.db", "erasures.db"):
                # SQLite gives its log the mode of the database, so the database has to be private from the start.
                os.close(os.open(folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._create()
            self.erasures = Erasures(folder, clock, busy_timeout)
            self.erasures.open()
        self._reader = connect(folder / "keys.db", busy_timeout=busy_timeout)
        self._writer = connect(folder / "keys.db", busy_timeout=0, secure_delete=True)
        self._current = self._read_current(self._reader)
        self._lookup = self._data_key(Subject(Kind.LOOKUP, 0))
        self._digests: dict[str, hashlib.blake2b] = {}

    def close(self) -> None:
        self._reader.close()
        self._writer.close()

    @property
    def id(self) -> str:
        """Names this set of keys; a data folder remembers which one it was sealed with."""
        return str(self._reader.execute("SELECT value FROM meta WHERE name = 'vault'").fetchone()[0])

    # -- opening

    def _open_masters(self) -> dict[int, AESGCM]:
        known = generations(self.folder)
        if not known:
            if (self.folder / "keys.db").exists():
                raise KeysRefused(
                    f"the keys folder {self.folder} has data keys but no master key; "
                    "put master-N.key back from the backup of the keys folder"
                )
            return {1: AESGCM(make_master(self.folder, 1, self._entropy))}
        return {generation: AESGCM(read_master(self.folder, generation)) for generation in known}

    def _create(self) -> None:
        connection = connect(self.folder / "keys.db", busy_timeout=self._busy_timeout)
        try:
            connection.executescript(_SCHEMA)
            if connection.execute("SELECT 1 FROM meta WHERE name = 'vault'").fetchone():
                return
            generation = max(self._masters)
            subject = Subject(Kind.LOOKUP, 0)
            wrapped = self._wrap(subject, self._entropy(KEY_BYTES), generation)
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO meta VALUES ('master', ?)", (generation,))
            connection.execute("INSERT INTO meta VALUES ('replayed', 0)")
            connection.execute(
                "INSERT INTO data_keys VALUES (?, ?, ?, ?, ?)", (*subject, generation, wrapped, self._clock())
            )
            connection.execute("INSERT INTO meta VALUES ('vault', ?)", (self._entropy(8).hex(),))
            connection.execute("COMMIT")
        finally:
            connection.close()

    # -- wrapping

    def _wrap(self, subject: Subject, key: bytes, generation: int) -> bytes:
        nonce = self._entropy(NONCE_BYTES)
        return nonce + self._masters[generation].encrypt(nonce, key, prefix(subject) + b"key")

    def _unwrap(self, subject: Subject, wrapped: bytes, generation: int) -> bytes:
        if generation not in self._masters:  # rotated by another process
            self._masters[generation] = AESGCM(read_master(self.folder, generation))
        try:
            return self._masters[generation].decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], prefix(subject) + b"key"
            )
        except InvalidTag:
            raise KeysRefused(
                f"a data key of {self.folder} does not open under master-{generation}.key; they are not a pair"
            ) from None

    def _read_current(self, connection: sqlite3.Connection) -> int:
        generation = int(connection.execute("SELECT value FROM meta WHERE name = 'master'").fetchone()[0])
        if generation not in self._masters:
            self._masters[generation] = AESGCM(read_master(self.folder, generation))
        return generation

    def _data_key(self, subject: Subject) -> bytes:
        row = self._reader.execute(
            "SELECT wrapped, master FROM data_keys WHERE kind = ? AND id = ?", subject
        ).fetchone()
        if row is None:
            raise Erased(f"the data of {subject.kind.name.lower()} {subject.id} was erased")
        return self._unwrap(subject, row[0], row[1])

    # -- the transaction that a batch of the database's writes opens beside its own

    def begin(self) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        # Inside the lock: once a rotation has set a new generation, no key is wrapped under the old one.
        self._current = self._read_current(self._writer)

    def commit(self) -> None:
        self._writer.execute("COMMIT")

    def rollback(self) -> None:
        if self._writer.in_transaction:
            self._writer.execute("ROLLBACK")

    def draw(self, subject: Subject) -> Sealer:
        """A new data key, in memory only: `keep` it in the write that stores what was sealed with it."""
        return Sealer(subject, self._entropy(KEY_BYTES), self._entropy)

    def keep(self, sealer: Sealer) -> None:
        """Store a drawn key; only inside a job that was handed in with `keys=True`. A key that exists is kept."""
        subject = sealer.subject
        wrapped = self._wrap(subject, sealer._key, self._current)
        self._writer.execute(
            "INSERT INTO data_keys VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            # The driver takes a plain int as it is, and searches for an adapter for anything else.
            (int(subject.kind), subject.id, self._current, wrapped, self._clock()),
        )

    def of(self, subject: Subject) -> Sealer:
        """The sealer of a stored key. Raises Erased."""
        return Sealer(subject, self._data_key(subject), self._entropy)

    def has(self, subject: Subject) -> bool:
        row = self._reader.execute("SELECT 1 FROM data_keys WHERE kind = ? AND id = ?", subject).fetchone()
        return row is not None

    def digest(self, purpose: str, value: str) -> bytes:
        """A keyed hash for look-ups, 16 bytes: BLAKE2b under a key of its own. `purpose`: up to 16 characters."""
        keyed = self._digests.get(purpose)
        if keyed is None:
            keyed = hashlib.blake2b(digest_size=DIGEST_BYTES, key=self._lookup, person=purpose.encode())
            self._digests[purpose] = keyed
        state = keyed.copy()  # the key is half of the work, and done once
        state.update(value.encode())
        return state.digest()

    # -- looking after

    def subjects(self, kind: Kind, after: int, before: float, limit: int) -> list[Subject]:
        """Keys of a kind by rising id, those made before a time: for the sweeper's search for orphans."""
        rows = self._reader.execute(
            "SELECT id FROM data_keys WHERE kind = ? AND id > ? AND created_at < ? ORDER BY id LIMIT ?",
            (kind, after, before, limit),
        ).fetchall()
        return [Subject(kind, row[0]) for row in rows]

    def rotate(self, chunk: int = 1000) -> int:
        """Make a new master key, wrap every data key under it, delete the old ones. Returns how many were wrapped.

        Works beside a running server and can be repeated after a crash. What was sealed stays as it is.
        """
        with file_lock(self.folder / "lock"):
            connection = connect(self.folder / "keys.db", busy_timeout=self._busy_timeout, secure_delete=True)
            try:
                generation = max(generations(self.folder)) + 1
                self._masters[generation] = AESGCM(make_master(self.folder, generation, self._entropy))
                connection.execute("UPDATE meta SET value = ? WHERE name = 'master'", (generation,))
                count = 0
                while wrapped := self._rewrap(connection, generation, chunk):
                    count += wrapped
                if not truncate(connection):
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
        connection.executemany("UPDATE data_keys SET wrapped = ?, master = ? WHERE kind = ? AND id = ?", updates)
        connection.execute("COMMIT")
        return len(rows)

    def _drop_masters(self, below: int) -> None:
        for generation in generations(self.folder):
            if generation < below:
                master_path(self.folder, generation).unlink()
        sync_folder(self.folder)
        self._masters = {number: key for number, key in self._masters.items() if number >= below}
