"""The two places for records and keys: SQLite in two folders, or two databases of PostgreSQL.

Opening brings the schema up to date, checks that records and keys belong together, and signs rows without a signature.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from renzheng.store.authenticity import Authenticity
from renzheng.store.engine import Database, StoreError, Transaction, run_to_end
from renzheng.store.files import KEYS_FILE, RECORDS_FILE
from renzheng.store.keyring import KeysRefusedError
from renzheng.store.locks import ServerLock, file_lock
from renzheng.store.master_seal import MasterSeal
from renzheng.store.schema import MIGRATING, migrate, migrate_postgres
from renzheng.store.sqlite import Database as SqliteDatabase
from renzheng.store.sqlite import SqliteTransaction, connect
from renzheng.store.sqlite_vault import SqliteVault
from renzheng.store.vault import Vault

if TYPE_CHECKING:  # its driver is an extra
    from renzheng.store.postgres_session import PostgresSettings


class StoreLocation(NamedTuple):
    """The folders, and what else opening needs. `adopt`: sign the rows as they are. `seals`: of the master key.

    `may_be_moved`: open SQLite's files although their records were moved to PostgreSQL.
    """

    data: Path
    keys: Path
    clock: Callable[[], float]
    entropy: Callable[[int], bytes]
    busy_timeout: float
    adopt: bool
    seals: tuple[MasterSeal, ...] = ()
    may_be_moved: bool = False


class PostgresPlace(NamedTuple):
    """Addresses of the databases of records and of keys, and the bounds of their use."""

    records: str
    keys: str
    settings: PostgresSettings | None = None


def postgres_place(records: str, keys: str, **bounds: float) -> PostgresPlace | None:
    """Return the place; None without addresses. `bounds`: as `PostgresSettings`. StoreError without the driver."""
    if not records:
        return None
    try:
        from renzheng.store.postgres_session import PostgresSettings
    except ImportError:
        raise StoreError(NO_DRIVER) from None
    return PostgresPlace(records, keys, PostgresSettings(**bounds))  # type: ignore[arg-type]


NO_DRIVER = "PostgreSQL needs its driver: pip install 'renzheng[postgres]'"


class Opened(NamedTuple):
    """`newest`: id of the newest session. `lock`: held by the one server process of these records. `is_shared`: whether
    processes on several machines can work on them."""

    vault: Vault
    database: Database
    authenticity: Authenticity
    newest: int
    lock: Lock
    is_shared: bool


class Lock(Protocol):
    def acquire(self) -> None:
        """Take the lock. Raises StoreError with a sentence if another process has it."""
        ...

    def release(self) -> None: ...


class NoLock:
    """The lock of an engine that any number of servers may use at once."""

    def acquire(self) -> None:
        pass

    def release(self) -> None:
        pass


def open_sqlite(given: StoreLocation) -> Opened:
    """Open the two folders. Raises StoreError with a sentence."""
    path = given.data / RECORDS_FILE
    if path.exists() and not (given.keys / KEYS_FILE).exists():
        raise KeysRefusedError(
            f"{path} has records, but the keys folder {given.keys} has no keys for them; "
            "restore the keys folder from its backup, or point RENZHENG_KEYS_DIR at it"
        )
    vault = SqliteVault(given.keys, given.clock, given.entropy, given.busy_timeout, given.seals)
    migrate(path)
    authenticity = Authenticity(vault)
    with contextlib.closing(connect(path, busy_timeout=30)) as connection:
        tx = SqliteTransaction(connection)
        if not given.may_be_moved:
            _check_not_moved(tx, path)
        with file_lock(given.data / "migrate.lock") if _has_to_sign(tx, given.adopt) else contextlib.nullcontext():
            newest = _prepare(tx, vault, authenticity, str(path), given.adopt)
    database = SqliteDatabase(path, vault, given.busy_timeout)
    return Opened(vault, database, authenticity, newest, ServerLock(given.data / "server.lock"), False)


def _check_not_moved(tx: Transaction, path: Path) -> None:
    row = run_to_end(tx.one(_META, name=MOVED))
    if row is not None:
        raise StoreError(
            f"the records of {path} were moved to PostgreSQL at {row[0]}: set RENZHENG_DATABASE_URL and "
            "RENZHENG_KEYS_URL; renzheng store reopen gives up what was written there since"
        )


def open_postgres(given: StoreLocation, where: PostgresPlace) -> Opened:
    """Open the two databases. Raises StoreError with a sentence."""
    try:
        from renzheng.store import postgres_sync
        from renzheng.store.postgres import PostgresDatabase
        from renzheng.store.postgres_session import PostgresSettings, place
        from renzheng.store.postgres_vault import PostgresVault
    except ImportError:
        raise StoreError(NO_DRIVER) from None
    settings = where.settings or PostgresSettings()
    vault = PostgresVault(given.keys, where.keys, given.clock, given.entropy, settings, given.seals)
    migrate_postgres(where.records, settings)
    authenticity = Authenticity(vault)
    with contextlib.closing(postgres_sync.connect(where.records, settings)) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (MIGRATING,))  # until the connection is closed
        tx = postgres_sync.SyncTransaction(connection)
        with vault.at_once():
            newest = _prepare(tx, vault, authenticity, place(where.records), given.adopt)
    database = PostgresDatabase(where.records, vault, settings)
    return Opened(vault, database, authenticity, newest, NoLock(), True)


SIGNED = "signed"
MOVED = "moved"
"""A mark in SQLite's records that says where they were moved to."""
_META = "SELECT value FROM meta WHERE name = :name"
_NOTE = "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT DO NOTHING"


def _has_to_sign(tx: Transaction, adopt: bool) -> bool:
    return adopt or run_to_end(tx.one(_META, name=SIGNED)) is None


def _prepare(tx: Transaction, vault: Vault, authenticity: Authenticity, where: str, adopt: bool) -> int:
    """Check that records and keys belong together, and that rows are signed. Returns the id of the newest session.

    `tx`: over a synchronous connection that is in no transaction.
    """
    row = run_to_end(tx.one(_META, name="vault"))
    if row is None:
        run_to_end(tx.run(_NOTE, name="vault", value=vault.id))
    elif row[0] != vault.id:
        raise KeysRefusedError(f"{vault.place} is not the one that {where} was sealed with")
    if _has_to_sign(tx, adopt):
        _sign_existing(tx, vault, authenticity, where, adopt)
    elif not vault.mark(SIGNED):
        vault.set_mark(SIGNED)
    newest = run_to_end(tx.one("SELECT coalesce(max(id), 0) FROM sessions"))
    return int(newest[0]) if newest else 0


def _sign_existing(tx: Transaction, vault: Vault, authenticity: Authenticity, where: str, adopt: bool) -> None:
    """Sign records from before rows were signed, once. Raises StoreError if these keys have signed already.

    Otherwise somebody who can write the records could change them, remove the mark, and have the next start sign them.
    """
    has_records = run_to_end(tx.one("SELECT 1 FROM accounts LIMIT 1")) is not None
    if has_records and vault.mark(SIGNED) and not adopt:
        raise StoreError(
            f"the rows of {where} are not signed, though these keys have signed before: where it was restored "
            "from a backup of before that, sign it by renzheng vault adopt; else somebody has changed it"
        )
    run_to_end(tx.run("BEGIN"))
    run_to_end(authenticity.sign_all(tx))
    run_to_end(tx.run(_NOTE, name=SIGNED, value="1"))
    run_to_end(tx.run("COMMIT"))
    vault.set_mark(SIGNED)
