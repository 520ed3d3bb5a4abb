"""The operators: people with a name and a role. A row that was tampered with is not used."""

from __future__ import annotations

import re
from typing import Any

from renzheng.accounts.operators import Operator, Role
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity
from renzheng.store.changes import changed
from renzheng.store.engine import Database, Transaction

_COLUMNS = "id, name, role, account_id, disabled, created_at, mac"
_NAME = re.compile(r"[\w][\w .@\-]{0,63}")


def operator_of_row(row: tuple[Any, ...]) -> Operator:
    return Operator(row[0], row[1], Role(row[2]), row[3], bool(row[4]), row[5])


def checked_name(name: str) -> str:
    """Return the name if it is valid. Raises RefusedError."""
    if not _NAME.fullmatch(name):
        raise RefusedError("a name has 1 to 64 letters, digits, blanks, dots, hyphens, underscores or @")
    return name


class Operators:
    """Stores operators, for the console, the management API and `renzheng operator`."""

    def __init__(self, database: Database, audit: Audit, authenticity: Authenticity) -> None:
        self._database = database
        self._audit = audit
        self._authenticity = authenticity

    async def add(self, name: str, role: Role, now: float, account_id: int | None = None) -> Operator:
        """Add an operator. RefusedError if the name is taken or invalid, or if the account does not go with the
        role."""
        checked_name(name)
        if (role is Role.MERCHANT) != (account_id is not None):
            raise RefusedError("a merchant's person belongs to one account, everybody else to none")

        async def insert(tx: Transaction) -> Operator:
            row = await tx.one(
                "INSERT INTO operators (name, role, account_id, created_at)"
                " VALUES (:name, :role, :account_id, :created_at)"
                f" ON CONFLICT (name) DO NOTHING RETURNING {_COLUMNS}",
                name=name,
                role=role.value,
                account_id=account_id,
                created_at=now,
            )
            if row is None:
                raise RefusedError(f"there is already an operator named {name}")
            await self._authenticity.sign(tx, "operators", row[0])
            await self._audit.add(tx, "operator added", f"operator {row[0]}")
            await changed(tx)
            return operator_of_row(row)

        return await self._database.write(insert)

    async def modify(self, operator_id: int, *, role: Role | None = None, disabled: bool | None = None) -> Operator:
        """Change the role, or whether the operator may sign in. The last owner stays an owner.

        Raises NotFoundError; RefusedError if no owner would be left, or if the role needs an account.
        """

        async def update(tx: Transaction) -> Operator:
            sql = (
                "UPDATE operators SET role = coalesce(:role, role), disabled = coalesce(:disabled, disabled)"
                " WHERE id = :id"
            )
            values = {
                "id": operator_id,
                "role": role and role.value,
                "disabled": None if disabled is None else int(disabled),
            }
            async with self._authenticity.changing(tx, "operators", operator_id):
                row = await tx.one(f"{sql} RETURNING {_COLUMNS}", **values)
            if row is None:
                raise NotFoundError(f"there is no operator {operator_id}")
            if (row[2] == Role.MERCHANT.value) != (row[3] is not None):
                raise RefusedError("a merchant's person belongs to one account, everybody else to none")
            # All owners are locked, so that two who dismiss each other cannot both succeed.
            owners = await tx.all(
                "SELECT 1 FROM operators WHERE role = 'owner' AND disabled = 0 ORDER BY id FOR UPDATE"
            )
            if not owners:
                raise RefusedError("the last owner cannot be removed: nobody could give access any more")
            await self._audit.add(tx, f"operator is {row[2]}{', disabled' if row[4] else ''}", f"operator {row[0]}")
            await changed(tx)
            return operator_of_row(row)

        return await self._database.write(update)

    async def get(self, operator_id: int) -> Operator:
        """Return an operator. Raises NotFoundError, TamperedError."""
        return await self._one("id", operator_id)

    async def named(self, name: str) -> Operator:
        """Return the operator with this name. Raises NotFoundError, TamperedError.

        The name may be what somebody typed at the sign-in, and PostgreSQL accepts no NUL.
        """
        if not _NAME.fullmatch(name):
            raise NotFoundError(f"there is no operator {name}")
        return await self._one("name", name)

    async def _one(self, column: str, value: int | str) -> Operator:
        sql = f"SELECT {_COLUMNS} FROM operators WHERE {column} = :value"
        row = await self._database.one(sql, value=value)
        if row is None:
            raise NotFoundError(f"there is no operator {value}")
        self._authenticity.check("operators", row)
        return operator_of_row(row)

    async def all(self) -> list[Operator]:
        """Return operators by rising id, without those that were tampered with."""
        rows = await self._database.all(f"SELECT {_COLUMNS} FROM operators ORDER BY id")
        return [operator_of_row(row) for row in rows if self._authenticity.trusts("operators", row)]
