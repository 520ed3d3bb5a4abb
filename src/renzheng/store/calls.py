"""Counts and notes signed calls: those about one verification, by RequestId, and totals by day, action and code.

A call is noted in memory and written within seconds, many at a time. Notes are lost if the process dies before, and no
call waits for them. Nothing here decides anything.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

from renzheng.store.engine import Database, Transaction

MAX_NOTED = 20_000
"""Most notes that wait to be written. Further ones are dropped, for example while the disk is full."""
CHUNK = 200
"""Notes per write, which takes about a millisecond of the loop."""
DAY_SECONDS = 86_400


class CallNote(NamedTuple):
    """A call that was about one session. `at`: unix seconds."""

    session_id: int
    at: float
    action: str
    secret_id: str
    request_id: str


class CallCount(NamedTuple):
    """`day`: its number since 1970. `code`: empty for a success."""

    day: int
    account_id: int
    action: str
    code: str
    calls: int


class CallRecords:
    """Notes and counts calls. `utc_offset`: hours, at which a day begins."""

    def __init__(self, database: Database, utc_offset: float = 8) -> None:
        self._database = database
        self._noted: list[dict[str, Any]] = []
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self.utc_offset = utc_offset

    def note(self, session_id: int, at: float, action: str, secret_id: str, request_id: str) -> None:
        """Note a call about this session. Returns at once."""
        if len(self._noted) < MAX_NOTED:
            # In the form of the statement's parameters. The garbage collector skips a dict of plain values.
            self._noted.append(
                {
                    "session_id": session_id,
                    "at": at,
                    "action": action,
                    "secret_id": secret_id,
                    "request_id": request_id,
                }
            )

    def count(self, account_id: int, action: str, code: str) -> None:
        """Count one more call. Returns at once."""
        self._counts[account_id, action, code] += 1

    async def flush(self, now: float) -> int:
        """Write notes and counts. Returns how many notes. What cannot be written waits for the next time."""
        written = len(self._noted)
        await self._write_counts(now)
        while noted := self._noted[:CHUNK]:
            del self._noted[:CHUNK]
            try:
                await self._write_notes(noted)
            except Exception:
                self._noted[:0] = noted
                raise
        return written

    async def _write_notes(self, noted: list[dict[str, Any]]) -> None:
        async def write(transaction: Transaction) -> None:
            await transaction.run_each(
                "INSERT INTO session_calls (request_id, session_id, at, action, secret_id)"
                " VALUES (:request_id, :session_id, :at, :action, :secret_id) ON CONFLICT DO NOTHING",
                noted,
            )

        await self._database.write(write)

    async def _write_counts(self, now: float) -> None:
        counts, self._counts = self._counts, Counter()
        if not counts:
            return
        day = int((now + self.utc_offset * 3600) // DAY_SECONDS)

        async def write(transaction: Transaction) -> None:
            await transaction.run_each(
                "INSERT INTO call_counts (day, account_id, action, code, count)"
                " VALUES (:day, :account, :action, :code, :count) ON CONFLICT (day, account_id, action, code)"
                " DO UPDATE SET count = call_counts.count + excluded.count",
                [
                    {"day": day, "account": account, "action": action, "code": code, "count": count}
                    for (account, action, code), count in counts.items()
                ],
            )

        try:
            await self._database.write(write)
        except Exception:
            self._counts.update(counts)
            raise

    async def of_session(self, session_id: int, limit: int = 100) -> list[CallNote]:
        """Return the first calls about a session, in the order of time."""
        rows = await self._database.all(
            "SELECT session_id, at, action, secret_id, request_id FROM session_calls"
            " WHERE session_id = :id ORDER BY at LIMIT :limit",
            id=session_id,
            limit=limit,
        )
        return [CallNote(*row) for row in rows]

    async def session_of(self, request_id: str) -> int | None:
        """Return the session that a call was about."""
        row = await self._database.one("SELECT session_id FROM session_calls WHERE request_id = :id", id=request_id)
        return None if row is None else int(row[0])

    async def counts(self, since: float, until: float, account_id: int | None = None) -> list[CallCount]:
        """Return counts by day, the newest day first, for the days from that of `since` to that of `until`."""
        offset = self.utc_offset * 3600
        rows = await self._database.all(
            "SELECT day, account_id, action, code, count FROM call_counts WHERE day >= :first AND day <= :last"
            " AND (CAST(:account AS BIGINT) IS NULL OR account_id = :account)"
            " ORDER BY day DESC, account_id, action, code",
            first=int((since + offset) // DAY_SECONDS),
            last=int((until + offset) // DAY_SECONDS),
            account=account_id,
        )
        return [CallCount(*row) for row in rows]

    async def forget(self, before: float, limit: int = 5000) -> int:
        """Delete notes of calls before a time. Returns how many."""

        async def delete(transaction: Transaction) -> int:
            return await transaction.run(
                "DELETE FROM session_calls WHERE request_id IN"
                " (SELECT request_id FROM session_calls WHERE session_id < :newest AND at < :before"
                " ORDER BY session_id LIMIT :limit)",
                newest=int(before * 1_000_000),  # a session's number is its creation time, so no call about it is older
                before=before,
                limit=limit,
            )

        return await self._database.write(delete)
