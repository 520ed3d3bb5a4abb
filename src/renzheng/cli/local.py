"""What the commands share: the local store, an account by name, and the output of results and refusals."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import sqlite3
import sys
import time
import unicodedata
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, NoReturn, TypeVar

import structlog
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from renzheng.accounts.keys import Account
from renzheng.base.faults import fault_name
from renzheng.server.room_settings import databases, seals_of
from renzheng.settings import SettingsError, load_settings
from renzheng.store.accounts import NotFoundError
from renzheng.store.engine import StoreError
from renzheng.store.open import Store, open_store
from renzheng.store.room import is_full
from renzheng.verification.records import NoRoomError

T = TypeVar("T")
_WIDEST = 1000  # columns
_STEERING = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories of controls, invisible formats, surrogates, and line separators."""
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]{0,63}")

AccountOption = Annotated[
    str | None, typer.Option("--account", help="The account, by name or number; optional if there is only one.")
]
STDIN_HELP = "- reads it from standard input; at a terminal it asks, without echo"
STILL_IN_LOG = (
    "Note: wrapped keys that were erased are still in keys.db-wal, as another process is reading. They open no data; "
    "the server removes them as soon as that process is done, and so does the next renzheng vault status."
)
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def printable(text: str, keep: str = "\n") -> str:
    """Escape what would control the terminal, hide text or reverse it, in text that a stranger sent.

    `keep`: control characters that stay as they are.
    """
    return "".join(
        _escape(character) if unicodedata.category(character) in _STEERING and character not in keep else character
        for character in text
    )


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def refuse(sentence: str, code: int = 1) -> NoReturn:
    """Print a sentence to stderr and end the command."""
    typer.echo(printable(sentence), err=True)
    raise typer.Exit(code)


def id_number(given: str | None) -> str | None:
    """Return the ID number of `--id-card`. `-` reads a line of standard input, without echo at a terminal.

    Every user of the machine can read a command's arguments while it runs.
    """
    if given != "-":
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("ID number", hide_input=True, err=True)).strip()
    return sys.stdin.readline().strip() or refuse("standard input has no ID number", 2)


def actor() -> str:
    """Return the name for the audit: the user whom the kernel knows, and the claim of sudo about who called it.

    Nothing else in the environment counts, as whoever runs a command can set it.
    """
    number = os.getuid()
    try:
        who = f"cli:{pwd.getpwuid(number).pw_name}"
    except KeyError:  # a user id without a name, as in some containers
        who = f"cli:uid-{number}"
    claimed = os.environ.get("SUDO_USER", "")
    return f"{who} SUDO_USER={claimed}" if _USER.fullmatch(claimed) else who


def with_store(work: Callable[[Store], Awaitable[T]], *, adopt: bool = False) -> T:
    """Run `work` on the local store, beside a server that may be running. A refusal ends the command.

    `adopt`: sign the records as they are first.
    """

    # structlog's default is standard output, which carries the JSON.
    if isinstance(structlog.get_config()["logger_factory"], structlog.PrintLoggerFactory):
        structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))

    async def run() -> T:
        settings = load_settings()
        store = open_store(
            settings.data_dir,
            settings.keys_dir,
            time.time,
            os.urandom,
            settings.evidence_url,
            evidence_seconds=settings.evidence_seconds,
            actor=actor(),
            min_free_bytes=settings.min_free_bytes,
            adopt=adopt,
            postgres=databases(settings),
            seals=seals_of(settings),
        )
        await store.start(serving=False)
        try:
            done = await work(store)
            if not await store.vault.erasures.is_clean():
                typer.echo(STILL_IN_LOG, err=True)
            for table, rows in store.authenticity.found.items():
                if rows:
                    names = ", ".join(map(str, sorted(rows, key=str)))
                    typer.echo(
                        f"Warning: changed by other means than renzheng, and left out: {table} {names}", err=True
                    )
            return done
        finally:
            await store.stop()

    try:
        return asyncio.run(run())
    except (StoreError, SettingsError, NoRoomError) as error:
        refuse(str(error))
    except (OSError, sqlite3.Error) as error:
        refuse(unusable(error))
    except OverflowError:  # the database's error: its integers have 64 bits
        refuse("there is no such number: it is too large", 2)


def unusable(error: OSError | sqlite3.Error) -> str:
    """Return a sentence about a folder, a file or a database that this user or this disk cannot use."""
    if is_full(error):
        return f"the disk is full: make room and try again ({fault_name(error)})"
    if isinstance(error, OSError):
        return f"{error.filename or 'a file'} cannot be used: {error.strerror or error} ({fault_name(error)})"
    return f"the records cannot be used: {error} ({fault_name(error)})"


async def account_of(store: Store, given: str | None) -> Account:
    """Return the account of `--account`, by name or number; if it is left out, the only one. Raises NotFoundError."""
    if given is None:
        known = await store.accounts.all()
        if len(known) == 1:
            return known[0]
        names = ", ".join(account.name for account in known) or "none yet; renzheng account create makes one"
        raise NotFoundError(f"say which account by --account ({names})")
    try:
        return await store.accounts.named(given)
    except NotFoundError:
        if given.isdecimal():
            return await store.accounts.get(int(given))
        raise


def first_key(account: str | None = None) -> tuple[str, str]:
    """Return SecretId and SecretKey of the oldest enabled key, of all or of one account. Ends the command without
    one."""

    async def work(store: Store) -> tuple[str, str]:
        for key in await store.accounts.list_keys((await account_of(store, account)).id if account else None):
            if key.enabled and key.token is None:
                return key.secret_id, key.secret_key
        raise NotFoundError("there is no enabled key yet: start the server once, or run `renzheng key create`")

    return with_store(work)


def print_json(value: Any) -> None:
    """Print JSON. Control characters, also invisible ones, are written as JSON's own escapes."""
    text = json.dumps(value, ensure_ascii=False, indent=2)
    print("".join(map(_in_json, text)) if any(unicodedata.category(c) in _STEERING for c in text) else text)


def _in_json(character: str) -> str:
    if character == "\n" or unicodedata.category(character) not in _STEERING:
        return character
    return json.dumps(character)[1:-1]


def print_table(columns: Sequence[str | Column], rows: list[list[str]]) -> None:
    """Print a table without cutting anything, as ids are copied from it. No heading if no column has a name."""
    if not rows:
        print("none")
        return
    table = Table(
        *(one if isinstance(one, Column) else Column(one, overflow="fold") for one in columns), show_header=any(columns)
    )
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    print_whole(table)


def print_whole(table: Table) -> None:
    """Print a table as wide as the terminal; elsewhere, where nobody scrolls sideways, as wide as it needs."""
    Console(width=None if sys.stdout.isatty() else _WIDEST, highlight=False).print(table)


def when(seconds: float) -> str:
    """Format a time for an operator, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
