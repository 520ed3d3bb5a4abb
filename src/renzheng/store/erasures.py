"""Erasing data keys, and the list of what was erased, which a restored backup is brought up to.

`erasures.db` lies beside `keys.db`. An erasure is listed first and carried out then, so that a crash in between, or
keys that come back from an older backup, are made good at the next start.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from renzheng.store.database import StoreError, connect
from renzheng.store.sealer import Subject

_SCHEMA = """
CREATE TABLE IF NOT EXISTS erasures (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind INTEGER NOT NULL, id INTEGER NOT NULL, erased_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


def truncate(keys: sqlite3.Connection) -> bool:
    """Empty the log, where erased keys' old bytes still are. False when others kept it busy all along."""
    for _ in range(20):
        busy = keys.execute("PRAGMA main.wal_checkpoint(TRUNCATE)").fetchone()[0]
        if not busy:
            return True
    return False


class Erasures:
    """The list of one keys folder, whose `keys.db` is there already. `clock`: unix seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float], busy_timeout: float) -> None:
        self._folder = folder
        self._clock = clock
        self._busy_timeout = busy_timeout

    def open(self) -> None:
        """Make the list where there is none, and destroy again what was erased since these keys were backed up."""
        made = connect(self._folder / "erasures.db", busy_timeout=self._busy_timeout)
        made.executescript(_SCHEMA)
        made.close()
        connection = self._destroyer()
        try:
            # Ids mean something only together with the keys they are of, so the list says whose it is.
            connection.execute(
                "INSERT OR IGNORE INTO listed.meta SELECT name, value FROM main.meta WHERE name = 'vault'"
            )
            self._delete_listed(connection)
        finally:
            connection.close()

    def _vault(self, connection: sqlite3.Connection) -> str:
        return str(connection.execute("SELECT value FROM main.meta WHERE name = 'vault'").fetchone()[0])

    async def destroy(self, subjects: Sequence[Subject], *, listed: bool = True) -> None:
        """Erase: list the subjects, delete their keys, clean the log. Nothing of them opens when it returns.

        `listed=False` is for retention and orphans, which a restore brings about again by itself: the records that
        come back are too old, or the keys have no records. So the list stays short: what somebody asked to erase.
        """
        if subjects:
            await asyncio.to_thread(self._destroy, list(subjects), listed)

    def _destroyer(self) -> sqlite3.Connection:
        connection = connect(self._folder / "keys.db", busy_timeout=self._busy_timeout, secure_delete=True)
        connection.execute("ATTACH DATABASE ? AS listed", (str(self._folder / "erasures.db"),))
        connection.execute("PRAGMA listed.synchronous = FULL")
        return connection

    def _destroy(self, subjects: list[Subject], listed: bool) -> None:
        ids: dict[int, list[int]] = {}
        for kind, number in subjects:
            ids.setdefault(int(kind), []).append(number)
        connection = self._destroyer()
        try:
            if listed:
                # First, and in a transaction of its own: a crash in between is made good at the next start.
                self._each_kind(
                    connection,
                    "INSERT INTO listed.erasures (kind, id, erased_at) SELECT :kind, value, :now FROM json_each(:ids)",
                    ids,
                )
            sql = "DELETE FROM data_keys WHERE kind = :kind AND id IN (SELECT value FROM json_each(:ids))"
            self._each_kind(connection, sql, ids)
            if listed:
                self._delete_listed(connection)
            truncate(connection)
        finally:
            connection.close()

    def _each_kind(self, connection: sqlite3.Connection, sql: str, ids: dict[int, list[int]]) -> None:
        """One statement for all of a kind: between two statements this thread may wait long for the interpreter,
        while it holds the lock that the next token waits for."""
        connection.execute("BEGIN IMMEDIATE")
        for kind, numbers in ids.items():
            connection.execute(sql, {"kind": kind, "ids": json.dumps(numbers), "now": self._clock()})
        connection.execute("COMMIT")

    def _delete_listed(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        seen = connection.execute("SELECT value FROM meta WHERE name = 'replayed'").fetchone()[0]
        newest = connection.execute("SELECT coalesce(max(number), 0) FROM listed.erasures").fetchone()[0]
        if newest != seen:
            # A list that ends before what was seen is an older one, put back from a backup: all of it counts.
            connection.execute(
                "DELETE FROM data_keys WHERE (kind, id) IN (SELECT kind, id FROM listed.erasures WHERE number > ?)",
                (seen if newest > seen else 0,),
            )
            connection.execute("UPDATE meta SET value = ? WHERE name = 'replayed'", (newest,))
        connection.execute("COMMIT")
        if newest != seen:
            truncate(connection)

    async def replay(self, erasures: Path) -> int:
        """Erase again what a newer list says, after the whole keys folder came back from an older backup.

        Returns how many entries were new. Raises StoreError for what is no list, or the list of other keys.
        """
        if not await asyncio.to_thread(erasures.is_file):
            raise StoreError(f"there is no list of erasures at {erasures}")
        if await asyncio.to_thread(erasures.samefile, self._folder / "erasures.db"):
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
            return added
        finally:
            connection.close()

    async def forget(self, before: float) -> int:
        """Drop entries that no backup is old enough to need. Returns how many."""

        def run() -> int:
            connection = connect(self._folder / "erasures.db", busy_timeout=self._busy_timeout)
            try:
                return connection.execute(
                    "DELETE FROM erasures WHERE erased_at < ? AND number < (SELECT max(number) FROM erasures)",
                    (before,),
                ).rowcount
            finally:
                connection.close()

        return await asyncio.to_thread(run)
