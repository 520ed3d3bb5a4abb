"""`renzheng key`: the SecretId and SecretKey that sign for an account."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from renzheng.accounts.keys import Key
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, when, with_store
from renzheng.store.accounts import Unknown
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="Keys: the SecretId and SecretKey that sign for an account.")

SecretId = Annotated[str, typer.Argument(help="The key's SecretId.")]


def _plain(key: Key, *, secret: bool = False) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "secret_id": key.secret_id,
        "account_id": key.account_id,
        "enabled": key.enabled,
        "created_at": key.created_at,
        "unsigned_payload": key.unsigned_payload,
        "addresses": list(key.addresses),
    }
    return plain | {"secret_key": key.secret_key} if secret else plain


def _print_secret(key: Key, as_json: bool) -> None:
    if as_json:
        print_json(_plain(key, secret=True))
    else:
        print(f"SecretId   {key.secret_id}\nSecretKey  {key.secret_key}")


@app.command()
def create(
    account: AccountOption = None,
    unsigned_payload: Annotated[
        bool, typer.Option(help="Let requests of this key leave their body out of the signature.")
    ] = False,
    address: Annotated[list[str] | None, typer.Option(help="A network it may be used from; none: anywhere.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and print it, SecretKey included."""

    async def work(store: Store) -> Key:
        found = await account_of(store, account)
        return await store.accounts.create_key(
            found.id, time.time(), unsigned_payload=unsigned_payload, addresses=tuple(address or ())
        )

    _print_secret(with_store(work), as_json)


@app.command("list")
def list_(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """List the keys of an account, or of all; without SecretKeys."""

    async def work(store: Store) -> list[Key]:
        return await store.accounts.list_keys((await account_of(store, account)).id if account else None)

    keys = with_store(work)
    if as_json:
        print_json([_plain(key) for key in keys])
        return
    rows = [[k.secret_id, str(k.account_id), "yes" if k.enabled else "no", when(k.created_at)] for k in keys]
    print_table(["SecretId", "Account", "Enabled", "Created"], rows)


@app.command()
def show(
    secret_id: Annotated[str | None, typer.Argument(help="The SecretId; none: the oldest key that is enabled.")] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a key, SecretKey included."""

    async def work(store: Store) -> Key:
        keys = await store.accounts.list_keys((await account_of(store, account)).id if account else None)
        for key in keys:
            if key.secret_id == secret_id or (secret_id is None and key.enabled):
                return key
        raise Unknown(f"there is no key {secret_id}" if secret_id else "there is no enabled key; renzheng key create")

    _print_secret(with_store(work), as_json)


def _switch(secret_id: str, account: str | None, enabled: bool, as_json: bool) -> None:
    async def work(store: Store) -> Key:
        if account is not None:
            owner = (await account_of(store, account)).id
        else:
            owners = [key.account_id for key in await store.accounts.list_keys() if key.secret_id == secret_id]
            if not owners:
                raise Unknown(f"there is no key {secret_id}")
            owner = owners[0]
        await store.accounts.set_enabled(owner, secret_id, enabled)
        return await store.accounts.key(owner, secret_id)

    key = with_store(work)
    if as_json:
        print_json(_plain(key))
    else:
        print(f"{key.secret_id} is {'enabled' if key.enabled else 'disabled'}")


@app.command()
def disable(secret_id: SecretId, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Refuse a key; a running server does within a second."""
    _switch(secret_id, account, False, as_json)


@app.command()
def enable(secret_id: SecretId, account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Let a disabled key sign again."""
    _switch(secret_id, account, True, as_json)
