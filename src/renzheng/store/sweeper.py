"""The sweeper: deletes what has outlived its time, in bounded rounds.

Tokens expire. Results are deleted three days after their token was issued and leave a tombstone. Evidence is deleted
after the days in the settings. Orphans that a crash left behind are deleted after an hour. Keys are destroyed first:
records and objects that a crash then leaves can no longer be opened, and a later round deletes them.

A round begins with what frees most space, and its steps do not depend on each other: on a full disk one may fail, and
the next frees the space that it lacked. Only there are objects deleted before their keys, as that needs no space.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from renzheng.base import defaults
from renzheng.base.unavailable import UnavailableError
from renzheng.store import deliveries, evidence_use
from renzheng.store.audit import Audit
from renzheng.store.engine import Database, Transaction, numbered
from renzheng.store.objects import Objects
from renzheng.store.records import move_set, move_where, session_folder
from renzheng.store.room import is_full
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sessions import Sessions
from renzheng.store.transcript import measured_object
from renzheng.store.vault import Vault
from renzheng.verification.session import DAY_SECONDS, FINISHED, RESULT_SECONDS

DAY = DAY_SECONDS
_FINISHED = ", ".join(f"'{state.value}'" for state in sorted(FINISHED))
# A dead token is over, whether or not that could be stored yet.
_OVER = f"(state IN ({_FINISHED}) OR (state IN ('issued', 'capturing') AND expires_at <= :now))"


LOG_PATIENCE = 0.5
"""Seconds for which a round waits to empty the log of erased keys. The next round tries again."""


@dataclass(frozen=True, slots=True)
class Retention:
    """How long each kind is kept. `round`: most rows that one step of a round handles."""

    result_seconds: float = RESULT_SECONDS
    evidence_days: float = defaults.EVIDENCE_DAYS
    tombstone_days: float = defaults.TOMBSTONE_DAYS
    erasure_days: float = 400.0  # longer than the oldest backup of the keys folder that may be restored
    orphan_seconds: float = 3600.0  # longer than any write takes between its file and its row
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
    unused: int = 0
    away: UnavailableError | None = None  # why evidence or keys could not be reached; everything else was done
    full: BaseException | None = None  # what failed for lack of disk space; everything else was done
    soiled: bool = False  # whether erased keys' wrapped bytes are still in the log, as other processes keep it busy
    more: bool = False  # whether a round's bound was reached, so that the next should follow at once


class Sweeper:
    def __init__(
        self,
        sessions: Sessions,
        database: Database,
        vault: Vault,
        objects: Objects,
        retention: Retention,
        audit: Audit,
    ) -> None:
        self._sessions = sessions
        self._audit = audit
        self._deliveries = deliveries.Deliveries(database)
        self._database = database
        self._vault = vault
        self._objects = objects
        self._retention = retention
        # Where the search for orphans continues; it goes through everything again and again.
        self._after_object = {"sessions": "", "persons": ""}
        self._after_key = dict.fromkeys((Kind.SESSION, Kind.EVIDENCE, Kind.PERSON), 0)
        self._after_row = {"sessions": 0, "persons": 0}

    async def sweep(self, now: float) -> Swept:
        """Run one bounded round. Returns what it did."""
        keep = self._retention
        old, before = now - keep.evidence_days * DAY, now - keep.orphan_seconds
        swept = Swept()

        async def step(work: Awaitable[int]) -> int:
            try:
                return await work
            except Exception as error:
                if is_full(error):
                    swept.full = swept.full or error
                elif isinstance(error, UnavailableError) and self._database.trouble is None:
                    swept.away = swept.away or error
                else:
                    raise
                return 0

        swept.unused = await step(self._purge_unused(now))
        swept.evidence = await step(self._purge_evidence(old, now))
        swept.orphan_objects = await step(self._sweep_objects("sessions", before))
        swept.orphan_objects += await step(self._sweep_objects("persons", before))
        swept.expired = await step(self._sessions.expire(now, keep.round))
        swept.expired += await step(self._sessions.lapse(now, keep.round))
        swept.results = await step(self._purge_results(now - keep.result_seconds, now))
        if swept.results:  # among them may be sessions that nobody judged in three days; they end only now
            swept.evidence += await step(self._purge_evidence(old, now))
        swept.tombstones = await step(self._purge_tombstones(now - keep.tombstone_days * DAY))
        handled = (swept.unused, swept.evidence, swept.expired, swept.results, swept.tombstones)
        swept.more = max(handled) >= keep.round
        await step(self._purge_day_counts(now))
        await step(self._vault.erasures.forget(now - keep.erasure_days * DAY))
        await step(self._deliveries.forget(now - keep.tombstone_days * DAY, keep.round))
        swept.orphan_keys = await step(self._sweep_keys(before))
        swept.keyless = await step(self._sweep_keyless(now))
        swept.soiled = not await self._vault.erasures.clean(LOG_PATIENCE)
        return swept

    async def erase(self, session_id: int, account_id: int, now: float) -> int:
        """Erase one session at once on request: keys, evidence, and its deliveries.

        A tombstone stays. Returns how many of its deliveries have something to delete in the customer's bucket.
        """
        await self._vault.erasures.destroy([Subject(Kind.SESSION, session_id), Subject(Kind.EVIDENCE, session_id)])
        await self._objects.delete_all(session_folder(session_id))

        async def bury(tx: Transaction) -> int:
            count = await deliveries.erase(tx, account_id, now, session_id=session_id)
            await self._clear(tx, [session_id])
            await self._bury(now, tx, [session_id])
            await self._audit.add(tx, "session erased", f"session {session_id} of account {account_id}")
            return count

        return await self._database.write(bury)

    # -- retention

    async def _purge_results(self, created_before: float, now: float) -> int:
        """Delete results: the key, then the row's personal part. A tombstone stays. The row stays while its evidence
        does."""
        # A watermark: rows whose evidence is kept longer would otherwise be read again in every round.
        mark = await self._database.one("SELECT value FROM counters WHERE name = 'results_swept'")
        rows = await self._database.all(
            "SELECT id FROM sessions WHERE id > :id AND id <= :newest ORDER BY id LIMIT :round",
            id=mark[0] if mark else 0,
            newest=int(created_before * 1_000_000),
            round=self._retention.round,
        )
        ids = [row[0] for row in rows]
        await self._vault.erasures.destroy([Subject(Kind.SESSION, number) for number in ids], listed=False)
        await self._in_chunks(functools.partial(self._bury, now), ids)
        if ids:
            await self._database.write(functools.partial(_set_mark, ids[-1]), savepoint=False)
        return len(ids)

    async def _bury(self, now: float, tx: Transaction, ids: Sequence[int]) -> None:
        marks, given = numbered(ids)
        await tx.run(
            "INSERT INTO tombstones (token, account_id, gone_at)"
            f" SELECT token, account_id, :now FROM sessions WHERE id IN ({marks}) AND token IS NOT NULL"
            " ON CONFLICT DO NOTHING",
            now=now,
            **given,
        )
        for move in ("expire", "reject"):  # what nobody finished in three days has ended
            await tx.run(
                f"UPDATE sessions SET {move_set(move)} WHERE id IN ({marks}) AND {move_where(move)}",
                **given,
            )
        await tx.run(
            "UPDATE sessions SET token = NULL, sealed = NULL, id_hash = NULL, device = NULL, handover = NULL"
            f" WHERE id IN ({marks})",
            **given,
        )
        await tx.run(f"DELETE FROM sessions WHERE id IN ({marks}) AND has_evidence = 0", **given)

    async def _purge_unused(self, now: float) -> int:
        """Delete photos of tokens that expired before any device came: nothing will be compared with them."""
        rows = await self._database.all(
            "SELECT id FROM sessions WHERE has_photo = 1 AND attempt = 0 AND expires_at <= :now"
            " AND state IN ('issued', 'expired') ORDER BY expires_at LIMIT :round",
            now=now,
            round=self._retention.round,
        )
        return await self._erase_evidence([row[0] for row in rows])

    async def _purge_evidence(self, created_before: float, now: float) -> int:
        """Delete evidence: the key, then the objects, then the transcript. The row is deleted if its result is gone
        too."""
        for_all = (
            "SELECT id FROM sessions WHERE has_evidence = 1 AND evidence_until IS NULL AND created_at <= :before"
            f" AND {_OVER} ORDER BY created_at LIMIT :limit"
        )
        by_rule = (
            "SELECT id FROM sessions WHERE has_evidence = 1 AND evidence_until IS NOT NULL AND evidence_until <= :now"
            f" AND {_OVER} ORDER BY evidence_until LIMIT :limit"
        )
        rows = await self._database.all(by_rule, now=now, limit=self._retention.round)
        rows += await self._database.all(
            for_all, before=created_before, now=now, limit=self._retention.round - len(rows)
        )
        return await self._erase_evidence([row[0] for row in rows])

    async def _erase_evidence(self, ids: list[int]) -> int:
        keys = [Subject(Kind.EVIDENCE, number) for number in ids]
        try:
            await self._vault.erasures.destroy(keys, listed=False)
        except Exception as error:
            if not is_full(error):
                raise
            await self._delete_objects(ids)  # this frees the space that destroying a key needs
            await self._vault.erasures.destroy(keys, listed=False)
        await self._delete_objects(ids)
        await self._in_chunks(self._clear, ids)
        return len(ids)

    async def _delete_objects(self, ids: list[int]) -> None:
        for number in ids:
            await self._objects.delete_all(session_folder(number))

    async def _clear(self, tx: Transaction, ids: Sequence[int]) -> None:
        marks, given = numbered(ids)
        await evidence_use.drop(tx, ids)
        for statement in (
            f"DELETE FROM attempts WHERE session_id IN ({marks})",
            f"UPDATE verdicts SET measurement = NULL WHERE session_id IN ({marks})",
            f"UPDATE sessions SET has_evidence = 0, has_photo = 0 WHERE id IN ({marks})",
            f"DELETE FROM sessions WHERE id IN ({marks}) AND token IS NULL",
        ):
            await tx.run(statement, **given)

    async def _purge_tombstones(self, before: float) -> int:
        async def purge(tx: Transaction) -> int:
            sql = (
                "DELETE FROM tombstones WHERE token IN"
                " (SELECT token FROM tombstones WHERE gone_at <= :before ORDER BY gone_at LIMIT :round)"
            )
            return await tx.run(sql, before=before, round=self._retention.round)

        return await self._database.write(purge, savepoint=False)

    async def _purge_day_counts(self, now: float) -> int:
        # Two days ago has ended in every time zone.
        oldest = datetime.datetime.fromtimestamp(now - 2 * DAY, datetime.UTC).date().isoformat()
        if await self._database.one("SELECT 1 FROM day_counts WHERE day < :oldest LIMIT 1", oldest=oldest):
            return await self._database.write(
                lambda tx: tx.run("DELETE FROM day_counts WHERE day < :oldest", oldest=oldest),
                savepoint=False,
            )
        return 0

    async def _in_chunks(
        self, job: Callable[[Transaction, Sequence[int]], Awaitable[None]], ids: Sequence[int], size: int = 10
    ) -> None:
        """Run a job in small pieces, as the event loop waits during each piece."""
        for start in range(0, len(ids), size):
            chunk = ids[start : start + size]

            async def run(tx: Transaction, chunk: Sequence[int] = chunk) -> None:
                await job(tx, chunk)

            await self._database.write(run)

    # -- orphans: what a crash left behind

    async def _sweep_objects(self, folder: str, before: float) -> int:
        """Delete objects that no row names. Continues where the last round ended."""
        limit = self._retention.round
        entries = await self._objects.entries(folder, self._after_object[folder], limit)
        self._after_object[folder] = entries[-1].name if len(entries) == limit else ""
        count = 0
        for entry in entries:
            if entry.modified_at < before and not await self._is_named(entry.name):
                await self._objects.delete(entry.name)
                count += 1
        return count

    async def _is_named(self, path: str) -> bool:
        parts = path.split("/")
        if len(parts) != 4 or not parts[2].isdecimal():
            return False
        kind, _, owner, name = parts
        number = int(owner)
        if kind == "persons":
            return number == 0 or await self._exists(
                "SELECT 1 FROM persons WHERE id = :id AND has_photo = 1", id=number
            )
        if name == "photo":
            return await self._exists("SELECT 1 FROM sessions WHERE id = :id AND has_photo = 1", id=number)
        if name == "video":
            return await self._exists("SELECT 1 FROM sessions WHERE id = :id AND has_evidence = 1", id=number)
        # The first part of the name is the attempt, so this is a look-up in one attempt's rows.
        attempt = name.split("-", 1)[0]
        if name == measured_object(int(attempt) if attempt.isdecimal() else 0):
            return await self._exists(
                "SELECT 1 FROM sessions WHERE id = :id AND state IN ('capturing', 'judging')", id=number
            )
        return attempt.isdecimal() and await self._exists(
            "SELECT 1 FROM frames WHERE session_id = :id AND attempt = :attempt AND object = :name LIMIT 1",
            id=number,
            attempt=int(attempt),
            name=name,
        )

    async def _exists(self, sql: str, **values: int | str) -> bool:
        return await self._database.one(sql, **values) is not None

    async def _sweep_keys(self, before: float) -> int:
        """Destroy data keys whose record was never written, or is gone."""
        orphans: list[Subject] = []
        for kind, after in self._after_key.items():
            subjects = await self._vault.subjects(kind, after, before, self._retention.round)
            self._after_key[kind] = subjects[-1].id if len(subjects) == self._retention.round else 0
            orphans += [subject for subject in subjects if not await self._has_record(subject)]
        await self._vault.erasures.destroy(orphans, listed=False)
        return len(orphans)

    async def _has_record(self, subject: Subject) -> bool:
        if subject.kind is Kind.PERSON:
            return subject.id == 0 or await self._exists("SELECT 1 FROM persons WHERE id = :id", id=subject.id)
        column = "token IS NOT NULL" if subject.kind is Kind.SESSION else "has_evidence = 1"
        return await self._exists(f"SELECT 1 FROM sessions WHERE id = :id AND {column}", id=subject.id)

    async def _sweep_keyless(self, now: float) -> int:
        """Delete sessions and persons whose key was destroyed: a restored backup may have brought them back."""
        count = 0
        for table, kind, column in (
            ("sessions", Kind.SESSION, "token IS NOT NULL"),
            ("persons", Kind.PERSON, "1 = 1"),
        ):
            rows = await self._database.all(
                f"SELECT id FROM {table} WHERE id > :id AND {column} ORDER BY id LIMIT :round",
                id=self._after_row[table],
                round=self._retention.round,
            )
            self._after_row[table] = rows[-1][0] if len(rows) == self._retention.round else 0
            keyless = [row[0] for row in rows if not await self._vault.has(Subject(kind, row[0]))]
            count += len(keyless)
            if kind is Kind.PERSON:
                await self._delete_persons(keyless)
            else:
                await self._in_chunks(functools.partial(self._bury, now), keyless)
        return count

    async def _delete_persons(self, ids: list[int]) -> None:
        marks, given = numbered(ids)

        async def delete(tx: Transaction) -> None:
            await tx.run(f"DELETE FROM persons WHERE id IN ({marks})", **given)

        if ids:
            await self._database.write(delete, savepoint=False)


async def _set_mark(session_id: int, tx: Transaction) -> None:
    await tx.run(
        "INSERT INTO counters (name, value) VALUES ('results_swept', :session_id)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        session_id=session_id,
    )
