"""An error in a log has the system's name for it, and nothing of its text."""

from __future__ import annotations

import errno
import sqlite3

import pytest

from renzheng.base.faults import fault_name
from renzheng.server.logs import _places


def sqlite_error(sql: str) -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(sqlite3.Error) as raised:
        connection.execute(sql)
    return raised.value


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (OSError(errno.ENOSPC, "secret"), "builtins.OSError ENOSPC"),
        (FileNotFoundError(errno.ENOENT, "secret"), "builtins.FileNotFoundError ENOENT"),
        (OSError(99999, "secret"), "builtins.OSError 99999"),
        (OSError("secret"), "builtins.OSError"),
        (ValueError("secret"), "builtins.ValueError"),
        (sqlite_error("CREATE TABLE secret (a)"), "sqlite3.OperationalError SQLITE_FULL"),
        (sqlite_error("SELECT secret"), "sqlite3.OperationalError SQLITE_ERROR"),
        (sqlite3.OperationalError("secret"), "sqlite3.OperationalError"),
    ],
)
def test_errors_are_named_by_kind_and_system(error: BaseException, name: str) -> None:
    assert fault_name(error) == name
    assert "secret" not in fault_name(error)


def test_what_a_logged_exception_shows_has_the_names_of_its_causes_too() -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, "secret")
        except OSError as error:
            raise ValueError("secret") from error
    except ValueError as error:
        shown = _places(error)
    assert "builtins.ValueError\n" in shown
    assert "builtins.OSError ENOSPC\n" in shown
    assert "secret" not in shown
