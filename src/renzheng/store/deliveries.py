"""The outbox for customers' buckets. A row is written with its verdict; each later step is one guarded statement."""

from __future__ import annotations

import datetime
from dataclasses import astuple
from typing import Any

import msgspec

from renzheng.accounts.buckets import Bucket
from renzheng.accounts.deliveries import Delivery, DeliveryState
from renzheng.store.engine import Database, Transaction

_COLUMNS = (
    "session_id, account_id, attempt, best_frame, folder, state, created_at, due_at, tries, trouble, place,"
    " video_key, frame_key"
)
_DUE = "state IN ('waiting', 'erasing') AND due_at <= :now AND (lease_until IS NULL OR lease_until <= :now)"
_CLAIMABLE = (
    f"{_DUE} AND account_id NOT IN (SELECT +account_id FROM deliveries WHERE state IN ('waiting', 'erasing')"
    " AND due_at <= :now AND lease_until > :now GROUP BY +account_id HAVING count(*) >= :share)"
)
"""`+` keeps SQLite from reading all rows by account instead of the few that are due."""
FOLDER_BYTES = 16


async def add(tx: Transaction, session_id: int, random: bytes, now: float) -> None:
    """Add a delivery in the verdict's transaction, after the verdict; nothing if the session's token did not ask for
    it."""
    day = datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y%m%d")
    await tx.run(
        "INSERT INTO deliveries (session_id, account_id, id_hash, attempt, best_frame, folder, state, created_at,"
        " due_at) SELECT s.id, s.account_id, s.id_hash, v.attempt, v.best_frame, :folder, 'waiting', :now, :now"
        " FROM sessions s JOIN verdicts v ON v.session_id = s.id WHERE s.id = :id AND s.to_bucket = 1",
        id=session_id,
        folder=f"{day}/{random.hex()}",
        now=now,
    )


async def erase(tx: Transaction, account_id: int, now: float, *, session_id: int = 0, id_hash: bytes = b"") -> int:
    """In an erasure's transaction, mark for deletion what was delivered of a session, or of an ID number.

    Returns how many deliveries have something to delete. A try under way loses, as its number of tries no longer
    matches.
    """
    given = {"account": account_id, "session": session_id, "hash": id_hash, "now": now}
    where = "account_id = :account AND (session_id = :session OR id_hash = :hash)"
    count = await tx.run(
        "UPDATE deliveries SET state = 'erasing', due_at = :now, lease_until = NULL, tries = 0"
        f" WHERE {where} AND state IN ('waiting', 'delivered', 'left')",
        **given,
    )
    await tx.run(f"UPDATE deliveries SET id_hash = NULL WHERE {where}", **given)
    return count


def _delivery(row: tuple[Any, ...]) -> Delivery:
    (session_id, account_id, attempt, best_frame, folder, state, created_at, due_at, tries, trouble, place, *keys) = row
    bucket = Bucket(*msgspec.json.decode(place)) if place else None
    return Delivery(
        *(session_id, account_id, attempt, best_frame, folder, DeliveryState(state), created_at, due_at, tries),
        *(trouble, bucket, *keys),
    )


class Deliveries:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, now: float, lease: float, share: int) -> Delivery | None:
        """Claim the delivery that has been due longest, for `lease` seconds. Its tries include this one.

        One caller wins; None if nothing is due. Accounts with `share` or more under way are skipped, so that a slow
        bucket delays its own customer only.
        """
        given = {"now": now, "until": now + lease, "share": share}
        if (
            await self._database.one(f"SELECT 1 FROM deliveries WHERE {_CLAIMABLE} LIMIT 1", now=now, share=share)
            is None
        ):
            return None
        sql = (
            "UPDATE deliveries SET lease_until = :until, tries = tries + 1 WHERE session_id ="
            f" (SELECT session_id FROM deliveries WHERE {_CLAIMABLE} ORDER BY due_at, session_id LIMIT 1"
            " FOR UPDATE SKIP LOCKED)"
            f" AND {_DUE} RETURNING {_COLUMNS}"
        )

        async def run(tx: Transaction) -> tuple[Any, ...] | None:
            row: tuple[Any, ...] | None = await tx.one(sql, **given)
            return row

        row = await self._database.write(run, savepoint=False)
        return _delivery(row) if row else None

    async def finish(
        self,
        taken: Delivery,
        state: DeliveryState,
        now: float,
        place: Bucket | None = None,
        video_key: str | None = None,
        frame_key: str | None = None,
        trouble: str = "",
    ) -> bool:
        """End a delivery with its last try. False if another process has claimed it meanwhile."""
        given = {
            "state": state.value,
            "now": now,
            "place": msgspec.json.encode(astuple(place)).decode() if place else None,
            "video": video_key,
            "frame": frame_key,
            "trouble": trouble,
        }
        return await self._step(
            taken,
            "state = :state, finished_at = :now, lease_until = NULL, trouble = :trouble,"
            " place = coalesce(:place, place), video_key = coalesce(:video, video_key),"
            " frame_key = coalesce(:frame, frame_key)",
            given,
        )

    async def put_off(self, taken: Delivery, due_at: float, trouble: str) -> bool:
        """Record a failed try. `trouble`: one word for the operator. False if another process has claimed it
        meanwhile."""
        return await self._step(
            taken, "due_at = :due, lease_until = NULL, trouble = :trouble", {"due": due_at, "trouble": trouble}
        )

    async def rest(self, account_id: int, now: float, until: float) -> None:
        """Let nothing else of this account be due before `until`, except what is under way."""
        sql = (
            "UPDATE deliveries SET due_at = :until WHERE account_id = :account AND due_at < :until"
            " AND state IN ('waiting', 'erasing') AND (lease_until IS NULL OR lease_until <= :now)"
        )
        given = {"account": account_id, "now": now, "until": until}
        await self._database.write(lambda tx: tx.run(sql, **given), savepoint=False)

    async def _step(self, taken: Delivery, change: str, given: dict[str, Any]) -> bool:
        sql = f"UPDATE deliveries SET {change} WHERE session_id = :id AND state = :was AND tries = :tries"
        values = {**given, "id": taken.session_id, "was": taken.state.value, "tries": taken.tries}

        async def run(tx: Transaction) -> bool:
            return await tx.run(sql, **values) == 1

        return await self._database.write(run, savepoint=False)

    async def again(self, account_id: int, session_id: int, now: float) -> bool:
        """Make a delivery due now, even a finished one. False if a try is under way, or it is to be erased.

        Its count of tries goes on, so that a try which has lost its lease never takes itself for a later one.
        """
        sql = (
            "UPDATE deliveries SET state = 'waiting', due_at = :now, lease_until = NULL, trouble = ''"
            " WHERE session_id = :id AND account_id = :account AND state IN ('waiting', 'delivered', 'nothing')"
            " AND (lease_until IS NULL OR lease_until <= :now)"
        )

        async def run(tx: Transaction) -> bool:
            return await tx.run(sql, id=session_id, account=account_id, now=now) == 1

        return await self._database.write(run, savepoint=False)

    async def get(self, account_id: int, session_id: int) -> Delivery | None:
        row = await self._database.one(
            f"SELECT {_COLUMNS} FROM deliveries WHERE session_id = :session_id AND account_id = :account_id",
            session_id=session_id,
            account_id=account_id,
        )
        return _delivery(row) if row else None

    async def unfinished(self, account_id: int | None = None, limit: int = 1000) -> list[Delivery]:
        """Return waiting deliveries of an account, or of all, oldest first."""
        rows = await self._database.all(
            f"SELECT {_COLUMNS} FROM deliveries WHERE state IN ('waiting', 'erasing')"
            " AND (CAST(:account_id AS BIGINT) IS NULL OR account_id = :account_id)"
            " ORDER BY due_at, session_id LIMIT :limit",
            account_id=account_id,
            limit=limit,
        )
        return [_delivery(row) for row in rows]

    async def waiting(self) -> int:
        """Return how many deliveries of all accounts wait."""
        row = await self._database.one("SELECT count(*) FROM deliveries WHERE state IN ('waiting', 'erasing')")
        return int(row[0]) if row else 0

    async def forget(self, before: float, limit: int) -> int:
        """Delete rows of sessions that ended long ago. Returns how many."""
        sql = (
            "DELETE FROM deliveries WHERE session_id IN (SELECT session_id FROM deliveries"
            " WHERE created_at <= :before ORDER BY created_at LIMIT :limit)"
        )
        return await self._database.write(lambda tx: tx.run(sql, before=before, limit=limit), savepoint=False)
