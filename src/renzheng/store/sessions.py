"""Sessions: issuing a token, finding it, fetching its result, letting it expire.

`Sessions` is the whole of it; what happens during a capture and at the judging is in the files that it is
put together from: `devices`, `attempts`, `transcript`, `judgements`.
"""

from __future__ import annotations

import sqlite3

from renzheng.store.devices import Devices
from renzheng.store.judgements import Judgements
from renzheng.store.records import COLUMNS, moved, moves, pack_details, policy_text, session_folder
from renzheng.store.sealer import Erased, Kind, Sealer, Subject
from renzheng.store.transcript import Transcript
from renzheng.verification.identity import normal_id_card
from renzheng.verification.policy import Policy
from renzheng.verification.records import Gone, Outcome, StoredVerdict
from renzheng.verification.session import DAY_SECONDS, Details, Session, State

_INSERT = (
    "INSERT INTO sessions (id, account_id, token, state, created_at, expires_at, most_attempts, has_photo,"
    " has_evidence, policy, id_hash, sealed, rule_id, evidence_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_ISSUED = State.ISSUED.value


class Sessions(Devices, Transcript, Judgements):
    """All moves are single compare-and-set statements made from `verification.session.MOVES`."""

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
    ) -> int:
        """Issue a token; durable, with its data key, when this returns the session's id.

        `rule_id`: the rule that `policy` is of. `evidence_days`: how long evidence is kept; None: as for all.
        """
        vault = self._vault
        session_id = self._ids.draw(now)
        token_hash = vault.digest("token", token)
        id_hash = self.id_hash(account_id, details.id_card) if details.id_card else None
        evidence: Sealer | None = None
        has_photo = int(photo is not None)
        evidence_until = None if evidence_days is None else now + evidence_days * DAY_SECONDS
        if photo is not None:
            evidence = vault.draw(Subject(Kind.EVIDENCE, session_id))
            await self._objects.put(f"{session_folder(session_id)}/photo", evidence.sealing("photo", photo))

        def insert(connection: sqlite3.Connection) -> None:
            sealer = vault.draw(Subject(Kind.SESSION, session_id))
            vault.keep(sealer)
            if evidence is not None:
                vault.keep(evidence)
            connection.execute(
                _INSERT,
                (
                    *(session_id, account_id, token_hash, _ISSUED, now, now + lifetime, policy.attempts),
                    *(has_photo, has_photo, policy_text(policy), id_hash),
                    *(sealer.seal("details", pack_details(details)), rule_id, evidence_until),
                ),
            )

        # One statement that can fail, so the savepoint would be a cost without a use.
        await self._database.write(insert, keys=True, savepoint=False)
        return session_id

    def id_hash(self, account_id: int, id_card: str) -> bytes:
        """The keyed hash under which an account's ID number is counted and looked up."""
        return self._vault.digest("id-card", f"{account_id}:{normal_id_card(id_card)}")

    async def find(self, token: str) -> Session | None:
        """The device's way in: the session of a token, whoever its account is; None where it is unknown or gone."""
        row = self._database.fetch_one(
            f"SELECT {COLUMNS} FROM sessions WHERE token = ?",  # noqa: S608
            (self._vault.digest("token", token),),
        )
        if row is None:
            return None
        try:
            return self._session(row)
        except Erased:
            return None

    async def is_gone(self, token: str) -> bool:
        """Whether `find` gives nothing because the token's data was erased: it was one once."""
        known = "SELECT 1 FROM {} WHERE token = :token"
        sql = f"SELECT EXISTS ({known.format('tombstones')}) OR EXISTS ({known.format('sessions')})"
        row = self._database.fetch_one(sql, {"token": self._vault.digest("token", token)})
        return row is not None and bool(row[0])

    async def result(self, account_id: int, token: str) -> Outcome | Gone | None:
        """What the merchant asks for. None for an unknown token, and for another account's alike."""
        token_hash = self._vault.digest("token", token)
        row = self._database.fetch_one(
            f"SELECT {COLUMNS} FROM sessions WHERE token = ? AND account_id = ?",  # noqa: S608
            (token_hash, account_id),
        )
        if row is None:
            tombstone = self._database.fetch_one(
                "SELECT account_id, gone_at FROM tombstones WHERE token = ? AND account_id = ?",
                (token_hash, account_id),
            )
            return Gone(*tombstone) if tombstone else None
        try:
            session = self._session(row)
        except Erased:  # its key was destroyed and the sweeper has not come by yet
            return Gone(account_id, row[4])
        return Outcome(session, self._verdict(session.id))

    def _verdict(self, session_id: int) -> StoredVerdict | None:
        row = self._database.fetch_one(
            "SELECT result, description, similarity, tags, best_frame, attempt, judged_at, billed"
            " FROM verdicts WHERE session_id = ?",
            (session_id,),
        )
        if row is None:
            return None
        tags = tuple(tag for tag in row[3].split(",") if tag)
        return StoredVerdict(row[0], row[1], row[2], tags, row[4], row[5], row[6], bool(row[7]))

    async def expire(self, now: float, limit: int) -> int:
        """End up to `limit` sessions whose token is dead. Returns how many."""
        given = {"now": now, "limit": limit}
        sql = (
            f"UPDATE sessions SET {moved('expire')} WHERE id IN (SELECT id FROM sessions"  # noqa: S608
            f" WHERE {moves('expire')} AND expires_at <= :now ORDER BY expires_at LIMIT :limit)"
        )

        def end(connection: sqlite3.Connection) -> int:
            return connection.execute(sql, given).rowcount

        return await self._database.write(end, savepoint=False)
