"""The API explorer for everybody: both languages, both themes, any size, by keyboard, and no markup out of texts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.async_api import Browser, Route, expect

from tests.browser.explorer import BUSINESS, Explorer, explorer
from tests.browser.stage import DESKTOP, PHONE, assert_same_texts
from tests.support.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABLET = {"width": 900, "height": 1100}


async def check(page: Explorer, axe: str, where: str) -> None:
    for size in (PHONE, TABLET, DESKTOP):
        await page.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert await page.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where}: wider {size}"
    found = await page.page.evaluate(axe)
    assert not found, f"{where}: {found}"


@pytest.mark.parametrize(("language", "dark"), [("zh-CN", False), ("en-US", True), ("en-US", False)])
async def test_every_state_is_accessible_and_fits(
    server: Server, key: tuple[str, str], browser: Browser, axe: str, language: str, dark: bool
) -> None:
    async with explorer(browser, language=language, dark=dark) as page:
        await page.open(server.url)
        assert await page.page.evaluate("document.documentElement.lang") == language
        await check(page, axe, "empty")
        await page.page.click("[data-tab=signature]")
        await check(page, axe, "signature without a key")
        await page.enter_key(key)
        await page.enter(**BUSINESS)
        await page.page.locator(".more > summary").click()
        await page.page.locator(".fields > summary").click()
        await page.enter(Encryption="{")
        await page.settled()
        await check(page, axe, "signature and a field that is wrong")
        await page.enter(Encryption="")
        await page.page.click("[data-tab=code]")
        await check(page, axe, "code")
        await page.send()
        await check(page, axe, "a token")
        await page.enter_key((key[0], "wrong"))
        await page.send()
        await check(page, axe, "an error")
        assert not page.errors


async def test_insecure_and_phone_are_accessible_too(server: Server, browser: Browser, axe: str) -> None:
    async with explorer(browser, phone=True) as page:
        await page.open(f"http://insecure.test:{server.port}")
        await check(page, axe, "insecure")


async def test_the_language_changes_in_place_and_keeps_what_was_typed(server: Server, browser: Browser) -> None:
    async with explorer(browser, language="zh-CN") as page:
        await page.open(server.url)
        await page.enter_key(("AKIDsome", "key"))
        await page.enter(Name="韦小宝")
        await page.page.click(".language")
        await expect(page.page.locator("html")).to_have_attribute("lang", "en-US")
        await expect(page.page.locator(".language")).to_be_focused()
        await expect(page.page.locator("#send")).to_have_text("Send the request")
        await expect(page.page.locator("#parameter-Name")).to_have_value("韦小宝")
        await expect(page.page.locator("#key-secretKey")).to_have_value("key")


async def test_both_languages_have_the_same_texts_and_fill_in_the_same_values(server: Server, browser: Browser) -> None:
    async with explorer(browser) as page:
        await page.open(server.url)
        languages = await page.page.evaluate("import('/explorer/texts.js').then((module) => module.LANGUAGES)")
    assert_same_texts(languages)


async def test_all_of_it_can_be_done_by_keyboard(server: Server, key: tuple[str, str], browser: Browser) -> None:
    async with explorer(browser) as page:
        await page.open(server.url)
        keyboard = page.page.keyboard
        await page.page.locator("[data-tab=code]").focus()
        await keyboard.press("ArrowRight")
        await expect(page.page.locator("[data-tab=signature]")).to_be_focused()
        await expect(page.page.locator("#panel-signature")).to_be_visible()
        await keyboard.press("ArrowLeft")
        await page.page.locator('input[name="sample"][value="python"]').focus()
        await keyboard.press("ArrowRight")
        await expect(page.page.locator(".sample")).to_contain_text("public class Main")
        await page.page.locator("#key-secretId").focus()
        await keyboard.type(key[0])
        await keyboard.press("Tab")
        await keyboard.type(key[1])
        await page.page.locator("#parameter-CompareLib").focus()
        await keyboard.type("BUSINESS")
        for value in (BUSINESS["IdCard"], BUSINESS["Name"]):
            await keyboard.press("Tab")
            await keyboard.insert_text(value)
        await keyboard.press("Control+Enter")
        await page.page.locator(".next a").wait_for()


MARKUP = '<img src=x onerror="window.harmed=1">'


async def test_what_the_api_or_a_reply_says_becomes_text_and_never_markup(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    sentence = {"zh-CN": MARKUP, "en-US": MARKUP}
    described: dict[str, Any] = {
        "limits": {"imageCharacters": 8, "bodyBytes": 8, "clockSeconds": 300},
        "errors": {MARKUP: {"message": sentence, "advice": sentence}},
        "actions": [
            {
                "name": MARKUP, "service": "faceid", "version": "2018-03-01", "text": sentence, "regions": [MARKUP],
                "parameters": [
                    {"name": MARKUP, "kind": "string", "required": True, "text": sentence, "choices": [MARKUP]},
                    {"name": "Name", "kind": "string", "text": sentence, "example": MARKUP},
                    {"name": "Inner", "kind": "object", "text": sentence,
                     "fields": [{"name": MARKUP, "kind": "string", "text": sentence}]},
                ],
            }
        ],
    }  # fmt: skip

    async def describe(route: Route) -> None:
        await route.fulfill(json=described)

    async def answer(route: Route) -> None:
        error = {"Code": MARKUP, "Message": MARKUP}
        await route.fulfill(json={"Response": {"Error": error, "RequestId": MARKUP}})

    async with explorer(browser) as page:
        await page.page.route("**/explorer/description.json", describe)
        await page.page.route(f"{server.url}/", answer)
        await page.open(server.url)
        await page.enter_key(key)
        await page.page.click("#example")
        await page.page.locator("select[name]").select_option(MARKUP)
        for sample in ("python", "curl", "tccli"):
            await page.sample(sample)
        await page.page.click("[data-tab=signature]")
        await page.page.fill("#theirs", MARKUP)
        await page.page.click("#send")
        await expect(page.page.locator(".notice[data-code]")).to_contain_text(MARKUP)
        assert await page.page.locator("img, script:not([src])").count() == 0
        assert await page.page.evaluate("window.harmed") is None


async def test_an_action_that_the_server_gains_appears_with_its_form(server: Server, browser: Browser) -> None:
    async with explorer(browser) as page:

        async def describe(route: Route) -> None:
            description = json.loads(await (await route.fetch()).text())
            parameters = [
                {"name": "Count", "kind": "integer", "required": True},
                {"name": "Ratio", "kind": "number"},
                {"name": "Tags", "kind": "list", "item": "string"},
            ]
            named = {"name": "NewThing", "service": "faceid", "version": "2018-03-01"}
            description["actions"].append({**named, "text": None, "regions": None, "parameters": parameters})
            await route.fulfill(json=description)

        await page.page.route("**/explorer/description.json", describe)
        await page.open(server.url, "NewThing")
        await page.enter(Count="7", Ratio="0.5", Tags='["a", "b"]')
        text = await page.sample("go")
        assert "request.Count = common.Int64Ptr(7)" in text
        assert "request.Ratio = common.Float64Ptr(0.5)" in text
        assert 'request.Tags = common.StringPtrs([]string{"a", "b"})' in text
        await page.enter(Count="seven")
        await page.settled()
        await expect(page.page.locator("#parameter-Count-problem")).to_have_text("This has to be a number")
        assert not page.errors
