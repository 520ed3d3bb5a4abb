"""Erases data keys, and keeps the list of erasures with which a restored backup is brought up to date.

`erasures.db` lies beside `keys.db`. An erasure is listed first and then carried out. So after a crash in between, or
after keys come back from an older backup, the next start completes it.

The wrapped bytes of an erased key stay in the database's write-ahead log until that is emptied, and another process
that is reading can delay this. So the same transaction records that the log must be emptied; the sweeper or the next
start does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from renzheng.store.engine import StoreError
from renzheng.store.files import ERASURES_FILE, KEYS_FILE
from renzheng.store.sealer import Subject
from renzheng.store.sqlite import connect, set_pragma

_SCHEMA = """
CREATE TABLE IF NOT EXISTS erasures (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, id INTEGER NOT NULL, erased_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


PATIENCE = 2.0
"""Seconds for which an erasure waits until no other process reads and the log can be emptied."""
_BUMP = (
    "INSERT INTO main.meta (name, value) VALUES ('log_soiled', 1) ON CONFLICT (name) DO UPDATE SET value = value + 1"
)
_NUMBER = "SELECT coalesce((SELECT value FROM main.meta WHERE name = ?), 0)"


def soil(keys: sqlite3.Connection) -> None:
    """Record that the log must be emptied, in the transaction that deletes a wrapped key."""
    keys.execute(_BUMP)


def is_soiled(keys: sqlite3.Connection) -> bool:
    """Return whether the log may still hold the wrapped bytes of deleted keys."""
    soiled, cleaned = (keys.execute(_NUMBER, (name,)).fetchone()[0] for name in ("log_soiled", "log_cleaned"))
    return bool(soiled > cleaned)


def truncate(keys: sqlite3.Connection, seconds: float) -> bool:
    """Empty the log, which still holds erased keys' old bytes. False if others kept it busy for `seconds`.

    It retries instead of waiting inside SQLite, which would delay everybody who writes.
    """
    # Two numbers instead of a flag: a key deleted while the log is emptied is not marked as clean.
    soiled = keys.execute(_NUMBER, ("log_soiled",)).fetchone()[0]
    keys.execute("PRAGMA main.wal_checkpoint(PASSIVE)").fetchone()  # most of it, while others may write
    end = time.monotonic() + seconds
    while not _try_to_truncate(keys):
        if time.monotonic() >= end:
            return False
        time.sleep(0.02)
    with contextlib.suppress(sqlite3.OperationalError):  # the log is empty, whether or not this can be recorded
        keys.execute(
            "INSERT INTO main.meta (name, value) VALUES ('log_cleaned', ?)"
            " ON CONFLICT (name) DO UPDATE SET value = max(value, excluded.value)",
            (soiled,),
        )
    return True


def _try_to_truncate(keys: sqlite3.Connection) -> bool:
    timeout = keys.execute("PRAGMA busy_timeout").fetchone()[0]
    keys.execute("PRAGMA busy_timeout = 0")
    try:
        return not keys.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        keys.execute(f"PRAGMA busy_timeout = {timeout}")


class SqliteErasures:
    """The list of one keys folder, whose `keys.db` exists already. `clock`: unix seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float], busy_timeout: float) -> None:
        self._folder = folder
        self._clock = clock
        self._busy_timeout = busy_timeout
        self._patience = PATIENCE
        self._held: sqlite3.Connection | None = None

    def open(self) -> None:
        """Create the list if it is missing, and destroy again what was erased since these keys were backed up."""
        made = connect(self._folder / ERASURES_FILE, busy_timeout=self._busy_timeout)
        made.executescript(_SCHEMA)
        # Kept open, so that the files beside the list exist already when the disk is full.
        self._held = made
        connection = self._destroyer()
        try:
            # Ids have a meaning only for one set of keys, so the list names that set.
            connection.execute(
                "INSERT OR IGNORE INTO listed.meta SELECT name, value FROM main.meta WHERE name = 'vault'"
            )
            self._delete_listed(connection)
            if is_soiled(connection):
                truncate(connection, 0)
        finally:
            connection.close()

    def close(self) -> None:
        if self._held is not None:
            self._held.close()

    def _vault(self, connection: sqlite3.Connection) -> str:
        return str(connection.execute("SELECT value FROM main.meta WHERE name = 'vault'").fetchone()[0])

    async def destroy(self, subjects: Sequence[Subject], *, listed: bool = True) -> bool:
        """List the subjects, delete their keys, and empty the log. After that, nothing of them can be opened.

        False if other processes kept the log busy: the wrapped keys are still in its file, until `clean`.
        `listed=False` is for retention and orphans, which happen again after a restore: the restored records are too
        old, or the keys have no records. So the list stays short: it holds what somebody asked to erase.
        """
        return await asyncio.to_thread(self._destroy, list(subjects), listed) if subjects else True

    async def is_clean(self) -> bool:
        """Return whether no wrapped key that was erased is left in the log."""
        return await asyncio.to_thread(self._is_clean)

    def _is_clean(self) -> bool:
        with contextlib.closing(connect(self._folder / KEYS_FILE, busy_timeout=self._busy_timeout)) as connection:
            return not is_soiled(connection)

    async def clean(self, seconds: float = 0) -> bool:
        """Empty the log if that is still to be done, and wait `seconds` for others. False if it is still to be done."""
        return await asyncio.to_thread(self._clean, seconds)

    def _clean(self, seconds: float) -> bool:
        with contextlib.closing(connect(self._folder / KEYS_FILE, busy_timeout=self._busy_timeout)) as connection:
            return not is_soiled(connection) or truncate(connection, seconds)

    def _destroyer(self, *, listed: bool = True) -> sqlite3.Connection:
        connection = connect(self._folder / KEYS_FILE, busy_timeout=self._busy_timeout, secure_delete=True)
        if not listed:
            return connection
        connection.execute("ATTACH DATABASE ? AS listed", (str(self._folder / ERASURES_FILE),))
        set_pragma(connection, "listed.synchronous", "FULL", 2)
        return connection

    def _destroy(self, subjects: list[Subject], listed: bool) -> bool:
        ids: dict[int, list[int]] = {}
        for kind, number in subjects:
            ids.setdefault(int(kind), []).append(number)
        connection = self._destroyer(listed=listed)
        try:
            if listed:
                # First, and in a transaction of its own: after a crash in between, the next start completes it.
                self._each_kind(
                    connection,
                    "INSERT INTO listed.erasures (kind, id, erased_at) SELECT :kind, value, :now FROM json_each(:ids)",
                    ids,
                )
            sql = "DELETE FROM data_keys WHERE kind = :kind AND id IN (SELECT value FROM json_each(:ids))"
            self._each_kind(connection, sql, ids, takes_keys=True)
            if listed:
                self._delete_listed(connection)
            return truncate(connection, self._patience)
        finally:
            connection.close()

    def _each_kind(
        self, connection: sqlite3.Connection, sql: str, ids: dict[int, list[int]], *, takes_keys: bool = False
    ) -> None:
        """Run one statement for all subjects of a kind.

        Between two statements this thread may wait long for the interpreter, while it holds the lock that the next
        token needs.
        """
        connection.execute("BEGIN IMMEDIATE")
        if takes_keys:
            soil(connection)
        for kind, numbers in ids.items():
            connection.execute(sql, {"kind": kind, "ids": json.dumps(numbers), "now": self._clock()})
        connection.execute("COMMIT")

    def _delete_listed(self, connection: sqlite3.Connection) -> None:
        """Delete the listed keys that these keys have not deleted yet. The log is emptied later."""
        connection.execute("BEGIN IMMEDIATE")
        seen = connection.execute("SELECT value FROM meta WHERE name = 'replayed'").fetchone()[0]
        newest = connection.execute("SELECT coalesce(max(number), 0) FROM listed.erasures").fetchone()[0]
        if newest != seen:
            soil(connection)
            # A list that ends before what was seen is an older one from a backup, so all of it counts.
            connection.execute(
                "DELETE FROM data_keys WHERE (kind, id) IN (SELECT kind, id FROM listed.erasures WHERE number > ?)",
                (seen if newest > seen else 0,),
            )
            connection.execute("UPDATE meta SET value = ? WHERE name = 'replayed'", (newest,))
        connection.execute("COMMIT")

    async def replay(self, erasures: Path) -> int:
        """Erase again what a newer list contains, after the whole keys folder came back from an older backup.

        Returns how many entries were new. Raises StoreError if it is not a list, or the list of other keys.
        """
        if not await asyncio.to_thread(erasures.is_file):
            raise StoreError(f"there is no list of erasures at {erasures}")
        if await asyncio.to_thread(erasures.samefile, self._folder / ERASURES_FILE):
            raise StoreError(f"{erasures} is these keys' own list, which is replayed at every start")
        try:
            return await asyncio.to_thread(self._replay_newer, erasures)
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{erasures} cannot be read as a list of erasures: {error}") from None

    def _replay_newer(self, erasures: Path) -> int:
        connection = self._destroyer()
        try:
            connection.execute("ATTACH DATABASE ? AS newer", (str(erasures),))
            signed = connection.execute("SELECT value FROM newer.meta WHERE name = 'vault'").fetchone()
            if signed is None or signed[0] != self._vault(connection):
                raise StoreError(f"{erasures} is the list of other keys than those of {self._folder}")
            added = connection.execute(
                "INSERT INTO listed.erasures (kind, id, erased_at)"
                " SELECT kind, id, erased_at FROM newer.erasures"
                " EXCEPT SELECT kind, id, erased_at FROM listed.erasures"
            ).rowcount
            self._delete_listed(connection)
            truncate(connection, self._patience)
            return added
        finally:
            connection.close()

    async def forget(self, before: float) -> int:
        """Delete entries that no backup is old enough to need. Returns how many."""

        def run() -> int:
            connection = connect(self._folder / ERASURES_FILE, busy_timeout=self._busy_timeout)
            try:
                return connection.execute(
                    "DELETE FROM erasures WHERE erased_at < ? AND number < (SELECT max(number) FROM erasures)",
                    (before,),
                ).rowcount
            finally:
                connection.close()

        return await asyncio.to_thread(run)
