"""Activation, prepaid balances and limits of accounts, and the charge within the verdict's transaction."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from renzheng.accounts.billing import GOOD, BillingStatus
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity, TamperedError, selected
from renzheng.store.changes import BALANCES, changed
from renzheng.store.engine import Database, Transaction
from renzheng.store.evidence_use import LIMIT

MAX_VERIFICATIONS = 10**12
MAX_EVIDENCE = 10**15


class TopUp(NamedTuple):
    """`amount`: verifications, below zero if they were taken back. `at`: unix seconds."""

    id: int
    account_id: int
    amount: int
    at: float


async def charge(tx: Transaction, authenticity: Authenticity, account_id: int) -> bool:
    """Take one verification from a prepaid balance. False, and nothing taken, if the account is unlimited.

    Nothing is taken from a row that was tampered with: the verdict stands, and the account is not served.
    """
    try:
        async with authenticity.changing(tx, "accounts", account_id):
            row = await tx.one(
                "UPDATE accounts SET balance = balance - 1 WHERE id = :account_id AND balance IS NOT NULL"
                " RETURNING balance",
                account_id=account_id,
            )
    except TamperedError:
        return False
    if row is not None and row[0] <= 0:
        await changed(tx, BALANCES)
    return row is not None


async def read_standings(database: Database, authenticity: Authenticity) -> dict[int, BillingStatus]:
    """Return the status of every account that has restrictions. An account that was tampered with is not served."""
    found: dict[int, BillingStatus] = {}
    for row in await database.all(f"SELECT {selected('accounts')} FROM accounts"):
        number, active, balance = row[0], bool(row[3]), row[4]
        standing = BillingStatus(active and authenticity.trusts("accounts", row), balance)
        if standing != GOOD:
            found[number] = standing
    return found


async def read_limits(database: Database) -> dict[tuple[int, str], int]:
    """Return requests per second by account and action, if they differ from the action's own."""
    rows = await database.all("SELECT id, limits FROM accounts WHERE limits != '{}'")
    return {(row[0], name): most for row in rows for name, most in json.loads(row[1]).items() if name != LIMIT}


class Billing:
    """Changes billing, for the operator. A running server follows a change within a second."""

    def __init__(self, database: Database, audit: Audit, authenticity: Authenticity) -> None:
        self._database = database
        self._audit = audit
        self._authenticity = authenticity

    async def _row(self, account_id: int) -> tuple[Any, ...]:
        row = await self._database.one(
            f"SELECT {selected('accounts')} FROM accounts WHERE id = :account_id", account_id=account_id
        )
        if row is None:
            raise NotFoundError(f"there is no account {account_id}")
        self._authenticity.check("accounts", row)
        return row

    async def standing(self, account_id: int) -> BillingStatus:
        """Return an account's status. Raises NotFoundError, TamperedError."""
        row = await self._row(account_id)
        return BillingStatus(bool(row[3]), row[4])

    async def set_active(self, account_id: int, active: bool) -> BillingStatus:
        """Activate or suspend an account. Raises NotFoundError."""
        verb = "account activated" if active else "account deactivated"
        return await self._set(account_id, "active = :active", verb, active=int(active))

    async def set_unlimited(self, account_id: int) -> BillingStatus:
        """Stop keeping a balance. Verifications are still in the ledger. Raises NotFoundError."""
        return await self._set(account_id, "balance = NULL", "balance unlimited")

    async def set_prepaid(self, account_id: int) -> BillingStatus:
        """Start a balance of 0, to be topped up. An existing balance stays. Raises NotFoundError."""
        return await self._set(account_id, "balance = coalesce(balance, 0)", "balance prepaid")

    async def _set(self, account_id: int, what: str, verb: str, **values: int) -> BillingStatus:
        async def update(tx: Transaction) -> BillingStatus:
            sql = f"UPDATE accounts SET {what} WHERE id = :id RETURNING active, balance"
            async with self._authenticity.changing(tx, "accounts", account_id):
                row = await tx.one(sql, id=account_id, **values)
            if row is None:
                raise NotFoundError(f"there is no account {account_id}")
            await self._audit.add(tx, verb, f"account {account_id}")
            await changed(tx, BALANCES)
            return BillingStatus(bool(row[0]), row[1])

        return await self._database.write(update)

    async def top_up(self, account_id: int, amount: int, now: float) -> BillingStatus:
        """Add verifications to a prepaid balance; a negative amount takes them back. Raises NotFoundError,
        RefusedError."""
        if not amount or abs(amount) > MAX_VERIFICATIONS:
            raise RefusedError(f"a top-up is not 0 and at most {MAX_VERIFICATIONS} verifications")

        async def update(tx: Transaction) -> BillingStatus | None:
            async with self._authenticity.changing(tx, "accounts", account_id):
                row = await tx.one(
                    "UPDATE accounts SET balance = balance + :amount WHERE id = :account_id AND balance IS NOT NULL"
                    " RETURNING active, balance",
                    amount=amount,
                    account_id=account_id,
                )
            if row is None:
                return None
            await tx.run(
                "INSERT INTO top_ups (account_id, amount, at) VALUES (:account_id, :amount, :at)",
                account_id=account_id,
                amount=amount,
                at=now,
            )
            await self._audit.add(tx, f"balance changed by {amount}", f"account {account_id}")
            await changed(tx, BALANCES)
            return BillingStatus(bool(row[0]), row[1])

        standing = await self._database.write(update)
        if standing is None:
            await self.standing(account_id)
            raise RefusedError(f"account {account_id} has an unlimited balance; make it prepaid first")
        return standing

    async def top_ups(self, account_id: int, after: int = 0, limit: int = 1000) -> list[TopUp]:
        """Return top-ups by rising id, those above the id `after`."""
        rows = await self._database.all(
            "SELECT id, account_id, amount, at FROM top_ups WHERE account_id = :account_id AND id > :after"
            " ORDER BY id LIMIT :limit",
            account_id=account_id,
            after=after,
            limit=limit,
        )
        return [TopUp(*row) for row in rows]

    async def limits(self, account_id: int) -> dict[str, int]:
        """Return the account's own limits: requests per second by action, and bytes of evidence. NotFoundError."""
        found: dict[str, int] = json.loads((await self._row(account_id))[5])
        return found

    async def evidence_bytes(self, account_id: int) -> int:
        """Return the bytes of photos, frames and videos now kept for this account. NotFoundError."""
        row = await self._database.one(
            "SELECT evidence_bytes FROM accounts WHERE id = :account_id", account_id=account_id
        )
        if row is None:
            raise NotFoundError(f"there is no account {account_id}")
        return int(row[0])

    async def set_limit(self, account_id: int, name: str, most: int | None) -> dict[str, int]:
        """Set requests per second of one action, or bytes of evidence; None: no own limit. NotFoundError,
        RefusedError."""
        if name != LIMIT and most is not None and not 0 <= most <= 1_000_000:
            raise RefusedError(f"a limit is 0 to 1000000 requests a second, not {most}")
        if name == LIMIT and most is not None and not 0 <= most <= MAX_EVIDENCE:
            raise RefusedError(f"evidence is limited to 0 to {MAX_EVIDENCE} bytes, not {most}")

        async def update(tx: Transaction) -> dict[str, int]:
            row = await tx.one("SELECT limits FROM accounts WHERE id = :account_id FOR UPDATE", account_id=account_id)
            if row is None:
                raise NotFoundError(f"there is no account {account_id}")
            limits: dict[str, int] = json.loads(row[0])
            limits.pop(name, None)
            if most is not None:
                limits[name] = most
            async with self._authenticity.changing(tx, "accounts", account_id):
                await tx.run(
                    "UPDATE accounts SET limits = :limits WHERE id = :account_id",
                    limits=json.dumps(limits),
                    account_id=account_id,
                )
            await self._audit.add(tx, f"limit of {name} set", f"account {account_id}")
            await changed(tx)
            return limits

        return await self._database.write(update)
