"""The environment and the file `.env`: which names are settings, which belong to others, and when the file is
trusted."""

from __future__ import annotations

import difflib
import os
import re
import stat
from collections.abc import Collection, Mapping
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

PREFIX = "RENZHENG_"
FILE = Path(".env")

OTHERS = frozenset(
    {
        "RENZHENG_ENDPOINT",  # programs of merchants, as in the quickstart and on the client's page
        "RENZHENG_SECRET_ID",
        "RENZHENG_SECRET_KEY",
        "RENZHENG_URL",  # the example shop
        "RENZHENG_TEST_DATA",  # the tests and the evaluation
    }
)
"""Names with our prefix that are not settings of the server, and that it ignores."""

RENAMED = {
    "RENZHENG_FRAMES_PER_SECOND_LEAST": "RENZHENG_MIN_FRAMES_PER_SECOND",
    "RENZHENG_FRAMES_PER_SECOND_MOST": "RENZHENG_MAX_FRAMES_PER_SECOND",
}
"""Settings of earlier versions, with their new names."""

# Docker's links and Kubernetes set these for a container or service named renzheng, or renzheng-something.
_INJECTED = re.compile(
    r"RENZHENG_(SERVICE|PORT|ENV)_.*|RENZHENG_(.*_)?NAME|RENZHENG_.*_SERVICE_(HOST|PORT)(_.*)?"
    r"|RENZHENG_.*_PORT_\d+_(TCP|UDP|SCTP)(_.*)?|RENZHENG_.*_ENV_.*"
)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.IGNORECASE)


class BadEnvironmentError(Exception):
    """The environment cannot be used as it is. The text has one sentence per line."""


def read_file(path: Path = FILE) -> dict[str, str]:
    """Return the variables of `.env`; empty without the file. Raises BadEnvironmentError if it is not to be trusted.

    The file decides where keys and faces are kept and who is trusted. A file in somebody else's folder would do that
    for everybody who runs a command there. So it must belong to the user, and nobody else may write it.
    """
    try:
        with path.open("rb") as file:
            _check_owner(path, os.fstat(file.fileno()))
            text = file.read().decode("utf-8")
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except OSError as error:
        raise BadEnvironmentError(f"{path.absolute()} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadEnvironmentError(f"{path.absolute()} is not text in UTF-8") from None
    values = dotenv_values(stream=StringIO(text))
    return {name: value for name, value in values.items() if value is not None}


def export(name: str) -> None:
    """Set a variable of `.env` for parts that read only the environment, in this process and its children."""
    if name not in os.environ and (given := read_file().get(name)):
        os.environ[name] = given


_taken: dict[str, str] = {}


def take(name: str) -> None:
    """Move a secret out of the environment, from which children would inherit it and error reports would list it.

    Later calls of `taken_secret` return it. The kernel still shows a process's first environment, but to root alone.
    """
    for given in [known for known in os.environ if known.upper() == name]:
        _taken[name] = os.environ.pop(given)


def taken_secret(name: str) -> str | None:
    """Return a secret that was moved out of the environment; None if there was none."""
    return _taken.get(name)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise BadEnvironmentError(
            f"{path.absolute()} belongs to another user, so it is not read: remove it, or run the command elsewhere"
        )
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise BadEnvironmentError(
            f"{path.absolute()} can be written by others, so it is not read: chmod go-w {path.absolute()}"
        )


def faults(given: Mapping[str, str], settings: Collection[str]) -> list[str]:
    """Return a sentence for each variable with our prefix that is neither a setting nor known otherwise.

    `given`: variables, their names in any case. `settings`: the settings' names, with the prefix, in upper case.
    """
    known = sorted(settings)
    sentences = []
    for name, value in given.items():
        upper = name.upper()
        if not upper.startswith(PREFIX) or upper in OTHERS or _INJECTED.fullmatch(upper):
            continue
        is_address = upper.endswith("_PORT") and _ADDRESS.match(value.strip()) is not None
        if upper in settings and is_address:
            sentences.append(
                f"{name} is {value.strip()}, which a container orchestrator sets for a service of this name: set it "
                "to a number here, call the service otherwise, or turn such variables off (enableServiceLinks: false)"
            )
        elif upper in RENAMED:
            sentences.append(f"{name} is now called {RENAMED[upper]}")
        elif upper not in settings and not is_address:
            nearest = difflib.get_close_matches(upper, known, n=1, cutoff=0.0)[0]
            sentences.append(f"{name} is not a setting; the nearest is {nearest}")
    return sentences
