from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python import base as axe_package
from playwright.async_api import Browser, async_playwright

from tests.browser.stage import ARGUMENTS, CHROMIUM
from tests.support.server import Server

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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As shipped, but for waits that a test would have to sit out."""
    folder = tmp_path_factory.mktemp("browser")
    running = Server(folder, device_grace_seconds=1, step_seconds=10, frames_per_second_least=1).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def key(server: Server) -> tuple[str, str]:
    return server.key()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield launched
        await launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core with a call of it, as one function for `evaluate`, which the page's policy does not concern."""
    source = (Path(axe_package.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    return f"async () => {{ if (!window.axe) {{ {source} }} return ({AXE_RUN})(); }}"
