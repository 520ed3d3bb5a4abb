"""Every screen that the page's machine asked for in a thousand verifications, drawn: what people see who see little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser.conftest import AXE_RUN
from tests.browser.stage import DESKTOP, PHONE
from tests.support import page as machine
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

SCRIPT = Path(__file__).with_name("screens.js")
WORLDS = 600
LANGUAGES = ("zh-CN", "en-US")
WHOLE = {"phone": PHONE, "small phone": {"width": 360, "height": 640}, "desktop": DESKTOP}
"""Sizes at which every button is seen without scrolling."""
SMALL = {
    "400 %": {"width": 320, "height": 256},
    "200 % of a desktop": {"width": 640, "height": 400},
    "200 % of a phone": {"width": 195, "height": 422},
    "narrow": {"width": 320, "height": 568},
    "phone on its side": {"width": 780, "height": 360},
}
WELCOME = {
    "type": "welcome", "device": "0" * 32, "state": "ready", "attempts_left": 3, "expires_in": 582, "handover": True,
    "compares": "BUSINESS", "retention": {"result_seconds": 259200, "evidence_days": 3}, "contact": "400 820 8820",
    "privacy_url": "https://bank.example/privacy", "light": True,
}  # fmt: skip


@pytest.fixture(scope="module")
def shows(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """One of each screen with the same ways on."""
    _, found = machine.live(machine.lay_out(tmp_path_factory.mktemp("modules")), WORLDS)
    assert not found["broken"]
    return list(found["shows"])


async def canvas(server: Server, browser: Browser) -> Page:
    """The page's own document and styles, on which screens are drawn without a verification."""
    page = await browser.new_page()
    await page.goto(f"{server.url}/verify")
    await page.locator('[data-screen="no_token"]').wait_for()
    await page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    await page.evaluate("(welcome) => prepare(welcome)", WELCOME)
    return page


async def test_at_every_size_texts_and_buttons_keep_apart_and_nothing_is_cut(
    server: Server, browser: Browser, shows: list[dict[str, Any]]
) -> None:
    assert len(shows) > 60
    page = await canvas(server, browser)
    found = []
    for name, size in {**WHOLE, **SMALL}.items():
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        for language in LANGUAGES:
            faults = await page.evaluate("(given) => faultsOfAll(...given)", [shows, language, name in WHOLE])
            found += [f"{name}, {language}: {fault}" for fault in faults]
            if name == "400 %":
                found += await page.evaluate("(given) => apart(...given)", [shows, language])
    assert not found, "\n".join(found)
    await page.close()


async def test_nothing_serious_is_found_by_axe(
    server: Server, browser: Browser, shows: list[dict[str, Any]], axe: str
) -> None:
    page = await canvas(server, browser)
    await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    await page.evaluate(axe)
    found = await page.evaluate(f"(given) => foundBy({AXE_RUN}, ...given)", [shows, LANGUAGES])
    assert not found, "\n".join(found)
    await page.close()
