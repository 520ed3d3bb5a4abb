"""`renzheng key`: the SecretId and SecretKey that sign for an account."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Column

from renzheng.accounts.keys import Key
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, when, with_store
from renzheng.operations import keys
from renzheng.store.accounts import MAX_TEMPORARY_SECONDS
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="Keys: the SecretId and SecretKey that sign for an account.")

SecretId = Annotated[str, typer.Argument(help="The key's SecretId.")]
MayBeUnsigned = Annotated[bool, typer.Option(help="Requests with this key may leave the body out of the signature.")]
Networks = Annotated[list[str] | None, typer.Option(help="A network from which the key may be used; left out: any.")]


def _plain(key: Key, *, secret: bool = False) -> dict[str, Any]:
    plain: dict[str, Any] = {
        "secret_id": key.secret_id,
        "account_id": key.account_id,
        "enabled": key.enabled,
        "created_at": key.created_at,
        "unsigned_payload": key.unsigned_payload,
        "addresses": list(key.addresses),
        "expires_at": key.expires_at,
    }
    return plain | {"secret_key": key.secret_key, "token": key.token} if secret else plain


def _print_secret(key: Key, as_json: bool) -> None:
    if as_json:
        print_json(_plain(key, secret=True))
    else:
        print(f"SecretId   {key.secret_id}\nSecretKey  {key.secret_key}")
        if key.token is not None and key.expires_at is not None:
            print(f"Token      {key.token}\nuntil      {when(key.expires_at)}")


@app.command()
def create(
    account: AccountOption = None,
    unsigned_payload: MayBeUnsigned = False,
    address: Networks = None,
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

    async def work(store: Store) -> tuple[list[Key], dict[int, str]]:
        names = {known.id: known.name for known in await store.accounts.all()}
        return await store.accounts.list_keys((await account_of(store, account)).id if account else None), names

    listed, names = with_store(work)
    if as_json:
        print_json([_plain(key) for key in listed])
        return
    rows = [
        [
            *(key.secret_id, names[key.account_id], _state(key), "\n".join(key.addresses) or "anywhere"),
            "may be unsigned" if key.unsigned_payload else "signed",
        ]
        for key in listed
    ]
    print_table([Column("SecretId", no_wrap=True), "Account", "State", "From", "Body"], rows)


def _state(key: Key) -> str:
    if not key.enabled:
        return "disabled"
    return f"until {when(key.expires_at)}" if key.expires_at else "enabled"


@app.command()
def show(
    secret_id: Annotated[str | None, typer.Argument(help="The SecretId; left out: the oldest enabled key.")] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a key, SecretKey included."""

    async def work(store: Store) -> Key:
        owner = (await account_of(store, account)).id if account else None
        return await keys.find_secret(store, owner, secret_id)

    _print_secret(with_store(work), as_json)


@app.command()
def temporary(
    account: AccountOption = None,
    seconds: Annotated[int, typer.Option(min=1, max=MAX_TEMPORARY_SECONDS, help="How long they are valid.")] = 1800,
    unsigned_payload: MayBeUnsigned = False,
    address: Networks = None,
    as_json: JsonOption = False,
) -> None:
    """Make temporary credentials and print them: SecretId, SecretKey, Token, and when they end."""

    async def work(store: Store) -> Key:
        found = await account_of(store, account)
        return await store.accounts.create_temporary_key(
            found.id, time.time(), seconds, unsigned_payload=unsigned_payload, addresses=tuple(address or ())
        )

    _print_secret(with_store(work), as_json)


@app.command()
def addresses(
    secret_id: SecretId,
    network: Annotated[
        list[str] | None,
        typer.Argument(help="The whole new list, such as 10.0.0.0/8 203.0.113.7; left out: show the list."),
    ] = None,
    account: AccountOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Empty the list: the key works from anywhere.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set the networks that a key may be used from; a running server follows within a second."""

    async def change(store: Store, owner: int) -> None:
        if network or clear:
            await store.accounts.set_addresses(owner, secret_id, tuple(network or ()))

    key = _change(secret_id, account, change)
    if as_json:
        print_json(_plain(key))
    else:
        print(f"{key.secret_id} is good from {', '.join(key.addresses) or 'anywhere'}")


@app.command()
def services(
    secret_id: SecretId,
    service: Annotated[
        list[str] | None, typer.Argument(help="The whole new list: faceid, renzheng or both; left out: show the list.")
    ] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set what a key signs for: faceid, and renzheng to manage its own account by signed calls."""

    async def work(store: Store) -> keys.KeyView:
        owner = (await account_of(store, account)).id if account else await keys.owner_of(store, secret_id)
        if service:
            await store.operator_keys.set_scopes(owner, secret_id, service)
        return keys.view_of(await store.accounts.key(owner, secret_id), await store.operator_keys.scopes())

    view = with_store(work)
    if as_json:
        print_json(msgspec.structs.asdict(view))
    else:
        print(f"{view.secret_id} is for {' and '.join(view.services)}")


@app.command("unsigned-payload")
def unsigned_payload(
    secret_id: SecretId,
    allow: Annotated[bool, typer.Option("--allow/--forbid", help="Whether bodies may be left out.")],
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set whether requests with a key may leave the body out of the signature; then only TLS protects the body."""

    async def change(store: Store, owner: int) -> None:
        await store.accounts.set_unsigned_payload(owner, secret_id, allow)

    key = _change(secret_id, account, change)
    if as_json:
        print_json(_plain(key))
    else:
        print(f"{key.secret_id} {'may leave its bodies out of the signature' if allow else 'has to sign its bodies'}")


def _change(secret_id: str, account: str | None, change: Callable[[Store, int], Awaitable[None]]) -> Key:
    """Change a key, of `account` or of the account that has it, and read it again."""

    async def work(store: Store) -> Key:
        owner = (await account_of(store, account)).id if account else await keys.owner_of(store, secret_id)
        await change(store, owner)
        return await store.accounts.key(owner, secret_id)

    return with_store(work)


def _switch(secret_id: str, account: str | None, enabled: bool, as_json: bool) -> None:
    async def change(store: Store, owner: int) -> None:
        await store.accounts.set_enabled(owner, secret_id, enabled)

    key = _change(secret_id, account, change)
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
