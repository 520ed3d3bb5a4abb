"""Judging: one winner a session, held by a lease with an epoch; the verdict is recorded once."""

from __future__ import annotations

import sqlite3

from renzheng.store import billing, ledger
from renzheng.store.attempts import Attempts
from renzheng.store.records import COLUMNS, moved, moves
from renzheng.store.sealer import Erased
from renzheng.verification.decision import Verdict
from renzheng.verification.records import Job

_CLAIMABLE = "state = 'judging' AND (lease_until IS NULL OR lease_until <= :now)"


class Judgements(Attempts):
    """The epoch is in the WHERE of every statement, so a judge that lost its lease can do nothing any more."""

    async def claim_judging(self, now: float, lease: float) -> Job | None:
        """The session that has waited longest, for `lease` seconds. One winner; None where nothing waits."""
        given = {"now": now, "until": now + lease}
        if self._database.fetch_one(f"SELECT 1 FROM sessions WHERE {_CLAIMABLE} LIMIT 1", given) is None:  # noqa: S608
            return None
        sql = (
            "UPDATE sessions SET epoch = epoch + 1, lease_until = :until,"  # noqa: S608
            " lost_leases = lost_leases + (CASE WHEN lease_until IS NULL THEN 0 ELSE 1 END)"
            f" WHERE id = (SELECT id FROM sessions WHERE {_CLAIMABLE} ORDER BY submitted_at, id LIMIT 1)"
            f" AND {_CLAIMABLE} RETURNING {COLUMNS}, epoch, lost_leases"
        )

        def claim(connection: sqlite3.Connection) -> tuple[object, ...] | None:
            row: tuple[object, ...] | None = connection.execute(sql, given).fetchone()
            return row

        row = await self._database.write(claim, savepoint=False)
        if row is None:
            return None
        epoch, lost = row[-2:]
        assert isinstance(epoch, int)
        assert isinstance(lost, int)
        try:
            session = self._session(row)
        except Erased:  # nobody can judge it; the lease keeps it out of the way until the sweeper buries it
            return await self.claim_judging(now, lease)
        return Job(session, await self.attempt(session.id, session.attempt), epoch, lost)

    async def renew_judging(self, session_id: int, epoch: int, until: float) -> bool:
        """The judge's heartbeat. False once another has claimed the session or it was decided."""
        return await self._set_lease(session_id, epoch, until)

    async def release_judging(self, session_id: int, epoch: int) -> bool:
        """Give the session back, as at a shutdown; this is no lost lease."""
        return await self._set_lease(session_id, epoch, None)

    async def _set_lease(self, session_id: int, epoch: int, until: float | None) -> bool:
        def change(connection: sqlite3.Connection) -> bool:
            sql = "UPDATE sessions SET lease_until = ? WHERE id = ? AND epoch = ? AND state = 'judging'"
            return connection.execute(sql, (until, session_id, epoch)).rowcount == 1

        return await self._database.write(change, savepoint=False)

    async def record_verdict(
        self, session_id: int, epoch: int, verdict: Verdict, measurement: str, best_frame: int | None, now: float
    ) -> bool:
        """`judging` -> `passed` or `failed`, with its verdict, its ledger row and its charge, in one transaction.

        `measurement`: JSON, kept sealed. False, and nothing written, for an epoch that is over.
        """
        move = "accept" if verdict.passed else "reject"
        try:
            sealed = self._evidence(session_id).seal("measurement", measurement.encode())
        except Erased:
            sealed = None
        given = {"id": session_id, "epoch": epoch}
        sql = (
            f"UPDATE sessions SET {moved(move)}, lease_until = NULL"  # noqa: S608
            f" WHERE id = :id AND epoch = :epoch AND {moves(move)} RETURNING account_id, attempt"
        )

        def record(connection: sqlite3.Connection) -> bool:
            row = connection.execute(sql, given).fetchone()
            if row is None:
                return False
            account_id, attempt = row
            result = verdict.result
            connection.execute(
                "INSERT INTO verdicts (session_id, result, description, similarity, tags, best_frame, attempt,"
                " judged_at, billed, measurement) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(session_id, result.code, result.description, verdict.similarity, ",".join(verdict.tags)),
                    *(best_frame, attempt, now, int(result.billed), sealed),
                ),
            )
            charged = result.billed and billing.charge(connection, account_id)
            ledger.add(connection, account_id, session_id, result.code, result.billed, now, charged)
            return True

        return await self._database.write(record)

    async def measurement(self, session_id: int) -> str | None:
        """The numbers behind a verdict, as JSON, for the operator; None where there is none, or no longer."""
        row = self._database.fetch_one("SELECT measurement FROM verdicts WHERE session_id = ?", (session_id,))
        if row is None or row[0] is None:
            return None
        try:
            return self._evidence(session_id).open("measurement", row[0]).decode()
        except Erased:
            return None

    async def waiting(self, now: float) -> int:
        """Sessions that wait for a judge."""
        row = self._database.fetch_one(f"SELECT count(*) FROM sessions WHERE {_CLAIMABLE}", {"now": now})  # noqa: S608
        return int(row[0]) if row else 0
