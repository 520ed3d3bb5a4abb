"""Sessions: issuing a token, finding it, fetching its result, letting it expire.

`Sessions` combines the files `devices`, `attempts`, `transcript` and `judgements`, which hold what happens during
capture and judging.
"""

from __future__ import annotations

from typing import Any

from renzheng.store import evidence_use
from renzheng.store.authenticity import details_field, selected
from renzheng.store.devices import Devices
from renzheng.store.engine import ConflictError, Transaction
from renzheng.store.judgements import Judgements
from renzheng.store.records import COLUMNS, move_set, move_where, pack_details, policy_text, session_folder
from renzheng.store.sealer import ErasedError, Kind, Sealer, Subject
from renzheng.store.transcript import Transcripts
from renzheng.verification.identity import normal_id_card
from renzheng.verification.policy import Policy
from renzheng.verification.records import SessionOutcome, StoredVerdict, Tombstone
from renzheng.verification.session import DAY_SECONDS, Details, Session, State

_INSERT = (
    "INSERT INTO sessions (id, account_id, token, state, created_at, expires_at, most_attempts, has_photo,"
    " has_evidence, policy, id_hash, sealed, rule_id, evidence_until, to_bucket)"
    " VALUES (:id, :account_id, :token, :state, :created_at, :expires_at, :most_attempts, :has_photo, :has_photo,"
    " :policy, :id_hash, :sealed, :rule_id, :evidence_until, :to_bucket)"
)
_ISSUED = State.ISSUED.value
_VERDICT = f"SELECT {selected('verdicts')} FROM verdicts WHERE session_id = :session_id"


def _photo_of(session_id: int) -> str:
    return f"{session_folder(session_id)}/photo"


class Sessions(Devices, Transcripts, Judgements):
    """All moves are single compare-and-set statements, made from `verification.session.MOVES`."""

    async def create(
        self,
        account_id: int,
        token: str,
        details: Details,
        photo: bytes | None,
        policy: Policy,
        now: float,
        lifetime: float,
        rule_id: int | None = None,
        evidence_days: float | None = None,
        to_bucket: bool = False,
    ) -> int:
        """Issue a token. Returns the session's id once the session and its data key are durable.

        `rule_id`: the rule that `policy` comes from. `evidence_days`: how long evidence is kept; None: the default.
        `to_bucket`: deliver the verdict's evidence to the account's bucket.

        Raises NoRoomError if the disk, and EvidenceLimitError if the account, has no room for the photo.
        """
        row: dict[str, Any] = {
            "account_id": account_id,
            "token": self._vault.digest("token", token),
            "state": _ISSUED,
            "created_at": now,
            "expires_at": now + lifetime,
            "most_attempts": policy.attempts,
            "has_photo": int(photo is not None),
            "policy": policy_text(policy),
            "id_hash": self.id_hash(account_id, details.id_card) if details.id_card else None,
            "rule_id": rule_id,
            "evidence_until": None if evidence_days is None else now + evidence_days * DAY_SECONDS,
            "to_bucket": int(to_bucket),
        }
        tries = 3
        while True:
            tries -= 1
            session_id = row["id"] = self._ids.draw(now)
            try:
                if photo is None:
                    await self._insert(row, details)
                else:
                    await self._insert_with_photo(row, details, photo)
            except ConflictError:  # another process gave this id, or left a key under it
                if not tries:
                    raise
            else:
                return session_id

    async def _insert(self, row: dict[str, Any], details: Details) -> None:
        async def insert(tx: Transaction) -> None:
            sealer = self._seal(row, details)
            await self._vault.keep(sealer)
            await tx.run(_INSERT, **row)

        # Only one statement can fail, so a savepoint would cost time for nothing.
        await self._database.write(insert, keys=True, savepoint=False)

    def _seal(self, row: dict[str, Any], details: Details) -> Sealer:
        """Put the details into a row, sealed under a key that is drawn here.

        Within a job, beside those of other sessions, this costs half of what it costs alone.
        """
        sealer = self._vault.draw(Subject(Kind.SESSION, row["id"]))
        row["sealed"] = sealer.seal(details_field(row["account_id"], row["policy"]), pack_details(details))
        return sealer

    async def _insert_with_photo(self, row: dict[str, Any], details: Details, photo: bytes) -> None:
        """Insert the row after the photo, which is stored first, under a key of its own."""
        session_id, account_id = row["id"], row["account_id"]
        evidence = self._vault.draw(Subject(Kind.EVIDENCE, session_id))
        content = evidence.sealing("photo", photo)
        await evidence_use.check(self._database, account_id, content.size)
        with self._room.taking(content.size):
            await self._objects.put(_photo_of(session_id), content)

        async def insert(tx: Transaction) -> None:
            sealer = self._seal(row, details)
            await self._vault.keep(sealer)
            await self._vault.keep(evidence)
            await tx.run(_INSERT, **row)
            await evidence_use.add(tx, account_id, session_id, content.size)

        try:
            await self._database.write(insert, keys=True)
        except Exception as error:
            # On a full disk the photo cannot wait for the sweeper. If the id was taken, it may be the other session's.
            if not isinstance(error, ConflictError):
                await self._objects.delete(_photo_of(session_id))
            raise

    def id_hash(self, account_id: int, id_card: str) -> bytes:
        """Return the keyed hash under which an account's ID number is counted and looked up."""
        return self._vault.digest("id-card", f"{account_id}:{normal_id_card(id_card)}")

    async def find(self, token: str) -> Session | None:
        """Return the session of a token, of any account, for a device; None if it is unknown or gone."""
        row = await self._database.one(
            f"SELECT {COLUMNS} FROM sessions WHERE token = :token",
            token=self._vault.digest("token", token),
        )
        if row is None:
            return None
        try:
            return await self._session(row)
        except ErasedError:
            return None

    async def outcome(self, session_id: int) -> SessionOutcome | None:
        """Return a session by its number in the log, for the operator; None if there is none, or it is erased."""
        row = await self._database.one(f"SELECT {COLUMNS} FROM sessions WHERE id = :session_id", session_id=session_id)
        if row is None:
            return None
        try:
            return SessionOutcome(await self._session(row), await self._verdict(session_id))
        except ErasedError:
            return None

    async def is_gone(self, token: str) -> bool:
        """Return whether `find` returns nothing because the data of a real token was erased."""
        known = "SELECT 1 FROM {} WHERE token = :token"
        sql = f"SELECT EXISTS ({known.format('tombstones')}) OR EXISTS ({known.format('sessions')})"
        row = await self._database.one(sql, token=self._vault.digest("token", token))
        return row is not None and bool(row[0])

    async def result(self, account_id: int, token: str) -> SessionOutcome | Tombstone | None:
        """Return what the merchant asks for. None for an unknown token, and also for another account's."""
        token_hash = self._vault.digest("token", token)
        row = await self._database.one(
            f"SELECT {COLUMNS} FROM sessions WHERE token = :token_hash AND account_id = :account_id",
            token_hash=token_hash,
            account_id=account_id,
        )
        if row is None:
            tombstone = await self._database.one(
                "SELECT account_id, gone_at FROM tombstones WHERE token = :token_hash AND account_id = :account_id",
                token_hash=token_hash,
                account_id=account_id,
            )
            return Tombstone(*tombstone) if tombstone else None
        try:
            session = await self._session(row)
        except ErasedError:  # its key was destroyed, and the sweeper has not removed it yet
            return Tombstone(account_id, row[4])
        decided = session.state in (State.PASSED, State.FAILED)  # else another attempt may follow
        return SessionOutcome(session, await self._verdict(session.id) if decided else None)

    async def has_frames(self, session_id: int, attempt: int) -> bool:
        """Return whether an attempt has frames that can still be opened."""
        sql = "SELECT 1 FROM frames WHERE session_id = :session_id AND attempt = :attempt LIMIT 1"
        found = await self._database.one(sql, session_id=session_id, attempt=attempt)
        return found is not None and await self._vault.has(Subject(Kind.EVIDENCE, session_id))

    async def _verdict(self, session_id: int) -> StoredVerdict | None:
        row = await self._database.one(_VERDICT, session_id=session_id)
        if row is None:
            return None
        self._authenticity.check("verdicts", row)
        result, description, similarity, tags, best_frame, attempt, judged_at, billed = row[1:9]
        named = tuple(tag for tag in tags.split(",") if tag)
        return StoredVerdict(result, description, similarity, named, best_frame, attempt, judged_at, bool(billed))

    async def expire(self, now: float, limit: int) -> int:
        """End up to `limit` sessions whose token is dead. Returns how many."""
        given = {"now": now, "limit": limit}
        sql = (
            f"UPDATE sessions SET {move_set('expire')} WHERE id IN (SELECT id FROM sessions"
            f" WHERE {move_where('expire')} AND judged = 0 AND expires_at <= :now ORDER BY expires_at LIMIT :limit)"
        )

        async def end(tx: Transaction) -> int:
            return await tx.run(sql, **given)

        return await self._database.write(end, savepoint=False)
