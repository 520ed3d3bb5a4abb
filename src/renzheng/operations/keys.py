"""The SecretId and SecretKey that sign for an account, as an operator sees them."""

from __future__ import annotations

import msgspec

from renzheng.accounts.keys import FACEID, Key
from renzheng.store.accounts import NotFoundError
from renzheng.store.open import Store


class KeyView(msgspec.Struct, rename="pascal", frozen=True):
    """A key without its secret. `expires_at`: of temporary credentials. `addresses`: networks; empty: any."""

    secret_id: str
    account_id: int
    enabled: bool
    created_at: float
    unsigned_payload: bool
    addresses: list[str]
    expires_at: float | None
    services: list[str]


def view_of(key: Key, scopes: dict[str, frozenset[str]]) -> KeyView:
    return KeyView(
        key.secret_id,
        key.account_id,
        key.enabled,
        key.created_at,
        key.unsigned_payload,
        list(key.addresses),
        key.expires_at,
        sorted(scopes.get(key.secret_id, {FACEID})),
    )


async def owner_of(store: Store, secret_id: str) -> int:
    """Return the account that has a key. Raises NotFoundError."""
    owners = [key.account_id for key in await store.accounts.list_keys() if key.secret_id == secret_id]
    if not owners:
        raise NotFoundError(f"there is no key {secret_id}")
    return owners[0]


async def find_secret(store: Store, account_id: int | None, secret_id: str | None) -> Key:
    """Return a key with its secret, which the audit records: the one of a SecretId, or the oldest enabled one.
    NotFoundError."""
    for key in await store.accounts.list_keys(account_id):
        if key.secret_id == secret_id or (secret_id is None and key.enabled and key.token is None):
            await store.audit.record("key shown", f"key {key.secret_id} of account {key.account_id}")
            return key
    raise NotFoundError(
        f"there is no key {secret_id}" if secret_id else "there is no enabled key: run `renzheng key create`"
    )
