"""Checkpoints SQLite's write-ahead log beside the event loop.

SQLite would do this within the commit that finds the log long. It then writes and syncs pages all over the file while
requests for tokens wait. The more sessions there are, the more pages that is, as tokens are random.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

PAGES = 1000
"""Pages in the log at which a checkpoint starts."""
MAX_PAGES = 16_000
"""Pages from which a commit checkpoints after all, because the thread does not keep up."""
MIN_CHANGES, MAX_CHANGES = 32, 8192


class WriteAheadLog:
    """The log of one database. `committed` is called after each commit of `writer`, from one thread at a time.

    `own`: a second connection to the same database, for checkpoints alone. It is closed with the log.
    """

    def __init__(self, writer: sqlite3.Connection, own: sqlite3.Connection) -> None:
        writer.execute(f"PRAGMA wal_autocheckpoint = {MAX_PAGES}").fetchone()
        self._writer = writer
        self._own = own
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="renzheng-checkpoint")
        self._seen = writer.total_changes
        self._changes = 256
        self._is_moving = False

    def committed(self) -> None:
        """Start a checkpoint if enough rows have changed since the last one."""
        changes = self._writer.total_changes
        if changes - self._seen >= self._changes and not self._is_moving:
            self._seen, self._is_moving = changes, True
            self._thread.submit(self._move)

    def close(self) -> None:
        self._thread.shutdown()
        self._own.close()

    def _move(self) -> None:
        try:
            pages = move(self._own)
            # The pages per row depend on how many rows share a commit.
            factor = min(max(PAGES / max(pages, 1), 0.5), 2.0)
            self._changes = int(min(max(self._changes * factor, MIN_CHANGES), MAX_CHANGES))
        except sqlite3.Error:
            pass  # a full disk, for example: commits fail and report it too; the log grows until the next checkpoint
        finally:
            self._is_moving = False


def move(connection: sqlite3.Connection) -> int:
    """Checkpoint without delaying anybody for long. Returns the number of pages in the log.

    Most of it runs while others write. The rest then runs while nobody writes, as the next writer starts the log again
    only if none is left.
    """
    _, pages, _ = connection.execute("PRAGMA main.wal_checkpoint(PASSIVE)").fetchone()
    connection.execute("PRAGMA main.wal_checkpoint(FULL)").fetchone()
    return int(pages)
