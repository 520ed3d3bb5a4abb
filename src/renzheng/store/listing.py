"""Lists of verifications for an operator: when, of which account, with what result; no personal data."""

from __future__ import annotations

from typing import NamedTuple

from renzheng.store.engine import Database
from renzheng.verification.session import State


class ListedSession(NamedTuple):
    """`id`: as in the log and the audit. `result`: of the verdict; None while there is none."""

    id: int
    account_id: int
    created_at: float
    state: str
    attempts: int
    ending: str | None
    result: str | None
    billed: bool | None


class Listing:
    """Reads sessions without opening what is sealed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(
        self, limit: int = 50, *, account_id: int | None = None, before: int | None = None, state: State | None = None
    ) -> list[ListedSession]:
        """Return sessions, the newest first: of one account, with ids below `before`, in one state, if these are
        given."""
        rows = await self._database.all(
            "SELECT s.id, s.account_id, s.created_at, s.state, s.attempt, s.ending, v.result, v.billed"
            " FROM sessions s LEFT JOIN verdicts v ON v.session_id = s.id"
            " WHERE (CAST(:account AS BIGINT) IS NULL OR s.account_id = :account)"
            " AND (CAST(:before AS BIGINT) IS NULL OR s.id < :before)"
            " AND (CAST(:state AS TEXT) IS NULL OR s.state = :state) ORDER BY s.id DESC LIMIT :limit",
            account=account_id,
            before=before,
            state=state and state.value,
            limit=limit,
        )
        return [ListedSession._make((*row[:7], None if row[7] is None else bool(row[7]))) for row in rows]
