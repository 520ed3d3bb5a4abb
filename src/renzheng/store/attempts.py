"""Attempts: entries into `capturing`, the steps they revealed, what counts, and the move into `judging`."""

from __future__ import annotations

import json
import sqlite3

from renzheng.store.records import Context, moved, moves, policy_of, session_folder
from renzheng.store.sealer import Kind, Subject
from renzheng.verification.session import Attempt, Ending, StepRecord

_CURRENT = "id = :id AND attempt = :attempt AND state = 'capturing'"


class Attempts(Context):
    """Every statement carries the attempt's number, so that nothing of an abandoned attempt takes effect."""

    async def begin_attempt(self, session_id: int, attempt: int, actions: tuple[str, ...], now: float) -> int | None:
        """Enter `capturing` from attempt number `attempt` (0: the first time). Returns the new number.

        None where another was faster, the token is dead, or all attempts that count are used. The frames of the attempt
        before go where that never counted: there is no bound to how many of those a device may begin.
        """
        move = "begin" if attempt == 0 else "retry"
        given = {"id": session_id, "attempt": attempt, "now": now}
        sql = (
            f"UPDATE sessions SET {moved(move)}, has_evidence = 1 WHERE id = :id AND attempt = :attempt"  # noqa: S608
            f" AND counted < most_attempts AND {moves(move)} RETURNING attempt"
        )

        def begin(connection: sqlite3.Connection) -> tuple[int, set[str]] | None:
            row = connection.execute(sql, given).fetchone()
            if row is None:
                return None
            number = int(row[0])
            forgotten = connection.execute(
                "DELETE FROM frames WHERE session_id = :id AND attempt = :attempt AND EXISTS (SELECT 1 FROM attempts"
                " WHERE session_id = :id AND number = :attempt AND counted = 0) RETURNING object",
                given,
            ).fetchall()
            connection.execute(
                "INSERT INTO attempts (session_id, number, started_at, actions) VALUES (?, ?, ?, ?)",
                (session_id, number, now, json.dumps(actions)),
            )
            if attempt == 0:  # where a photo came with the token, the key is there and stays
                self._vault.keep(self._vault.draw(Subject(Kind.EVIDENCE, session_id)))
            return number, {name for (name,) in forgotten}

        begun = await self._database.write(begin, keys=attempt == 0)
        if begun is None:
            return None
        number, forgotten = begun
        for name in forgotten:  # what a crash leaves of them is swept as orphans
            await self._objects.delete(f"{session_folder(session_id)}/{name}")
        return number

    async def attempt(self, session_id: int, number: int) -> Attempt | None:
        """An attempt with the steps revealed so far."""
        row = self._database.fetch_one(
            "SELECT started_at, actions FROM attempts WHERE session_id = ? AND number = ?", (session_id, number)
        )
        if row is None:
            return None
        steps = self._database.fetch_all(
            "SELECT step, action, nonce, revealed_at, deadline FROM steps"
            " WHERE session_id = ? AND attempt = ? ORDER BY step",
            (session_id, number),
        )
        return Attempt(session_id, number, row[0], tuple(json.loads(row[1])), tuple(StepRecord(*s) for s in steps))

    async def reveal(self, session_id: int, attempt: int, step: StepRecord, counts: bool, day: str | None) -> bool:
        """Store a step before it is shown. `counts`: from now on this attempt counts, once.

        Where it counts, the session has an ID number and `day` is given, the day's count for (account, number, day)
        is raised in the same transaction. False, and nothing stored: the attempt is no longer current, the step is
        there already, or the day's attempts were used up meanwhile by another token (`attempts_today` tells).
        """
        given = {"id": session_id, "attempt": attempt}

        def show(connection: sqlite3.Connection) -> bool:
            found = connection.execute(
                f"SELECT account_id, id_hash, policy FROM sessions WHERE {_CURRENT}",  # noqa: S608
                given,
            ).fetchone()
            if found is None:
                return False
            stored = connection.execute(
                "INSERT INTO steps (session_id, attempt, step, action, nonce, revealed_at, deadline)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                (session_id, attempt, step.index, step.action, step.nonce, step.revealed_at, step.deadline),
            ).rowcount
            if not stored:
                return False
            if counts:
                self._count(connection, session_id, attempt, found, day)
            return True

        try:
            return await self._database.write(show)
        except _DayUsedUp:
            return False

    def _count(
        self,
        connection: sqlite3.Connection,
        session_id: int,
        attempt: int,
        found: tuple[int, bytes | None, str],
        day: str | None,
    ) -> None:
        account_id, id_hash, policy_text = found
        first = connection.execute(
            "UPDATE attempts SET counted = 1 WHERE session_id = ? AND number = ? AND counted = 0",
            (session_id, attempt),
        ).rowcount
        if not first:
            return
        connection.execute("UPDATE sessions SET counted = counted + 1 WHERE id = ?", (session_id,))
        if id_hash is None or day is None:
            return
        most = policy_of(policy_text).attempts_a_day
        raised = connection.execute(
            "INSERT INTO day_counts (account_id, id_hash, day, count) VALUES (?, ?, ?, 1)"
            " ON CONFLICT (account_id, id_hash, day) DO UPDATE SET count = day_counts.count + 1"
            " WHERE ? = 0 OR day_counts.count < ?",
            (account_id, id_hash, day, most, most),
        ).rowcount
        if not raised:
            raise _DayUsedUp

    async def attempts_today(self, account_id: int, id_hash: bytes, day: str) -> int:
        row = self._database.fetch_one(
            "SELECT count FROM day_counts WHERE account_id = ? AND id_hash = ? AND day = ?", (account_id, id_hash, day)
        )
        return int(row[0]) if row else 0

    async def submit(self, session_id: int, attempt: int, ending: Ending, now: float) -> bool:
        """`capturing` -> `judging`: spends the token. False where the attempt is not current or the token is dead."""
        given = {"id": session_id, "attempt": attempt, "now": now, "ending": ending.value}
        sql = (
            f"UPDATE sessions SET {moved('submit')}, ending = :ending, submitted_at = :now"  # noqa: S608
            f" WHERE id = :id AND attempt = :attempt AND {moves('submit')}"
        )

        def hand_in(connection: sqlite3.Connection) -> bool:
            return connection.execute(sql, given).rowcount == 1

        return await self._database.write(hand_in, savepoint=False)

    async def run_out(self, now: float, grace: float, limit: int = 200) -> list[tuple[int, int]]:
        """Sessions, with their attempt, whose last attempt ran out `grace` seconds ago while no device came back."""
        rows = self._database.fetch_all(
            "SELECT id, attempt FROM sessions WHERE state = 'capturing' AND expires_at > ? AND counted >= most_attempts"
            " AND (SELECT max(deadline) FROM steps WHERE session_id = sessions.id AND attempt = sessions.attempt) < ?"
            " LIMIT ?",
            (now, now - grace, limit),
        )
        return [(int(row[0]), int(row[1])) for row in rows]


class _DayUsedUp(Exception):
    """Undoes a revealing whose attempt would exceed the day's limit."""
