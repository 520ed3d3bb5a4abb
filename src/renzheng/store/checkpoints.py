"""What is in SQLite's log goes into its database beside the loop.

SQLite would do it within the commit that finds the log long: it writes and syncs pages all over the file, and whoever
has asked for a token meanwhile waits. The more sessions there are, the more pages that is, as tokens are random.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor

PAGES = 1000
"""Pages of the log about which it is emptied."""
MAX_PAGES = 16_000
"""Pages from which a commit empties it after all: the thread does not keep up."""
MIN_CHANGES, MAX_CHANGES = 32, 8192


class WriteAheadLog:
    """The log of one database; `committed` is called after each commit of `writer`, from one thread at a time.

    `own`: a second connection to the same database, for this alone; it is closed with the log.
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
        """Empty the log soon where enough rows have changed since the last time."""
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
            # How many pages a row takes depends on how many share a commit.
            factor = min(max(PAGES / max(pages, 1), 0.5), 2.0)
            self._changes = int(min(max(self._changes * factor, MIN_CHANGES), MAX_CHANGES))
        except sqlite3.Error:
            pass  # a full disk or the like: commits meet it too, and tell; the log grows until the next time
        finally:
            self._is_moving = False


def move(connection: sqlite3.Connection) -> int:
    """Empty the log without holding anybody up for long; how many pages it had.

    Nearly all of it while others write, then the little that came meanwhile while nobody does: the next writer begins
    the log anew only where none is left.
    """
    _, pages, _ = connection.execute("PRAGMA main.wal_checkpoint(PASSIVE)").fetchone()
    connection.execute("PRAGMA main.wal_checkpoint(FULL)").fetchone()
    return int(pages)
