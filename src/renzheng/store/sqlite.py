"""SQLite: one writer with group commit and one reader, both on the event loop. A slow disk is awaited in a thread.

Concurrent writers share one transaction and one fsync. Their statements run on the loop, as each takes microseconds,
and a thread would compete with the loop for the interpreter at every statement. The commit also runs on the loop while
the disk is quick, and in a thread of its own while it is not, so that the loop never waits for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import math
import operator
import re
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from renzheng.base.faults import fault_name
from renzheng.store.checkpoints import WriteAheadLog
from renzheng.store.engine import (
    AwayError,
    ConflictError,
    DatabaseBusyError,
    Job,
    Row,
    StoppedError,
    StoreError,
    Write,
    run_to_end,
    take_batch,
)
from renzheng.store.news import PolledNews
from renzheng.store.room import is_full
from renzheng.store.surveys import Surveys
from renzheng.verification.records import NoRoomError

T = TypeVar("T")


def _for_callers(error: BaseException) -> BaseException:
    """Return the error for callers: a full disk is no fault of the job."""
    if not isinstance(error, NoRoomError) and is_full(error):
        told = NoRoomError("the disk of the records or the keys is full")
        told.__cause__ = error
        return told
    if isinstance(error, sqlite3.Error) and is_busy(error):
        return DatabaseBusyError("another process keeps the database locked")
    if isinstance(error, sqlite3.Error) and is_away(error):
        away = AwayError(f"the records or the keys cannot be used: {fault_name(error)}")
        away.__cause__ = error
        return away
    if isinstance(error, sqlite3.IntegrityError):  # this text names columns, not values
        return ConflictError(f"a rule of the schema is broken: {error}")
    return error


class KeyTransaction(Protocol):
    """The key database's part of a batch. It commits first: a record is never durable before its key."""

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


def connect(path: Path, *, busy_timeout: float, secure_delete: bool = False) -> sqlite3.Connection:
    """Open a connection in autocommit, WAL and synchronous=FULL. Any thread may use it, but only one at a time.

    Raises StoreError with a sentence if the file system or this SQLite does not support that.
    """
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    try:
        set_pragma(connection, "journal_mode", "WAL", "wal")
        set_pragma(connection, "synchronous", "FULL", 2)
        set_pragma(connection, "foreign_keys", "ON", 1)
        set_pragma(connection, "temp_store", "MEMORY", 2)
        set_pragma(connection, "cache_size", "-32768", -32768)
        # Some builds of SQLite have no mathematical functions, such as floor.
        connection.create_function("floor", 1, math.floor, deterministic=True)
        if secure_delete:
            set_pragma(connection, "secure_delete", "ON", 1)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_reader(path: Path, busy_timeout: float) -> sqlite3.Connection:
    connection = connect(path, busy_timeout=busy_timeout)
    set_pragma(connection, "query_only", "ON", 1)
    return connection


_WHY_NOT = {
    "journal_mode": "its file system does not let processes share a write-ahead log, as network file systems do not: "
    "keep the folder on a local disk",
    "secure_delete": "this SQLite was built without overwriting what is deleted, so nothing could be erased",
}


def set_pragma(connection: sqlite3.Connection, name: str, value: str, expected: int | str) -> None:
    """Set a pragma and check it. SQLite does not report a refusal, it only returns the old value. Raises StoreError."""
    answer = (
        connection.execute(f"PRAGMA {name} = {value}").fetchone() or connection.execute(f"PRAGMA {name}").fetchone()
    )  # most return nothing when they are set
    if answer is None or answer[0] != expected:
        file = connection.execute("PRAGMA database_list").fetchone()[2]
        said = "nothing" if answer is None else answer[0]
        why = _WHY_NOT.get(name.rpartition(".")[2], "this build of SQLite cannot be used")
        raise StoreError(f"{file} cannot be opened with {name} {value}; SQLite answers {said}: {why}")


def is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


_AWAY = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL)


def is_away(error: sqlite3.Error) -> bool:
    """Return whether the disk is at fault, not the statement."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF in _AWAY


_LOCK_CLAUSE = re.compile(r"\s+FOR (UPDATE|SHARE)( OF \w+)?( SKIP LOCKED)?")
_LITERAL_OR_NAME = re.compile(r"'(?:[^']|'')*'|:([A-Za-z_][A-Za-z0-9_]*)")
_Values = Mapping[str, Any]


@functools.lru_cache(maxsize=1024)
def _positional(sql: str) -> tuple[str, Callable[[_Values], Sequence[Any]]]:
    """Return the statement for SQLite, and a function that puts its values into their order.

    Lock clauses are left out, as SQLite has one writer. Parameters are positional, as the driver looks up each name at
    every call, which costs a third of a small statement.
    """
    names: list[str] = []

    def place(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        names.append(found[1])
        return "?"

    text = _LITERAL_OR_NAME.sub(place, _LOCK_CLAUSE.sub("", sql))
    if len(names) > 1:
        return text, operator.itemgetter(*names)
    return text, lambda values: [values[name] for name in names]


class SqliteTransaction:
    """`engine.Transaction` over a synchronous connection: nothing here yields to the event loop."""

    __slots__ = ("_connection",)

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def _execute(self, sql: str, values: _Values) -> sqlite3.Cursor:
        text, in_order = _positional(sql)
        return self._connection.execute(text, in_order(values))

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        row: Row | None = self._execute(sql, values).fetchone()
        return row

    async def all(self, sql: str, /, **values: Any) -> list[Row]:
        return self._execute(sql, values).fetchall()

    async def run(self, sql: str, /, **values: Any) -> int:
        return self._execute(sql, values).rowcount

    async def run_each(self, sql: str, rows: Sequence[_Values], /) -> None:
        text, in_order = _positional(sql)
        self._connection.executemany(text, map(in_order, rows))


QUICK_COMMIT = 0.01
"""Seconds below which commits run on the loop: changing threads costs a request a fifth of its CPU."""


class Database:
    """One SQLite file, used from one event loop.

    `busy_timeout`: seconds to wait for another process's transaction. `batch_limit`: writes per transaction, which
    bounds how long the loop runs statements without a pause. `trouble`: a sentence while transactions fail because of
    the disk, None from the first that succeeds.
    """

    clock_sql = "(julianday('now') - 2440587.5) * 86400.0"

    def __init__(
        self, path: Path, keys: KeyTransaction | None = None, busy_timeout: float = 5.0, batch_limit: int = 64
    ) -> None:
        self.path = path
        self._keys = keys
        self._busy_timeout = busy_timeout
        self._batch_limit = batch_limit
        # Waiting for a lock must not block the loop: the writer never waits by itself, but is tried again.
        self._writer = connect(path, busy_timeout=0)
        self._reader = _connect_reader(path, busy_timeout)
        self._log = WriteAheadLog(self._writer, connect(path, busy_timeout=0))
        self._surveys = Surveys(lambda: _connect_reader(path, busy_timeout))
        self._reading = SqliteTransaction(self._reader)
        self._writing = SqliteTransaction(self._writer)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[Write] = deque()
        self._running = False
        self._retry_until: float | None = None
        self._stopped = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._commit_seconds = QUICK_COMMIT
        self.trouble: str | None = None
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renzheng-commit")
        self._is_committing_apart = False
        self._version = self._data_version()
        self.news = PolledNews(self._has_changed_elsewhere)

    # -- reading: committed rows only, on the loop, a few microseconds per look-up

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        try:
            return await self._reading.one(sql, **values)
        except sqlite3.OperationalError as error:
            raise _for_callers(error) from None

    async def all(self, sql: str, /, **values: Any) -> list[Row]:
        try:
            return await self._reading.all(sql, **values)
        except sqlite3.OperationalError as error:
            raise _for_callers(error) from None

    async def survey(self, sql: str, /, **values: Any) -> list[Row]:
        text, in_order = _positional(sql)
        try:
            return await self._surveys.all(text, in_order(values))
        except sqlite3.OperationalError as error:
            raise _for_callers(error) from None

    def _data_version(self) -> int:
        """Return a number that changes with other connections' commits, and not with the writer's own."""
        return int(self._writer.execute("PRAGMA data_version").fetchone()[0])

    def _has_changed_elsewhere(self) -> bool:
        """Return whether others have committed since the last call.

        False while the writer's thread uses the connection; the next call returns it then.
        """
        if self._is_committing_apart:
            return False
        before, self._version = self._version, self._data_version()
        return before != self._version

    # -- writing

    async def write(self, job: Job[T], *, keys: bool = False, savepoint: bool = True) -> T:
        """Run `job` in the next transaction. Returns its result once that is durable.

        An error of `job` undoes this job alone and is raised here. `keys`: the job adds data keys to the vault.
        `savepoint=False` is for a job of one statement, which SQLite undoes by itself.
        """
        if self._stopped:
            raise StoppedError("the store is stopped")
        loop = self._loop = self._loop or asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append(Write(job, future, keys, savepoint))
        if not self._running:
            self._running = True
            self._idle.clear()
            loop.call_soon(self._gather, loop, 0)
        return await future

    async def stop(self) -> None:
        """Finish the jobs that were handed in, then close."""
        self._stopped = True
        await self.news.stop()
        await self._idle.wait()
        self._committer.shutdown()
        self._log.close()
        self._surveys.close()
        self._reader.close()
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.close()

    def _gather(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Wait one turn of the loop as long as each turn brings more writes: a shared transaction has one fsync for
        all."""
        waiting = len(self._waiting)
        if before < waiting < self._batch_limit:
            loop.call_soon(self._gather, loop, waiting)
        else:
            self._run_batch(loop)

    def _run_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = take_batch(self._waiting, self._batch_limit)
        if not batch:
            self._running = False
            self._idle.set()
            return
        with_keys = any(write.keys for write in batch)
        try:
            self._begin(with_keys)
        except sqlite3.Error as error:
            self._put_off(loop, batch, error)
            return
        except Exception as error:
            self._finish(loop, batch, error)
            return
        self._retry_until = None
        for write in batch:
            self._run_job(write)
            if not self._writer.in_transaction:  # a full disk, for example: SQLite has undone all of it
                break  # the next job would get a transaction of its own, without its keys
        if not self._writer.in_transaction:
            self._roll_back(with_keys)
            self._finish(loop, batch, AwayError("the transaction was undone by the database"))
            return
        if self._commit_seconds < QUICK_COMMIT:
            self._finish(loop, batch, self._commit(with_keys))
        else:
            self._is_committing_apart = True
            self._committer.submit(self._commit_apart, loop, batch, with_keys)

    def _begin(self, with_keys: bool) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        if with_keys and self._keys is not None:
            try:
                self._keys.begin()
            except BaseException:
                self._roll_back(with_keys)
                raise

    def _put_off(self, loop: asyncio.AbstractEventLoop, batch: list[Write], error: sqlite3.Error) -> None:
        """Try again soon, as another process is writing, for as long as the busy timeout allows."""
        now = loop.time()
        if self._retry_until is None:
            self._retry_until = now + self._busy_timeout
        if is_busy(error) and now < self._retry_until:
            self._waiting.extendleft(reversed(batch))
            loop.call_later(0.002, self._run_batch, loop)
            return
        self._retry_until = None
        self._finish(loop, batch, _for_callers(error) if is_busy(error) else error)

    def _run_job(self, write: Write) -> None:
        writer = self._writer
        try:
            if not write.savepoint:
                write.result = run_to_end(write.job(self._writing))
                return
            writer.execute("SAVEPOINT job")
            try:
                write.result = run_to_end(write.job(self._writing))
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK TO job")
                    writer.execute("RELEASE job")
                raise
            writer.execute("RELEASE job")
        except Exception as error:
            write.error = error

    def _commit_apart(self, loop: asyncio.AbstractEventLoop, batch: list[Write], with_keys: bool) -> None:
        """Commit in the committer's thread, if the disk is too slow to be awaited on the loop."""
        loop.call_soon_threadsafe(self._finish, loop, batch, self._commit(with_keys))

    def _commit(self, with_keys: bool) -> BaseException | None:
        """Return what went wrong, if anything. Remembers how long recent commits took."""
        begun = time.perf_counter()
        failure: BaseException | None = None
        try:
            if with_keys and self._keys is not None:
                self._keys.commit()
            self._writer.execute("COMMIT")
            self._log.committed()
        except Exception as error:
            failure = error
            self._roll_back(with_keys)
        self._commit_seconds += (time.perf_counter() - begun - self._commit_seconds) / 8
        return failure

    def _roll_back(self, with_keys: bool) -> None:
        with contextlib.suppress(sqlite3.Error):
            if with_keys and self._keys is not None:
                self._keys.rollback()
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("ROLLBACK")

    def _finish(self, loop: asyncio.AbstractEventLoop, batch: list[Write], failure: BaseException | None) -> None:
        self._is_committing_apart = False
        if failure is not None:  # one job's lack of space may have undone the whole batch
            failure = next((w.error for w in batch if w.error is not None and is_full(w.error)), failure)
        self._note(failure)
        for write in batch:
            future = write.future
            if future.done():
                continue
            error = failure or write.error
            if error is not None:
                future.set_exception(_for_callers(error))
            else:
                future.set_result(write.result)
        # After the callers had their turn, so that their next writes join the batch.
        loop.call_soon(self._gather, loop, 0)

    def _note(self, failure: BaseException | None) -> None:
        if failure is None:
            self.trouble = None
        elif isinstance(failure, (sqlite3.Error, OSError)):
            self.trouble = f"the last transaction failed: {fault_name(failure)}"
