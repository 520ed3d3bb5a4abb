"""Activation, prepaid balances and limits of accounts; and the charge, which is part of the verdict's transaction."""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple

from renzheng.accounts.billing import Standing
from renzheng.store.accounts import Refused, Unknown
from renzheng.store.audit import Audit
from renzheng.store.changes import BALANCES, changed
from renzheng.store.database import Database

MOST_VERIFICATIONS = 10**12


class TopUp(NamedTuple):
    """`amount`: verifications, below zero where they were taken back. `at`: unix seconds."""

    id: int
    account_id: int
    amount: int
    at: float


def charge(connection: sqlite3.Connection, account_id: int) -> bool:
    """Take one verification from a prepaid balance. False, and nothing taken, where it is unlimited."""
    row = connection.execute(
        "UPDATE accounts SET balance = balance - 1 WHERE id = ? AND balance IS NOT NULL RETURNING balance",
        (account_id,),
    ).fetchone()
    if row is not None and row[0] <= 0:
        changed(connection, BALANCES)
    return row is not None


def read_standings(database: Database) -> dict[int, Standing]:
    """The standing of every account that is not simply in good order."""
    rows = database.fetch_all("SELECT id, active, balance FROM accounts WHERE active = 0 OR balance IS NOT NULL")
    return {row[0]: Standing(bool(row[1]), row[2]) for row in rows}


def read_limits(database: Database) -> dict[tuple[int, str], int]:
    """Requests a second by account and action, where they differ from the action's own."""
    rows = database.fetch_all("SELECT id, limits FROM accounts WHERE limits != '{}'")
    return {(row[0], action): most for row in rows for action, most in json.loads(row[1]).items()}


class Billing:
    """For the operator. A running server follows a change within a second."""

    def __init__(self, database: Database, audit: Audit) -> None:
        self._database = database
        self._audit = audit

    async def standing(self, account_id: int) -> Standing:
        """Raises Unknown."""
        row = self._database.fetch_one("SELECT active, balance FROM accounts WHERE id = ?", (account_id,))
        if row is None:
            raise Unknown(f"there is no account {account_id}")
        return Standing(bool(row[0]), row[1])

    async def set_active(self, account_id: int, active: bool) -> Standing:
        """Raises Unknown."""
        verb = "account activated" if active else "account deactivated"
        return await self._set(account_id, "active = ?", (int(active),), verb)

    async def set_unlimited(self, account_id: int) -> Standing:
        """No balance is kept any more; verifications are still in the ledger. Raises Unknown."""
        return await self._set(account_id, "balance = NULL", (), "balance unlimited")

    async def set_prepaid(self, account_id: int) -> Standing:
        """From unlimited to a balance of 0, to be topped up; a balance that is kept stays. Raises Unknown."""
        return await self._set(account_id, "balance = coalesce(balance, 0)", (), "balance prepaid")

    async def _set(self, account_id: int, what: str, values: tuple[int, ...], verb: str) -> Standing:
        def update(connection: sqlite3.Connection) -> Standing:
            sql = f"UPDATE accounts SET {what} WHERE id = ? RETURNING active, balance"  # noqa: S608
            row = connection.execute(sql, (*values, account_id)).fetchone()
            if row is None:
                raise Unknown(f"there is no account {account_id}")
            self._audit.add(connection, verb, f"account {account_id}")
            changed(connection, BALANCES)
            return Standing(bool(row[0]), row[1])

        return await self._database.write(update)

    async def top_up(self, account_id: int, amount: int, now: float) -> Standing:
        """Add verifications to a prepaid balance; below zero takes them back. Raises Unknown, Refused."""
        if not amount or abs(amount) > MOST_VERIFICATIONS:
            raise Refused(f"a top-up is not 0 and at most {MOST_VERIFICATIONS} verifications")

        def update(connection: sqlite3.Connection) -> Standing | None:
            row = connection.execute(
                "UPDATE accounts SET balance = balance + ? WHERE id = ? AND balance IS NOT NULL"
                " RETURNING active, balance",
                (amount, account_id),
            ).fetchone()
            if row is None:
                return None
            connection.execute(
                "INSERT INTO top_ups (account_id, amount, at) VALUES (?, ?, ?)", (account_id, amount, now)
            )
            self._audit.add(connection, f"balance changed by {amount}", f"account {account_id}")
            changed(connection, BALANCES)
            return Standing(bool(row[0]), row[1])

        standing = await self._database.write(update)
        if standing is None:
            await self.standing(account_id)
            raise Refused(f"account {account_id} has an unlimited balance; make it prepaid first")
        return standing

    async def top_ups(self, account_id: int, after: int = 0, limit: int = 1000) -> list[TopUp]:
        """By rising id, those above the id `after`."""
        rows = self._database.fetch_all(
            "SELECT id, account_id, amount, at FROM top_ups WHERE account_id = ? AND id > ? ORDER BY id LIMIT ?",
            (account_id, after, limit),
        )
        return [TopUp(*row) for row in rows]

    async def limits(self, account_id: int) -> dict[str, int]:
        """Requests a second by action, where the account has limits of its own. Raises Unknown."""
        row = self._database.fetch_one("SELECT limits FROM accounts WHERE id = ?", (account_id,))
        if row is None:
            raise Unknown(f"there is no account {account_id}")
        found: dict[str, int] = json.loads(row[0])
        return found

    async def set_limit(self, account_id: int, action: str, per_second: int | None) -> dict[str, int]:
        """Requests a second of one action; None: the action's own again. Raises Unknown, Refused."""
        if per_second is not None and not 0 <= per_second <= 1_000_000:
            raise Refused(f"a limit is 0 to 1000000 requests a second, not {per_second}")

        def update(connection: sqlite3.Connection) -> dict[str, int]:
            row = connection.execute("SELECT limits FROM accounts WHERE id = ?", (account_id,)).fetchone()
            if row is None:
                raise Unknown(f"there is no account {account_id}")
            limits: dict[str, int] = json.loads(row[0])
            limits.pop(action, None)
            if per_second is not None:
                limits[action] = per_second
            connection.execute("UPDATE accounts SET limits = ? WHERE id = ?", (json.dumps(limits), account_id))
            self._audit.add(connection, f"limit of {action} set", f"account {account_id}")
            changed(connection)
            return limits

        return await self._database.write(update)
