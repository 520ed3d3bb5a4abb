"""Fetches wheels from the Python package index with pip: the environment's own, or another on the machine.

An environment made by uv or pipx has no pip. Python bundles one for new environments, and there may be one, or uv, on
the PATH. Each reads its own configuration, so that a configured index is used.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

# The wheels are read as archives, never installed, so one platform is enough for every machine.
WHEEL_TAGS = ("--platform", "manylinux_2_28_x86_64", "--python-version", "3.11", "--implementation", "cp")
DOWNLOAD = ("download", "--no-deps", "--only-binary", ":all:", *WHEEL_TAGS)
QUIET = ("--quiet", "--disable-pip-version-check", "--no-input", "--retries", "2", "--timeout", "20")
NAME = re.compile(r"[A-Za-z0-9._-]+")
DEBIANS_WHEELS = Path("/usr/share/python-wheels")


class FetchError(Exception):
    """A package cannot be fetched. The text says why."""


def fetch(requirement: str, folder: Path) -> None:
    """Download the wheel of `name==version` into the folder. Raises FetchError."""
    pip = next(pips(), None)
    if pip is None:
        raise FetchError("there is no pip on this machine, neither in this environment nor in Python nor on the PATH")
    command = [*pip, *DOWNLOAD, *QUIET, "--dest", str(folder), requirement]
    # Without a terminal, as pip must never wait for an answer here.
    run = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=environment(os.environ)
    )
    if run.returncode != 0:
        lines = [line for line in run.stderr.splitlines() if line.startswith("ERROR")]
        raise FetchError((lines or run.stderr.strip().splitlines() or ["pip failed"])[-1].removeprefix("ERROR: "))


def pips() -> Iterator[Sequence[str]]:
    """Yield the ways to run a pip, the nearest first."""
    if importlib.util.find_spec("pip") is not None:
        yield (sys.executable, "-m", "pip")
    for wheel in bundled_wheels():
        yield (sys.executable, str(wheel / "pip"))
    for name in ("pip3", "pip"):
        if found := shutil.which(name):
            yield (found,)
    if found := shutil.which("uv"):
        yield (found, "tool", "run", "pip")


def bundled_wheels() -> list[Path]:
    """Return the wheels of pip that Python, or Debian's package of it, keeps for new environments; pip runs from its
    wheel."""
    spec = importlib.util.find_spec("ensurepip")
    folders = [Path(spec.origin).parent / "_bundled"] if spec and spec.origin else []
    folders += [Path(str(given)) for given in (sysconfig.get_config_var("WHEEL_PKG_DIR"),) if given]
    return [wheel for folder in (*folders, DEBIANS_WHEELS) for wheel in sorted(folder.glob("pip-*.whl"))]


def environment(given: os._Environ[str] | dict[str, str]) -> dict[str, str]:
    """Return the environment for pip: uv's index is used if none is set for pip."""
    index = given.get("UV_DEFAULT_INDEX") or given.get("UV_INDEX_URL")
    if not index or "PIP_INDEX_URL" in given:
        return dict(given)
    name, _, address = index.partition("=")  # in uv, an index may have a name
    return {**given, "PIP_INDEX_URL": address if NAME.fullmatch(name) else index}


def by_hand(requirements: Iterable[str], folder: str = "models") -> str:
    """Return the command that fills a folder on a machine with a network."""
    return " ".join(("pip", *DOWNLOAD, "--dest", folder, *requirements))
