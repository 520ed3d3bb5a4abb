"""Signatures over the rows that decide: a change by other means than renzheng is noticed, and the row is not used.

The signature is a keyed hash (BLAKE2b under the look-up key in the keys folder) over the table, the row's id, its
account and every column that decides. It does not detect deleted rows, nor an older state of a row that is put back
together with its signature.
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
    """A row was changed by something else, so nothing in it can be trusted."""


class Signed(NamedTuple):
    """`key`: the column that identifies the row. `columns`: the signed columns."""

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
# A verdict's own row does not contain its account.
_OWNER = {"verdicts": ", (SELECT account_id FROM sessions WHERE id = verdicts.session_id)"}


def selected(table: str) -> str:
    """Return the columns to select for `Authenticity.trusts`: the signed ones, and the signature last."""
    return ", ".join(TABLES[table].columns) + _OWNER.get(table, "") + ", mac"


class Authenticity:
    """Signs rows, and collects in `found` (ids by table) those that this process found changed."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self.found: dict[str, set[Any]] = {table: set() for table in (*TABLES, "sessions")}

    def _mac(self, table: str, values: tuple[Any, ...]) -> bytes:
        # SQLite returns numbers as they were bound, 80 or 80.0: both are one value.
        plain = [float(value) if isinstance(value, int) and abs(value) < 1 << 53 else value for value in values]
        return self._vault.digest(f"mac:{table}", repr(plain))

    def trusts(self, table: str, row: tuple[Any, ...]) -> bool:
        """Return whether a row of `selected(table)` is unchanged. A changed one is logged and counted."""
        *values, mac = row
        if mac is not None and hmac.compare_digest(self._mac(table, tuple(values)), mac):
            self.found[table].discard(values[0])  # the row was repaired
            return True
        self.note(table, values[0])
        return False

    def check(self, table: str, row: tuple[Any, ...]) -> None:
        """Raise TamperedError if `trusts` returns False."""
        if not self.trusts(table, row):
            raise self.error(table, row[0])

    def note(self, table: str, row_id: Any) -> None:
        """Log and count a changed row, once for each."""
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
        """Sign a row as it is, in the transaction that wrote it. A missing row is no error."""
        where = f"WHERE {TABLES[table].key} = :row_id"
        row = await tx.one(f"SELECT {selected(table)} FROM {table} {where}", row_id=row_id)
        if row is not None:
            mac = self._mac(table, row[:-1])
            await tx.run(f"UPDATE {table} SET mac = :mac {where}", mac=mac, row_id=row_id)

    @contextlib.asynccontextmanager
    async def changing(self, tx: Transaction, table: str, row_id: int | str) -> AsyncIterator[None]:
        """Change a row in the block. Raises TamperedError if it was changed before, so that such a change is never
        signed."""
        where = f"WHERE {TABLES[table].key} = :row_id"
        row = await tx.one(f"SELECT {selected(table)} FROM {table} {where} FOR UPDATE", row_id=row_id)
        if row is not None:
            self.check(table, row)
        yield
        await self.sign(tx, table, row_id)

    async def sign_all(self, tx: Transaction) -> int:
        """Sign every row as it is: old records without signatures, or records that an operator vouches for."""
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
        """Seal the details of old sessions again, bound to their account and policy."""
        rows = await tx.all("SELECT id, account_id, policy, sealed FROM sessions WHERE sealed IS NOT NULL")
        for number, account_id, policy, sealed in rows:
            try:
                sealer = await self._vault.of(Subject(Kind.SESSION, number))
                details = sealer.open("details", sealed)
            except (ErasedError, DamagedError):  # they are bound to their account and policy already
                continue
            bound = sealer.seal(details_field(account_id, policy), details)
            await tx.run("UPDATE sessions SET sealed = :bound WHERE id = :number", bound=bound, number=number)


def details_field(account_id: int, policy: str) -> str:
    """Return the field name under which a session's details are sealed. It binds them to their account and policy."""
    return f"details:{account_id}:{policy}"
