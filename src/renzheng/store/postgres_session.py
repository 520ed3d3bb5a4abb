"""What every connection to PostgreSQL shares: bounds, parameter style, and error texts."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from psycopg import ProgrammingError, errors
from psycopg.conninfo import conninfo_to_dict


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """The bounds of one node's connections: seconds, and the number of connections for reading. One more writes."""

    readers: int = 4
    connect_seconds: float = 5.0
    statement_seconds: float = 30.0
    lock_seconds: float = 5.0


# A machine that crashed closes no connections. Without these, a connection to it would be waited on for hours.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


def connecting(url: str, settings: PostgresSettings, name: str = "renzheng") -> dict[str, Any]:
    """Return psycopg's keywords for a connection in autocommit. Settings in the address itself take precedence."""
    given = {
        "connect_timeout": max(2, int(settings.connect_seconds)),
        "application_name": name,
        "tcp_user_timeout": int(1000 * settings.statement_seconds),
        **_KEEPALIVE,
    }
    try:
        said = conninfo_to_dict(url)
    except ProgrammingError:  # an invalid address is reported when connecting
        said = {}
    return {"conninfo": url, "autocommit": True, **{key: value for key, value in given.items() if key not in said}}


_PARTS = re.compile(r"('(?:[^']|'')*')|(::)|:([A-Za-z_][A-Za-z0-9_]*)|(%)")


@functools.lru_cache(maxsize=1024)
def to_psycopg(sql: str) -> str:
    """Replace `:name` by psycopg's parameters. Literals stay as they are, except that percent signs are doubled."""

    def part(found: re.Match[str]) -> str:
        literal, cast_sign, name, _ = found.groups()
        if literal is not None:
            return literal.replace("%", "%%")
        if name is not None:
            return f"%({name})s"
        return "::" if cast_sign else "%%"

    return _PARTS.sub(part, sql)


def place(url: str) -> str:
    """Return host, port and database of an address, without user, password and options, for sentences and logs."""
    parts = urlsplit(url)
    host = parts.hostname or "the local socket"
    return f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


# By words in the driver's English text, as the error of a failed connection has no SQLSTATE.
_REASONS = {
    "Connection refused": "nothing listens there",
    "No such file": "nothing listens there",
    "couldn't get a connection": "no connection in time",
    "timeout": "no answer in time",
    "timed out": "no answer in time",
    "authentication failed": "the user or the password is wrong",
    "does not exist": "there is no such database or user",
    "translate host name": "the host's name is not known",
    "starting up": "it is starting",
    "shutting down": "it is shutting down",
    "too many clients": "it has no connection left",
    "remaining connection slots": "it has no connection left",
}


def trouble_of(error: BaseException, where: str) -> str:
    """Return a sentence without the address's secrets and without values: psycopg's own texts may contain rows."""
    state = getattr(error, "sqlstate", None)
    said = str(error)
    known = [state] if state else [reason for words, reason in _REASONS.items() if words in said][:1]
    return f"PostgreSQL at {where} cannot be used: {type(error).__name__}{f' ({known[0]})' if known else ''}"


def is_full(error: BaseException) -> bool:
    return isinstance(error, errors.DiskFull)


def session_bounds(settings: PostgresSettings) -> tuple[str, ...]:
    """Return the statements that bound each session. They run after connecting, as poolers refuse them as options."""
    return (
        f"SET statement_timeout = {int(1000 * settings.statement_seconds)}",
        f"SET lock_timeout = {int(1000 * settings.lock_seconds)}",
        f"SET idle_in_transaction_session_timeout = {int(1000 * settings.statement_seconds)}",
    )
