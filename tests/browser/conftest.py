from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python import base as axe_package
from playwright.async_api import Browser, async_playwright, expect

from tests.browser.stage import ARGUMENTS, CHROMIUM, INSECURE_HOST
from tests.support.server import PATIENCE, Server

MAX_TEST_SECONDS = 600
"""Of a test that waits for many things, each with patience."""

expect.set_options(1000 * PATIENCE)

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium: scripts/chromium.sh installs it")

AXE_RUN = """
async () => {
  const found = await axe.run(document, { resultTypes: ["violations"] });
  return found.violations.filter((v) => ["serious", "critical"].includes(v.impact))
    .map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in Path(str(item.fspath)).parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(needs_chromium)
            if item.get_closest_marker("timeout") is None and not item.get_closest_marker("stress"):
                item.add_marker(pytest.mark.timeout(MAX_TEST_SECONDS))


UNHURRIED = {"step_seconds": 30, "ready_seconds": 300, "min_frames_per_second": 1, "max_excused_attempts": 10}
"""Settings under which whoever does what the page says gets there, however slow the machine is."""


@contextlib.contextmanager
def serving(folder: Path, **more: object) -> Iterator[Server]:
    """Run a server as shipped, with a shorter wait that tests would have to sit out, and longer limits for slow
    machines."""
    waits = {"device_grace_seconds": 1, **UNHURRIED}
    running = Server(folder, **waits, **more, allowed_hosts=INSECURE_HOST).start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all files that leave its one account as they found it."""
    with serving(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture(scope="module")
def key(server: Server) -> tuple[str, str]:
    return server.key()


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One browser for all files: each test has a context of its own in it, as a start takes two seconds."""
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core with a call of it, as one function for `evaluate`, which the page's policy does not concern."""
    source = (Path(axe_package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    return f"async () => {{ if (!window.axe) {{ {source} }} return ({AXE_RUN})(); }}"
