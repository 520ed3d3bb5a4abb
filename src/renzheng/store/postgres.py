"""PostgreSQL for a server: one writer with group commit and a pool of readers, over psycopg 3 on the event loop.

Waiting writes are committed together, as over SQLite: a transaction per request costs five times as much. A batch is
tried without savepoints first; if a job of it fails, all of it is undone and run again with one around each job. Nodes
write at the same time, so a job's atomicity is in its statements and locks. If two nodes deadlock, PostgreSQL undoes
one batch, and that is run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import psycopg
from psycopg import AsyncConnection, errors
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from renzheng.store.engine import (
    AwayError,
    ConflictError,
    DatabaseBusyError,
    Job,
    Row,
    StoppedError,
    StoreError,
    UnknownOutcomeError,
    Write,
    take_batch,
)
from renzheng.store.postgres_news import PostgresNews
from renzheng.store.postgres_session import (
    PostgresSettings,
    connecting,
    is_full,
    place,
    session_bounds,
    to_psycopg,
    trouble_of,
)
from renzheng.verification.records import NoRoomError

T = TypeVar("T")
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)  # it logs each try; an outage is reported elsewhere

MAX_RUNS = 8
"""How often a batch is run before the store gives up, if other nodes or a lost connection undo it."""
RECONNECT_SECONDS = 1.0
"""Seconds after which the pool gives a lost connection up and makes a new one on demand. Otherwise it retries ever more
rarely, and reads would fail for long after an outage."""
GATHER_PART, MAX_GATHER = 0.25, 0.005
"""How long a batch waits for those who had a write in the last one: a part of the time that the last batch took, and at
most so many seconds. They often write again at once, and a shared transaction costs less."""
FIRST_PAUSE = 0.02
"""Seconds before a batch is run again; doubled each time."""
# PostgreSQL undid the batch because of others, or ended the connection: nothing of the batch took effect.
_AGAIN = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
_NO_PRIMARY = errors.ReadOnlySqlTransaction
"""Errors of a server that was the primary before a fail-over, or is not the primary yet."""


class AsyncKeyTransaction(Protocol):
    """The key database's part of a batch. It commits first: a record is never durable before its key."""

    async def begin(self) -> None: ...
    async def commit(self) -> None: ...
    async def rollback(self) -> None: ...
    async def drop(self) -> None: ...


class PostgresTransaction:
    """`engine.Transaction` over an asynchronous connection."""

    __slots__ = ("_connection",)

    def __init__(self, connection: AsyncConnection[Row]) -> None:
        self._connection = connection

    async def _execute(self, sql: str, values: Mapping[str, Any]) -> psycopg.AsyncCursor[Row]:
        return await self._connection.execute(to_psycopg(sql), values)

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        return await (await self._execute(sql, values)).fetchone()

    async def all(self, sql: str, /, **values: Any) -> list[Row]:
        return await (await self._execute(sql, values)).fetchall()

    async def run(self, sql: str, /, **values: Any) -> int:
        return (await self._execute(sql, values)).rowcount

    async def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        if rows:
            async with self._connection.cursor() as cursor:
                await cursor.executemany(to_psycopg(sql), rows)


class _JobFailedError(Exception):
    """A job failed in a batch without savepoints. The batch is run again, so that only this job is undone."""


class PostgresDatabase:
    """One database, used from one event loop. `trouble`: a sentence while transactions fail, else None.

    `batch_limit`: writes per transaction, which bounds how long rows stay locked.
    """

    clock_sql = "extract(epoch FROM clock_timestamp())::double precision"

    def __init__(
        self,
        url: str,
        keys: AsyncKeyTransaction | None = None,
        settings: PostgresSettings | None = None,
        batch_limit: int = 64,
    ) -> None:
        self.url = url
        self.place = place(url)
        self._settings = settings or PostgresSettings()
        self._keys = keys
        self._batch_limit = batch_limit
        self._pool: AsyncConnectionPool[AsyncConnection[Row]] | None = None
        self._opening = asyncio.Lock()
        self._writer: AsyncConnection[Row] | None = None
        self._waiting: deque[Write] = deque()
        self._wanted = 0
        self._has_wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stopped = False
        self.trouble: str | None = None
        self.news = PostgresNews(url, self._settings)

    # -- reading: committed rows only

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        rows = await self.all(sql, **values)
        return rows[0] if rows else None

    async def all(self, sql: str, /, **values: Any) -> list[Row]:
        """Read rows. If the connection is lost, the read is repeated on another, until no connection from before is
        left."""
        for left in range(self._settings.readers, -1, -1):
            try:
                pool = await self._readers()
                async with pool.connection(timeout=self._settings.connect_seconds) as connection:
                    cursor = await connection.execute(to_psycopg(sql), values)
                    return await cursor.fetchall()
            except PoolTimeout as error:
                raise self._note(error) from None
            except psycopg.OperationalError as error:
                if not left or isinstance(error, errors.QueryCanceled):
                    raise self._note(error) from None
            except psycopg.Error as error:
                raise _for_callers(error) from None
        raise AssertionError

    async def _readers(self) -> AsyncConnectionPool[AsyncConnection[Row]]:
        if self._pool is None:
            async with self._opening:
                if self._stopped:
                    raise StoppedError("the store is stopped")
                if self._pool is None:
                    keywords = connecting(self.url, self._settings)
                    pool: AsyncConnectionPool[AsyncConnection[Row]] = AsyncConnectionPool(
                        keywords.pop("conninfo"),
                        min_size=1,
                        max_size=self._settings.readers,
                        open=False,
                        kwargs=keywords,
                        configure=self._configure,
                        timeout=self._settings.connect_seconds,
                        reconnect_timeout=RECONNECT_SECONDS,
                        name="renzheng-readers",
                    )
                    await pool.open()
                    self._pool = pool
        return self._pool

    async def survey(self, sql: str, /, **values: Any) -> list[Row]:
        return await self.all(sql, **values)

    async def _configure(self, connection: AsyncConnection[Row]) -> None:
        for statement in session_bounds(self._settings):
            await connection.execute(statement)

    # -- writing

    async def write(self, job: Job[T], *, keys: bool = False, savepoint: bool = True) -> T:
        """Run a job; see `engine.Database.write`.

        Raises UnknownOutcomeError if the connection was lost while committing and PostgreSQL can no longer tell whether
        the write took effect.
        """
        if self._stopped:
            raise StoppedError("the store is stopped")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(Write(job, future, keys, savepoint))
        if len(self._waiting) == self._wanted:
            self._has_wanted.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name="renzheng-writer")
        return await future

    async def stop(self) -> None:
        """Finish the jobs that were handed in, then close."""
        self._stopped = True
        self._has_wanted.set()
        await self.news.stop()
        if self._task is not None:
            await self._task
        if self._writer is not None:
            await self._writer.close()
        async with self._opening:
            if self._pool is not None:
                await self._pool.close()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                before = 0
                while before < len(self._waiting) < self._batch_limit:
                    before = len(self._waiting)
                    await asyncio.sleep(0)  # a shared transaction is one fsync for all
                batch = take_batch(self._waiting, self._batch_limit)
                if batch:
                    begun = loop.time()
                    await self._run(batch)
                    await self._gather(len(batch), loop.time() - begun)
        finally:
            self._task = None

    async def _gather(self, answered: int, took: float) -> None:
        """Wait shortly, so that callers of the last batch can join those who wait already."""
        if self._stopped or answered == 1 or len(self._waiting) >= self._batch_limit:
            return
        self._wanted = min(len(self._waiting) + answered, self._batch_limit)
        self._has_wanted.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(took * GATHER_PART, MAX_GATHER)):
                await self._has_wanted.wait()

    async def _run(self, batch: list[Write]) -> None:
        """Run a batch until it is committed, or until it is clear that it cannot be."""
        failure: BaseException | None = None
        apart = False
        pause = FIRST_PAUSE
        for _ in range(MAX_RUNS):
            try:
                await self._try(batch, apart=apart)
                failure = None
                break
            except _JobFailedError as failed:
                if len(batch) == 1:  # all of it is undone, and there is no other job to run again
                    batch[0].error, failure = failed.__cause__, None
                    break
                apart = True
                continue
            except _AGAIN as error:
                failure = DatabaseBusyError("other nodes keep the rows locked")
                failure.__cause__ = error
            except (psycopg.OperationalError, _NO_PRIMARY) as error:
                failure = AwayError(trouble_of(error, self.place))
                failure.__cause__ = error
                if is_full(error):
                    break
            except Exception as error:
                failure = error
                break
            await asyncio.sleep(pause)
            pause *= 2
        self.trouble = str(failure) if isinstance(failure, StoreError) else None
        for write in batch:
            if write.future.done():
                continue
            error_of = failure or write.error
            if error_of is not None:
                write.future.set_exception(_for_callers(error_of))
            else:
                write.future.set_result(write.result)

    async def _try(self, batch: list[Write], *, apart: bool) -> None:
        """Run one transaction of all jobs. Raises what undid it; a job's own error is stored with the job."""
        connection = await self._connection()
        with_keys = self._keys is not None and any(write.keys for write in batch)
        try:
            number = await self._begin(connection, with_keys)
            for write in batch:
                write.result, write.error = None, None
                await self._run_job(connection, write, apart=apart)
            if with_keys and self._keys is not None:
                await self._keys.commit()
        except _NO_PRIMARY:  # the next connections may find the new primary
            await self._drop(connection)
            if with_keys and self._keys is not None:
                await self._keys.drop()
            raise
        except BaseException:
            await self._roll_back(connection, with_keys)
            raise
        await self._commit(connection, number)

    async def _begin(self, connection: AsyncConnection[Row], with_keys: bool) -> str:
        """Begin, and return the transaction's number, by which PostgreSQL later tells its outcome."""
        cursor = await connection.execute("BEGIN; SELECT pg_current_xact_id()::text")
        cursor.nextset()
        row = await cursor.fetchone()
        if with_keys and self._keys is not None:
            await self._keys.begin()
        return str(row[0]) if row else ""

    async def _run_job(self, connection: AsyncConnection[Row], write: Write, *, apart: bool) -> None:
        transaction = PostgresTransaction(connection)
        if apart:
            await connection.execute("SAVEPOINT job")
        try:
            write.result = await write.job(transaction)
        except (psycopg.OperationalError, *_AGAIN, _NO_PRIMARY):
            raise  # the whole batch is run again
        except Exception as error:
            if not apart:
                raise _JobFailedError from error
            write.error = error
            await connection.execute("ROLLBACK TO SAVEPOINT job")
        if apart:
            await connection.execute("RELEASE SAVEPOINT job")

    async def _commit(self, connection: AsyncConnection[Row], number: str) -> None:
        try:
            await connection.execute("COMMIT")
        except psycopg.OperationalError as error:
            await self._drop(connection)
            became = await self._became(number)
            if became == "committed":
                return
            if became == "aborted":
                raise
            raise UnknownOutcomeError(
                f"the connection to PostgreSQL at {self.place} was lost while committing; "
                "whether it took effect is not known"
            ) from error

    async def _became(self, number: str) -> str | None:
        """Return the outcome of a transaction: `committed`, `aborted`, or None if it is not known."""
        try:
            connection = await self._connection()
            cursor = await connection.execute("SELECT pg_xact_status(%s::text::xid8)", (number,))
            row = await cursor.fetchone()
        except psycopg.Error:
            return None
        return row[0] if row and row[0] in ("committed", "aborted") else None

    async def _roll_back(self, connection: AsyncConnection[Row], with_keys: bool) -> None:
        if with_keys and self._keys is not None:
            with contextlib.suppress(psycopg.Error):
                await self._keys.rollback()
        try:
            await connection.execute("ROLLBACK")
        except psycopg.Error:
            await self._drop(connection)

    async def _connection(self) -> AsyncConnection[Row]:
        if self._writer is None or self._writer.closed or self._writer.broken:
            connection = await AsyncConnection.connect(**connecting(self.url, self._settings))
            await self._configure(connection)
            self._writer = connection
        return self._writer

    async def _drop(self, connection: AsyncConnection[Row]) -> None:
        with contextlib.suppress(psycopg.Error):
            await connection.close()
        if self._writer is connection:
            self._writer = None

    def _note(self, error: BaseException) -> AwayError:
        self.trouble = trouble_of(error, self.place)
        return AwayError(self.trouble)


def _for_callers(error: BaseException) -> BaseException:
    """Return the error for callers, as PostgreSQL's own texts may contain a row's values."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    if cause is not None and is_full(cause):
        return NoRoomError("the disk of PostgreSQL is full")
    if isinstance(error, psycopg.IntegrityError):
        return ConflictError(f"a rule of the schema is broken: {type(error).__name__} ({error.sqlstate})")
    if isinstance(error, psycopg.Error):
        return StoreError(f"PostgreSQL refused a statement: {type(error).__name__} ({error.sqlstate})")
    return error
