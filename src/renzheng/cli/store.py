"""`renzheng store`: moves records and keys from SQLite to PostgreSQL."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from renzheng.cli.local import JsonOption, actor, print_json, refuse, unusable, with_store
from renzheng.server.room_settings import databases, seals_of
from renzheng.settings import Settings, SettingsError, load_settings
from renzheng.store.engine import StoreError
from renzheng.store.engines import PostgresPlace, StoreLocation
from renzheng.store.files import EVIDENCE_FOLDER

if TYPE_CHECKING:
    from renzheng.store.table_copy import CopiedTable

app = typer.Typer(no_args_is_help=True, help="Where the records and keys are: the move from SQLite to PostgreSQL.")
T = TypeVar("T")


@app.command()
def copy(
    replace: Annotated[bool, typer.Option("--replace", help="Discard an unfinished copy, and start again.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Copy records, keys and the list of erasures into PostgreSQL, and prove each table by its count and digest.

    Stop the server first. RENZHENG_DATABASE_URL and RENZHENG_KEYS_URL name two empty databases.
    """
    settings = _load()
    where = _postgres(settings)

    def tell(table: CopiedTable) -> None:
        if not as_json:
            print(f"{table.name:<28} {table.rows:>12} rows  {table.digest[:32]}", flush=True)

    from renzheng.store.moving import move

    moved = _or_refuse(lambda: move(_place(settings), where, actor=actor(), replace=replace, told=tell))
    evidence = settings.evidence_url or str(settings.data_dir / EVIDENCE_FOLDER)
    if as_json:
        tables = [table._asdict() for table in moved.tables]
        print_json({**moved._asdict(), "tables": tables, "evidence": evidence})
        return
    print(f"Both sides have the same rows. {moved.keys} data keys open there, {moved.signed} signatures hold.")
    if moved.changed:
        print(f"{moved.changed} rows had been changed by other means than renzheng, and are as little trusted there.")
    print(f"Evidence stays where it is: {evidence}")
    print(f"The master key stays in {settings.keys_dir}. Start the server now.")
    print("The files of SQLite are kept and not used. What you erase from now on still opens from them:")
    print("once the server runs as it should, remove them by renzheng store discard.")


@app.command()
def migrate(
    beside: Annotated[
        bool,
        typer.Option(
            "--beside", help="Also while processes of another version use them, if these work with the new schema."
        ),
    ] = False,
) -> None:
    """Migrate the records in PostgreSQL to this version's schema. A start does this if no other process uses them."""
    settings = _load()
    where = _postgres(settings)
    from renzheng.store.migrations import HEAD
    from renzheng.store.postgres_session import PostgresSettings
    from renzheng.store.schema import migrate_postgres

    bounds = where.settings or PostgresSettings()
    done = _or_refuse(lambda: migrate_postgres(where.records, bounds, beside=beside))
    print(f"the schema is {HEAD} now" if done else "there is nothing to do")


@app.command()
def discard(as_json: JsonOption = False) -> None:
    """Delete the SQLite files of records and keys after a copy; they can still open erased data."""
    settings = _load()
    _postgres(settings)
    from renzheng.store.moving import discard as remove
    from renzheng.store.moving import moved_path

    _or_refuse(lambda: moved_path(_place(settings)))  # checked before opening, which would create a store

    async def work(store: Any) -> list[str]:
        removed = remove(_place(settings), store.vault.id)
        await store.audit.record("files of before the move removed", "SQLite")
        return [str(path) for path in removed]

    removed = with_store(work)
    if as_json:
        print_json({"removed": removed})
    else:
        print("\n".join(["removed:", *removed]))
        print("Backups of them are left to you. renzheng vault rotate makes what the disk may still hold useless.")


@app.command()
def reopen(
    sure: Annotated[bool, typer.Option("--yes", help="Discard what was written to PostgreSQL since.")] = False,
) -> None:
    """Go back to the SQLite files after a copy. The sweeper then erases evidence that only PostgreSQL knows."""
    settings = _load()
    if settings.database_url.get_secret_value():
        refuse("RENZHENG_DATABASE_URL is set: take both addresses away first")
    if not sure:
        refuse("what was verified, and what was erased, since the copy is not in SQLite; --yes gives it up", 2)
    from renzheng.store.moving import reopen as back

    _or_refuse(lambda: back(_place(settings)))
    print("SQLite's files are in use again. Erase again whom you erased since the copy.")


def _load() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        refuse(str(error))


def _postgres(settings: Settings) -> PostgresPlace:
    where = _or_refuse(lambda: databases(settings))
    return where or refuse("set RENZHENG_DATABASE_URL and RENZHENG_KEYS_URL to two databases of PostgreSQL first")


def _place(settings: Settings) -> StoreLocation:
    return StoreLocation(
        settings.data_dir, settings.keys_dir, time.time, os.urandom, 5.0, False, _or_refuse(lambda: seals_of(settings))
    )


def _or_refuse(work: Callable[[], T]) -> T:
    """Return the result of `work`. A refusal ends the command with a sentence."""
    try:
        return work()
    except StoreError as error:
        refuse(str(error))
    except (OSError, sqlite3.Error) as error:
        refuse(unusable(error))
