"""Copies tables from SQLite to PostgreSQL, row by row, and verifies that both hold the same rows."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

import psycopg

from renzheng.store.engine import Row, StoreError

FETCHED = 2000
"""Rows that are fetched from PostgreSQL at once."""


class TableSource(NamedTuple):
    """`rows`: the statement that reads the rows from SQLite, in the order of `columns`."""

    name: str
    columns: tuple[str, ...]
    rows: str


class CopiedTable(NamedTuple):
    """`digest`: 64 hex digits, the same for the same rows in any order and engine."""

    name: str
    rows: int
    digest: str


class RowDigest:
    """Counts rows and adds up their hashes, so that neither side has to sort and collations need not agree."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: Row) -> None:
        # Numbers, texts and bytes in Python's notation: 1, 1.0 and '1' differ.
        self._sum += int.from_bytes(hashlib.sha256(repr(row).encode()).digest(), "big")
        self.rows += 1

    def add_all(self, rows: Iterable[Row]) -> RowDigest:
        for row in rows:
            self.add(row)
        return self

    def of(self, table: str) -> CopiedTable:
        return CopiedTable(table, self.rows, f"{self._sum % (1 << 256):064x}")


def tables_in_order(target: psycopg.Connection[Row]) -> list[TableSource]:
    """Return the tables of the target's schema, each after those that it refers to."""
    columns: dict[str, list[str]] = {}
    for table, column in target.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"
    ):
        columns.setdefault(table, []).append(column)
    needs: dict[str, set[str]] = {name: set() for name in columns}
    for table, other in target.execute(
        "SELECT conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = current_schema()::regnamespace"
    ):
        needs[table].add(other)
    return [
        TableSource(name, tuple(columns[name]), f"SELECT {', '.join(columns[name])} FROM {name}")
        for name in TopologicalSorter(needs).static_order()
    ]


def copy_table(source: sqlite3.Connection, target: psycopg.Connection[Row], table: TableSource) -> CopiedTable:
    """Copy every row inside the target's transaction, read them back, and compare.

    Raises StoreError if PostgreSQL does not accept a row, or if the two differ.
    """
    sent = RowDigest()
    try:
        with target.cursor().copy(f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN") as copy:
            for row in source.execute(table.rows):
                sent.add(row)
                copy.write_row(row)
    except (psycopg.DataError, psycopg.IntegrityError) as error:  # its text may contain a row
        raise StoreError(
            f"PostgreSQL does not take row {sent.rows} of {table.name} or one before it: "
            f"{type(error).__name__} ({error.sqlstate})"
        ) from None
    found = RowDigest().add_all(rows_of(target, table)).of(table.name)
    if found != sent.of(table.name):
        raise StoreError(
            f"{table.name} is not the same on both sides: {sent.of(table.name)} was read from SQLite, "
            f"PostgreSQL holds {found}"
        )
    return found


def rows_of(target: psycopg.Connection[Row], table: TableSource) -> Iterator[Row]:
    with target.cursor(name="copied") as cursor:
        cursor.itersize = FETCHED
        cursor.execute(f"SELECT {', '.join(table.columns)} FROM {table.name}")
        yield from cursor


def go_on_counting(source: sqlite3.Connection, target: psycopg.Connection[Row]) -> None:
    """Let PostgreSQL's next numbers follow those that SQLite gave, deleted rows included."""
    given: dict[str, int] = dict(source.execute("SELECT name, seq FROM sqlite_sequence"))
    counted = target.execute(
        "SELECT table_name, column_name, pg_get_serial_sequence(table_name, column_name)"
        " FROM information_schema.columns WHERE table_schema = current_schema()"
        " AND pg_get_serial_sequence(table_name, column_name) IS NOT NULL"
    ).fetchall()
    for table, column, sequence in counted:
        row: Any = target.execute(f"SELECT max({column}) FROM {table}").fetchone()
        last = max(given.get(table, 0), row[0] or 0)
        if last:
            target.execute("SELECT setval(%s::regclass, %s)", (sequence, last))
