"""What people see who see little of it: small frames, large letters, chosen colours, the words of a reader."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.stage import Camera, alter_welcome, device
from tests.support.images import base64_of, sample
from tests.support.server import Server
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="module")

SIZES = {"400 %": (320, 256), "200 % of a desktop": (640, 400), "200 % of a phone": (195, 422), "narrow": (320, 568)}

# Texts that something covers or that leave the page, buttons that are cut, and what scrolls sideways.
LOOK = """() => {
  const box = (element) => element.getBoundingClientRect();
  const seen = (element) => box(element).width > 0 && getComputedStyle(element).visibility !== "hidden";
  const of = (what) => [...document.querySelectorAll(what)].filter(seen);
  const name = (element) => `${element.tagName}.${element.className} ${element.textContent.slice(0, 30)}`;
  const found = [];
  if (document.documentElement.scrollWidth > innerWidth) found.push("wider than the window");
  const texts = of("h1, .lead, .small, .facts li, .badge, .note, .hint, .caution");
  for (const text of texts) {
    if (text.scrollWidth > text.clientWidth + 1 && text.clientWidth) found.push(`cut: ${name(text)}`);
    for (const other of of(".actions button, .language, .oval.live")) {
      const a = box(text), b = box(other);
      if (a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) {
        found.push(`${name(other)} on ${name(text)}`);
      }
    }
  }
  for (const button of of("button")) {
    if (button.scrollWidth > button.clientWidth + 1) found.push(`cut: ${name(button)}`);
    if (box(button).height < 24) found.push(`too low: ${name(button)}`);
  }
  return found;
}"""


LONGEST = """(language) => import("/static/texts.js").then((m) => {
  const once = ["turn_left", "turn_right", "nod", "blink", "open_mouth"];
  const names = [...once, ...once.map((name) => `${name}_again`)];
  const texts = names.map((name) => m.LANGUAGES[language][name]).filter(Boolean);
  document.querySelector("h1").textContent = texts.sort((a, b) => b.length - a.length)[0];
})"""


def fresh(server: Server) -> str:
    return issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))


async def faults(page: Page) -> list[str]:
    found: list[str] = []
    for name, (width, height) in SIZES.items():
        await page.set_viewport_size({"width": width, "height": height})
        seen = []
        for end in ("0", "document.documentElement.scrollHeight"):  # what is covered at the top comes out by scrolling
            await page.evaluate(f"scrollTo(0, {end})")
            seen.append(await page.evaluate(LOOK))
        found += [f"{name}: {fault}" for fault in seen[0] if fault in seen[1]]
    return found


async def test_at_every_zoom_texts_and_buttons_keep_apart_and_nothing_is_cut(server: Server, browser: Browser) -> None:
    for language in ("zh-CN", "en-US"):
        async with device(browser, Camera(obeys=False), phone=False) as person:
            await alter_welcome(person.page, light=True, loopback=False, contact="400 820 8820", privacy_url=server.url)
            await person.open(server.url, fresh(server), language=language)
            await person.screen("ready")
            found = await faults(person.page)
            await person.press()
            await person.action()
            await person.page.evaluate(LONGEST, language)  # whichever action was drawn
            found += await faults(person.page)
            width, height = SIZES["400 %"]
            await person.page.set_viewport_size({"width": width, "height": height})
            await person.page.evaluate("scrollTo(0, 0)")
            for what in ("h1", ".oval.live"):
                box = await person.page.locator(what).bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= height, f"{what} is not seen with the rest at 400 %"
            await person.page.evaluate("dispatchEvent(new Event('orientationchange'))")
            await person.screen("over_turned")
            found += await faults(person.page)
            assert not found, "\n".join([language, *found])


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
