"""What people see who see little of it: small frames, large letters, chosen colours, the words of a reader."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stage import Camera, alter_welcome, device
from tests.support.images import base64_of, sample
from tests.support.server import Server
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")


def fresh(server: Server) -> str:
    return issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))


@pytest.mark.parametrize("language", ["zh-CN", "en-US"])
async def test_the_warning_of_flashing_light_is_seen_above_the_button_in_the_smallest_frame(
    server: Server, browser: Browser, language: str
) -> None:
    async with device(browser) as person:
        await alter_welcome(person.page, light=True)
        await person.page.set_viewport_size({"width": 360, "height": 560})
        await person.open(server.url, fresh(server), language=language)
        await person.screen("ready")
        await person.page.evaluate("scrollTo(0, 0)")
        warning = await person.page.locator(".caution").bounding_box()
        button = await person.page.locator(".actions .primary").bounding_box()
        assert warning
        assert button
        assert 0 < warning["y"] < warning["y"] + warning["height"] <= button["y"] + 1
        assert button["y"] + button["height"] <= 560
        top = "document.elementFromPoint({x}, {y}).closest('.caution') !== null"
        assert await person.page.evaluate(
            top.format(x=warning["x"] + warning["width"] / 2, y=warning["y"] + warning["height"] / 2)
        )


async def test_buttons_have_borders_where_people_chose_their_colours(server: Server, browser: Browser) -> None:
    async with device(browser) as person:
        await person.page.emulate_media(forced_colors="active")
        await person.open(server.url, fresh(server))
        await person.screen("ready")
        for button in await person.page.locator("button:visible").all():
            assert await button.evaluate("(b) => getComputedStyle(b).borderTopStyle") == "solid"
            assert await button.evaluate("(b) => parseFloat(getComputedStyle(b).borderTopWidth)") >= 1


async def test_focus_and_status_follow_what_happens(server: Server, browser: Browser) -> None:
    async with device(browser) as person:
        await person.open(server.url, fresh(server))
        await person.agree()
        await person.screen("capture")
        await expect(person.page.locator("h1")).to_be_focused()
        page: Any = person.page
        await page.evaluate(
            "import('/static/view.js').then(({ View }) => {"
            " const { say } = View.prototype; window.said = [];"
            " View.prototype.say = function (text, urgent) {"
            " window.said.push(text); say.call(this, text, urgent); }; })"
        )
        await page.context.set_offline(True)
        await page.evaluate("dispatchEvent(new Event('offline'))")
        await person.saw("hint reconnecting")
        await page.context.set_offline(False)
        await page.evaluate("dispatchEvent(new Event('online'))")
        await page.wait_for_function("() => document.getElementById('page').dataset.hint !== 'reconnecting'")
        await page.wait_for_function("() => !/断开|lost/.test(document.querySelector('[role=status]').textContent)")
        assert "已重新连上" in await page.evaluate("window.said")


async def test_instructions_are_spoken_once_that_is_asked_for(server: Server, browser: Browser) -> None:
    async with device(browser, Camera(obeys=False)) as person:
        await person.page.add_init_script(
            "window.spoken = []; Object.defineProperty(window, 'speechSynthesis', { value: {"
            " cancel() {}, speak(u) { window.spoken.push([u.text, u.lang]); } } });"
        )
        await person.open(server.url, fresh(server))
        await person.screen("ready")
        assert await person.page.evaluate("window.spoken") == []
        await person.page.locator(".voice").click()
        await expect(person.page.locator(".voice")).to_have_attribute("aria-pressed", "true")
        await person.press()
        await person.action()
        asked = await person.page.locator("h1").inner_text()
        spoken = await person.page.evaluate("window.spoken")
        assert ["看着屏幕，保持不动", "zh-CN"] in spoken
        assert [asked, "zh-CN"] in spoken


async def test_one_try_is_not_called_tries(server: Server, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"{server.url}/verify")
    said = await page.evaluate(
        "import('/static/texts.js').then(({ translate: t }) => [1, 2].flatMap((n) =>"
        " ['attemptsLeft', 'days', 'hours', 'readyTime'].map((key) => t('en-US', key, { n }))))"
    )
    assert said[:3] == ["One try left", "1 day", "1 hour"]
    assert said[4:7] == ["2 tries left", "2 days", "2 hours"]
    assert "minutes" not in said[3]
    await page.close()
