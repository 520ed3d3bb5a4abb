"""The console under test: people who sign in and work there, each in a browser of their own."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Response

from tests.browser.stage import DESKTOP, PHONE
from tests.support.server import PATIENCE, Server

PASSWORD = "correct horse battery"
PEOPLE = "id_card,name,photo\n11204416541220243X,韦小宝,\n110101199003070134,张三丰,\n"


class Person:
    """Somebody at the console: the page, what it asked of other hosts, and how much each page weighs."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.refused: list[str] = []
        self.bytes = 0
        page.set_default_timeout(1000 * PATIENCE)
        page.on("console", lambda line: self.errors.append(line.text) if line.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._ask(request.url))
        page.on("response", self._weigh)

    def _ask(self, address: str) -> None:
        if not address.startswith((f"{self.url}/", "data:", "blob:")):
            self.foreign.append(address)

    async def _weigh(self, response: Response) -> None:
        if response.status >= 400:
            self.refused.append(f"{response.status} {urlsplit(response.url).path}")
        with contextlib.suppress(Exception):  # of a page that was left meanwhile
            self.bytes += len(await response.body())

    async def open(self, path: str) -> None:
        self.bytes = 0
        await self.page.goto(f"{self.url}{path}")
        await self.page.locator("h1").wait_for()

    async def choose_password(self, link: str, name: str = "") -> None:
        await self.page.goto(f"{self.url}{urlsplit(link).path}")
        if name:
            await self.page.fill("[name=name]", name)
        for field in ("password", "again"):
            await self.page.fill(f"[name={field}]", PASSWORD)
        await self.page.click(".primary")
        await self.page.locator(".tiles").wait_for()

    async def do(self, action: str, **fields: str) -> None:
        """Fill in the form of a button and send it."""
        await self.open(f"/console/do/{action}")
        await self.fill(fields)
        await self.send()

    async def fill(self, fields: Mapping[str, str]) -> None:
        """Fill in the form of this page, by the names of its fields."""
        for name, value in fields.items():
            field = self.page.locator(f"main [name={name}]")
            if await field.evaluate("(field) => field.tagName") == "SELECT":
                await field.select_option(value)
            else:
                await field.fill(value)

    async def send(self) -> None:
        async with self.page.expect_navigation():
            await self.page.click("main form button[type=submit] >> nth=0")

    async def press(self, word: str) -> None:
        """A way of the page's first row that placed_buttons it, and the form that it leads to."""
        async with self.page.expect_navigation():
            await self.page.locator(f'td.buttons a:text-is("{word}")').first.click()
        await self.page.locator("main form").wait_for()

    async def secret(self, name: str = "/welcome/") -> str:
        """What the page shows once: the one in which this is."""
        return await self.page.locator(f'.secret:has-text("{name}")').inner_text()

    async def add_people(self, folder: Path) -> None:
        table = folder / "people.csv"
        table.write_text(PEOPLE, encoding="utf-8")
        await self.open("/console/identities/import")
        await self.page.set_input_files("[name=table]", table)
        await self.send()


def first_link(server: Server) -> str:
    found = re.findall(r"http\S+/console/welcome/\S+", server.log.read_text())
    return str(found[-1])


@contextlib.asynccontextmanager
async def person(
    browser: Browser,
    server: Server,
    *,
    language: str = "en-US",
    dark: bool = False,
    phone: bool = False,
    scale: float = 1,
) -> AsyncIterator[Person]:
    context = await browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        locale=language,
        color_scheme="dark" if dark else "light",
        device_scale_factor=scale,
    )
    yield Person(await context.new_page(), server.operator_url)
    await context.close()
