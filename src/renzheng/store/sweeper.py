"""The sweeper: what has outlived its time goes, in bounded rounds.

Tokens expire; results go three days after their token was issued and leave a tombstone; evidence goes after the
days that a setting says; orphans that a crash left behind go after an hour. Keys are destroyed first: whatever a
crash then leaves of records and objects opens no more, and goes in a later round.
"""

from __future__ import annotations

import datetime
import functools
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from renzheng.store.database import Database
from renzheng.store.objects import Objects
from renzheng.store.records import moved, moves, session_folder
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sessions import Sessions
from renzheng.store.vault import Vault
from renzheng.verification.session import DAY_SECONDS, FINISHED, RESULT_SECONDS

DAY = DAY_SECONDS
_FINISHED = ", ".join(f"'{state.value}'" for state in sorted(FINISHED))


@dataclass(frozen=True, slots=True)
class Retention:
    """How long what is kept. `round`: rows that one step of a round handles at most."""

    result_seconds: float = RESULT_SECONDS
    evidence_days: float = 3.0
    tombstone_days: float = 30.0
    erasure_days: float = 400.0  # longer than the oldest backup of the keys folder that may be restored
    orphan_seconds: float = 3600.0  # longer than any write may take between its file and its row
    round: int = 500


@dataclass(slots=True)
class Swept:
    """What one round did."""

    expired: int = 0
    results: int = 0
    evidence: int = 0
    tombstones: int = 0
    orphan_objects: int = 0
    orphan_keys: int = 0
    keyless: int = 0
    more: bool = False  # whether a round's bound was reached, so that the next may follow at once


class Sweeper:
    def __init__(
        self,
        sessions: Sessions,
        database: Database,
        vault: Vault,
        objects: Objects,
        retention: Retention,
    ) -> None:
        self._sessions = sessions
        self._database = database
        self._vault = vault
        self._objects = objects
        self._retention = retention
        # Where the search for orphans goes on; it walks through everything again and again.
        self._after_object = {"sessions": "", "persons": ""}
        self._after_key = dict.fromkeys((Kind.SESSION, Kind.EVIDENCE, Kind.PERSON), 0)
        self._after_row = {"sessions": 0, "persons": 0}

    async def sweep(self, now: float) -> Swept:
        """One bounded round. Returns what it did."""
        keep = self._retention
        swept = Swept()
        swept.expired = await self._sessions.expire(now, keep.round)
        swept.results = await self._purge_results(now - keep.result_seconds, now)
        swept.evidence = await self._purge_evidence(now - keep.evidence_days * DAY, now)
        swept.tombstones = await self._purge_tombstones(now - keep.tombstone_days * DAY)
        swept.more = max(swept.expired, swept.results, swept.evidence, swept.tombstones) >= keep.round
        await self._purge_day_counts(now)
        await self._vault.erasures.forget(now - keep.erasure_days * DAY)
        before = now - keep.orphan_seconds
        swept.orphan_objects = await self._sweep_objects("sessions", before)
        swept.orphan_objects += await self._sweep_objects("persons", before)
        swept.orphan_keys = await self._sweep_keys(before)
        swept.keyless = await self._sweep_keyless(now)
        return swept

    # -- what has outlived its time

    async def _purge_results(self, created_before: float, now: float) -> int:
        """Results: the key, then the row's personal part; a tombstone stays. The row stays while evidence does."""
        # A watermark, as rows whose evidence is kept longer would otherwise be read again in every round.
        mark = self._database.fetch_one("SELECT value FROM counters WHERE name = 'results_swept'")
        rows = self._database.fetch_all(
            "SELECT id FROM sessions WHERE id > ? AND id <= ? ORDER BY id LIMIT ?",
            (mark[0] if mark else 0, int(created_before * 1_000_000), self._retention.round),
        )
        ids = [row[0] for row in rows]
        await self._vault.erasures.destroy([Subject(Kind.SESSION, number) for number in ids], listed=False)
        await self._in_chunks(functools.partial(self._bury, now), ids)
        if ids:
            await self._database.write(functools.partial(_set_mark, ids[-1]), savepoint=False)
        return len(ids)

    def _bury(self, now: float, connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        marks = _marks(ids)
        connection.execute(
            "INSERT INTO tombstones (token, account_id, gone_at)"  # noqa: S608
            f" SELECT token, account_id, ? FROM sessions WHERE id IN ({marks}) AND token IS NOT NULL"
            " ON CONFLICT DO NOTHING",
            (now, *ids),
        )
        for move in ("expire", "reject"):  # what nobody finished in three days is over
            connection.execute(
                f"UPDATE sessions SET {moved(move)} WHERE id IN ({marks}) AND {moves(move)}",  # noqa: S608
                ids,
            )
        connection.execute(
            "UPDATE sessions SET token = NULL, sealed = NULL, id_hash = NULL, device = NULL, handover = NULL"  # noqa: S608
            f" WHERE id IN ({marks})",
            ids,
        )
        connection.execute(f"DELETE FROM sessions WHERE id IN ({marks}) AND has_evidence = 0", ids)  # noqa: S608

    async def _purge_evidence(self, created_before: float, now: float) -> int:
        """Evidence: the key, then the objects, then the transcript. The row goes where its result is gone too."""
        for_all = (
            "SELECT id FROM sessions WHERE has_evidence = 1 AND evidence_until IS NULL AND created_at <= ?"  # noqa: S608
            f" AND state IN ({_FINISHED}) ORDER BY created_at LIMIT ?"
        )
        by_rule = (
            "SELECT id FROM sessions WHERE has_evidence = 1 AND evidence_until IS NOT NULL AND evidence_until <= ?"  # noqa: S608
            f" AND state IN ({_FINISHED}) ORDER BY evidence_until LIMIT ?"
        )
        rows = self._database.fetch_all(by_rule, (now, self._retention.round))
        rows += self._database.fetch_all(for_all, (created_before, self._retention.round - len(rows)))
        ids = [row[0] for row in rows]
        await self._vault.erasures.destroy([Subject(Kind.EVIDENCE, number) for number in ids], listed=False)
        for number in ids:
            await self._objects.delete_all(session_folder(number))
        await self._in_chunks(self._clear, ids)
        return len(ids)

    def _clear(self, connection: sqlite3.Connection, ids: Sequence[int]) -> None:
        marks = _marks(ids)
        for statement in (
            f"DELETE FROM attempts WHERE session_id IN ({marks})",  # noqa: S608
            f"UPDATE verdicts SET measurement = NULL WHERE session_id IN ({marks})",  # noqa: S608
            f"UPDATE sessions SET has_evidence = 0, has_photo = 0 WHERE id IN ({marks})",  # noqa: S608
            f"DELETE FROM sessions WHERE id IN ({marks}) AND token IS NULL",  # noqa: S608
        ):
            connection.execute(statement, ids)

    async def _purge_tombstones(self, before: float) -> int:
        def purge(connection: sqlite3.Connection) -> int:
            sql = (
                "DELETE FROM tombstones WHERE token IN"
                " (SELECT token FROM tombstones WHERE gone_at <= ? ORDER BY gone_at LIMIT ?)"
            )
            return connection.execute(sql, (before, self._retention.round)).rowcount

        return await self._database.write(purge, savepoint=False)

    async def _purge_day_counts(self, now: float) -> None:
        # Two days back is over everywhere on earth.
        oldest = datetime.datetime.fromtimestamp(now - 2 * DAY, datetime.UTC).date().isoformat()
        if self._database.fetch_one("SELECT 1 FROM day_counts WHERE day < ? LIMIT 1", (oldest,)):
            await self._database.write(
                lambda connection: connection.execute("DELETE FROM day_counts WHERE day < ?", (oldest,)).rowcount,
                savepoint=False,
            )

    async def _in_chunks(
        self, job: Callable[[sqlite3.Connection, Sequence[int]], None], ids: Sequence[int], size: int = 10
    ) -> None:
        """Small pieces, as each is a stretch of statements that the event loop waits for."""
        for start in range(0, len(ids), size):
            chunk = ids[start : start + size]

            def run(connection: sqlite3.Connection, chunk: Sequence[int] = chunk) -> None:
                job(connection, chunk)

            await self._database.write(run)

    # -- orphans: what a crash left behind

    async def _sweep_objects(self, folder: str, before: float) -> int:
        """Delete objects that no row names. Walks on from where the last round ended."""
        limit = self._retention.round
        entries = await self._objects.entries(folder, self._after_object[folder], limit)
        self._after_object[folder] = entries[-1].name if len(entries) == limit else ""
        count = 0
        for entry in entries:
            if entry.modified_at < before and not self._is_named(entry.name):
                await self._objects.delete(entry.name)
                count += 1
        return count

    def _is_named(self, path: str) -> bool:
        parts = path.split("/")
        if len(parts) != 4 or not parts[2].isdecimal():
            return False
        kind, _, owner, name = parts
        number = int(owner)
        if kind == "persons":
            return number == 0 or self._found("SELECT 1 FROM persons WHERE id = ? AND has_photo = 1", number)
        if name == "photo":
            return self._found("SELECT 1 FROM sessions WHERE id = ? AND has_photo = 1", number)
        if name == "video":
            return self._found("SELECT 1 FROM sessions WHERE id = ? AND has_evidence = 1", number)
        # The first part of the name is the attempt, which makes this a look-up in one attempt's rows.
        attempt = name.split("-", 1)[0]
        return attempt.isdecimal() and self._found(
            "SELECT 1 FROM frames WHERE session_id = ? AND attempt = ? AND object = ? LIMIT 1",
            number,
            int(attempt),
            name,
        )

    def _found(self, sql: str, *parameters: int | str) -> bool:
        return self._database.fetch_one(sql, parameters) is not None

    async def _sweep_keys(self, before: float) -> int:
        """Destroy data keys whose record was never written, or is gone."""
        orphans: list[Subject] = []
        for kind, after in self._after_key.items():
            subjects = self._vault.subjects(kind, after, before, self._retention.round)
            self._after_key[kind] = subjects[-1].id if len(subjects) == self._retention.round else 0
            orphans += [subject for subject in subjects if not self._has_record(subject)]
        await self._vault.erasures.destroy(orphans, listed=False)
        return len(orphans)

    def _has_record(self, subject: Subject) -> bool:
        if subject.kind is Kind.PERSON:
            return subject.id == 0 or self._found("SELECT 1 FROM persons WHERE id = ?", subject.id)
        column = "token IS NOT NULL" if subject.kind is Kind.SESSION else "has_evidence = 1"
        return self._found(f"SELECT 1 FROM sessions WHERE id = ? AND {column}", subject.id)  # noqa: S608

    async def _sweep_keyless(self, now: float) -> int:
        """Bury sessions and delete persons whose key was destroyed: a restored backup may bring them back."""
        count = 0
        for table, kind, column in (
            ("sessions", Kind.SESSION, "token IS NOT NULL"),
            ("persons", Kind.PERSON, "1 = 1"),
        ):
            rows = self._database.fetch_all(
                f"SELECT id FROM {table} WHERE id > ? AND {column} ORDER BY id LIMIT ?",  # noqa: S608
                (self._after_row[table], self._retention.round),
            )
            self._after_row[table] = rows[-1][0] if len(rows) == self._retention.round else 0
            keyless = [row[0] for row in rows if not self._vault.has(Subject(kind, row[0]))]
            count += len(keyless)
            if kind is Kind.PERSON:
                await self._delete_persons(keyless)
            else:
                await self._in_chunks(functools.partial(self._bury, now), keyless)
        return count

    async def _delete_persons(self, ids: list[int]) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            connection.execute(f"DELETE FROM persons WHERE id IN ({_marks(ids)})", ids)  # noqa: S608

        if ids:
            await self._database.write(delete, savepoint=False)


def _set_mark(session_id: int, connection: sqlite3.Connection) -> None:
    connection.execute(
        "INSERT INTO counters (name, value) VALUES ('results_swept', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (session_id,),
    )


def _marks(ids: Sequence[int]) -> str:
    return ", ".join("?" * len(ids))
