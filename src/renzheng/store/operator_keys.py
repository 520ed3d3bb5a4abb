"""Keys that may call the management service: each operator's own, and merchants' keys with that scope.

An operator's SecretId and SecretKey are sealed under the operator's data key, and shown only on demand. A merchant's
key signs for `faceid` alone until it is granted `renzheng`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import msgspec

from renzheng.accounts.keys import FACEID, RENZHENG, Key, new_secret_id, new_secret_key
from renzheng.accounts.operators import Operator
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity, selected
from renzheng.store.changes import changed
from renzheng.store.engine import Database, Transaction
from renzheng.store.operators import operator_of_row
from renzheng.store.sealer import ErasedError, Kind, Sealer, Subject
from renzheng.store.vault import Vault

SERVICES = frozenset({FACEID, RENZHENG})
_FIELD = "operator key"


async def read_operators(database: Database, authenticity: Authenticity) -> dict[int, Operator]:
    """Return the operators whose rows are unchanged, by id."""
    rows = await database.all(f"SELECT {selected('operators')} FROM operators")
    return {row[0]: operator_of_row(row) for row in rows if authenticity.trusts("operators", row)}


async def read_operator_keys(database: Database, vault: Vault, operators: Iterable[Operator]) -> list[Key]:
    """Return the keys of these operators. The key of a disabled operator is disabled."""
    sealed: dict[int, bytes] = dict(await database.all("SELECT id, sealed FROM operators WHERE sealed IS NOT NULL"))
    return [await _key(vault, operator, sealed[operator.id]) for operator in operators if operator.id in sealed]


async def _key(vault: Vault, operator: Operator, sealed: bytes) -> Key:
    opened = (await vault.of(Subject(Kind.OPERATOR, operator.id))).open(_FIELD, sealed)
    secret_id, secret_key, created_at = msgspec.msgpack.decode(opened)
    return Key(
        secret_id=secret_id,
        secret_key=secret_key,
        account_id=-operator.id,  # so that it has rates and places of its own
        enabled=not operator.disabled,
        created_at=created_at,
        services=frozenset({RENZHENG}),
        operator_id=operator.id,
    )


async def read_scopes(database: Database, authenticity: Authenticity) -> dict[str, frozenset[str]]:
    """Return the scopes of accounts' keys by SecretId, if they differ from `faceid` alone."""
    rows = await database.all(f"SELECT {selected('key_scopes')} FROM key_scopes")
    return {row[0]: frozenset(json.loads(row[1])) for row in rows if authenticity.trusts("key_scopes", row)}


class OperatorKeys:
    """Makes operators' keys and sets scopes. A running server follows a change within a second."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Audit,
        entropy: Callable[[int], bytes],
        authenticity: Authenticity,
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._entropy = entropy
        self._authenticity = authenticity

    async def key(self, operator: Operator) -> Key | None:
        """Return the operator's own key; None before one was made."""
        row = await self._database.one("SELECT sealed FROM operators WHERE id = :id", id=operator.id)
        return None if row is None or row[0] is None else await _key(self._vault, operator, row[0])

    async def renew(self, operator: Operator, now: float) -> Key:
        """Make a new key, which replaces the operator's old one. Raises NotFoundError."""
        secret_id, secret_key = new_secret_id(self._entropy), new_secret_key(self._entropy)
        subject = Subject(Kind.OPERATOR, operator.id)

        async def write(tx: Transaction) -> bytes:
            sealer = await self._sealer(subject)
            sealed = sealer.seal(_FIELD, msgspec.msgpack.encode((secret_id, secret_key, now)))
            if await tx.run("UPDATE operators SET sealed = :sealed WHERE id = :id", sealed=sealed, id=operator.id) != 1:
                raise NotFoundError(f"there is no operator {operator.id}")
            await self._audit.add(tx, "operator's key made", f"operator {operator.id}")
            await changed(tx)
            return sealed

        return await _key(self._vault, operator, await self._database.write(write, keys=True))

    async def _sealer(self, subject: Subject) -> Sealer:
        try:
            return await self._vault.of(subject)
        except ErasedError:
            sealer = self._vault.draw(subject)
            await self._vault.keep(sealer)
            return sealer

    async def set_scopes(self, account_id: int, secret_id: str, services: Iterable[str]) -> frozenset[str]:
        """Set the services that a key of an account signs for. Raises NotFoundError, RefusedError."""
        wanted = frozenset(services)
        if not wanted or wanted - SERVICES:
            raise RefusedError(f"a key is for {' or '.join(sorted(SERVICES))}, or for both")

        async def write(tx: Transaction) -> None:
            known = await tx.one(
                "SELECT 1 FROM keys WHERE account_id = :account_id AND secret_id = :secret_id",
                account_id=account_id,
                secret_id=secret_id,
            )
            if known is None:
                raise NotFoundError(f"account {account_id} has no key {secret_id}")
            await tx.run(
                "INSERT INTO key_scopes (secret_id, services) VALUES (:secret_id, :services)"
                " ON CONFLICT (secret_id) DO UPDATE SET services = excluded.services",
                secret_id=secret_id,
                services=json.dumps(sorted(wanted)),
            )
            await self._authenticity.sign(tx, "key_scopes", secret_id)
            verb = f"key is for {' and '.join(sorted(wanted))}"
            await self._audit.add(tx, verb, f"key {secret_id} of account {account_id}")
            await changed(tx)

        await self._database.write(write)
        return wanted

    async def scopes(self) -> dict[str, frozenset[str]]:
        """Return the scopes; see `read_scopes`."""
        return await read_scopes(self._database, self._authenticity)
