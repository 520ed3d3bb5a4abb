"""The bucket that each account has authorised, with its key: one sealed row per account."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any, NamedTuple

import msgspec

from renzheng.accounts.buckets import Bucket, BucketKey
from renzheng.store.audit import Audit
from renzheng.store.changes import changed
from renzheng.store.engine import Database, Transaction
from renzheng.store.sealer import Kind, Subject
from renzheng.store.vault import Vault

_FIELD = "bucket"


class Authorised(NamedTuple):
    """`at`: unix seconds."""

    account_id: int
    bucket: Bucket
    key: BucketKey
    at: float


async def read_buckets(database: Database, vault: Vault) -> dict[int, Authorised]:
    """Return all of them by account."""
    rows = await database.all("SELECT account_id, sealed, authorised_at FROM buckets")
    return {row[0]: await _open(vault, row) for row in rows}


async def _open(vault: Vault, row: tuple[Any, ...]) -> Authorised:
    account_id, sealed, at = row
    opened = (await vault.of(Subject(Kind.ACCOUNT, account_id))).open(_FIELD, sealed)
    bucket, key = msgspec.msgpack.decode(opened)
    return Authorised(account_id, Bucket(*bucket), BucketKey(*key), at)


class Buckets:
    """Authorises buckets, for the operator. A running server follows a change within a second."""

    def __init__(self, database: Database, vault: Vault, audit: Audit) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit

    async def authorise(self, account_id: int, bucket: Bucket, key: BucketKey, now: float) -> None:
        """Replace the account's bucket. Deliveries that are due go there at once."""
        packed = msgspec.msgpack.encode((astuple(bucket), astuple(key)))
        sealed = (await self._vault.of(Subject(Kind.ACCOUNT, account_id))).seal(_FIELD, packed)

        async def write(tx: Transaction) -> None:
            await tx.run(
                "INSERT INTO buckets (account_id, sealed, authorised_at)"
                " VALUES (:account_id, :sealed, :authorised_at) ON CONFLICT (account_id)"
                " DO UPDATE SET sealed = excluded.sealed, authorised_at = excluded.authorised_at",
                account_id=account_id,
                sealed=sealed,
                authorised_at=now,
            )
            await tx.run(
                "UPDATE deliveries SET due_at = :now WHERE account_id = :account_id"
                " AND state IN ('waiting', 'erasing')",
                now=now,
                account_id=account_id,
            )
            await self._audit.add(tx, "bucket authorised", f"account {account_id}")
            await changed(tx)

        await self._database.write(write)

    async def revoke(self, account_id: int) -> bool:
        """Remove the account's bucket; False if there was none. Deliveries that are due wait for another bucket as long
        as their evidence is kept."""

        async def delete(tx: Transaction) -> bool:
            if await tx.run("DELETE FROM buckets WHERE account_id = :account_id", account_id=account_id) != 1:
                return False
            await self._audit.add(tx, "bucket revoked", f"account {account_id}")
            await changed(tx)
            return True

        return await self._database.write(delete)

    async def get(self, account_id: int) -> Authorised | None:
        row = await self._database.one(
            "SELECT account_id, sealed, authorised_at FROM buckets WHERE account_id = :account_id",
            account_id=account_id,
        )
        return await _open(self._vault, row) if row else None
