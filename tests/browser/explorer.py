"""The API explorer's page under test: what is typed, pressed and read there."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Browser, Page, Request

from tests.browser.stage import DESKTOP, PHONE
from tests.support.server import PATIENCE

BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}


class Explorer:
    """One open page, and everything that it sent."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.errors: list[str] = []
        self.sent: list[Request] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self._hear(line.type, line.text))
        page.on("request", lambda request: self.sent.append(request))

    def _hear(self, kind: str, text: str) -> None:
        if kind == "error" and "Cross-Origin-Opener-Policy header has been ignored" not in text:  # as it is over http
            self.errors.append(text)

    async def open(self, url: str, action: str = "") -> Explorer:
        await self.page.goto(f"{url}/explorer" + (f"#{action}" if action else ""))
        await self.page.locator("#send").wait_for()
        return self

    async def enter_key(self, key: tuple[str, str]) -> None:
        await self.page.fill("#key-secretId", key[0])
        await self.page.fill("#key-secretKey", key[1])

    async def enter(self, **values: str) -> None:
        for name, value in values.items():
            field = self.page.locator(f"#parameter-{name}")
            if await field.evaluate("(field) => field.tagName") == "SELECT":
                await field.select_option(value)
            else:
                await field.fill(value)

    async def send(self) -> dict[str, Any]:
        """Press the button; what the reply's box shows, which is all of it where no value is long."""
        async with self.page.expect_response(lambda reply: reply.request.method == "POST"):
            await self.page.click("#send")
        await self.page.locator("#send:not([disabled])").wait_for()
        shown = await self.page.locator(".reply").inner_text()
        return dict(json.loads(shown)["Response"])

    async def sample(self, name: str) -> str:
        await self.page.click("[data-tab=code]")
        await self.page.locator(f'.chip:has(input[value="{name}"])').click()
        await self.page.locator(f'[data-sample="{name}"]').wait_for()
        await self.settled()
        return await self.page.locator(".sample").inner_text()

    async def settled(self) -> None:
        """What was typed is signed and shown; the page waits for a moment of rest first."""
        await self.page.locator(".side:not([aria-busy])").wait_for()

    async def step(self, name: str) -> str:
        await self.settled()
        await self.page.click("[data-tab=signature]")
        return await self.page.locator(f'[data-step="{name}"]').inner_text()


@contextlib.asynccontextmanager
async def explorer(
    browser: Browser, *, language: str = "en-US", dark: bool = False, phone: bool = False
) -> AsyncIterator[Explorer]:
    context = await browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        locale=language,
        color_scheme="dark" if dark else "light",
        is_mobile=phone,
        has_touch=phone,
    )
    context.set_default_timeout(1000 * PATIENCE)
    try:
        yield Explorer(await context.new_page())
    finally:
        await context.close()
