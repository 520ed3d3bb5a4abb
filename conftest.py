"""What holds for every test run: skipped tests are counted by what they lack, and named in the last line."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.cos import CosFront

# What a machine may lack, and the word in a skip's reason that tells it.
LACKS = {"data": "RENZHENG_TEST_DATA", "chromium": "chromium", "node": "node", "ray": "Ray"}

# How long an example takes says something of the machine, and on a busy one nothing of the code.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")
# `--hypothesis-profile=many`: for properties of the conversation, which a run of all tests tries a hundred times each.
settings.register_profile("many", settings.get_profile("unhurried"), max_examples=1000)

MAX_STRESS_SECONDS = 45 * 60
MEMORY = Path("/dev/shm")  # noqa: S108 - only a default, and pytest makes a folder of its own there
MIN_MEMORY_BYTES = 3 << 30


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-skips",
        default="",
        help="comma-separated: data, chromium, node, ray. A test that is skipped for want of one fails the run.",
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # or each of hundreds of processes compiles the same modules anew
    if not hasattr(config, "workerinput") and "PYTEST_DEBUG_TEMPROOT" not in os.environ and _has_room(MEMORY):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)
    unknown = _asked(config) - LACKS.keys()
    if unknown:
        raise pytest.UsageError(f"--no-skips knows {', '.join(LACKS)}, not {', '.join(sorted(unknown))}")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is imported and collected stays to the end: it is not searched for garbage, neither now nor in each test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The limit of pyproject.toml is for tests of `make test`: longer ones get their part's."""
    for item in items:
        if item.get_closest_marker("timeout") is None and item.get_closest_marker("stress"):
            item.add_marker(pytest.mark.timeout(MAX_STRESS_SECONDS))


@pytest.fixture(scope="module")
def front() -> Iterator[CosFront]:
    """COS behind a proxy, with a bucket, for a server that delivers to it."""
    from tests.support.cos import cos_front  # moto takes long to import

    with cos_front() as made:
        yield made


def _has_room(folder: Path) -> bool:
    """Whether temporary folders can be in memory, where a sync costs nothing, and programs in them can run."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize >= MIN_MEMORY_BYTES and not found.f_flag & (os.ST_NOEXEC | os.ST_RDONLY)


def _asked(config: pytest.Config) -> set[str]:
    return {name for name in str(config.getoption("--no-skips")).split(",") if name}


def _lack(report: pytest.TestReport) -> str:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return next((name for name, word in LACKS.items() if word in reason), "something else")


def _counted(config: pytest.Config) -> Counter[str]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return Counter(_lack(report) for report in reporter.stats.get("skipped", [])) if reporter else Counter()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return  # the controller counts for all workers
    if any(_counted(session.config)[name] for name in _asked(session.config)) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    counted = _counted(config)
    if hasattr(config, "workerinput") or not counted:
        return
    line = ", ".join(f"{number} for want of {name}" for name, number in sorted(counted.items()))
    forbidden = sorted(name for name in _asked(config) if counted[name])
    print(f"skipped: {line}" + (f". This run allows no skip for want of {', '.join(forbidden)}." if forbidden else ""))
