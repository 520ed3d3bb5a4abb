"""What the commands share: the local store, an account by name, how results and refusals are printed."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from renzheng.accounts.keys import Account
from renzheng.settings import SettingsError, load_settings
from renzheng.store.accounts import Unknown
from renzheng.store.database import StoreError
from renzheng.store.open import Store, open_store

T = TypeVar("T")
_WIDEST = 1000  # columns

AccountOption = Annotated[
    str | None, typer.Option("--account", help="The account, by name or number; may be left out where there is one.")
]
STDIN_HELP = "- reads it from standard input, and asks for it unseen at a terminal"
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def refuse(sentence: str, code: int = 1) -> NoReturn:
    """Print a sentence to stderr and end the command."""
    typer.echo(sentence, err=True)
    raise typer.Exit(code)


def id_number(given: str | None) -> str | None:
    """What `--id-card` says: `-` is a line of standard input, asked for without echo at a terminal.

    Every user of the machine can read a command's arguments while it runs.
    """
    if given != "-":
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("ID number", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip() or refuse("standard input holds no ID number", 2)


def _actor() -> str:
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as in some containers
        return f"cli:uid-{os.getuid()}"


def with_store(work: Callable[[Store], Awaitable[T]]) -> T:
    """Run `work` on the local store, beside a server that may be running; what it refuses ends the command."""

    async def run() -> T:
        settings = load_settings()
        store = open_store(
            settings.data_dir, settings.keys_dir, time.time, os.urandom, settings.evidence_url, actor=_actor()
        )
        await store.start(serving=False)
        try:
            return await work(store)
        finally:
            await store.stop()

    try:
        return asyncio.run(run())
    except (StoreError, SettingsError) as error:
        refuse(str(error))
    except (OSError, sqlite3.Error) as error:
        refuse(unusable(error))


def unusable(error: OSError | sqlite3.Error) -> str:
    """A sentence about a folder, a file or a database that this user or this disk does not let us use."""
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be used: {error.strerror or error}"
    return f"the records cannot be used: {error}"


async def account_of(store: Store, given: str | None) -> Account:
    """The account of `--account`, by name or number; the only one where it was left out. Raises Unknown."""
    if given is None:
        known = await store.accounts.all()
        if len(known) == 1:
            return known[0]
        names = ", ".join(account.name for account in known) or "none yet; renzheng account create makes one"
        raise Unknown(f"say which account by --account ({names})")
    try:
        return await store.accounts.named(given)
    except Unknown:
        if given.isdecimal():
            return await store.accounts.get(int(given))
        raise


def first_key(account: str | None = None) -> tuple[str, str]:
    """SecretId and SecretKey of the oldest enabled key, of all or of one account. Ends the command without one."""

    async def work(store: Store) -> tuple[str, str]:
        for key in await store.accounts.list_keys((await account_of(store, account)).id if account else None):
            if key.enabled and key.token is None:
                return key.secret_id, key.secret_key
        raise Unknown("there is no enabled key yet: start the server once, or renzheng key create")

    return with_store(work)


def print_json(value: Any) -> None:
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    print()


def print_table(columns: Sequence[str | Column], rows: list[list[str]]) -> None:
    """A table of which nothing is cut off, as ids are copied from it; no heading where no column has a name."""
    if not rows:
        print("none")
        return
    table = Table(
        *(one if isinstance(one, Column) else Column(one, overflow="fold") for one in columns), show_header=any(columns)
    )
    for row in rows:
        table.add_row(*map(escape, row))
    print_whole(table)


def print_whole(table: Table) -> None:
    """In a terminal as wide as that is, elsewhere, where nobody scrolls sideways, as wide as it wants to be."""
    Console(width=None if sys.stdout.isatty() else _WIDEST, highlight=False).print(table)


def when(seconds: float) -> str:
    """A time as an operator reads it, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
