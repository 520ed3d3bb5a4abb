"""The ledger: one row per verdict, unique by session. It outlives the session and contains no personal data."""

from __future__ import annotations

from typing import NamedTuple

from renzheng.store.engine import Database, Transaction


class LedgerEntry(NamedTuple):
    """`result`: the business code. `at`: unix seconds. `charged`: whether it was taken from a prepaid balance."""

    id: int
    account_id: int
    session_id: int
    result: str
    billed: bool
    at: float
    charged: bool = False


async def add(
    tx: Transaction,
    account_id: int,
    session_id: int,
    result: str,
    billed: bool,
    now: float,
    charged: bool = False,
) -> None:
    """Add a row in the verdict's transaction. The database refuses a second row for a session."""
    await tx.run(
        "INSERT INTO ledger (account_id, session_id, result, billed, at, charged)"
        " VALUES (:account_id, :session_id, :result, :billed, :at, :charged)",
        account_id=account_id,
        session_id=session_id,
        result=result,
        billed=int(billed),
        at=now,
        charged=int(charged),
    )


class Ledger:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def entries(
        self, account_id: int, since: float = 0, until: float = float("inf"), after: int = 0, limit: int = 1000
    ) -> list[LedgerEntry]:
        """Return an account's rows by rising id, those with `since <= at < until` and above the id `after`."""
        rows = await self._database.all(
            "SELECT id, account_id, session_id, result, billed, at, charged FROM ledger"
            " WHERE account_id = :account_id AND at >= :since AND at < :until AND id > :after ORDER BY id LIMIT :limit",
            account_id=account_id,
            since=since,
            until=until,
            after=after,
            limit=limit,
        )
        return [LedgerEntry(row[0], row[1], row[2], row[3], bool(row[4]), row[5], bool(row[6])) for row in rows]

    async def billed(self, account_id: int, since: float = 0, until: float = float("inf")) -> int:
        """Return how many verifications an account has to pay for."""
        rows = await self._database.survey(
            "SELECT count(*) FROM ledger WHERE account_id = :account_id AND billed = 1 AND at >= :since"
            " AND at < :until",
            account_id=account_id,
            since=since,
            until=until,
        )
        return int(rows[0][0])
