"""Rows that decide are signed: whoever changes one by other means than renzheng is noticed, and not obeyed.

The signature is a keyed hash (BLAKE2b under the look-up key, which lies in the keys folder) over the table, the row's
id, its account and every column that decides. It says nothing about rows that were deleted, and an older state of a
row, put back together with its signature, passes.
"""

from __future__ import annotations

import contextlib
import hmac
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import structlog

from renzheng.store.engine import StoreError, Transaction
from renzheng.store.sealer import DamagedError, ErasedError, Kind, Subject
from renzheng.store.vault import Vault

log = structlog.get_logger("renzheng.store")


class TamperedError(StoreError):
    """A row is not as it was written; nothing in it can be trusted."""


class Signed(NamedTuple):
    """`key`: the column that names the row. `columns`: what is signed."""

    key: str
    columns: tuple[str, ...]


TABLES = {
    "accounts": Signed("id", ("id", "name", "origins", "active", "balance", "limits", "shared_until")),
    "keys": Signed(
        "secret_id",
        ("secret_id", "account_id", "enabled", "created_at", "expires_at", "unsigned_payload", "addresses"),
    ),
    "key_scopes": Signed("secret_id", ("secret_id", "services")),
    "operators": Signed("id", ("id", "name", "role", "account_id", "disabled", "created_at")),
    "rule_history": Signed(
        "id", ("id", "rule_id", "version", "author", "name", "policy", "evidence_days", "created_at")
    ),
    "rules": Signed("id", ("id", "account_id", "name", "state", "policy", "evidence_days")),
    "verdicts": Signed(
        "session_id",
        ("session_id", "result", "description", "similarity", "tags", "best_frame", "attempt", "judged_at", "billed"),
    ),
}
# A verdict's own row does not say whose it is.
_OWNER = {"verdicts": ", (SELECT account_id FROM sessions WHERE id = verdicts.session_id)"}


def selected(table: str) -> str:
    """The columns to select for `Authenticity.trusts`: those that are signed, and the signature last."""
    return ", ".join(TABLES[table].columns) + _OWNER.get(table, "") + ", mac"


class Authenticity:
    """Signs rows, and knows which were found changed in this process: `found`, ids by table."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.found: dict[str, set[Any]] = {table: set() for table in (*TABLES, "sessions")}

    def _mac(self, table: str, values: tuple[Any, ...]) -> bytes:
        # Numbers of SQLite come as they were bound, 80 or 80.0: both are one value.
        plain = [float(value) if isinstance(value, int) and abs(value) < 1 << 53 else value for value in values]
        return self._vault.digest(f"mac:{table}", repr(plain))

    def trusts(self, table: str, row: tuple[Any, ...]) -> bool:
        """Whether a row of `selected(table)` is as it was written; one that is not is logged and counted."""
        *values, mac = row
        if mac is not None and hmac.compare_digest(self._mac(table, tuple(values)), mac):
            self.found[table].discard(values[0])  # put right again
            return True
        self.note(table, values[0])
        return False

    def check(self, table: str, row: tuple[Any, ...]) -> None:
        """Raises TamperedError where `trusts` says no."""
        if not self.trusts(table, row):
            raise self.error(table, row[0])

    def note(self, table: str, row_id: Any) -> None:
        """Log and count a row that was changed, once for each."""
        if row_id not in self.found[table]:
            self.found[table].add(row_id)
            log.error("row_was_changed", table=table, row=row_id)

    @staticmethod
    def error(table: str, row_id: Any) -> TamperedError:
        return TamperedError(
            f"row {row_id} of {table} was changed by other means than renzheng, and is not trusted; "
            "see renzheng vault adopt"
        )

    async def sign(self, tx: Transaction, table: str, row_id: int | str) -> None:
        """Sign a row as it is; part of the transaction that wrote it. No row is no error."""
        where = f"WHERE {TABLES[table].key} = :row_id"
        row = await tx.one(f"SELECT {selected(table)} FROM {table} {where}", row_id=row_id)
        if row is not None:
            mac = self._mac(table, row[:-1])
            await tx.run(f"UPDATE {table} SET mac = :mac {where}", mac=mac, row_id=row_id)

    @contextlib.asynccontextmanager
    async def changing(self, tx: Transaction, table: str, row_id: int | str) -> AsyncIterator[None]:
        """Change a row inside: what was changed by others before is not signed along. Raises TamperedError."""
        where = f"WHERE {TABLES[table].key} = :row_id"
        row = await tx.one(f"SELECT {selected(table)} FROM {table} {where} FOR UPDATE", row_id=row_id)
        if row is not None:
            self.check(table, row)
        yield
        await self.sign(tx, table, row_id)

    async def sign_all(self, tx: Transaction) -> int:
        """Sign every row as it is: records of before rows were signed, or that an operator vouches for."""
        await self._bind_sessions(tx)
        count = 0
        for table, signed in TABLES.items():
            ids = await tx.all(f"SELECT {signed.key} FROM {table}")
            for (row_id,) in ids:
                await self.sign(tx, table, row_id)
            count += len(ids)
            self.found[table].clear()
        return count

    async def _bind_sessions(self, tx: Transaction) -> None:
        """Seal the details of sessions of before beside their account and policy."""
        rows = await tx.all("SELECT id, account_id, policy, sealed FROM sessions WHERE sealed IS NOT NULL")
        for number, account_id, policy, sealed in rows:
            try:
                sealer = await self._vault.of(Subject(Kind.SESSION, number))
                details = sealer.open("details", sealed)
            except (ErasedError, DamagedError):  # what is bound already does not open without its account and policy
                continue
            bound = sealer.seal(details_field(account_id, policy), details)
            await tx.run("UPDATE sessions SET sealed = :bound WHERE id = :number", bound=bound, number=number)


def details_field(account_id: int, policy: str) -> str:
    """What a session's details are sealed as: they open only beside the account and the policy they were made with."""
    return f"details:{account_id}:{policy}"
