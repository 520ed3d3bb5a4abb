"""`renzheng account`: who calls the signed API."""

from __future__ import annotations

import shlex
import time
from typing import Annotated, Any

import typer

from renzheng.accounts.billing import Standing
from renzheng.accounts.keys import Account
from renzheng.cli import money
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, when, with_store
from renzheng.store.open import Store

app = typer.Typer(no_args_is_help=True, help="Accounts: who calls the signed API.")
money.add_to(app)


def _plain(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "name": account.name,
        "created_at": account.created_at,
        "origins": list(account.origins),
    }


def _show(accounts: list[Account]) -> None:
    rows = [[str(a.id), a.name, when(a.created_at), "\n".join(a.origins)] for a in accounts]
    print_table(["Id", "Name", "Created", "Origins"], rows)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="A name of its own; 1 to 64 letters, digits, blanks, dots, hyphens.")],
    origin: Annotated[list[str] | None, typer.Option(help="A web origin whose pages may run captures.")] = None,
    prepaid: Annotated[
        int | None, typer.Option(min=0, help="Verifications that it may make; none: any number.", metavar="N")
    ] = None,
    inactive: Annotated[bool, typer.Option("--inactive", help="Serve it only once it is activated.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Make an account. It has no key yet: renzheng key create makes one."""

    async def work(store: Store) -> tuple[Account, Standing]:
        made = await store.accounts.create(name, time.time(), tuple(origin or ()))
        if inactive:
            await store.billing.set_active(made.id, False)
        if prepaid is not None:
            await store.billing.set_prepaid(made.id)
        if prepaid:
            await store.billing.top_up(made.id, prepaid, time.time())
        return made, await store.billing.standing(made.id)

    account, standing = with_store(work)
    if as_json:
        print_json(_plain(account))
    else:
        _show([account])
        print(f"{money.standing_text(standing)}; renzheng key create --account {shlex.quote(name)} makes its first key")


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all accounts."""
    accounts = with_store(lambda store: store.accounts.all())
    if as_json:
        print_json([_plain(account) for account in accounts])
    else:
        _show(accounts)


@app.command()
def show(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Show one account: its origins, its keys, and what it has to pay for."""

    async def work(store: Store) -> dict[str, Any]:
        found = await account_of(store, account)
        keys = await store.accounts.list_keys(found.id)
        return {
            **_plain(found),
            "keys": [{"secret_id": key.secret_id, "enabled": key.enabled} for key in keys],
            "billed": await store.ledger.billed(found.id),
            **money.plain_standing(await store.billing.standing(found.id)),
            "limits": await store.billing.limits(found.id),
        }

    shown = with_store(work)
    if as_json:
        print_json(shown)
        return
    rows = [[name.capitalize().replace("_", " "), str(shown[name])] for name in ("id", "name", "billed")]
    standing = Standing(shown["active"], shown["balance"])
    rows.append(["Standing", money.standing_text(standing)])
    limits = [f"{action}: {most} a second" for action, most in shown["limits"].items()]
    rows.append(["Limits", "\n".join(limits) or "the server's own"])
    rows.append(["Created", when(shown["created_at"])])
    rows.append(["Origins", "\n".join(shown["origins"]) or "none"])
    keys = [f"{key['secret_id']}{'' if key['enabled'] else ' (disabled)'}" for key in shown["keys"]]
    rows.append(["Keys", "\n".join(keys) or "none"])
    print_table(["", "Account"], rows)


@app.command()
def origins(
    origin: Annotated[
        list[str] | None, typer.Argument(help="The whole new list, such as https://shop.example; none: show it.")
    ] = None,
    account: AccountOption = None,
    clear: Annotated[bool, typer.Option("--clear", help="Empty the list.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or set the web origins, beside the server's own, whose pages may run this account's captures."""

    async def work(store: Store) -> Account:
        found = await account_of(store, account)
        if origin or clear:
            return await store.accounts.set_origins(found.id, tuple(origin or ()))
        return found

    found = with_store(work)
    if as_json:
        print_json(_plain(found))
    else:
        _show([found])
