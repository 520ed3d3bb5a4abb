"""Searches for an operator: verifications, people, events and usage, in pages, with their total number.

Lists have a stable order, the newest first, and the next page starts where the one before it ended.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, NamedTuple

from renzheng.store.audit import AuditEvent
from renzheng.store.engine import Database
from renzheng.store.listing import ListedSession

_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Selects verifications: `since <= created < until` in unix seconds; None is any."""

    account_id: int | None = None
    state: str | None = None
    result: str | None = None
    rule_id: int | None = None
    id_hash: bytes | None = None
    since: float = 0
    until: float | None = None
    session_id: int | None = None

    def asked(self) -> tuple[str, str, dict[str, Any]]:
        """Return the tables, the condition and its values. Only the given criteria appear, so that their index is
        used."""
        given = {
            "s.account_id = :account": self.account_id,
            "s.state = :state": self.state,
            "v.result = :result": self.result,
            "s.rule_id = :rule": self.rule_id,
            "s.id_hash = :id_hash": self.id_hash,
            "s.id = :session": self.session_id,
            "s.id >= :since": int(self.since * _MICROSECONDS) or None,
            "s.id < :until": None if self.until is None else int(self.until * _MICROSECONDS),
        }
        chosen = {condition: value for condition, value in given.items() if value is not None}
        names = {condition.rpartition(":")[2]: value for condition, value in chosen.items()}
        tables = "sessions s" if self.result is None else "verdicts v JOIN sessions s ON s.id = v.session_id"
        return tables, " AND ".join(chosen) or "TRUE", names


class Usage(NamedTuple):
    """Verdicts of one day. `day`: such as 2026-11-26. `rule_id`: None without one, and after the session is deleted."""

    day: str
    account_id: int
    result: str
    rule_id: int | None
    verifications: int
    billed: int
    charged: int


class Search:
    """Searches the records. `account_id` None: of all accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def sessions(
        self, wanted: Wanted, limit: int, offset: int = 0, before: int | None = None
    ) -> list[ListedSession]:
        """Return sessions, the newest first: those with ids below `before`, without the first `offset`."""
        tables, condition, values = wanted.asked()
        if wanted.result is None:
            tables += " LEFT JOIN verdicts v ON v.session_id = s.id"
        if before is not None:
            condition, values = f"{condition} AND s.id < :before", {**values, "before": before}
        order = "s.id" if wanted.result is None else "v.session_id"  # the order of the index that is used
        rows = await self._database.survey(
            "SELECT s.id, s.account_id, s.created_at, s.state, s.attempt, s.ending, v.result, v.billed"
            f" FROM {tables} WHERE {condition} ORDER BY {order} DESC LIMIT :limit OFFSET :offset",
            **values,
            limit=limit,
            offset=offset,
        )
        return [ListedSession._make((*row[:7], None if row[7] is None else bool(row[7]))) for row in rows]

    async def count_sessions(self, wanted: Wanted) -> int:
        tables, condition, values = wanted.asked()
        rows = await self._database.survey(f"SELECT count(*) FROM {tables} WHERE {condition}", **values)
        return int(rows[0][0])

    async def events(
        self, limit: int, offset: int = 0, before: int | None = None, subject: str = ""
    ) -> list[AuditEvent]:
        """Return events, the newest first. `subject`: a prefix of the subject."""
        rows = await self._database.survey(
            "SELECT id, at, actor, verb, subject FROM audit WHERE (CAST(:before AS BIGINT) IS NULL OR id < :before)"
            " AND substr(subject, 1, length(:subject)) = :subject ORDER BY id DESC LIMIT :limit OFFSET :offset",
            before=before,
            subject=subject,
            limit=limit,
            offset=offset,
        )
        return [AuditEvent(*row) for row in rows]

    async def count_events(self, subject: str = "") -> int:
        rows = await self._database.survey(
            "SELECT count(*) FROM audit WHERE substr(subject, 1, length(:subject)) = :subject", subject=subject
        )
        return int(rows[0][0])

    async def count_people(self, account_id: int) -> int:
        rows = await self._database.survey(
            "SELECT count(*) FROM persons WHERE account_id = :account", account=account_id
        )
        return int(rows[0][0])

    async def person_at(self, account_id: int, offset: int) -> int | None:
        """Return the id of an account's person at an offset in the order of ids; None after the last."""
        row = await self._database.one(
            "SELECT id FROM persons WHERE account_id = :account ORDER BY id LIMIT 1 OFFSET :offset",
            account=account_id,
            offset=offset,
        )
        return int(row[0]) if row else None

    async def opened_at(self, session_id: int) -> float | None:
        """Return when a device was first let in, in unix seconds. None if none was, or before this was recorded."""
        row = await self._database.one("SELECT opened_at FROM sessions WHERE id = :id", id=session_id)
        return None if row is None or row[0] is None else float(row[0])

    async def frames_by_step(self, session_id: int, attempt: int) -> dict[int, int]:
        """Return how many frames of an attempt are kept, by their step."""
        rows = await self._database.all(
            "SELECT step, count(*) FROM frames WHERE session_id = :id AND attempt = :attempt GROUP BY step",
            id=session_id,
            attempt=attempt,
        )
        return {row[0]: int(row[1]) for row in rows}

    async def usage(self, since: float, until: float, utc_offset: float, account_id: int | None = None) -> list[Usage]:
        """Return verdicts by day, account, result and rule. Days begin at midnight of `utc_offset` hours."""
        rows = await self._database.survey(
            "SELECT CAST(floor((l.at + :offset) / 86400) AS BIGINT), l.account_id, l.result, s.rule_id, count(*),"
            " sum(l.billed), sum(l.charged) FROM ledger l LEFT JOIN sessions s ON s.id = l.session_id WHERE"
            " l.at >= :since AND l.at < :until AND (CAST(:account AS BIGINT) IS NULL OR l.account_id = :account)"
            " GROUP BY 1, 2, 3, 4 ORDER BY 1 DESC, 2, 3, 4",
            since=since,
            until=until,
            offset=utc_offset * 3600,
            account=account_id,
        )
        return [Usage(day_of(row[0]), row[1], row[2], row[3], int(row[4]), int(row[5]), int(row[6])) for row in rows]


def day_of(number: int) -> str:
    """Return a day by its number since 1970."""
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=number)).isoformat()
