"""The store's interface to a database: one SQL text per statement, jobs that are coroutines, no driver.

A statement names its parameters, `:like_this`. It uses the words that SQLite and PostgreSQL share. It may end in a lock
clause, `FOR UPDATE`: PostgreSQL obeys it; SQLite has one writer and omits it. A job reads and writes through the
transaction that it is given and awaits nothing else. It may be run again from its beginning, so outside the database it
changes nothing but memory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from renzheng.base.unavailable import UnavailableError
from renzheng.store.news import News

T = TypeVar("T")
Row = tuple[Any, ...]


class StoreError(Exception):
    """The store cannot do this. The text is a sentence for the operator, without personal data."""


class AwayError(StoreError, UnavailableError):
    """The database, key store or object store cannot be reached now, or accepts no writes."""


class DatabaseBusyError(AwayError):
    """Another process held the database's write lock for longer than the busy timeout."""


class StoppedError(AwayError):
    """The store was stopped before the write began."""


class ConflictError(StoreError):
    """The write violates the schema: the row exists already, or it refers to a row that does not exist."""


class UnknownOutcomeError(AwayError):
    """The connection was lost while committing: whether the write took effect is not known."""


class Transaction(Protocol):
    """A job reads and writes through it. All of it takes effect, durably, or nothing does."""

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        """Return the first row, also of a change with RETURNING; None if there is none."""
        ...

    async def all(self, sql: str, /, **values: Any) -> list[Row]: ...

    async def run(self, sql: str, /, **values: Any) -> int:
        """Change rows. Returns how many."""
        ...

    async def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        """Run the statement once for each row of values."""
        ...


Job = Callable[[Transaction], Coroutine[Any, Any, T]]


class Database(Protocol):
    """A database, used from one event loop. `trouble`: a sentence while transactions fail, None while they succeed.

    `clock_sql`: an SQL expression for the database's own time in unix seconds: one clock for all processes.
    """

    clock_sql: str

    @property
    def news(self) -> News: ...

    @property
    def trouble(self) -> str | None: ...

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        """Read committed rows with one statement."""
        ...

    async def all(self, sql: str, /, **values: Any) -> list[Row]: ...

    async def survey(self, sql: str, /, **values: Any) -> list[Row]:
        """Like `all`, for a statement that may read many rows: others are served meanwhile. Raises AwayError if it
        takes too long."""
        ...

    async def write(self, job: Job[T], *, keys: bool = False, savepoint: bool = True) -> T:
        """Run `job` in the next transaction. Returns its result once that is durable.

        An error of `job` undoes this job alone and is raised here. `keys`: the job adds data keys to the vault.
        `savepoint=False` is for a job of one statement, which undoes itself when it fails.
        """
        ...

    async def stop(self) -> None:
        """Finish the jobs that were handed in, then close."""
        ...


class Write:
    """A job that waits for the next transaction, and its outcome."""

    __slots__ = ("error", "future", "job", "keys", "result", "savepoint")

    def __init__(self, job: Job[Any], future: asyncio.Future[Any], keys: bool, savepoint: bool) -> None:
        self.job = job
        self.future = future
        self.keys = keys
        self.savepoint = savepoint
        self.result: Any = None
        self.error: BaseException | None = None


def take_batch(waiting: deque[Write], limit: int) -> list[Write]:
    """Return the next writes for one transaction, without those that were cancelled."""
    batch: list[Write] = []
    while waiting and len(batch) < limit:
        write = waiting.popleft()
        if not write.future.cancelled():
            batch.append(write)
    return batch


def run_to_end(job: Coroutine[Any, Any, T]) -> T:
    """Return the result of a job that never waits, as over SQLite."""
    try:
        job.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    job.close()
    raise RuntimeError("a job of the database waited for something else than the database")


def numbered(values: Sequence[Any]) -> tuple[str, dict[str, Any]]:
    """Name the values of a list for `IN (...)`: returns the parameters' names, and the values by name."""
    given = {f"n{index}": value for index, value in enumerate(values)}
    return ", ".join(f":{name}" for name in given), given
