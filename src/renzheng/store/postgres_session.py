"""What every connection to PostgreSQL shares: bounds, how a statement is written, how an error is reported."""

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
    """Bounds of one node's connections. Seconds, and connections for reading; one more writes."""

    readers: int = 4
    connect_seconds: float = 5.0
    statement_seconds: float = 30.0
    lock_seconds: float = 5.0


# A machine that is gone sends no farewell; without these a connection to it is waited on for hours.
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


def connecting(url: str, settings: PostgresSettings, name: str = "renzheng") -> dict[str, Any]:
    """How a connection in autocommit is made, as keywords of psycopg. What the address itself says of it stands."""
    given = {
        "connect_timeout": max(2, int(settings.connect_seconds)),
        "application_name": name,
        "tcp_user_timeout": int(1000 * settings.statement_seconds),
        **_KEEPALIVE,
    }
    try:
        said = conninfo_to_dict(url)
    except ProgrammingError:  # told when it is connected to
        said = {}
    return {"conninfo": url, "autocommit": True, **{key: value for key, value in given.items() if key not in said}}


_PARTS = re.compile(r"('(?:[^']|'')*')|(::)|:([A-Za-z_][A-Za-z0-9_]*)|(%)")


@functools.lru_cache(maxsize=1024)
def to_psycopg(sql: str) -> str:
    """The statement with psycopg's parameters in place of `:name`; a literal stays as it is, but for its percents."""

    def part(found: re.Match[str]) -> str:
        literal, cast_sign, name, _ = found.groups()
        if literal is not None:
            return literal.replace("%", "%%")
        if name is not None:
            return f"%({name})s"
        return "::" if cast_sign else "%%"

    return _PARTS.sub(part, sql)


def place(url: str) -> str:
    """Host, port and database of an address, without user, password and options: for sentences and logs."""
    parts = urlsplit(url)
    host = parts.hostname or "the local socket"
    return f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


# By words of the driver's text, where it is in English: that of a connection that was not made has no state.
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
    """A sentence without the address's secrets and without values: psycopg's own texts may hold rows."""
    state = getattr(error, "sqlstate", None)
    said = str(error)
    known = [state] if state else [reason for words, reason in _REASONS.items() if words in said][:1]
    return f"PostgreSQL at {where} cannot be used: {type(error).__name__}{f' ({known[0]})' if known else ''}"


def is_full(error: BaseException) -> bool:
    return isinstance(error, errors.DiskFull)


def session_bounds(settings: PostgresSettings) -> tuple[str, ...]:
    """What each session is bound by. Set after connecting, as poolers refuse it among the options."""
    return (
        f"SET statement_timeout = {int(1000 * settings.statement_seconds)}",
        f"SET lock_timeout = {int(1000 * settings.lock_seconds)}",
        f"SET idle_in_transaction_session_timeout = {int(1000 * settings.statement_seconds)}",
    )
