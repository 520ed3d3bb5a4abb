"""What a log may say about an error: its type and the system's name for it, never its text."""

from __future__ import annotations

import errno
import sqlite3


def fault_name(error: BaseException) -> str:
    """Return a name such as `builtins.OSError ENOSPC` or `sqlite3.OperationalError SQLITE_FULL`, never the error's
    text."""
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    code: str | None = None
    if isinstance(error, OSError) and error.errno is not None:
        code = errno.errorcode.get(error.errno, str(error.errno))
    elif isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorname", None)
    return f"{name} {code}" if code else name
