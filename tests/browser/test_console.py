"""From the printed link to a verification's page: one way through the console, and what every page of it keeps to."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.console import PASSWORD, Person, first_link, person
from tests.browser.stage import DESKTOP, PHONE
from tests.support.server import PATIENCE, Server, token

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAX_BYTES = 150_000
WIDE = {"width": 1510, "height": 850}
COVERED = """() => {
  const [menu, title] = [".menu", "main h1"].map((name) => document.querySelector(name)?.getBoundingClientRect());
  return Boolean(menu?.width) && menu.right > title.left;
}"""
"""Whether the menu beside the page covers it."""
# Every template, the ones with long words and many columns among them.
PAGES = (
    "/console", "/console/rules", "/console/do/CreateRule", "/console/identities/import", "/console/do/AuthoriseBucket",
    "/console/keys", "/console/accounts/1", "/console/audit", "/console/settings", "/console/verifications",
    "/console/me", "/console/me/factor", "/console/nothing", "/console/usage", "/console/people", "/console/requests",
    "/console/requests?All=1", "/console/explorer", "/console/explorer/faceid/GetFaceIdToken",
)  # fmt: skip


async def check(who: Person, axe: str, where: str) -> None:
    for size in (PHONE, WIDE, DESKTOP):
        await who.page.set_viewport_size(size)  # type: ignore[arg-type]
        assert await who.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{where}: wider {size}"
        assert not await who.page.evaluate(COVERED), f"{where}: covered {size}"
    found = await who.page.evaluate(axe)
    assert not found, f"{where}: {found}"
    assert not who.foreign, where
    assert who.bytes < MAX_BYTES, f"{where}: {who.bytes} bytes"


async def test_from_the_link_to_a_verification(server: Server, browser: Browser, axe: str, tmp_path: Path) -> None:
    async with person(browser, server) as owner, person(browser, server, language="zh-CN", dark=True) as reviewer:
        await owner.page.goto(first_link(server))
        await check(owner, axe, "welcome")
        await owner.choose_password(first_link(server), "li.wei")
        await owner.do("CreateRule", Name="Account opening", Threshold="75")
        await owner.press("Submit")
        await owner.send()
        await owner.do("CreateOperator", Name="wang.fang", Role="reviewer")
        await check(owner, axe, "shown once")
        await reviewer.choose_password(await owner.secret())
        await reviewer.open("/console/rules")
        await reviewer.press("通过")
        await reviewer.page.fill("[name=Note]", "好的")
        await reviewer.send()
        await expect(reviewer.page.locator("main .badge.good").first).to_have_text("已通过")
        await check(reviewer, axe, "rules in Chinese")
        await owner.add_people(tmp_path)
        await expect(owner.page.locator("main")).to_contain_text("Enrol 2 people")
        await check(owner, axe, "import")
        await owner.send()
        await asyncio.to_thread(server.follow)
        issued = token(server.sdk(), CompareLib="BUSINESS", IdCard="11204416541220243X", Name="韦小宝", RuleId="1")
        assert issued
        await owner.open("/console/verifications")
        await owner.page.click("td a >> nth=0")
        await expect(owner.page.locator(".timeline")).to_contain_text("Token issued")
        await check(owner, axe, "verification")
        await owner.page.click(".inspect")
        await owner.page.locator(".calls li").first.wait_for()
        await check(owner, axe, "drawer")
        await owner.page.keyboard.press("Escape")
        await owner.page.click('.head a:text-is("Fetch again")')
        await owner.send()
        await expect(owner.page.locator("h1")).to_contain_text("would get now")
        await check(owner, axe, "result")
        await expect(owner.page.locator(".inspector")).to_be_hidden()
        await owner.page.click(".inspect")
        await owner.page.click('.calls a:has-text("DescribeVerification") >> nth=0')
        await expect(owner.page.locator("h1")).to_contain_text("DescribeVerification")
        await check(owner, axe, "call")
        assert not owner.refused + reviewer.refused
        assert not owner.errors + reviewer.errors


async def test_every_page_is_accessible_small_and_of_this_host_alone(
    server: Server, browser: Browser, axe: str
) -> None:
    """After the walk above; the pages in turn in one language and light, and in the other and dark."""
    async with person(browser, server) as light, person(browser, server, language="zh-CN", dark=True) as dark:
        for who in (light, dark):
            await who.open("/console/sign-in")
            await check(who, axe, "sign-in")
            await who.page.keyboard.type("li.wei")  # the first field has the focus
            await who.page.keyboard.press("Tab")
            await who.page.keyboard.type(PASSWORD)
            async with who.page.expect_navigation():
                await who.page.keyboard.press("Enter")
        for number, path in enumerate(PAGES):
            who = (light, dark)[number % 2]
            await who.open(path)
            await expect(who.page.locator("h1"), path).to_have_count(1)
            await check(who, axe, path)
        assert not [error for error in light.errors + dark.errors if "404" not in error]


async def test_the_operators_listener_serves_the_console_and_the_public_one_does_not(server: Server) -> None:

    def ask(url: str) -> int:
        with urllib.request.urlopen(f"{url}/console/sign-in", timeout=PATIENCE) as reply:
            return int(reply.status)

    assert await asyncio.to_thread(ask, server.operator_url) == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        await asyncio.to_thread(ask, server.url)
    assert refused.value.code == 404
    assert "Error" in json.loads(refused.value.read())["Response"]
