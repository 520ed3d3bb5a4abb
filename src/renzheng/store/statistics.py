"""Counts of verifications: by time, by result, by state. No personal data."""

from __future__ import annotations

from dataclasses import dataclass

from renzheng.store.engine import Database


@dataclass(frozen=True, slots=True)
class VerdictCount:
    """`start`: unix seconds at which the bucket begins. `result`: the business code."""

    start: float
    result: str
    count: int


class Statistics:
    """Counts over all accounts, or over one. Sessions are counted during the three days that they are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def verdicts(
        self, since: float, width: float, utc_offset: float, account_id: int | None = None
    ) -> list[VerdictCount]:
        """Return verdicts from the ledger, which is never deleted, by bucket of `width` seconds and by result.

        `utc_offset`: hours, so that a bucket of a day begins at midnight there.
        """
        rows = await self._database.survey(
            "SELECT CAST(floor((at + :offset) / :width) AS BIGINT), result, count(*) FROM ledger"
            " WHERE at >= :since AND (CAST(:account AS BIGINT) IS NULL OR account_id = :account)"
            " GROUP BY 1, 2 ORDER BY 1, 2",
            since=since,
            width=width,
            offset=utc_offset * 3600,
            account=account_id,
        )
        return [VerdictCount(row[0] * width - utc_offset * 3600, row[1], int(row[2])) for row in rows]

    async def states(self, since: float, account_id: int | None = None) -> dict[str, int]:
        """Return how many tokens issued since `since` are in which state. Their ids rise with time."""
        rows = await self._database.survey(
            "SELECT state, count(*) FROM sessions"
            " WHERE id >= :since AND (CAST(:account AS BIGINT) IS NULL OR account_id = :account) GROUP BY state",
            since=int(since * 1_000_000),
            account=account_id,
        )
        return {row[0]: int(row[1]) for row in rows}
