"""`renzheng account activate|deactivate|topup|balance|limit`: what an account may, and what it has left."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from renzheng.accounts.billing import Standing
from renzheng.actions.common import ACTION_NAMES
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, refuse, with_store
from renzheng.store.open import Store


def plain_standing(standing: Standing) -> dict[str, Any]:
    return {"active": standing.active, "balance": standing.balance}


def standing_text(standing: Standing) -> str:
    if standing.balance is None:
        left = "unlimited"
    elif standing.balance < 0:
        left = f"{-standing.balance} verifications owed"
    else:
        left = f"{standing.balance} verifications left"
    return f"{'activated' if standing.active else 'not activated'}, {left}"


def _change(account: str | None, as_json: bool, change: Callable[[Store, int], Awaitable[Standing]]) -> None:
    async def work(store: Store) -> tuple[str, Standing, int]:
        found = await account_of(store, account)
        return found.name, await change(store, found.id), await store.ledger.billed(found.id)

    name, standing, billed = with_store(work)
    if as_json:
        print_json({"account": name, **plain_standing(standing), "billed": billed})
    else:
        print(f"{name}: {standing_text(standing)}; {billed} billed so far")


def activate(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Serve this account; a running server does within a second."""
    _change(account, as_json, lambda store, number: store.billing.set_active(number, True))


def deactivate(account: AccountOption = None, as_json: JsonOption = False) -> None:
    """Refuse this account as UnauthorizedOperation.Nonactivated."""
    _change(account, as_json, lambda store, number: store.billing.set_active(number, False))


def topup(
    amount: Annotated[int, typer.Argument(help="Verifications to add; below zero takes them back.", metavar="N")],
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add to a prepaid balance. To take some back: topup -- -5."""
    _change(account, as_json, lambda store, number: store.billing.top_up(number, amount, time.time()))


def balance(
    account: AccountOption = None,
    prepaid: Annotated[
        bool, typer.Option("--prepaid", help="Keep a balance from now on; it begins at 0, so top it up.")
    ] = False,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Keep no balance any more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show the balance, or change how it is kept. The unit is one billed verification."""
    if prepaid and unlimited:
        refuse("a balance is either prepaid or unlimited", 2)
    if prepaid:
        _change(account, as_json, lambda store, number: store.billing.set_prepaid(number))
    elif unlimited:
        _change(account, as_json, lambda store, number: store.billing.set_unlimited(number))
    else:
        _change(account, as_json, lambda store, number: store.billing.standing(number))


def limit(
    action: Annotated[str | None, typer.Argument(help=f"{' or '.join(ACTION_NAMES)}; none: show the limits.")] = None,
    per_second: Annotated[int | None, typer.Argument(help="Requests a second; none: the server's own again.")] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set how many requests a second this account may make of an action."""
    if action is not None and action not in ACTION_NAMES:
        refuse(f"there is no action {action}; known are {', '.join(ACTION_NAMES)}", 2)

    async def work(store: Store) -> dict[str, int]:
        found = await account_of(store, account)
        if action is None:
            return await store.billing.limits(found.id)
        return await store.billing.set_limit(found.id, action, per_second)

    limits = with_store(work)
    if as_json:
        print_json(limits)
    else:
        rows = [[name, str(limits.get(name, "the server's own"))] for name in ACTION_NAMES]
        print_table(["Action", "Requests a second"], rows)


def add_to(app: typer.Typer) -> None:
    """Make these commands of `app`."""
    for command in (activate, deactivate, topup, balance, limit):
        app.command()(command)
