"""SQLite's log is emptied beside the loop: commits neither wait for it nor find it grown."""

from __future__ import annotations

import asyncio
import functools
import itertools
import sqlite3
import threading
from pathlib import Path

import pytest

from renzheng.store import checkpoints
from renzheng.store.checkpoints import MAX_CHANGES, MAX_PAGES, MIN_CHANGES, PAGES, WriteAheadLog, move
from renzheng.store.engine import Transaction
from renzheng.store.sqlite import Database, connect

pytestmark = pytest.mark.sqlite
ROW = "INSERT INTO notes VALUES (?, zeroblob(3000))"


def opened(path: Path) -> sqlite3.Connection:
    return connect(path, busy_timeout=0)


def pages(path: Path) -> tuple[int, int]:
    """Pages in the log, and how many of them are in the database."""
    connection = opened(path)
    try:
        found = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        return int(found[1]), int(found[2])
    finally:
        connection.close()


def filled(path: Path, rows: int) -> sqlite3.Connection:
    writer = opened(path)
    writer.execute("CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, text BLOB)")
    writer.execute("PRAGMA wal_autocheckpoint = 0")
    for number in range(rows):
        writer.execute(ROW, (number,))
    return writer


def test_the_next_writer_begins_the_log_anew(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    writer, own = filled(path, 50), opened(path)
    assert move(own) >= 50
    size = (tmp_path / "notes.db-wal").stat().st_size
    for number in range(50, 90):
        writer.execute(ROW, (number,))
    assert (tmp_path / "notes.db-wal").stat().st_size == size
    writer.close()
    own.close()


def test_while_somebody_reads_the_log_is_emptied_as_far_as_it_can_be_and_nothing_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    writer, own, reader = filled(path, 10), opened(path), opened(path)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM notes").fetchone() == (10,)
    for number in range(10, 20):
        writer.execute(ROW, (number,))
    move(own)
    assert reader.execute("SELECT count(*) FROM notes").fetchone() == (10,)
    reader.execute("COMMIT")
    move(own)
    assert writer.execute("SELECT count(*) FROM notes").fetchone() == (20,)
    for connection in (writer, own, reader):
        connection.close()


@pytest.mark.parametrize(("found", "factor"), [(PAGES, 1.0), (10 * PAGES, 0.5), (1, 2.0), (0, 2.0)])
def test_it_is_emptied_about_when_it_has_so_many_pages(
    found: int, factor: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "notes.db"
    writer = filled(path, 1)
    log = WriteAheadLog(writer, opened(path))
    before = log._changes
    monkeypatch.setattr(checkpoints, "move", lambda _: found)
    log._move()
    assert log._changes == int(before * factor)
    for _ in range(20):
        log._move()
    assert MIN_CHANGES <= log._changes <= MAX_CHANGES
    log.close()
    writer.close()


def test_a_disk_that_takes_nothing_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes.db"
    writer = filled(path, 1)
    log = WriteAheadLog(writer, opened(path))

    def full(_: sqlite3.Connection) -> int:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(checkpoints, "move", full)
    log._move()
    monkeypatch.undo()
    log._seen = writer.total_changes - MAX_CHANGES  # it is tried again
    log.committed()
    log.close()
    assert pages(path)[1] == pages(path)[0]
    writer.close()


async def test_commits_go_on_while_the_log_is_emptied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "notes.db"
    filled(path, 0).close()
    begun, go_on, in_thread = threading.Event(), threading.Event(), []

    def slow(connection: sqlite3.Connection) -> int:
        in_thread.append(threading.current_thread() is not threading.main_thread())
        begun.set()
        assert go_on.wait(30)
        return move(connection)

    monkeypatch.setattr(checkpoints, "move", slow)
    database = Database(path)
    assert database._writer.execute("PRAGMA wal_autocheckpoint").fetchone() == (MAX_PAGES,)

    async def add(tx: Transaction, number: int) -> None:
        await tx.run("INSERT INTO notes VALUES (:number, zeroblob(3000))", number=number)

    numbers = itertools.count()
    while not begun.is_set():
        await database.write(functools.partial(add, number=next(numbers)))
    for _ in range(20):
        await asyncio.wait_for(database.write(functools.partial(add, number=next(numbers))), 30)
    go_on.set()
    await database.stop()
    assert in_thread
    assert all(in_thread)
    assert pages(path) == (0, 0)  # what was left was moved at the end
