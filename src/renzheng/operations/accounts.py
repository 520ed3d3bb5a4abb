"""Accounts as an operator sees them: names, limits, and the balance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from renzheng.accounts.billing import BillingStatus
from renzheng.accounts.keys import Account, AccountProfile
from renzheng.store.evidence_use import LIMIT
from renzheng.store.open import Store

MakeKeyPairs = Callable[[Store, int], Awaitable[None]]
"""Makes an account's key pairs for sealed fields if it has none."""


class AccountView(msgspec.Struct, rename="pascal", frozen=True):
    """`display_names`: what people read, by language. `balance`: verifications left; None: unlimited."""

    id: int
    name: str
    created_at: float
    origins: list[str]
    display_names: dict[str, str]
    privacy_url: str
    contact: str
    active: bool
    balance: int | None
    billed: int
    limits: dict[str, int]
    evidence_bytes: int


class AccountLine(msgspec.Struct, rename="pascal", frozen=True):
    """The part of an account that costs one row to read."""

    id: int
    name: str
    created_at: float
    origins: list[str]
    display_names: dict[str, str]
    privacy_url: str
    contact: str


def line_of(account: Account) -> AccountLine:
    return AccountLine(
        account.id,
        account.name,
        account.created_at,
        list(account.origins),
        account.shown_names(),
        account.face.privacy_url,
        account.face.contact,
    )


async def describe(store: Store, account: Account) -> AccountView:
    line = line_of(account)
    standing = await store.billing.standing(account.id)
    return AccountView(
        **msgspec.structs.asdict(line),
        active=standing.active,
        balance=standing.balance,
        billed=await store.ledger.billed(account.id),
        limits=await store.billing.limits(account.id),
        evidence_bytes=await store.billing.evidence_bytes(account.id),
    )


async def create(
    store: Store,
    name: str,
    now: float,
    make_key_pairs: MakeKeyPairs,
    *,
    origins: tuple[str, ...] = (),
    face: AccountProfile | None = None,
    active: bool = True,
    prepaid: int | None = None,
) -> tuple[Account, BillingStatus]:
    """Create an account with key pairs for sealed fields, and without a key to sign with. Raises RefusedError.

    `prepaid`: how many verifications it may make; None: no limit.
    """
    made = await store.accounts.create(name, now, origins)
    if face is not None:
        made = await store.accounts.set_face(made.id, face)
    await make_key_pairs(store, made.id)
    if not active:
        await store.billing.set_active(made.id, False)
    if prepaid is not None:
        await store.billing.set_prepaid(made.id)
    if prepaid:
        await store.billing.top_up(made.id, prepaid, now)
    return made, await store.billing.standing(made.id)


def limit_names(actions: tuple[str, ...]) -> tuple[str, ...]:
    """Return what an account may have a limit for: requests per second of each action, and bytes of evidence."""
    return (*actions, LIMIT)
