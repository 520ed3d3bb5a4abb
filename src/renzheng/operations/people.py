"""The people who run an installation: their roles, and their own keys."""

from __future__ import annotations

import msgspec

from renzheng.accounts.keys import Key
from renzheng.accounts.operators import Operator, Role
from renzheng.store.open import Store


class OperatorView(msgspec.Struct, rename="pascal", frozen=True):
    """`account_id`: of a merchant's person. `secret_id`: of their own key; empty before one was made."""

    id: int
    name: str
    role: str
    account_id: int | None
    disabled: bool
    created_at: float
    secret_id: str


async def view_of(store: Store, operator: Operator) -> OperatorView:
    key = await store.operator_keys.key(operator)
    return OperatorView(
        operator.id,
        operator.name,
        operator.role.value,
        operator.account_id,
        operator.disabled,
        operator.created_at,
        key.secret_id if key else "",
    )


async def add(store: Store, name: str, role: Role, now: float, account_id: int | None = None) -> tuple[Operator, Key]:
    """Add a person with a key of their own. Raises RefusedError, and NotFoundError for an unknown account."""
    if account_id is not None:
        await store.accounts.get(account_id)
    operator = await store.operators.add(name, role, now, account_id)
    return operator, await store.operator_keys.renew(operator, now)


def actor_of(operator: Operator) -> str:
    """Return the name of a person in the audit."""
    return f"operator:{operator.name}"
