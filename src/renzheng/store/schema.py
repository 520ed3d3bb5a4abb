"""Brings a database to the newest schema, and refuses one that is newer than this program."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from renzheng.store.engine import StoreError
from renzheng.store.locks import file_lock
from renzheng.store.migrations import BESIDE, HEAD, NEEDS
from renzheng.store.nodes import DEAD_SECONDS
from renzheng.store.sqlite import connect

if TYPE_CHECKING:
    from renzheng.store.postgres_session import PostgresSettings

MIGRATIONS = Path(__file__).with_name("migrations")
_UNKNOWN = "~"  # run after every revision
MIGRATING = 0x72656E79
"""The number of PostgreSQL's advisory lock that the migrating process holds."""


def revision(path: Path) -> str | None:
    """Return a database's revision; None for a new one. sqlite3.Error if it cannot be read: that is not new."""
    connection = connect(path, busy_timeout=5)
    try:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    finally:
        connection.close()
    return str(row[0]) if row else None


def migrate(path: Path) -> None:
    """Bring the database at `path` to `HEAD`. This takes a few hundred microseconds if it is there already.

    All revisions of a start are one transaction, run by one process at a time. Raises StoreError for a newer database,
    and sqlite3.Error or OSError if it cannot be read or written; then it is unchanged.
    """
    if not path.exists():
        # SQLite's log files get the database's mode, so it must be private from the start.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if revision(path) == HEAD:
        return
    with file_lock(path.with_name("migrate.lock")):
        found = revision(path)
        if found != HEAD:
            _upgrade("sqlite://", lambda: connect(path, busy_timeout=30), found, str(path))


def migrate_postgres(url: str, settings: PostgresSettings, *, beside: bool = False) -> bool:
    """Bring a database of PostgreSQL to `HEAD`. Returns whether there was anything to do.

    Raises StoreError for a newer schema that this program cannot use, and while processes of another version work on
    it. `beside`: not if those can go on with the newer schema.
    """
    from renzheng.store import postgres_sync
    from renzheng.store.postgres_session import place

    with closing(postgres_sync.connect(url, settings)) as connection:
        if _postgres_revision(connection) == HEAD:
            return False
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))  # until this connection is closed
        found = _postgres_revision(connection)
        if found == HEAD or (found is not None and found > HEAD and _needed_revision(connection) <= HEAD):
            return False
        if found is not None and found < HEAD:
            _check_others(connection, found, beside)
        _upgrade("postgresql+psycopg://", lambda: postgres_sync.connect_plain(url), found, place(url))
        return True


def _needed_revision(connection: Any) -> str:
    """Return the oldest revision whose programs can work on the schema as it is."""
    row = connection.execute("SELECT value FROM meta WHERE name = %s", (NEEDS,)).fetchone()
    return str(row[0]) if row else _UNKNOWN


def _check_others(connection: Any, found: str, beside: bool) -> None:
    """Raise StoreError while a process works on the old schema. A schema older than `nodes` lists none."""
    if not connection.execute("SELECT to_regclass('nodes')").fetchone()[0]:
        return
    there = connection.execute(
        "SELECT name FROM nodes WHERE seen_at > extract(epoch FROM clock_timestamp()) - %s ORDER BY name",
        (DEAD_SECONDS,),
    ).fetchall()
    if not there or (beside and found >= BESIDE):
        return
    names = ", ".join(str(row[0]) for row in there)
    advice = (
        "they can go on with the newer schema: run `renzheng store migrate --beside` of this version, and then update "
        "them one after another"
        if found >= BESIDE
        else "they cannot go on with the newer one: stop all of them, and start this version then"
    )
    raise StoreError(f"{names} work on these records with the schema {found}, and this version's is {HEAD}; {advice}")


def _postgres_revision(connection: Any) -> str | None:
    there = connection.execute("SELECT to_regclass('alembic_version')").fetchone()
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone() if there and there[0] else None
    return str(row[0]) if row else None


def _upgrade(dialect: str, open_connection: Callable[[], Any], found: str | None, where: str) -> None:
    # Imported here, as Alembic takes longer to import than a whole start without it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import Connection
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if found is not None and found not in {
        script.revision for script in ScriptDirectory.from_config(config).walk_revisions()
    }:
        raise StoreError(
            f"{where} was made by a newer renzheng (schema {found}; this one knows up to {HEAD}); "
            "use that version, or restore the backup from before"
        )
    engine = create_engine(dialect, creator=open_connection, poolclass=NullPool)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:  # the driver is in autocommit, so DDL can be undone too
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.exec_driver_sql(f"DELETE FROM meta WHERE name = '{NEEDS}'")
            connection.exec_driver_sql(f"INSERT INTO meta (name, value) VALUES ('{NEEDS}', '{BESIDE}')")
    except DBAPIError as error:
        if isinstance(error.orig, sqlite3.Error):  # a full disk or a lock; SQLAlchemy's text has the statement
            raise error.orig from None
        from renzheng.store.postgres_session import trouble_of

        raise StoreError(f"{trouble_of(error.orig or error, where)}, while its schema was brought up to date") from None
