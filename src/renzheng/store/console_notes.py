"""Short-lived notes of the console, shared by all servers: sign-in tries, submitted forms, and a session's last calls.

Names, addresses and forms are stored as keyed hashes alone: what somebody typed as a name may be a password. Calls are
sealed under the operator's data key.
"""

from __future__ import annotations

from collections.abc import Sequence

from renzheng.store.engine import Database, Transaction
from renzheng.store.sealer import Kind, Subject
from renzheng.store.vault import Vault

MAX_CALLS = 12
"""Calls that are kept for a session."""
FORM_SECONDS = 24 * 3600.0
"""How long a form is known as submitted: longer than a session can last."""
_FIELD = "console call"
_WENT_BACK = 60.0
"""Seconds by which a clock may jump back before a window that began later is dropped."""


class _TooManyError(Exception):
    def __init__(self, wait: float) -> None:
        super().__init__()
        self.wait = wait


class ConsoleNotes:
    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    # -- tries

    async def take_try(self, keys: Sequence[tuple[str, int]], seconds: float, now: float) -> float:
        """Count a try under each key. A window of `seconds` begins with its first try and allows so many tries.

        Returns 0 if the try is allowed, else the seconds to wait; then it is not counted.
        """
        # In a fixed order, so that two callers that share keys do not deadlock.
        given = sorted((self._digest("try", key), most) for key, most in keys)

        async def count(tx: Transaction) -> None:
            waits = [await self._count(tx, digest, most, seconds, now) for digest, most in given]
            if any(waits):
                raise _TooManyError(max(waits))

        try:
            await self._database.write(count)
        except _TooManyError as error:
            return error.wait
        return 0.0

    @staticmethod
    async def _count(tx: Transaction, digest: bytes, most: int, seconds: float, now: float) -> float:
        over = "sign_in_tries.begun_at <= :over OR sign_in_tries.begun_at > :ahead"
        row = await tx.one(
            "INSERT INTO sign_in_tries (digest, begun_at, count) VALUES (:digest, :now, 1)"
            f" ON CONFLICT (digest) DO UPDATE SET count = CASE WHEN {over} THEN 1 ELSE sign_in_tries.count + 1 END,"
            f" begun_at = CASE WHEN {over} THEN :now ELSE sign_in_tries.begun_at END RETURNING begun_at, count",
            digest=digest,
            now=now,
            over=now - seconds,
            ahead=now + _WENT_BACK,
        )
        assert row is not None
        return float(row[0]) + seconds - now if row[1] > most else 0.0

    async def give_back_try(self, own: str, wider: Sequence[str]) -> None:
        """Undo a try that was correct: `own` starts again at 0, and the others lose one."""
        others = sorted(self._digest("try", key) for key in wider)
        mine = self._digest("try", own)

        async def give(tx: Transaction) -> None:
            for digest in sorted([mine, *others]):
                if digest == mine:
                    await tx.run("DELETE FROM sign_in_tries WHERE digest = :digest", digest=digest)
                else:
                    sql = "UPDATE sign_in_tries SET count = count - 1 WHERE digest = :digest AND count > 0"
                    await tx.run(sql, digest=digest)

        await self._database.write(give)

    # -- forms

    async def take_form(self, session: bytes, mark: str, now: float) -> bool:
        """Record that this form of the session was submitted. False if it was before."""
        digest = self._digest("form", f"{session.hex()}.{mark}")

        async def write(tx: Transaction) -> bool:
            sql = "INSERT INTO sent_forms (digest, sent_at) VALUES (:digest, :now) ON CONFLICT DO NOTHING"
            return await tx.run(sql, digest=digest, now=now) == 1

        return await self._database.write(write)

    # -- calls

    async def keep_call(self, operator_id: int, session: bytes, content: bytes) -> None:
        """Store the session's newest call."""
        sealer, is_new = await self._vault.of_or_draw(Subject(Kind.OPERATOR, operator_id))
        sealed = sealer.seal(_FIELD, content)

        async def write(tx: Transaction) -> None:
            if is_new:
                await self._vault.keep(sealer)
            row = await tx.one(
                "INSERT INTO console_calls (session, number, sealed) VALUES (:session, (SELECT coalesce(max(number), 0)"
                " + 1 FROM console_calls WHERE session = :session), :sealed) ON CONFLICT DO NOTHING RETURNING number",
                session=session,
                sealed=sealed,
            )
            if row is not None:  # else another page of the session stored its call at the same moment
                sql = "DELETE FROM console_calls WHERE session = :session AND number <= :old"
                await tx.run(sql, session=session, old=int(row[0]) - MAX_CALLS)

        await self._database.write(write, keys=is_new)

    async def calls(self, operator_id: int, session: bytes) -> list[bytes]:
        """Return the session's last calls, the newest first."""
        sql = "SELECT sealed FROM console_calls WHERE session = :session ORDER BY number DESC"
        rows = await self._database.all(sql, session=session)
        if not rows:
            return []
        sealer = await self._vault.of(Subject(Kind.OPERATOR, operator_id))
        return [sealer.open(_FIELD, row[0]) for row in rows]

    # --

    async def forget(self, tried_before: float, now: float) -> None:
        """Delete windows that began before `tried_before`, forms older than a day, and calls of ended sessions."""

        async def write(tx: Transaction) -> None:
            await tx.run("DELETE FROM sign_in_tries WHERE begun_at < :before", before=tried_before)
            await tx.run("DELETE FROM sent_forms WHERE sent_at < :before", before=now - FORM_SECONDS)
            await tx.run("DELETE FROM console_calls WHERE session NOT IN (SELECT digest FROM console_sessions)")

        await self._database.write(write)

    def _digest(self, purpose: str, text: str) -> bytes:
        return self._vault.digest(f"console-{purpose}", text)
