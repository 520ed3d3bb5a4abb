"""SQLite: one writer with group commit, one reader, both on the event loop; a slow disk is waited for elsewhere.

Concurrent writers share one transaction and one fsync. Their statements run on the loop, as each is a matter of
microseconds and a thread would fight with the loop for the interpreter at every statement. The commit runs on the
loop too while the disk is quick, and in a thread of its own while it is not, so that the loop never waits for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

Job = Callable[[sqlite3.Connection], Any]
Parameters = Sequence[Any] | dict[str, Any]
Row = tuple[Any, ...]


class StoreError(Exception):
    """The store cannot do what was asked; the text is a sentence for the operator, without personal data."""


class Busy(StoreError):
    """Another process held the database's write lock for longer than the busy timeout."""


class Stopped(StoreError):
    """The store was stopped before the write began."""


class KeyTransaction(Protocol):
    """The key database's part of a batch. Its commit comes first: a record is never durable before its key."""

    def begin(self) -> None: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...


def connect(path: Path, *, busy_timeout: float, secure_delete: bool = False) -> sqlite3.Connection:
    """A connection in autocommit, WAL and synchronous=FULL, usable from any thread, though not from two at once."""
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    connection.execute("PRAGMA cache_size = -32768")
    if secure_delete:
        connection.execute("PRAGMA secure_delete = ON")
    return connection


def is_busy(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) or 0
    return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


QUICK_COMMIT = 0.01
"""Seconds below which commits are made on the loop: changing threads costs a request a fifth of its CPU."""


class _Write:
    __slots__ = ("error", "future", "job", "keys", "result", "savepoint")

    def __init__(self, job: Job, future: asyncio.Future[Any], keys: bool, savepoint: bool) -> None:
        self.job = job
        self.future = future
        self.keys = keys
        self.savepoint = savepoint
        self.result: Any = None
        self.error: BaseException | None = None


class Database:
    """One SQLite file. Its methods are for one event loop.

    `busy_timeout`: seconds to wait for another process's transaction. `batch_limit`: writes a transaction, which
    bounds how long the loop runs statements without a pause.
    """

    def __init__(
        self, path: Path, keys: KeyTransaction | None = None, busy_timeout: float = 5.0, batch_limit: int = 64
    ) -> None:
        self.path = path
        self._keys = keys
        self._busy_timeout = busy_timeout
        self._batch_limit = batch_limit
        # Waiting for a lock must not stop the loop: the writer never waits by itself, it is tried again.
        self._writer = connect(path, busy_timeout=0)
        self._reader = connect(path, busy_timeout=busy_timeout)
        self._reader.execute("PRAGMA query_only = ON")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[_Write] = deque()
        self._running = False
        self._retry_until: float | None = None
        self._stopped = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._commit_seconds = QUICK_COMMIT
        self._committer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renzheng-commit")

    # -- reading: committed rows only, on the loop, a few microseconds a look-up

    def fetch_one(self, sql: str, parameters: Parameters = ()) -> Row | None:
        row: Row | None = self._reader.execute(sql, parameters).fetchone()
        return row

    def fetch_all(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        return self._reader.execute(sql, parameters).fetchall()

    # -- writing

    def set_meta(self, name: str, value: str) -> None:
        """Remember a fact about this database, once; before the first `write`."""
        connection = connect(self.path, busy_timeout=self._busy_timeout)
        try:
            connection.execute("INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING", (name, value))
        finally:
            connection.close()

    async def write(self, job: Callable[[sqlite3.Connection], T], *, keys: bool = False, savepoint: bool = True) -> T:
        """Run `job` in the next transaction; return its result once that is durable.

        What `job` raises undoes this job alone and is raised here. `keys`: the job adds data keys to the vault.
        `savepoint=False` is for a job of one statement, which SQLite undoes by itself.
        """
        if self._stopped:
            raise Stopped("the store is stopped")
        loop = self._loop = self._loop or asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._waiting.append(_Write(job, future, keys, savepoint))
        if not self._running:
            self._running = True
            self._idle.clear()
            loop.call_soon(self._gather, loop, 0)
        return await future

    async def stop(self) -> None:
        """Finish what was handed in, then close."""
        self._stopped = True
        await self._idle.wait()
        self._committer.shutdown()
        self._reader.close()
        with contextlib.suppress(sqlite3.Error):
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writer.close()

    def _gather(self, loop: asyncio.AbstractEventLoop, before: int) -> None:
        """Wait a turn of the loop for as long as each brings more writes: a shared transaction is one fsync for all."""
        waiting = len(self._waiting)
        if before < waiting < self._batch_limit:
            loop.call_soon(self._gather, loop, waiting)
        else:
            self._run_batch(loop)

    def _run_batch(self, loop: asyncio.AbstractEventLoop) -> None:
        batch = self._take_batch()
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
        if not self._writer.in_transaction:  # a full disk or the like: SQLite has undone all of it
            self._roll_back(with_keys)
            self._finish(loop, batch, StoreError("the transaction was undone by the database"))
            return
        if self._commit_seconds < QUICK_COMMIT:
            self._finish(loop, batch, self._commit(with_keys))
        else:
            self._committer.submit(self._commit_apart, loop, batch, with_keys)

    def _take_batch(self) -> list[_Write]:
        batch: list[_Write] = []
        while self._waiting and len(batch) < self._batch_limit:
            write = self._waiting.popleft()
            if not write.future.cancelled():  # whoever asked has left
                batch.append(write)
        return batch

    def _begin(self, with_keys: bool) -> None:
        self._writer.execute("BEGIN IMMEDIATE")
        if with_keys and self._keys is not None:
            try:
                self._keys.begin()
            except BaseException:
                self._roll_back(with_keys)
                raise

    def _put_off(self, loop: asyncio.AbstractEventLoop, batch: list[_Write], error: sqlite3.Error) -> None:
        """Another process is writing: try again soon, for as long as the busy timeout says."""
        now = loop.time()
        if self._retry_until is None:
            self._retry_until = now + self._busy_timeout
        if is_busy(error) and now < self._retry_until:
            self._waiting.extendleft(reversed(batch))
            loop.call_later(0.002, self._run_batch, loop)
            return
        self._retry_until = None
        self._finish(loop, batch, Busy("another process keeps the database locked") if is_busy(error) else error)

    def _run_job(self, write: _Write) -> None:
        writer = self._writer
        try:
            if not write.savepoint:
                write.result = write.job(writer)
                return
            writer.execute("SAVEPOINT job")
            try:
                write.result = write.job(writer)
            except BaseException:
                if writer.in_transaction:
                    writer.execute("ROLLBACK TO job")
                    writer.execute("RELEASE job")
                raise
            writer.execute("RELEASE job")
        except Exception as error:
            write.error = error

    def _commit_apart(self, loop: asyncio.AbstractEventLoop, batch: list[_Write], with_keys: bool) -> None:
        """In the committer's thread, where the disk is too slow to be waited for on the loop."""
        loop.call_soon_threadsafe(self._finish, loop, batch, self._commit(with_keys))

    def _commit(self, with_keys: bool) -> BaseException | None:
        """What went wrong, if anything. Remembers how long commits take of late."""
        begun = time.perf_counter()
        failure: BaseException | None = None
        try:
            if with_keys and self._keys is not None:
                self._keys.commit()
            self._writer.execute("COMMIT")
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

    def _finish(self, loop: asyncio.AbstractEventLoop, batch: list[_Write], failure: BaseException | None) -> None:
        for write in batch:
            future = write.future
            if future.done():
                continue
            error = failure or write.error
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(write.result)
        # After the callers had their turn, so that what they ask next joins the batch.
        loop.call_soon(self._gather, loop, 0)


class ServerLock:
    """Held by the one server process of a data folder, for as long as it lives."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Raises StoreError with a sentence where another process holds it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise StoreError(
                f"another server (process {holder}) already works on {self._path.parent}; "
                "SQLite is for one server process, so stop that one first"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def file_lock(path: Path) -> Iterator[None]:
    """Wait for, then hold, a lock file: for steps that only one process at a time may take, such as migrating."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
