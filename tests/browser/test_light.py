"""The light challenge in the browser: the page is the lamp, and whoever may not look at it can leave."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from playwright.async_api import Browser

from tests.browser.stage import Camera, check_screen, device
from tests.support.images import base64_of, sample
from tests.support.server import Server, result
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def rule(server: Server) -> str:
    """The number of an approved rule that asks for colours."""
    number = str(server.json("rule", "create", "bright", "--light")["rule_id"])
    for move in ("submit", "approve"):
        server.command("rule", move, number)
    time.sleep(1.5)  # a running server follows within a second
    return number


def bright_token(server: Server, key: tuple[str, str], rule: str) -> str:
    return issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()), RuleId=rule)


async def test_the_page_shines_with_every_colour_and_who_stands_before_it_passes(
    server: Server, key: tuple[str, str], rule: str, browser: Browser, axe: str
) -> None:
    token = bright_token(server, key, rule)
    camera = Camera()
    async with device(browser, camera) as person:
        await person.open(server.url, token)
        await person.screen("ready")
        assert await person.page.locator(".icon-colours").count() == 1
        await check_screen(person, "readyTitle", axe)
        await person.page.set_viewport_size({"width": 390, "height": 844})
        await person.agree()
        await person.end("passed")
        assert len(camera.colours) >= 7
        assert all(first != second for first, second in pairwise(camera.colours))
        assert not await person.page.evaluate("document.documentElement.hasAttribute('data-light')")
    assert result(server.sdk(key), token).Result == "0"


async def test_who_may_not_see_flashing_light_leaves_before_the_first_colour(
    server: Server, key: tuple[str, str], rule: str, browser: Browser, axe: str
) -> None:
    camera = Camera()
    token = bright_token(server, key, rule)
    async with device(browser, camera) as person:
        await person.open(server.url, token)
        await person.agree()
        await person.page.locator('[data-action="light_warning"]').wait_for(timeout=60000)
        await person.press(".quiet")
        await person.screen("declined_light")
        assert camera.colours == []
        await check_screen(person, "declinedLightTitle", axe)
        await person.press()
        await person.screen("ready")  # the link is still good
    assert 'reason="light"' in server.metrics()
