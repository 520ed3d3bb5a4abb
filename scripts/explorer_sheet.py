"""The API explorer's states as pictures, and some of them on one sheet: docs/explorer.webp.

The page and the server behind it are those that are shipped, on a throw-away account; nobody is in any picture.
Needs chromium (scripts/chromium.sh), the development packages and the models.

    .venv/bin/python scripts/explorer_sheet.py [--out docs/explorer.webp] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from playwright.async_api import Browser, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.browser.explorer import BUSINESS, Explorer
from tests.browser.stage import ARGUMENTS, CHROMIUM, INSECURE_HOST
from tests.support.images import drawn
from tests.support.server import Server

DESK, PHONE = (1360, 850, 1.25), (390, 844, 2.0)  # CSS pixels, and device pixels to one of them
PAPER, GAP = 200, 28

Key = tuple[str, str]
Play = Callable[[Explorer, Key, Path], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    play: Play
    size: tuple[int, int, float] = DESK
    language: str = "en-US"
    dark: bool = False
    host: str = "127.0.0.1"
    scrolled: bool = False  # as it was left, not from its top


async def empty(page: Explorer, key: Key, folder: Path) -> None:
    pass


async def filled(page: Explorer, key: Key, folder: Path) -> None:
    await page.enter_key(key)
    await page.enter(**BUSINESS)
    await page.settled()


async def other_code(page: Explorer, key: Key, folder: Path) -> None:
    await filled(page, key, folder)
    await page.sample("curl")


async def photo(page: Explorer, key: Key, folder: Path) -> None:
    picture = folder / "portrait.jpg"
    picture.write_bytes(drawn(600, 800))
    await page.enter_key(key)
    await page.enter(CompareLib="LOCAL")
    await page.page.set_input_files("#parameter-ImageBase64", picture)
    await page.page.locator(".photo").scroll_into_view_if_needed()
    await page.sample("go")


async def steps(page: Explorer, key: Key, folder: Path) -> None:
    await filled(page, key, folder)
    canonical = await page.step("canonical")
    await page.page.fill("#theirs", canonical.replace("application/json", "application/json; charset=utf-8"))
    await page.page.locator(".verdict").scroll_into_view_if_needed()


async def token(page: Explorer, key: Key, folder: Path) -> None:
    await filled(page, key, folder)
    await page.send()


async def result(page: Explorer, key: Key, folder: Path) -> None:
    await token(page, key, folder)
    await page.page.click("#fetch-result")
    await page.send()


async def wrong_key(page: Explorer, key: Key, folder: Path) -> None:
    await filled(page, (key[0], "wrong"), folder)
    await page.send()


async def wrong_value(page: Explorer, key: Key, folder: Path) -> None:
    await page.enter_key(key)
    await page.page.locator(".more > summary").click()
    await page.page.locator(".fields > summary").click()
    await page.enter(Encryption='{"EncryptList": ["Name"')
    await page.page.click("#send")


SCENES = (
    Scene("empty", empty),
    Scene("empty_phone", empty, PHONE, "zh-CN"),
    Scene("code", filled),
    Scene("curl", other_code, language="zh-CN", dark=True),
    Scene("photo", photo, language="zh-CN", scrolled=True),
    Scene("steps", steps),
    Scene("steps_phone", steps, PHONE, "zh-CN", dark=True),
    Scene("token", token, language="zh-CN", dark=True),
    Scene("token_phone", token, PHONE, "zh-CN"),
    Scene("result", result),
    Scene("wrong_key", wrong_key, language="zh-CN"),
    Scene("wrong_key_phone", wrong_key, PHONE, dark=True),
    Scene("wrong_value", wrong_value, dark=True, scrolled=True),
    Scene("insecure", empty, host=INSECURE_HOST),
    Scene("insecure_phone", empty, PHONE, "zh-CN", dark=True, host=INSECURE_HOST),
)
SHEET = (("code", "token"), ("token_phone", "wrong_key_phone"))  # above each other, beside each other


async def shoot(browser: Browser, server: Server, key: Key, scene: Scene, folder: Path) -> None:
    width, height, scale = scene.size
    context = await browser.new_context(
        viewport={"width": width, "height": height}, device_scale_factor=scale, locale=scene.language,
        color_scheme="dark" if scene.dark else "light",
    )  # fmt: skip
    page = Explorer(await context.new_page())
    await page.open(f"http://{scene.host}:{server.port}")
    await scene.play(page, key, folder)
    await page.page.evaluate("document.activeElement?.blur()")
    if scene.size is DESK and not scene.scrolled:
        await page.page.evaluate("scrollTo(0, 0)")
    await page.page.wait_for_timeout(250)
    await page.page.screenshot(path=folder / f"{scene.name}.png")
    for error in page.errors:
        print(f"{scene.name}: {error}")
    await context.close()


def sheet(folder: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Two desks above each other, and beside them two phones as high as both together."""

    def read(name: str, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        picture = cv2.imread(str(folder / f"{name}.png"))
        assert picture is not None, name
        width = round(picture.shape[1] * height / picture.shape[0])
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    desks, phones = (
        [read(name, height) for name in names] for names, height in zip(SHEET, (800, 1600 + GAP), strict=True)
    )
    width = desks[0].shape[1] + sum(phone.shape[1] for phone in phones) + (len(phones) + 2) * GAP
    canvas = np.full((1600 + 3 * GAP, width, 3), PAPER, np.uint8)
    for row, desk in enumerate(desks):
        y = GAP + row * (800 + GAP)
        canvas[y : y + 800, GAP : GAP + desk.shape[1]] = desk
    x = 2 * GAP + desks[0].shape[1]
    for phone in phones:
        canvas[GAP : GAP + phone.shape[0], x : x + phone.shape[1]] = phone
        x += phone.shape[1] + GAP
    return canvas


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/explorer.webp"))
    parser.add_argument("--only", nargs="*", help="scenes by name; no sheet is made then")
    parser.add_argument("--keep", type=Path, help="folder for the single pictures")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        server = Server(Path(temporary), allowed_hosts=INSECURE_HOST).start()
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
                for scene in SCENES:
                    if not given.only or scene.name in given.only:
                        await shoot(browser, server, server.key(), scene, folder)
                await browser.close()
        finally:
            server.stop()
        if not given.only:
            cv2.imwrite(str(given.out), sheet(folder), [cv2.IMWRITE_WEBP_QUALITY, 82])
            print(f"{len(SCENES)} states: {given.out}")


if __name__ == "__main__":
    asyncio.run(main())
