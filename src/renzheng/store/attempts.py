"""Attempts: entries into `capturing`, the steps they revealed, what counts, and the move into `judging`."""

from __future__ import annotations

import contextlib
import json

from renzheng.base.unavailable import UnavailableError
from renzheng.store import evidence_use
from renzheng.store.engine import Transaction
from renzheng.store.records import Context, move_set, move_where, policy_of, session_folder
from renzheng.store.sealer import Kind, Subject
from renzheng.verification.session import Attempt, EndReason, StepRecord

_CURRENT = "id = :id AND attempt = :attempt AND state = 'capturing'"
HELD = "(CAST(:socket AS BIGINT) IS NULL OR socket = CAST(:socket AS BIGINT))"
"""The condition that the calling socket has the session; with None, any socket may have it."""
_AT_NO_NODE = "(node IS NULL OR node NOT IN (SELECT id FROM nodes WHERE draining = 0))"
MIN_ROOM_BYTES = 4 << 20
"""Room for the frames of an ordinary attempt. An attempt begins if this much is free above the reserve."""


async def mark_cut_off(tx: Transaction) -> int:
    """Mark as unwatched the attempts whose device's node is gone or handing over. Returns how many.

    An attempt was cut off if its newest step still had time when its device was last seen.
    """
    return await tx.run(
        "UPDATE attempts SET unwatched = 1 WHERE counted = 1 AND unwatched = 0 AND (session_id, number) IN"
        f" (SELECT id, attempt FROM sessions WHERE state = 'capturing' AND {_AT_NO_NODE} AND coalesce(device_seen, 0) <"
        " (SELECT max(deadline) FROM steps WHERE session_id = sessions.id AND steps.attempt = sessions.attempt))"
    )


class Attempts(Context):
    """Every statement contains the attempt's number, so that an abandoned attempt changes nothing."""

    async def begin_attempt(
        self, session_id: int, attempt: int, actions: tuple[str, ...], now: float, socket: int | None = None
    ) -> int | None:
        """Enter `capturing` after attempt number `attempt` (0: the first time). Returns the new number.

        None if another call was faster or another socket has the session, if the token is dead, or if all attempts that
        count are used. If the previous attempt never counted, its frames are deleted, as a device may begin any number
        of those.

        Raises NoRoomError if the disk, or the account's share of evidence, has no room for frames.
        """
        self._room.require(MIN_ROOM_BYTES)
        owner = await self._database.one(
            "SELECT account_id FROM sessions WHERE id = :session_id", session_id=session_id
        )
        if owner is not None:
            await evidence_use.check(self._database, owner[0], 1)
        move = "begin" if attempt == 0 else "retry"
        given = {"id": session_id, "attempt": attempt, "now": now}
        sql = (
            f"UPDATE sessions SET {move_set(move)}, has_evidence = 1 WHERE id = :id AND attempt = :attempt"
            f" AND counted < most_attempts AND {move_where(move)}"
            f" AND {HELD} RETURNING attempt"
        )

        async def begin(tx: Transaction) -> tuple[int, set[str]] | None:
            row = await tx.one(sql, **given, socket=socket)
            if row is None:
                return None
            number = int(row[0])
            forgotten = await tx.all(
                "DELETE FROM frames WHERE session_id = :id AND attempt = :attempt AND EXISTS (SELECT 1 FROM attempts"
                " WHERE session_id = :id AND number = :attempt AND counted = 0) RETURNING object, size",
                **given,
            )
            if forgotten:
                await evidence_use.add_to_session(tx, session_id, -sum(size for _, size in forgotten))
            await tx.run(
                "INSERT INTO attempts (session_id, number, started_at, actions)"
                " VALUES (:session_id, :number, :started_at, :actions)",
                session_id=session_id,
                number=number,
                started_at=now,
                actions=json.dumps(actions),
            )
            if attempt == 0:  # if a photo came with the token, the key exists and stays
                await self._vault.ensure(Subject(Kind.EVIDENCE, session_id))
            return number, {name for name, _ in forgotten}

        begun = await self._database.write(begin, keys=attempt == 0)
        if begun is None:
            return None
        number, forgotten = begun
        with contextlib.suppress(UnavailableError):  # leftovers, also after a crash, are swept as orphans
            for name in forgotten:
                await self._objects.delete(f"{session_folder(session_id)}/{name}")
        return number

    async def attempt(self, session_id: int, number: int) -> Attempt | None:
        """Return an attempt with the steps revealed so far."""
        row = await self._database.one(
            "SELECT started_at, actions, counted, unwatched FROM attempts WHERE session_id = :session_id"
            " AND number = :number",
            session_id=session_id,
            number=number,
        )
        if row is None:
            return None
        steps = await self._database.all(
            "SELECT step, action, nonce, revealed_at, deadline FROM steps"
            " WHERE session_id = :session_id AND attempt = :number ORDER BY step",
            session_id=session_id,
            number=number,
        )
        shown = tuple(StepRecord(*step) for step in steps)
        return Attempt(session_id, number, row[0], tuple(json.loads(row[1])), shown, bool(row[2]), bool(row[3]))

    async def reveal(
        self,
        session_id: int,
        attempt: int,
        step: StepRecord,
        counts: bool,
        day: str | None,
        socket: int | None = None,
    ) -> bool:
        """Store a step before it is shown. `counts`: from now on this attempt counts, once.

        If it counts, the session has an ID number and `day` is given, then the day's count for (account, number, day)
        is raised in the same transaction. Returns False and stores nothing if the attempt is no longer current, the
        step exists already, another socket has the session, or another token has used up the day's attempts (see
        `attempts_today`).
        """
        given = {"id": session_id, "attempt": attempt, "socket": socket}

        async def show(tx: Transaction) -> bool:
            found = await tx.one(
                f"SELECT account_id, id_hash, policy FROM sessions WHERE {_CURRENT} AND {HELD} FOR UPDATE",
                **given,
            )
            if found is None:
                return False
            stored = await tx.run(
                "INSERT INTO steps (session_id, attempt, step, action, nonce, revealed_at, deadline)"
                " VALUES (:session_id, :attempt, :step, :action, :nonce, :revealed_at, :deadline)"
                " ON CONFLICT DO NOTHING",
                session_id=session_id,
                attempt=attempt,
                step=step.index,
                action=step.action,
                nonce=step.nonce,
                revealed_at=step.revealed_at,
                deadline=step.deadline,
            )
            if not stored:
                return False
            if counts:
                await self._count(tx, session_id, attempt, found, day)
            return True

        try:
            return await self._database.write(show)
        except _DayUsedUpError:
            return False

    async def _count(
        self,
        tx: Transaction,
        session_id: int,
        attempt: int,
        found: tuple[int, bytes | None, str],
        day: str | None,
    ) -> None:
        account_id, id_hash, policy_text = found
        first = await tx.run(
            "UPDATE attempts SET counted = 1 WHERE session_id = :session_id AND number = :attempt AND counted = 0",
            session_id=session_id,
            attempt=attempt,
        )
        if not first:
            return
        await tx.run("UPDATE sessions SET counted = counted + 1 WHERE id = :session_id", session_id=session_id)
        if id_hash is None or day is None:
            return
        most = policy_of(policy_text).attempts_a_day
        raised = await tx.run(
            "INSERT INTO day_counts (account_id, id_hash, day, count) VALUES (:account_id, :id_hash, :day, 1)"
            " ON CONFLICT (account_id, id_hash, day) DO UPDATE SET count = day_counts.count + 1"
            " WHERE :most = 0 OR day_counts.count < :most",
            account_id=account_id,
            id_hash=id_hash,
            day=day,
            most=most,
        )
        if not raised:
            raise _DayUsedUpError

    async def spare(self, session_id: int, attempt: int, most: int) -> bool:
        """Leave the current attempt uncounted, though its first action was revealed. It still counts for the day.

        Returns False and changes nothing if it does not count or is not current, or if `most` attempts were spared.
        """
        return await self._give_back("spared", session_id, attempt, most)

    async def excuse(self, session_id: int, attempt: int, most: int) -> bool:
        """Leave the current attempt uncounted because the server is to blame. Like `spare`, with a budget of its
        own."""
        return await self._give_back("excused", session_id, attempt, most)

    async def mark_interrupted(self) -> int:
        """Call `mark_cut_off` at a start, before any device is served. Returns how many were marked."""
        return await self._database.write(mark_cut_off, savepoint=False)

    async def _give_back(self, budget: str, session_id: int, attempt: int, most: int) -> bool:
        given = {"id": session_id, "attempt": attempt, "most": most}

        async def give_back(tx: Transaction) -> bool:
            sql = (
                f"UPDATE sessions SET counted = counted - 1, {budget} = {budget} + 1"
                f" WHERE {_CURRENT} AND {budget} < :most"
                " AND EXISTS (SELECT 1 FROM attempts WHERE session_id = :id AND number = :attempt AND counted = 1)"
            )
            if await tx.run(sql, **given) != 1:
                return False
            await tx.run("UPDATE attempts SET counted = 0 WHERE session_id = :id AND number = :attempt", **given)
            return True

        return await self._database.write(give_back)

    async def ease(self, session_id: int, action: str) -> bool:
        """Give the coming attempts more time, and another action instead of `action`. True the first time for a
        token."""
        sql = (
            "UPDATE sessions SET eased = :action WHERE id = :session_id AND eased IS NULL"
            " AND state IN ('issued', 'capturing')"
        )

        async def note(tx: Transaction) -> bool:
            return await tx.run(sql, action=action, session_id=session_id) == 1

        return await self._database.write(note, savepoint=False)

    async def attempts_today(self, account_id: int, id_hash: bytes, day: str) -> int:
        row = await self._database.one(
            "SELECT count FROM day_counts WHERE account_id = :account_id AND id_hash = :id_hash AND day = :day",
            account_id=account_id,
            id_hash=id_hash,
            day=day,
        )
        return int(row[0]) if row else 0

    async def submit(
        self,
        session_id: int,
        attempt: int,
        ending: EndReason,
        now: float,
        unwatched: bool = False,
        socket: int | None = None,
    ) -> bool:
        """Move `capturing` -> `judging`, which spends the token.

        False if the attempt is not current, the token is dead, or another socket has the session. `unwatched`: stored
        with the attempt, for the verdict.
        """
        given = {"id": session_id, "attempt": attempt, "now": now, "ending": ending.value, "socket": socket}
        sql = (
            f"UPDATE sessions SET {move_set('submit')}, ending = :ending, submitted_at = :now"
            f" WHERE id = :id AND attempt = :attempt AND {HELD} AND {move_where('submit')}"
        )

        async def hand_in(tx: Transaction) -> bool:
            handed_in = await tx.run(sql, **given) == 1
            if handed_in and unwatched:
                noted = "UPDATE attempts SET unwatched = 1 WHERE session_id = :id AND number = :attempt"
                await tx.run(noted, **given)
            return handed_in

        return await self._database.write(hand_in, savepoint=False)

    async def run_out(self, now: float, grace: float, node: int = 0, limit: int = 200) -> list[tuple[int, int]]:
        """Return sessions, with their attempt, whose last attempt ran out `grace` seconds ago and no device came back.

        Only those of this node and of nodes that are gone: another node knows about its own.
        """
        rows = await self._database.all(
            "SELECT id, attempt FROM sessions WHERE state = 'capturing' AND expires_at > :now"
            " AND counted >= most_attempts"
            " AND (SELECT max(deadline) FROM steps WHERE session_id = sessions.id"
            " AND attempt = sessions.attempt) < :silent"
            " AND (device_seen IS NULL OR device_seen < :silent)"
            f" AND (node = :node OR {_AT_NO_NODE})"
            " LIMIT :limit",
            node=node,
            now=now,
            silent=now - grace,
            limit=limit,
        )
        return [(int(row[0]), int(row[1])) for row in rows]


class _DayUsedUpError(Exception):
    """Rolls back a reveal that would exceed the day's limit."""
