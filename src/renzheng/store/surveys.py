"""Surveys of SQLite: reads that may go over many rows, in a thread beside the event loop.

A look-up takes microseconds and runs on the loop. A count of 200,000 rows takes a tenth of a second, and the caller of
a list chooses how many rows it covers. On the loop, nobody else would be served meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from renzheng.store.engine import AwayError, Row

MAX_SECONDS = 5.0
"""Most seconds of one survey, so that those who wait for the thread get their turn."""
_STEPS = 1_000_000
"""SQLite's instructions between two checks of the time: some ten milliseconds."""


class Surveys:
    """One thread with its own connection, which `connect` opens at the first survey."""

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._connection: sqlite3.Connection | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renzheng-survey")
        self._until = 0.0

    async def all(self, text: str, values: Sequence[Any]) -> list[Row]:
        """Read rows. Raises AwayError if that takes too long, and sqlite3.Error."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._read, text, values)

    def close(self) -> None:
        """Interrupt the survey under way, and close the connection."""
        self._until = 0.0
        self._thread.shutdown(cancel_futures=True)
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()

    def _read(self, text: str, values: Sequence[Any]) -> list[Row]:
        if self._connection is None:
            self._connection = self._connect()
            self._connection.set_progress_handler(self._is_over, _STEPS)
        self._until = time.monotonic() + MAX_SECONDS
        try:
            return self._connection.execute(text, values).fetchall()
        except sqlite3.OperationalError as error:
            if (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF != sqlite3.SQLITE_INTERRUPT:
                raise
            raise AwayError(f"reading it takes more than {MAX_SECONDS:g} s: ask for a shorter time") from None

    def _is_over(self) -> bool:
        return time.monotonic() >= self._until
