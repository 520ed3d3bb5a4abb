"""Judging: one judge per session, holding a lease with an epoch. The verdict is recorded once."""

from __future__ import annotations

import contextlib
from typing import NamedTuple

from renzheng.store import billing, deliveries, ledger
from renzheng.store.attempts import Attempts
from renzheng.store.authenticity import TamperedError, selected
from renzheng.store.engine import Transaction
from renzheng.store.records import COLUMNS, move_set, move_where
from renzheng.store.sealer import ErasedError
from renzheng.verification.decision import Verdict
from renzheng.verification.records import JudgingJob

_CLAIMABLE = "state = 'judging' AND (lease_until IS NULL OR lease_until <= :now)"

_TURN = "account_id <= :after, account_id, submitted_at, id"

_VERDICT = (
    "result",
    "description",
    "similarity",
    "tags",
    "best_frame",
    "attempt",
    "judged_at",
    "billed",
    "measurement",
)


class _Judged(NamedTuple):
    """`measurement`: sealed; None where the session's evidence is erased. `at`: unix seconds."""

    verdict: Verdict
    measurement: bytes | None
    best_frame: int | None
    at: float


async def _write_verdict(tx: Transaction, session_id: int, attempt: int, judged: _Judged) -> None:
    """Write the verdict in place of an earlier attempt's."""
    verdict, result = judged.verdict, judged.verdict.result
    await tx.run(
        f"INSERT INTO verdicts (session_id, {', '.join(_VERDICT)})"
        " VALUES (:session_id, :code, :description, :similarity, :tags, :best_frame, :attempt, :at, :billed,"
        " :measurement)"
        f" ON CONFLICT (session_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _VERDICT)}",
        session_id=session_id,
        code=result.code,
        description=result.description,
        similarity=verdict.similarity,
        tags=",".join(verdict.tags),
        best_frame=judged.best_frame,
        attempt=attempt,
        at=judged.at,
        billed=int(result.billed),
        measurement=judged.measurement,
    )


class Judgements(Attempts):
    """Every statement has the epoch in its WHERE, so a judge that lost its lease can change nothing."""

    async def claim_judging(self, now: float, lease: float, after: int = 0) -> JudgingJob | None:
        """Claim the session to judge next, for `lease` seconds. One caller wins; None if nothing waits.

        Accounts take turns in the order of their numbers, beginning after the account `after`. Of an account's
        sessions, the one that has waited longest comes first.
        """
        given = {"now": now, "until": now + lease, "after": after}
        if await self._database.one(f"SELECT 1 FROM sessions WHERE {_CLAIMABLE} LIMIT 1", **given) is None:
            return None
        sql = (
            "UPDATE sessions SET epoch = epoch + 1, lease_until = :until,"
            " lost_leases = lost_leases + (CASE WHEN lease_until IS NULL THEN 0 ELSE 1 END)"
            f" WHERE id = (SELECT id FROM sessions WHERE {_CLAIMABLE} ORDER BY {_TURN} LIMIT 1 FOR UPDATE SKIP LOCKED)"
            f" AND {_CLAIMABLE} RETURNING {COLUMNS}, epoch, lost_leases"
        )

        async def claim(tx: Transaction) -> tuple[object, ...] | None:
            row: tuple[object, ...] | None = await tx.one(sql, **given)
            return row

        row = await self._database.write(claim, savepoint=False)
        if row is None:
            return None
        epoch, lost = row[-2:]
        assert isinstance(epoch, int)
        assert isinstance(lost, int)
        try:
            session = await self._session(row)
        except (ErasedError, TamperedError):
            # Nobody can judge it. The lease keeps it away from judges until the sweeper removes it.
            return await self.claim_judging(now, lease, after)
        return JudgingJob(session, await self.attempt(session.id, session.attempt), epoch, lost)

    async def renew_judging(self, session_id: int, epoch: int, until: float) -> bool:
        """Renew the judge's lease. False once another judge has claimed the session or it was decided."""
        return await self._set_lease(session_id, epoch, until)

    async def release_judging(self, session_id: int, epoch: int) -> bool:
        """Give the session back, as at a shutdown. This does not count as a lost lease."""
        return await self._set_lease(session_id, epoch, None)

    async def _set_lease(self, session_id: int, epoch: int, until: float | None) -> bool:
        async def change(tx: Transaction) -> bool:
            sql = (
                "UPDATE sessions SET lease_until = :until WHERE id = :session_id AND epoch = :epoch"
                " AND state = 'judging'"
            )
            return await tx.run(sql, until=until, session_id=session_id, epoch=epoch) == 1

        return await self._database.write(change, savepoint=False)

    async def record_verdict(
        self, session_id: int, epoch: int, verdict: Verdict, measurement: str, best_frame: int | None, now: float
    ) -> bool:
        """Move `judging` -> `passed` or `failed`, with verdict, ledger row, charge and delivery in one transaction.

        `measurement`: JSON, stored sealed. False, and nothing written, if the epoch is over.
        """
        judged = _Judged(verdict, await self._seal_measurement(session_id, measurement), best_frame, now)
        return await self._end_judging("accept" if verdict.passed else "reject", session_id, epoch, judged)

    async def again(
        self,
        session_id: int,
        epoch: int,
        verdict: Verdict,
        measurement: str,
        best_frame: int | None,
        now: float,
        excused: bool = False,
    ) -> bool:
        """Move `judging` -> `capturing`: the attempt failed by liveness, and the token allows another.

        Its verdict is stored, and counts if the token's life ends without another. `excused`: the attempt does not
        count, as the server is to blame. False, and nothing written, if the epoch is over, the token is dead, or no
        attempt is left.
        """
        judged = _Judged(verdict, await self._seal_measurement(session_id, measurement), best_frame, now)
        return await self._end_judging("again", session_id, epoch, judged, excused)

    async def lapse(self, now: float, limit: int, session_id: int | None = None) -> int:
        """Move `capturing` -> `failed` if a token's life ended after an attempt was judged: that verdict counts.

        Up to `limit` sessions, or only `session_id`. Returns how many.
        """
        due = f"{move_where('lapse')} AND judged > 0 AND expires_at <= :now"
        if session_id is None:
            found = await self._database.all(
                f"SELECT id FROM sessions WHERE {due} ORDER BY expires_at LIMIT :limit",
                now=now,
                limit=limit,
            )
        else:
            found = [(session_id,)]
        sql = f"UPDATE sessions SET {move_set('lapse')} WHERE id = :id AND {due} RETURNING account_id"
        count = 0
        for (number,) in found:
            random = self._entropy(deliveries.FOLDER_BYTES)

            async def end(tx: Transaction, number: int = number, random: bytes = random) -> bool:
                row = await tx.one(sql, id=number, now=now)
                if row is not None:
                    await self._settle(tx, row[0], number, random, now)
                return row is not None

            with contextlib.suppress(TamperedError):  # it is logged, and the session stays open
                count += await self._database.write(end)
        return count

    async def _end_judging(
        self, move: str, session_id: int, epoch: int, judged: _Judged, excused: bool = False
    ) -> bool:
        given = {"id": session_id, "epoch": epoch, "advice": str(judged.verdict.advice), "now": judged.at}
        random = self._entropy(deliveries.FOLDER_BYTES)
        again = move == "again"
        sql = (
            f"UPDATE sessions SET {move_set(move)}, lease_until = NULL, advice = :advice"
            f"{', judged = attempt, lost_leases = 0' if again else ''}"
            f"{', counted = counted - 1, excused = excused + 1' if excused else ''}"
            f" WHERE id = :id AND epoch = :epoch AND {move_where(move)}"
            f"{' AND counted < most_attempts' if again and not excused else ''}"
            " RETURNING account_id, attempt"
        )

        async def record(tx: Transaction) -> bool:
            row = await tx.one(sql, **given)
            if row is None:
                return False
            account_id, attempt = row
            if excused:
                uncounted = "UPDATE attempts SET counted = 0 WHERE session_id = :session_id AND number = :number"
                await tx.run(uncounted, session_id=session_id, number=attempt - 1)
            await _write_verdict(tx, session_id, attempt - 1 if again else attempt, judged)
            await self._authenticity.sign(tx, "verdicts", session_id)
            if not again:
                await self._settle(tx, account_id, session_id, random, judged.at)
            return True

        return await self._database.write(record)

    async def _settle(self, tx: Transaction, account_id: int, session_id: int, random: bytes, now: float) -> None:
        """Do once what follows a final verdict: its ledger row, its charge, its delivery."""
        row = await tx.one(
            f"SELECT {selected('verdicts')}, result, billed FROM verdicts WHERE session_id = :session_id",
            session_id=session_id,
        )
        assert row is not None
        *signed, result, billed = row
        self._authenticity.check("verdicts", tuple(signed))
        charged = bool(billed) and await billing.charge(tx, self._authenticity, account_id)
        await ledger.add(tx, account_id, session_id, result, bool(billed), now, charged)
        await deliveries.add(tx, session_id, random, now)

    async def _seal_measurement(self, session_id: int, measurement: str) -> bytes | None:
        try:
            return (await self._evidence(session_id)).seal("measurement", measurement.encode())
        except ErasedError:
            return None

    async def measurement(self, session_id: int) -> str | None:
        """Return the numbers behind a verdict, as JSON, for the operator; None if there are none, or no longer."""
        row = await self._database.one(
            "SELECT measurement FROM verdicts WHERE session_id = :session_id", session_id=session_id
        )
        if row is None or row[0] is None:
            return None
        try:
            return (await self._evidence(session_id)).open("measurement", row[0]).decode()
        except ErasedError:
            return None

    async def waiting(self, now: float) -> int:
        """Return how many sessions wait for a judge."""
        row = await self._database.one(f"SELECT count(*) FROM sessions WHERE {_CLAIMABLE}", now=now)
        return int(row[0]) if row else 0

    async def backlog(self, now: float) -> tuple[int, int]:
        """Return how many sessions wait for a judge, and how many are being judged."""
        leased = "coalesce(sum(CASE WHEN lease_until > :now THEN 1 ELSE 0 END), 0)"
        row = await self._database.one(f"SELECT count(*), {leased} FROM sessions WHERE state = 'judging'", now=now)
        handed_in, judging = row or (0, 0)
        return int(handed_in - judging), int(judging)

    async def longest_wait(self, now: float) -> float:
        """Return the seconds for which the oldest waiting session has waited; 0 if none waits."""
        sql = f"SELECT min(submitted_at) FROM sessions WHERE {_CLAIMABLE}"
        row = await self._database.one(sql, now=now)
        return max(0.0, now - row[0]) if row and row[0] is not None else 0.0
