"""`renzheng operator`: the people who sign in to the console, and links with which they choose a password."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from renzheng.accounts.operators import Operator, Role
from renzheng.cli.local import JsonOption, account_of, print_json, print_table, with_store
from renzheng.operations import people
from renzheng.server.sign_in_links import offer_link
from renzheng.settings import Settings, load_settings
from renzheng.store.engine import StoreError
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="The people who sign in to the console.")

NameArgument = Annotated[str, typer.Argument(help="The person's name, as it is typed at sign-in.")]


async def first_link(store: Store, settings: Settings) -> str | None:
    """Make a link that works once, to create the first owner. None if somebody can sign in already."""
    if await store.sign_in.any_credential():
        return None
    return await offer_link(settings, store, None, time.time)


@app.command()
def link() -> None:
    """Print a link that works once, to create the first owner, as the first start does."""
    settings = load_settings()

    async def work(store: Store) -> str:
        made = await first_link(store, settings)
        if made is None:
            raise StoreError("somebody can sign in already: renzheng operator reset NAME prints a link for one of them")
        return made

    print(with_store(work))


@app.command()
def reset(name: NameArgument) -> None:
    """Delete a person's password, second factor and sessions, and print a link that works once, for a new password."""
    settings = load_settings()

    async def work(store: Store) -> str:
        operator = await store.operators.named(name)
        await store.sign_in.reset(operator.id)
        return await offer_link(settings, store, operator.id, time.time)

    print(with_store(work))


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="The person's name, as it is typed at sign-in.")],
    role: Annotated[Role, typer.Option(help="What the person may do.")] = Role.OPERATOR,
    account: Annotated[
        str | None, typer.Option("--account", help="A merchant's person: the account, by name or number.")
    ] = None,
    show_key: Annotated[
        bool, typer.Option("--show-key", help="Print the SecretKey with which the person's programs sign calls.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Add a person with a key for the management service, and print a link that works once, to choose a password."""
    settings = load_settings()

    async def work(store: Store) -> dict[str, Any]:
        account_id = (await account_of(store, account)).id if account else None
        operator, key = await people.add(store, name, role, time.time(), account_id)
        made = {
            "name": operator.name,
            "role": str(operator.role),
            "account": operator.account_id,
            "secret_id": key.secret_id,
            "link": await offer_link(settings, store, operator.id, time.time),
        }
        return made | ({"secret_key": key.secret_key} if show_key else {})

    made = with_store(work)
    if as_json:
        print_json(made)
        return
    names = {"secret_id": "SecretId", "secret_key": "SecretKey", "link": "Link"}
    print(f"{made['name']} is {made['role']}")
    for field in ("secret_id", "secret_key", "link"):
        if field in made:
            print(f"{names[field]:<10} {made[field]}")


@app.command()
def modify(
    name: NameArgument,
    role: Annotated[Role | None, typer.Option(help="Another role.")] = None,
    disabled: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Block the person, or allow the person again.")
    ] = None,
) -> None:
    """Change a person's role, or block the person; a running server follows within a second."""

    async def work(store: Store) -> Operator:
        operator = await store.operators.named(name)
        return await store.operators.modify(operator.id, role=role, disabled=disabled)

    changed = with_store(work)
    print(f"{changed.name} is {changed.role}{', disabled' if changed.disabled else ''}")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the people by name and role."""

    async def work(store: Store) -> list[dict[str, Any]]:
        return [
            {
                "name": one.name,
                "role": str(one.role),
                "account": one.account_id,
                "disabled": one.disabled,
                "password": await store.sign_in.credential(one.id) is not None,
            }
            for one in await store.operators.all()
        ]

    found = with_store(work)
    if as_json:
        print_json(found)
        return
    said = {True: "yes", False: "no", None: ""}
    columns = ("name", "role", "account", "disabled", "password")
    rows = [[str(said.get(one[name], one[name])) for name in columns] for one in found]
    print_table([name.capitalize() for name in columns], rows)
