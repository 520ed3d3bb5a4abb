"""Synchronous PostgreSQL, without an event loop: for opening the store, for migrations, and for commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psycopg

from renzheng.store.engine import AwayError, Row
from renzheng.store.postgres_session import PostgresSettings, connecting, place, session_bounds, to_psycopg, trouble_of


class SyncTransaction:
    """`engine.Transaction` over a synchronous connection: for opening the store, and for commands."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    async def one(self, sql: str, /, **values: Any) -> Row | None:
        return self._connection.execute(to_psycopg(sql), values).fetchone()

    async def all(self, sql: str, /, **values: Any) -> list[Row]:
        return self._connection.execute(to_psycopg(sql), values).fetchall()

    async def run(self, sql: str, /, **values: Any) -> int:
        return self._connection.execute(to_psycopg(sql), values).rowcount

    async def run_each(self, sql: str, rows: Sequence[Mapping[str, Any]], /) -> None:
        if rows:
            with self._connection.cursor() as cursor:
                cursor.executemany(to_psycopg(sql), rows)


def connect(url: str, settings: PostgresSettings) -> psycopg.Connection[Row]:
    """Open a synchronous connection in autocommit. Raises AwayError with a sentence."""
    try:
        connection = psycopg.connect(**connecting(url, settings))
        for statement in session_bounds(settings):
            connection.execute(statement)
    except psycopg.Error as error:
        raise AwayError(trouble_of(error, place(url))) from None
    return connection


def connect_plain(url: str) -> psycopg.Connection[Row]:
    """Open a synchronous connection for migrations, which manage their own transactions and time limits.

    Raises AwayError with a sentence.
    """
    try:
        return psycopg.connect(url, application_name="renzheng")
    except psycopg.Error as error:
        raise AwayError(trouble_of(error, place(url))) from None
