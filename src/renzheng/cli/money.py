"""`renzheng account activate|deactivate|topup|balance|limit`: whether an account is served, and its balance."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from renzheng.accounts.billing import BillingStatus
from renzheng.actions.product import make_product
from renzheng.cli.local import AccountOption, JsonOption, account_of, print_json, print_table, refuse, with_store
from renzheng.store.evidence_use import LIMIT
from renzheng.store.open import Store

ACTION_NAMES = tuple(action.name for action in make_product().actions)


def plain_standing(standing: BillingStatus) -> dict[str, Any]:
    return {"active": standing.active, "balance": standing.balance}


def standing_text(standing: BillingStatus) -> str:
    if standing.balance is None:
        left = "unlimited"
    elif standing.balance < 0:
        left = f"{-standing.balance} verifications owed"
    else:
        left = f"{standing.balance} verifications left"
    return f"{'activated' if standing.active else 'not activated'}, {left}"


def _change(account: str | None, as_json: bool, change: Callable[[Store, int], Awaitable[BillingStatus]]) -> None:
    async def work(store: Store) -> tuple[str, BillingStatus, int]:
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
    amount: Annotated[
        int, typer.Argument(help="Verifications to add; a negative number takes them back.", metavar="N")
    ],
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add to a prepaid balance. To take some back: topup -- -5."""
    _change(account, as_json, lambda store, number: store.billing.top_up(number, amount, time.time()))


def balance(
    account: AccountOption = None,
    prepaid: Annotated[
        bool, typer.Option("--prepaid", help="Keep a balance from now on. It begins at 0, so top it up.")
    ] = False,
    unlimited: Annotated[bool, typer.Option("--unlimited", help="Stop keeping a balance.")] = False,
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
    name: Annotated[str | None, typer.Argument(help=f"{', '.join(ACTION_NAMES)} or {LIMIT}; none: show them.")] = None,
    most: Annotated[
        int | None,
        typer.Argument(help=f"Requests a second, or bytes for {LIMIT}; left out: the server's own limit again."),
    ] = None,
    account: AccountOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show or set an account's limits: requests a second by action, and the bytes of evidence that are kept of it."""
    known = (*ACTION_NAMES, LIMIT)
    if name is not None and name not in known:
        refuse(f"there is no limit {name}; known are {', '.join(known)}", 2)

    async def work(store: Store) -> tuple[dict[str, int], int]:
        found = await account_of(store, account)
        if name is not None:
            await store.billing.set_limit(found.id, name, most)
        return await store.billing.limits(found.id), await store.billing.evidence_bytes(found.id)

    limits, used = with_store(work)
    if as_json:
        print_json(limits)
    else:
        rows = [[action, f"{limits.get(action, 'as the server says')} a second"] for action in ACTION_NAMES]
        rows.append([LIMIT, f"{limits.get(LIMIT, 'none')}; {used} are used"])
        print_table(["What", "Limit"], rows)


def add_to(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    for command in (activate, deactivate, topup, balance, limit):
        app.command()(command)
