"""Sign-in to the console: credentials, sessions, and links that are valid once.

A secret that a browser or a terminal holds is stored as a keyed hash alone, over the secret and its operator: somebody
who can write the records can neither make one nor give one to another operator. Passwords and secrets of second factors
are sealed under the operator's own data key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec
import pybase64

from renzheng.accounts.operators import ConsoleSession, SignInCredential
from renzheng.store.audit import Audit
from renzheng.store.engine import Database, Transaction
from renzheng.store.sealer import Kind, Subject
from renzheng.store.vault import Vault

SECRET_BYTES = 32
_FIELD = "credential"


_SESSION = "digest, operator_id, stage, browser, created_at, seen_at"


class SignIn:
    """Stores credentials, sessions and links, for the console and `renzheng operator`. `entropy(n)` returns n
    unpredictable bytes."""

    def __init__(self, database: Database, vault: Vault, audit: Audit, entropy: Callable[[int], bytes]) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._entropy = entropy

    def _secret(self, owner: int) -> str:
        drawn = pybase64.urlsafe_b64encode(self._entropy(SECRET_BYTES)).rstrip(b"=").decode()
        return f"{owner}.{drawn}"

    def _digest(self, purpose: str, secret: str) -> bytes:
        return self._vault.digest(f"console-{purpose}", secret)

    # -- credentials

    async def credential(self, operator_id: int) -> SignInCredential | None:
        """Return the credential; None before the operator has chosen a password. DamagedError if it was tampered
        with."""
        row = await self._database.one(
            "SELECT sealed FROM operator_credentials WHERE operator_id = :operator_id", operator_id=operator_id
        )
        if row is None:
            return None
        content = (await self._vault.of(Subject(Kind.OPERATOR, operator_id))).open(_FIELD, row[0])
        return msgspec.msgpack.decode(content, type=SignInCredential)

    async def any_credential(self) -> bool:
        """Return whether anybody can sign in."""
        sql = (
            "SELECT 1 FROM operator_credentials c JOIN operators o ON o.id = c.operator_id WHERE o.disabled = 0 LIMIT 1"
        )
        return await self._database.one(sql) is not None

    async def set_credential(self, operator_id: int, credential: SignInCredential, now: float, verb: str) -> None:
        """Store a new credential. Every session of the operator ends. `verb`: for the audit."""
        sealer, is_new = await self._vault.of_or_draw(Subject(Kind.OPERATOR, operator_id))
        sealed = sealer.seal(_FIELD, msgspec.msgpack.encode(credential))

        async def write(tx: Transaction) -> None:
            if is_new:
                await self._vault.keep(sealer)
            await tx.run(
                "INSERT INTO operator_credentials (operator_id, sealed, changed_at)"
                " VALUES (:operator_id, :sealed, :changed_at)"
                " ON CONFLICT (operator_id) DO UPDATE SET sealed = excluded.sealed, changed_at = excluded.changed_at",
                operator_id=operator_id,
                sealed=sealed,
                changed_at=now,
            )
            await tx.run("DELETE FROM console_sessions WHERE operator_id = :operator_id", operator_id=operator_id)
            if credential.totp is None:
                await tx.run("DELETE FROM recovery_codes WHERE operator_id = :operator_id", operator_id=operator_id)
            await self._audit.add(tx, verb, f"operator {operator_id}")

        await self._database.write(write, keys=is_new)

    async def reset(self, operator_id: int) -> None:
        """Delete password, second factor, recovery codes, sessions and open links. After that, only a new link
        helps."""

        async def write(tx: Transaction) -> None:
            for table in ("operator_credentials", "recovery_codes", "console_sessions", "sign_in_links"):
                await tx.run(f"DELETE FROM {table} WHERE operator_id = :operator_id", operator_id=operator_id)
            await self._audit.add(tx, "sign-in reset", f"operator {operator_id}")

        await self._database.write(write)

    async def use_step(self, operator_id: int, step: int) -> bool:
        """Use up a time step's code and all before it. False if it was used already."""

        async def write(tx: Transaction) -> bool:
            sql = (
                "UPDATE operator_credentials SET code_step = :step WHERE operator_id = :operator_id"
                " AND code_step < :step"
            )
            return await tx.run(sql, step=step, operator_id=operator_id) == 1

        return await self._database.write(write)

    async def set_recovery_codes(self, operator_id: int, codes: Iterable[str]) -> None:
        """Replace the recovery codes."""
        rows = [{"operator_id": operator_id, "digest": self._digest("code", f"{operator_id}.{code}")} for code in codes]

        async def write(tx: Transaction) -> None:
            await tx.run("DELETE FROM recovery_codes WHERE operator_id = :operator_id", operator_id=operator_id)
            await tx.run_each("INSERT INTO recovery_codes (operator_id, digest) VALUES (:operator_id, :digest)", rows)
            await self._audit.add(tx, "recovery codes made", f"operator {operator_id}")

        await self._database.write(write)

    async def use_recovery_code(self, operator_id: int, code: str) -> bool:
        """Use up a recovery code. False if it is not one of the operator's, or was used."""
        digest = self._digest("code", f"{operator_id}.{code}")

        async def write(tx: Transaction) -> bool:
            sql = "DELETE FROM recovery_codes WHERE operator_id = :operator_id AND digest = :digest"
            used = await tx.run(sql, operator_id=operator_id, digest=digest) == 1
            if used:
                await self._audit.add(tx, "recovery code used", f"operator {operator_id}")
            return used

        return await self._database.write(write)

    async def recovery_codes(self, operator_id: int) -> int:
        """Return how many recovery codes are left."""
        sql = "SELECT count(*) FROM recovery_codes WHERE operator_id = :operator_id"
        row = await self._database.one(sql, operator_id=operator_id)
        return int(row[0]) if row else 0

    # -- sessions

    async def begin(self, operator_id: int, stage: str, browser: str, now: float) -> str:
        """Begin a session. Returns the secret for its browser."""
        secret = self._secret(operator_id)
        row = {
            "digest": self._digest("session", f"{stage}.{secret}"),
            "operator_id": operator_id,
            "stage": stage,
            "browser": browser,
            "now": now,
        }

        async def write(tx: Transaction) -> None:
            await tx.run(
                f"INSERT INTO console_sessions ({_SESSION})"
                " VALUES (:digest, :operator_id, :stage, :browser, :now, :now)",
                **row,
            )
            if stage == "whole":
                await self._audit.add(tx, "signed in", f"operator {operator_id}")

        await self._database.write(write)
        return secret

    async def session(self, secret: str) -> ConsoleSession | None:
        """Return the session of a browser's secret. The caller checks whether it is still valid."""
        owner = secret.partition(".")[0]
        for stage in ("whole", "password"):
            digest = self._digest("session", f"{stage}.{secret}")
            sql = f"SELECT {_SESSION} FROM console_sessions WHERE digest = :digest AND stage = :stage"
            row = await self._database.one(sql, digest=digest, stage=stage)
            if row is not None and str(row[1]) == owner:
                return ConsoleSession(*row)
        return None

    async def touch(self, digest: bytes, now: float) -> None:
        """Record that the session was used now."""

        async def write(tx: Transaction) -> None:
            await tx.run("UPDATE console_sessions SET seen_at = :now WHERE digest = :digest", now=now, digest=digest)

        await self._database.write(write, savepoint=False)

    async def end(self, operator_id: int, digest: bytes, verb: str = "signed out") -> bool:
        """End one session of the operator; False if there is none with that digest."""

        async def write(tx: Transaction) -> bool:
            sql = "DELETE FROM console_sessions WHERE operator_id = :operator_id AND digest = :digest"
            ended = await tx.run(sql, operator_id=operator_id, digest=digest) == 1
            if ended:
                await self._audit.add(tx, verb, f"operator {operator_id}")
            return ended

        return await self._database.write(write)

    async def sessions(self, operator_id: int) -> list[ConsoleSession]:
        """Return the operator's sessions, the one used last first."""
        sql = f"SELECT {_SESSION} FROM console_sessions WHERE operator_id = :operator_id ORDER BY seen_at DESC"
        return [ConsoleSession(*row) for row in await self._database.all(sql, operator_id=operator_id)]

    async def forget(self, unused_since: float, begun_before: float, now: float) -> None:
        """Delete sessions that are over, and links that have expired."""

        async def write(tx: Transaction) -> None:
            sql = "DELETE FROM console_sessions WHERE seen_at < :unused_since OR created_at < :begun_before"
            await tx.run(sql, unused_since=unused_since, begun_before=begun_before)
            await tx.run("DELETE FROM sign_in_links WHERE expires_at < :now", now=now)

        await self._database.write(write)

    # -- links that are valid once

    async def offer_link(self, operator_id: int | None, expires_at: float) -> str:
        """Return the secret of a link with which the operator chooses a password; None: with which the first owner is
        made.

        Earlier links for the same operator become invalid.
        """
        secret = self._secret(operator_id or 0)
        digest = self._digest("link", secret)

        async def write(tx: Transaction) -> None:
            await tx.run("DELETE FROM sign_in_links WHERE coalesce(operator_id, 0) = :owner", owner=operator_id or 0)
            await tx.run(
                "INSERT INTO sign_in_links (digest, operator_id, expires_at)"
                " VALUES (:digest, :operator_id, :expires_at)",
                digest=digest,
                operator_id=operator_id,
                expires_at=expires_at,
            )

        await self._database.write(write)
        return secret

    async def link(self, secret: str, now: float) -> int | None:
        """Return the operator of a link, 0 for the first owner; None if it is unknown, used, or expired."""
        row = await self._database.one(
            "SELECT operator_id FROM sign_in_links WHERE digest = :digest AND expires_at > :now",
            digest=self._digest("link", secret),
            now=now,
        )
        return None if row is None or str(row[0] or 0) != secret.partition(".")[0] else int(row[0] or 0)

    async def use_link(self, secret: str, now: float) -> int | None:
        """Use a link up; returns the same as `link`."""
        digest = self._digest("link", secret)

        async def write(tx: Transaction) -> bool:
            sql = "DELETE FROM sign_in_links WHERE digest = :digest AND expires_at > :now"
            return await tx.run(sql, digest=digest, now=now) == 1

        owner = await self.link(secret, now)
        return owner if owner is not None and await self._database.write(write) else None
