"""Runs tests again and again, each time in a process forked from this one, which has imported what does not change.

A process of its own in the copy: it reads one line of JSON a run, `{"tests": [...], "seconds": 60}`, and answers with
one, `{"code": 0, "seconds": 1.5}`; the code is pytest's, or -1 where the time was over.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path

PRELOADED = (
    *("pytest", "_pytest.assertion.rewrite", "pytest_asyncio", "pytest_timeout", "hypothesis", "hypothesis.strategies"),
    *("numpy", "msgspec", "pydantic", "pydantic_settings", "structlog", "starlette.routing", "cryptography.x509"),
    *("uvicorn", "httptools", "websockets", "typer", "sqlalchemy", "alembic.command", "psycopg", "psycopg_pool"),
    *("pybase64", "gmalg", "segno", "simplejpeg", "cv2", "prometheus_client", "httpx"),
)
_PR_SET_CHILD_SUBREAPER = 36  # sys/prctl.h
GRACE_SECONDS = 20  # for pytest's own limit of a test to end it first


def main() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    assert not any(name.partition(".")[0] == "renzheng" for name in sys.modules)
    for line in sys.stdin:
        asked = json.loads(line)
        begun = time.monotonic()
        code = _run(asked["tests"], asked["seconds"])
        print(json.dumps({"code": code, "seconds": time.monotonic() - begun}), flush=True)


def _run(tests: list[str], seconds: float) -> int:
    child = os.fork()
    if child == 0:
        _be_tests(tests, seconds)
    try:
        return _code(child, time.monotonic() + seconds + GRACE_SECONDS)
    finally:
        _end_all()


def _be_tests(tests: list[str], seconds: float) -> None:
    code = 3
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(nothing, descriptor)
        import pytest

        given = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not stress", "-o", f"timeout={seconds}"]
        code = int(pytest.main([*given, *tests]))
        atexit._run_exitfuncs()
    finally:
        os._exit(code)


def _code(child: int, until: float) -> int:
    """The child's exit code; -1 where its time was over."""
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)
    return -1


def _end_all() -> None:
    """End what the tests left behind: as this process adopts orphans, all are its children now."""
    mine = str(os.getpid())
    for _ in range(100):
        children = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if _parent(path) == mine]
        if not children:
            return
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _parent(stat: Path) -> str:
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[1]
    except (OSError, IndexError):
        return ""


if __name__ == "__main__":
    main()
