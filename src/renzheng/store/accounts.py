"""Accounts, their keys and origins, as the operator makes and changes them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import msgspec

from renzheng.accounts.keys import Account, Key, new_secret_id, new_secret_key, new_token
from renzheng.store.audit import Audit
from renzheng.store.changes import changed
from renzheng.store.database import Database, StoreError
from renzheng.store.sealer import Kind, Subject
from renzheng.store.vault import Vault
from renzheng.verification.session import DAY_SECONDS

ACCOUNT_COLUMNS = "id, name, created_at, origins"
KEY_COLUMNS = "secret_id, account_id, sealed, enabled, created_at, expires_at, unsigned_payload, addresses"
MOST_TEMPORARY_SECONDS = 129_600
"""Tencent Cloud's longest temporary credentials, seconds: 36 hours."""
_NAME = re.compile(r"[\w][\w .\-]{0,63}")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.ASCII)


class Unknown(StoreError):
    """There is no such account, key or person (or it is another account's)."""


class Refused(StoreError):
    """What was given cannot be stored; the text says why."""


def account_of_row(row: tuple[Any, ...]) -> Account:
    return Account(row[0], row[1], row[2], tuple(json.loads(row[3])))


def checked_origin(text: str) -> str:
    """Scheme, host and port as a browser sends them. Raises Refused."""
    origin = text.strip().lower().rstrip("/")
    if not _ORIGIN.fullmatch(origin):
        raise Refused(f"{text} is no web origin; it looks like https://shop.example or http://localhost:3000")
    return origin


def checked_network(text: str) -> str:
    """An address, or a network in CIDR form, as it is kept. Raises Refused."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise Refused(f"{text} is no network; it looks like 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32") from None


class Accounts:
    """For the operator. `entropy`: gives that many unpredictable bytes."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Audit,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._database = database
        self._vault = vault
        self._audit = audit
        self._entropy = entropy

    async def create(self, name: str, now: float, origins: tuple[str, ...] = ()) -> Account:
        """Raises Refused for a name that is taken or of another form."""
        if not _NAME.fullmatch(name):
            raise Refused("an account's name has 1 to 64 letters, digits, blanks, dots, hyphens or underscores")
        checked = tuple(dict.fromkeys(checked_origin(origin) for origin in origins))

        def insert(connection: sqlite3.Connection) -> Account:
            row = connection.execute(
                "INSERT INTO accounts (name, created_at, origins) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING RETURNING id, name, created_at, origins",
                (name, now, json.dumps(checked)),
            ).fetchone()
            if row is None:
                raise Refused(f"there is already an account named {name}")
            self._vault.keep(self._vault.draw(Subject(Kind.ACCOUNT, row[0])))
            self._audit.add(connection, "account created", f"account {row[0]}")
            changed(connection)
            return account_of_row(row)

        return await self._database.write(insert, keys=True)

    async def get(self, account_id: int) -> Account:
        """Raises Unknown."""
        return self._one("id", account_id)

    async def named(self, name: str) -> Account:
        """By its name. Raises Unknown."""
        return self._one("name", name)

    def _one(self, column: str, value: int | str) -> Account:
        row = self._database.fetch_one(f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE {column} = ?", (value,))  # noqa: S608
        if row is None:
            raise Unknown(f"there is no account {value}")
        return account_of_row(row)

    async def all(self) -> list[Account]:
        """By rising id."""
        rows = self._database.fetch_all(f"SELECT {ACCOUNT_COLUMNS} FROM accounts ORDER BY id")  # noqa: S608
        return [account_of_row(row) for row in rows]

    async def set_origins(self, account_id: int, origins: tuple[str, ...]) -> Account:
        """The web origins, beside the server's own, whose pages may run this account's captures. Raises Refused."""
        checked = tuple(dict.fromkeys(checked_origin(origin) for origin in origins))

        def update(connection: sqlite3.Connection) -> None:
            sql = "UPDATE accounts SET origins = ? WHERE id = ?"
            if connection.execute(sql, (json.dumps(checked), account_id)).rowcount != 1:
                raise Unknown(f"there is no account {account_id}")
            self._audit.add(connection, "origins set", f"account {account_id}")
            changed(connection)

        await self._database.write(update)
        return await self.get(account_id)

    # -- keys

    async def create_key(
        self, account_id: int, now: float, *, unsigned_payload: bool = False, addresses: tuple[str, ...] = ()
    ) -> Key:
        """A new SecretId and SecretKey of an account. Raises Unknown; Refused for an address that is no network."""
        await self.get(account_id)
        key = Key(
            secret_id=new_secret_id(self._entropy),
            secret_key=new_secret_key(self._entropy),
            account_id=account_id,
            created_at=now,
            unsigned_payload=unsigned_payload,
            addresses=tuple(checked_network(network) for network in addresses),
        )
        await self.add_key(key)
        return key

    async def create_temporary_key(
        self,
        account_id: int,
        now: float,
        seconds: float,
        *,
        unsigned_payload: bool = False,
        addresses: tuple[str, ...] = (),
    ) -> Key:
        """Credentials that end after `seconds` and are good with their Token only. Raises Unknown, Refused.

        The account's temporary keys that ended a day ago and more are deleted, so that they do not pile up.
        """
        if not 1 <= seconds <= MOST_TEMPORARY_SECONDS:
            raise Refused(f"temporary keys last 1 to {MOST_TEMPORARY_SECONDS} seconds, not {seconds:g}")
        await self.get(account_id)
        key = Key(
            secret_id=new_secret_id(self._entropy),
            secret_key=new_secret_key(self._entropy),
            account_id=account_id,
            created_at=now,
            token=new_token(self._entropy),
            expires_at=now + seconds,
            unsigned_payload=unsigned_payload,
            addresses=tuple(checked_network(network) for network in addresses),
        )
        await self.add_key(key)

        def forget(connection: sqlite3.Connection) -> None:
            sql = "DELETE FROM keys WHERE account_id = ? AND expires_at < ?"
            if connection.execute(sql, (account_id, now - DAY_SECONDS)).rowcount:
                changed(connection)

        await self._database.write(forget)
        return key

    async def add_key(self, key: Key) -> None:
        """Store a key as it is. Raises Refused where its SecretId is taken."""
        sealer = self._vault.of(Subject(Kind.ACCOUNT, key.account_id))
        sealed = sealer.seal(f"key:{key.secret_id}", msgspec.msgpack.encode((key.secret_key, key.token)))

        def insert(connection: sqlite3.Connection) -> None:
            count = connection.execute(
                f"INSERT INTO keys ({KEY_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",  # noqa: S608
                (
                    *(key.secret_id, key.account_id, sealed, int(key.enabled), key.created_at, key.expires_at),
                    *(int(key.unsigned_payload), json.dumps(key.addresses)),
                ),
            ).rowcount
            if count != 1:
                raise Refused("there is already a key with this SecretId")
            self._audit.add(connection, "key created", f"key {key.secret_id} of account {key.account_id}")
            changed(connection)

        await self._database.write(insert)

    async def list_keys(self, account_id: int | None = None) -> list[Key]:
        """An account's keys, or all, oldest first."""
        rows = self._database.fetch_all(
            f"SELECT {KEY_COLUMNS} FROM keys WHERE ? IS NULL OR account_id = ?"  # noqa: S608
            " ORDER BY created_at, secret_id",
            (account_id, account_id),
        )
        return [open_key(self._vault, row) for row in rows]

    async def key(self, account_id: int, secret_id: str) -> Key:
        """Raises Unknown, for another account's key too."""
        row = self._database.fetch_one(
            f"SELECT {KEY_COLUMNS} FROM keys WHERE account_id = ? AND secret_id = ?",  # noqa: S608
            (account_id, secret_id),
        )
        if row is None:
            raise Unknown(f"account {account_id} has no key {secret_id}")
        return open_key(self._vault, row)

    async def set_enabled(self, account_id: int, secret_id: str, enabled: bool) -> None:
        """A running server refuses a disabled key within a second. Raises Unknown."""
        verb = "key enabled" if enabled else "key disabled"
        await self._set_key(account_id, secret_id, "enabled", int(enabled), verb)

    async def set_addresses(self, account_id: int, secret_id: str, addresses: tuple[str, ...]) -> None:
        """The networks that a key may be used from; none: anywhere. Raises Unknown, Refused."""
        checked = tuple(dict.fromkeys(checked_network(network) for network in addresses))
        await self._set_key(account_id, secret_id, "addresses", json.dumps(checked), "addresses set")

    async def set_unsigned_payload(self, account_id: int, secret_id: str, allowed: bool) -> None:
        """Whether requests of this key may leave their body out of the signature. Raises Unknown."""
        verb = "unsigned payload allowed" if allowed else "unsigned payload forbidden"
        await self._set_key(account_id, secret_id, "unsigned_payload", int(allowed), verb)

    async def _set_key(self, account_id: int, secret_id: str, column: str, value: int | str, verb: str) -> None:
        def update(connection: sqlite3.Connection) -> None:
            sql = f"UPDATE keys SET {column} = ? WHERE account_id = ? AND secret_id = ?"  # noqa: S608
            if connection.execute(sql, (value, account_id, secret_id)).rowcount != 1:
                raise Unknown(f"account {account_id} has no key {secret_id}")
            self._audit.add(connection, verb, f"key {secret_id} of account {account_id}")
            changed(connection)

        await self._database.write(update)


def open_key(vault: Vault, row: tuple[Any, ...]) -> Key:
    """A key out of a row of the table, its SecretKey opened."""
    secret_id, account_id, sealed, enabled, created_at, expires_at, unsigned_payload, addresses = row
    opened = vault.of(Subject(Kind.ACCOUNT, account_id)).open(f"key:{secret_id}", sealed)
    secret_key, token = msgspec.msgpack.decode(opened)
    return Key(
        secret_id=secret_id,
        secret_key=secret_key,
        account_id=account_id,
        enabled=bool(enabled),
        created_at=created_at,
        token=token,
        expires_at=expires_at,
        unsigned_payload=bool(unsigned_payload),
        addresses=tuple(json.loads(addresses)),
    )
