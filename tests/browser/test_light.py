"""The light challenge in the browser: the page is the lamp, and whoever may not look at it can leave."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from playwright.async_api import Browser

from tests.browser.stage import Camera, check_screen, device
from tests.support.images import base64_of, sample
from tests.support.server import Server, result
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def rule(server: Server) -> str:
    """The number of an approved rule that asks for colours."""
    return server.approved_rule("bright", "--light")


def bright_token(server: Server, key: tuple[str, str], rule: str) -> str:
    return issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()), RuleId=rule)


async def test_the_page_shines_with_every_colour_and_who_stands_before_it_passes(
    server: Server, key: tuple[str, str], rule: str, browser: Browser
) -> None:
    token, camera = bright_token(server, key, rule), Camera()
    async with device(browser, camera) as person:
        await person.open(server.url, token)
        await person.agree()
        await person.end("passed")
        assert not await person.page.evaluate("document.documentElement.hasAttribute('data-light')")
    assert all(first != second for first, second in pairwise(camera.colours))
    assert len(camera.colours) >= 7
    assert result(server.sdk(key), token).Result == "0"
    assert json.loads(server.command("session", "show", token, "--json"))["measurement"]["presentation"]["light"][
        "passed"
    ]


async def test_who_may_not_see_flashing_light_leaves_before_the_first_colour(
    server: Server, key: tuple[str, str], rule: str, browser: Browser
) -> None:
    camera = Camera()
    token = bright_token(server, key, rule)
    async with device(browser, camera) as person:
        await person.open(server.url, token)
        await person.screen("ready")
        assert await person.page.locator(".caution .icon-colours").count() == 1, "announced before anything begins"
        await person.agree()
        await person.page.locator('[data-action="light_warning"]').wait_for()
        await person.press(".quiet")
        await person.screen("declined_light")
        assert camera.colours == []
        await check_screen(person, "declinedLightTitle")
        await person.press()
        await person.screen_among(("capture", "ready"))  # the link is still good
    assert 'reason="light"' in server.metrics()
