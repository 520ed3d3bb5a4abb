"""Accounts, their keys and origins, as the operator creates and changes them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, astuple
from ipaddress import ip_network
from typing import Any

import msgspec

from renzheng.accounts.keys import Account, AccountProfile, Key, new_secret_id, new_secret_key, new_token
from renzheng.store.audit import Audit
from renzheng.store.authenticity import Authenticity
from renzheng.store.changes import changed
from renzheng.store.engine import Database, StoreError, Transaction
from renzheng.store.sealer import Kind, Sealer, Subject
from renzheng.store.vault import Vault
from renzheng.verification.session import DAY_SECONDS

ACCOUNT_COLUMNS = "id, name, created_at, origins, name_zh, name_en, privacy_url, contact"
_KEY_FIELDS = "secret_id, account_id, sealed, enabled, created_at, expires_at, unsigned_payload, addresses"
KEY_COLUMNS = f"{_KEY_FIELDS}, mac"
MAX_TEMPORARY_SECONDS = 129_600
"""The longest life of temporary credentials at Tencent Cloud, in seconds: 36 hours."""
_AT_ONCE = 50  # keys that are opened before others are served
_NAME = re.compile(r"[\w][\w .\-]{0,63}")
MAX_KEYS, MAX_NETWORKS, MAX_ORIGINS, MAX_ORIGIN = 1000, 100, 100, 300
"""Keys and origins of an account, networks of a key, characters of an origin. The server holds all of them in memory,
reads them again after each change, and compares a key's networks at each request."""
MAX_DISPLAY_NAME, MAX_CONTACT, MAX_LINK = 40, 80, 500
_LINK = re.compile(r"https?://[^\s/?#@]+([/?#]\S*)?")
_ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+", re.ASCII)


class NotFoundError(StoreError):
    """There is no such account, key or person, or it belongs to another account."""


class RefusedError(StoreError):
    """The given value cannot be stored. The text says why."""


def account_of_row(row: tuple[Any, ...]) -> Account:
    return Account(row[0], row[1], row[2], tuple(json.loads(row[3])), AccountProfile(*row[4:8]))


def checked_origin(text: str) -> str:
    """Return scheme, host and port as a browser sends them. Raises RefusedError."""
    origin = text.strip().lower().rstrip("/")
    if len(origin) > MAX_ORIGIN or not _ORIGIN.fullmatch(origin):
        raise RefusedError(f"{text} is not a web origin; it looks like https://shop.example or http://localhost:3000")
    return origin


def checked_network(text: str) -> str:
    """Return an address, or a network in CIDR form, in its stored form. Raises RefusedError."""
    try:
        return str(ip_network(text.strip(), strict=False))
    except ValueError:
        raise RefusedError(f"{text} is not a network; it looks like 203.0.113.7, 10.0.0.0/8 or 2001:db8::/32") from None


def checked_origins(origins: Sequence[str]) -> tuple[str, ...]:
    """Return the origins without repetitions. Raises RefusedError."""
    if len(origins) > MAX_ORIGINS:
        raise RefusedError(f"an account has at most {MAX_ORIGINS} web origins")
    return tuple(dict.fromkeys(checked_origin(origin) for origin in origins))


def checked_networks(networks: Sequence[str]) -> tuple[str, ...]:
    """Return the networks without repetitions. Raises RefusedError."""
    if len(networks) > MAX_NETWORKS:
        raise RefusedError(f"a key has at most {MAX_NETWORKS} networks")
    return tuple(dict.fromkeys(checked_network(network) for network in networks))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise RefusedError("an account's name has 1 to 64 letters, digits, blanks, dots, hyphens or underscores")


def checked_face(face: AccountProfile) -> AccountProfile:
    """Return the profile without surrounding blanks. Raises RefusedError."""
    face = AccountProfile(*(text.strip() for text in astuple(face)))
    for what, text, most in (
        ("a display name", face.name_zh, MAX_DISPLAY_NAME),
        ("a display name", face.name_en, MAX_DISPLAY_NAME),
        ("a contact", face.contact, MAX_CONTACT),
        ("a privacy link", face.privacy_url, MAX_LINK),
    ):
        if len(text) > most or not text.isprintable():
            raise RefusedError(f"{what} has at most {most} printable characters")
    if face.privacy_url and not _LINK.fullmatch(face.privacy_url):
        raise RefusedError("a privacy link looks like https://shop.example/privacy")
    return face


class Accounts:
    """Creates and changes accounts, for the operator. `entropy(n)` returns n unpredictable bytes."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: Audit,
        entropy: Callable[[int], bytes],
        authenticity: Authenticity,
    ) -> None:
        self._authenticity = authenticity
        self._database = database
        self._vault = vault
        self._audit = audit
        self._entropy = entropy

    async def create(self, name: str, now: float, origins: tuple[str, ...] = ()) -> Account:
        """Create an account. Raises RefusedError if the name is taken or has another form."""
        _check_name(name)
        checked = checked_origins(origins)

        async def insert(tx: Transaction) -> Account:
            row = await tx.one(
                "INSERT INTO accounts (name, created_at, origins) VALUES (:name, :created_at, :origins)"
                f" ON CONFLICT (name) DO NOTHING RETURNING {ACCOUNT_COLUMNS}",
                name=name,
                created_at=now,
                origins=json.dumps(checked),
            )
            if row is None:
                raise RefusedError(f"there is already an account named {name}")
            await self._vault.keep(self._vault.draw(Subject(Kind.ACCOUNT, row[0])))
            await self._authenticity.sign(tx, "accounts", row[0])
            await self._audit.add(tx, "account created", f"account {row[0]}")
            await changed(tx)
            return account_of_row(row)

        return await self._database.write(insert, keys=True)

    async def get(self, account_id: int) -> Account:
        """Raises NotFoundError."""
        return await self._one("id", account_id)

    async def named(self, name: str) -> Account:
        """Return the account with this name. Raises NotFoundError."""
        return await self._one("name", name)

    async def _one(self, column: str, value: int | str) -> Account:
        row = await self._database.one(f"SELECT {ACCOUNT_COLUMNS} FROM accounts WHERE {column} = :value", value=value)
        if row is None:
            raise NotFoundError(f"there is no account {value}")
        return account_of_row(row)

    async def all(self) -> list[Account]:
        """Return all accounts by rising id."""
        rows = await self._database.all(f"SELECT {ACCOUNT_COLUMNS} FROM accounts ORDER BY id")
        return [account_of_row(row) for row in rows]

    async def set_origins(self, account_id: int, origins: tuple[str, ...]) -> Account:
        """Set the web origins, beside the server's own, whose pages may run this account's captures. RefusedError."""
        checked = checked_origins(origins)

        async def update(tx: Transaction) -> None:
            sql = "UPDATE accounts SET origins = :checked WHERE id = :account_id"
            async with self._authenticity.changing(tx, "accounts", account_id):
                if await tx.run(sql, checked=json.dumps(checked), account_id=account_id) != 1:
                    raise NotFoundError(f"there is no account {account_id}")
            await self._audit.add(tx, "origins set", f"account {account_id}")
            await changed(tx)

        await self._database.write(update)
        return await self.get(account_id)

    async def rename(self, account_id: int, name: str) -> Account:
        """Change the internal name. Raises NotFoundError, and RefusedError if the name is taken or has another form."""
        _check_name(name)

        async def update(tx: Transaction) -> None:
            taken = await tx.one(
                "SELECT 1 FROM accounts WHERE name = :name AND id <> :account_id", name=name, account_id=account_id
            )
            if taken:
                raise RefusedError(f"there is already an account named {name}")
            async with self._authenticity.changing(tx, "accounts", account_id):
                sql = "UPDATE accounts SET name = :name WHERE id = :account_id"
                if await tx.run(sql, name=name, account_id=account_id) != 1:
                    raise NotFoundError(f"there is no account {account_id}")
            await self._audit.add(tx, "account renamed", f"account {account_id}")
            await changed(tx)

        await self._database.write(update)
        return await self.get(account_id)

    async def set_face(self, account_id: int, face: AccountProfile) -> Account:
        """Set what people read about the account. Raises NotFoundError and RefusedError."""
        checked = checked_face(face)

        async def update(tx: Transaction) -> None:
            sql = (
                "UPDATE accounts SET name_zh = :name_zh, name_en = :name_en, privacy_url = :privacy_url,"
                " contact = :contact WHERE id = :id"
            )
            if await tx.run(sql, id=account_id, **asdict(checked)) != 1:
                raise NotFoundError(f"there is no account {account_id}")
            await self._audit.add(tx, "account's display set", f"account {account_id}")
            await changed(tx)

        await self._database.write(update)
        return await self.get(account_id)

    # -- keys

    async def create_key(
        self, account_id: int, now: float, *, unsigned_payload: bool = False, addresses: tuple[str, ...] = ()
    ) -> Key:
        """Make a new SecretId and SecretKey. Raises NotFoundError; RefusedError for an address that is not a
        network."""
        await self.get(account_id)
        key = Key(
            secret_id=new_secret_id(self._entropy),
            secret_key=new_secret_key(self._entropy),
            account_id=account_id,
            created_at=now,
            unsigned_payload=unsigned_payload,
            addresses=checked_networks(addresses),
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
        """Make credentials that end after `seconds` and are valid with their Token only. NotFoundError, RefusedError.

        Temporary keys of the account that ended more than a day ago are deleted, so that they do not accumulate.
        """
        if not 1 <= seconds <= MAX_TEMPORARY_SECONDS:
            raise RefusedError(f"temporary keys last 1 to {MAX_TEMPORARY_SECONDS} seconds, not {seconds:g}")
        await self.get(account_id)
        key = Key(
            secret_id=new_secret_id(self._entropy),
            secret_key=new_secret_key(self._entropy),
            account_id=account_id,
            created_at=now,
            token=new_token(self._entropy),
            expires_at=now + seconds,
            unsigned_payload=unsigned_payload,
            addresses=checked_networks(addresses),
        )

        async def forget(tx: Transaction) -> None:
            sql = "DELETE FROM keys WHERE account_id = :account_id AND expires_at < :expires_at"
            if await tx.run(sql, account_id=account_id, expires_at=now - DAY_SECONDS):
                await changed(tx)

        await self._database.write(forget)
        await self.add_key(key)
        return key

    async def add_key(self, key: Key) -> None:
        """Store a key as it is. Raises RefusedError if its SecretId is taken, or the account has too many keys."""
        sealer = await self._vault.of(Subject(Kind.ACCOUNT, key.account_id))
        sealed = sealer.seal(f"key:{key.secret_id}", msgspec.msgpack.encode((key.secret_key, key.token)))

        async def insert(tx: Transaction) -> None:
            held = await tx.one("SELECT count(*) FROM keys WHERE account_id = :account", account=key.account_id)
            if held is not None and held[0] >= MAX_KEYS:
                raise RefusedError(f"an account has at most {MAX_KEYS} keys: delete those that are not used")
            count = await tx.run(
                f"INSERT INTO keys ({_KEY_FIELDS})"
                " VALUES (:secret_id, :account_id, :sealed, :enabled, :created_at, :expires_at, :unsigned_payload,"
                " :addresses) ON CONFLICT DO NOTHING",
                secret_id=key.secret_id,
                account_id=key.account_id,
                sealed=sealed,
                enabled=int(key.enabled),
                created_at=key.created_at,
                expires_at=key.expires_at,
                unsigned_payload=int(key.unsigned_payload),
                addresses=json.dumps(key.addresses),
            )
            if count != 1:
                raise RefusedError("there is already a key with this SecretId")
            await self._authenticity.sign(tx, "keys", key.secret_id)
            await self._audit.add(tx, "key created", f"key {key.secret_id} of account {key.account_id}")
            await changed(tx)

        await self._database.write(insert)

    async def list_keys(self, account_id: int | None = None) -> list[Key]:
        """Return an account's keys, or all, oldest first, without those that were tampered with."""
        rows = await self._database.all(
            f"SELECT {KEY_COLUMNS} FROM keys WHERE CAST(:account_id AS BIGINT) IS NULL OR account_id = :account_id"
            " ORDER BY created_at, secret_id",
            account_id=account_id,
        )
        return await open_keys(self._vault, self._authenticity, rows)

    async def key(self, account_id: int, secret_id: str) -> Key:
        """Return a key. Raises NotFoundError, also if another account has it; TamperedError."""
        row = await self._database.one(
            f"SELECT {KEY_COLUMNS} FROM keys WHERE account_id = :account_id AND secret_id = :secret_id",
            account_id=account_id,
            secret_id=secret_id,
        )
        if row is None:
            raise NotFoundError(f"account {account_id} has no key {secret_id}")
        if not is_trusted_key(self._authenticity, row):
            raise self._authenticity.error("keys", secret_id)
        [found] = await open_keys(self._vault, self._authenticity, [row])
        return found

    async def delete_key(self, account_id: int, secret_id: str) -> None:
        """Delete a key. A running server refuses it within a second. Raises NotFoundError."""

        async def delete(tx: Transaction) -> None:
            sql = "DELETE FROM keys WHERE account_id = :account_id AND secret_id = :secret_id"
            if await tx.run(sql, account_id=account_id, secret_id=secret_id) != 1:
                raise NotFoundError(f"account {account_id} has no key {secret_id}")
            await tx.run("DELETE FROM key_scopes WHERE secret_id = :secret_id", secret_id=secret_id)
            await self._audit.add(tx, "key deleted", f"key {secret_id} of account {account_id}")
            await changed(tx)

        await self._database.write(delete)

    async def set_enabled(self, account_id: int, secret_id: str, enabled: bool) -> None:
        """Enable or disable a key. A running server follows within a second. Raises NotFoundError."""
        verb = "key enabled" if enabled else "key disabled"
        await self._set_key(account_id, secret_id, "enabled", int(enabled), verb)

    async def set_addresses(self, account_id: int, secret_id: str, addresses: tuple[str, ...]) -> None:
        """Set the networks from which a key may be used; none: any. Raises NotFoundError, RefusedError."""
        checked = checked_networks(addresses)
        await self._set_key(account_id, secret_id, "addresses", json.dumps(checked), "addresses set")

    async def set_unsigned_payload(self, account_id: int, secret_id: str, allowed: bool) -> None:
        """Set whether requests of this key may leave their body out of the signature. Raises NotFoundError."""
        verb = "unsigned payload allowed" if allowed else "unsigned payload forbidden"
        await self._set_key(account_id, secret_id, "unsigned_payload", int(allowed), verb)

    async def _set_key(self, account_id: int, secret_id: str, column: str, value: int | str, verb: str) -> None:
        async def update(tx: Transaction) -> None:
            sql = f"UPDATE keys SET {column} = :value WHERE account_id = :account_id AND secret_id = :secret_id"
            async with self._authenticity.changing(tx, "keys", secret_id):
                if await tx.run(sql, value=value, account_id=account_id, secret_id=secret_id) != 1:
                    raise NotFoundError(f"account {account_id} has no key {secret_id}")
            await self._audit.add(tx, verb, f"key {secret_id} of account {account_id}")
            await changed(tx)

        await self._database.write(update)


def is_trusted_key(authenticity: Authenticity, row: tuple[Any, ...]) -> bool:
    """Return whether a row of `KEY_COLUMNS` is unchanged. Its sealed columns authenticate themselves."""
    return authenticity.trusts("keys", (*row[:2], *row[3:]))


async def open_keys(vault: Vault, authenticity: Authenticity, rows: Sequence[tuple[Any, ...]]) -> list[Key]:
    """Make keys from rows of `KEY_COLUMNS`, with their SecretKeys opened, without those that were tampered with.

    Others are served in between. The data key of an account is unwrapped once for all its keys.
    """
    sealers: dict[int, Sealer] = {}
    found: list[Key] = []
    for number, row in enumerate(rows):
        if number % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
        if not is_trusted_key(authenticity, row):
            continue
        account_id = row[1]
        if account_id not in sealers:
            sealers[account_id] = await vault.of(Subject(Kind.ACCOUNT, account_id))
        found.append(_opened(sealers[account_id], row))
    return found


def _opened(sealer: Sealer, row: tuple[Any, ...]) -> Key:
    secret_id, account_id, sealed, enabled, created_at, expires_at, unsigned_payload, addresses = row[:8]
    secret_key, token = msgspec.msgpack.decode(sealer.open(f"key:{secret_id}", sealed))
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
