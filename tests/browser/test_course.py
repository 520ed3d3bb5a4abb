"""A verification in the browser, from the link to the outcome, with a puppet before the camera."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from tests.browser.stage import Camera, Line, check_screen, device
from tests.support.images import base64_of, sample
from tests.support.server import Server, result
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")


def sample_token(server: Server, key: tuple[str, str]) -> str:
    return issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()))


async def test_who_does_what_the_page_says_passes(server: Server, key: tuple[str, str], browser: Browser) -> None:
    token = sample_token(server, key)
    async with device(browser, phone=False) as person:
        await person.open(server.url, token)
        await person.screen("ready")
        await check_screen(person, "readyTitle")
        await person.press()
        await person.end("passed")
        await check_screen(person, "passed")
        assert person.hosts == {server.url.split("/")[2]}
        assert set(person.camera.seen) & {"turn_left", "turn_right"}
    assert result(server.sdk(key), token).Result == "0"


async def test_a_connection_that_is_cut_costs_nothing(server: Server, key: tuple[str, str], browser: Browser) -> None:
    token = sample_token(server, key)
    line = Line(server.port)
    await line.mend()
    async with device(browser, Camera(obeys=False)) as person:
        await person.open(f"http://127.0.0.1:{line.port}", token)
        await person.agree()
        asked = await person.action()
        await line.cut()
        await person.page.locator('[data-hint="reconnecting"]').wait_for()
        await line.mend()
        await person.reconnected()
        assert await person.action() == asked, "the challenge goes on where it was"
        assert server.json("session", "show", token)["counted"] == 1
        assert not person.errors
    await line.cut()


async def test_a_page_that_was_closed_and_opened_again_goes_on_in_the_same_attempt(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    token = sample_token(server, key)
    camera = Camera(obeys=False)
    async with device(browser, camera) as person:
        await person.open(server.url, token)
        await person.agree()
        asked = await person.action()
        await person.page.goto("about:blank")
        camera.obeys = True
        await person.open(server.url, token)
        assert await person.action() == asked
        await person.end("passed")
        # And once more after the end: the same device is told the outcome again.
        await person.page.goto("about:blank")
        await person.open(server.url, token)
        await person.screen("passed")
        assert not person.errors
