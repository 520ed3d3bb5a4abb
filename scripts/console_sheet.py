"""The console's pages as pictures, and some of them on one sheet: docs/console.webp.

The console and the server behind it are those that are shipped, on a throw-away installation; what the plots show is
made up by rows of the ledger, and nobody is in any picture. Needs chromium, the development packages and the models.

    .venv/bin/python scripts/console_sheet.py [--out docs/console.webp] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sqlite3
import sys
import tempfile
import time
import uuid
from pathlib import Path

import cv2
import numpy as np
from playwright.async_api import Browser, async_playwright

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from renzheng.store.open import open_store
from tests.browser.console import PASSWORD, Person, first_link, person
from tests.browser.stage import ARGUMENTS, CHROMIUM
from tests.support.again import judged
from tests.support.server import Server, token

PAPER, GAP = 200, 28
DESK_HEIGHT = 800
Picture = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
# Two columns of desks, and phones beside them: name, path, language, dark, phone, opens the drawer.
SCENES = (
    ("overview", "/console", "en-US", False, False, False),
    ("rules", "/console/rules", "zh-CN", True, False, False),
    ("inspector", "/console/keys", "en-US", False, False, True),
    ("import", "/console/identities/import", "zh-CN", False, False, False),
    ("overview_phone", "/console", "zh-CN", True, True, False),
    ("rules_phone", "/console/rules", "en-US", False, True, False),
    ("sign_in_phone", "/console/sign-in", "zh-CN", False, True, False),
    ("verifications", "/console/verifications", "en-US", True, False, False),
    ("audit", "/console/audit", "zh-CN", False, False, False),
    ("accounts_phone", "/console/accounts/1", "en-US", True, True, False),
    ("verification", "/console/verifications/{judged}", "zh-CN", False, False, False),
    ("verification_phone", "/console/verifications/{judged}", "en-US", True, True, False),
    ("requests", "/console/requests?All=1", "en-US", False, False, False),
    ("requests_phone", "/console/requests?All=1", "zh-CN", False, True, False),
)
SHEET = (("overview", "rules"), ("inspector", "verification"), ("overview_phone", "rules_phone"))


async def fill(owner: Person, server: Server) -> None:
    """A little of everything: rules in their states, a second person, tokens."""
    for name, threshold in (("Account opening", "80"), ("Large transfer", "85"), ("Password reset", "70")):
        await owner.do("CreateRule", Name=name, Threshold=threshold)
    await owner.press("Submit")
    await owner.send()
    await owner.press("Approve")
    await owner.send()
    await owner.press("Submit")
    await owner.send()
    await owner.do("CreateOperator", Name="wang.fang", Role="reviewer")
    sdk = server.sdk()
    for _ in range(4):
        await asyncio.to_thread(token, sdk, CompareLib="BUSINESS", IdCard="11204416541220243X", Name="韦小宝")


async def judge_one(server: Server) -> int:
    """A verification as a judge leaves it, of drawn pictures; its number."""
    store = open_store(server.data_dir, server.keys_dir, time.time, os.urandom, actor="sheet")
    await store.start(serving=False)
    begun, key = time.time() - 600, "AKID" + "x" * 32
    number = await judged(store, (await store.accounts.all())[0].id, begun)
    await store.sessions.claim_device(number, "device", begun, 20, None)
    for action, later in (("GetFaceIdToken", -30), ("GetFaceIdResult", 40)):
        store.calls.note(number, begun + later, action, key, str(uuid.UUID(int=later + 2**80)))
    await store.calls.flush(time.time())
    await store.stop()
    return number


def make_up(server: Server) -> None:
    """Verdicts of two weeks, in the ledger alone: more by day than by night."""
    now = time.time()
    rows = []
    for hour in range(14 * 24):
        at = now - 3600 * hour
        busy = 9 + 8 * math.sin((at / 3600 + 8 - 8) / 24 * 2 * math.pi) + (hour * 7919) % 5
        for number in range(max(0, int(busy))):
            share = (hour * 31 + number * 17) % 100
            result = "0" if share < 88 else "1005" if share < 94 else "2016" if share < 97 else "1202"
            rows.append((1, 1_000_000 * hour + number, result, int(result == "0"), at - number, 0))
    connection = sqlite3.connect(server.data_dir / "renzheng.db")
    sql = "INSERT INTO ledger (account_id, session_id, result, billed, at, charged) VALUES (?, ?, ?, ?, ?, ?)"
    connection.executemany(sql, rows)
    connection.commit()
    connection.close()


async def shoot(browser: Browser, server: Server, folder: Path) -> None:
    async with person(browser, server) as owner:
        await owner.choose_password(first_link(server), "li.wei")
        await fill(owner, server)
    make_up(server)
    number = await judge_one(server)
    for name, path, language, dark, phone, drawer in SCENES:
        async with person(
            browser, server, language=language, dark=dark, phone=phone, scale=2 if phone else 1.25
        ) as one:
            if not phone:
                await one.page.set_viewport_size({"width": 1360, "height": 850})
            await one.open("/console/sign-in")
            if path != "/console/sign-in":
                await one.page.fill("[name=name]", "li.wei")
                await one.page.fill("[name=password]", PASSWORD)
                await one.send()
                await one.open(path.format(judged=number))
            if drawer:
                await one.page.click(".inspect")
            await one.page.evaluate("document.activeElement?.blur()")
            await one.page.wait_for_timeout(200)
            await one.page.screenshot(path=folder / f"{name}.png")
            for error in one.errors:
                print(f"{name}: {error}")


def sheet(folder: Path) -> Picture:
    """Two columns of desks, two above each other, and two phones as high as both together."""

    def read(name: str, height: int) -> Picture:
        picture = cv2.imread(str(folder / f"{name}.png"))
        assert picture is not None, name
        width = round(picture.shape[1] * height / picture.shape[0])
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    tall = 2 * DESK_HEIGHT + GAP
    columns: list[list[Picture]] = [[read(name, DESK_HEIGHT) for name in names] for names in SHEET[:2]]
    columns += [[read(name, tall)] for name in SHEET[2]]
    width = sum(column[0].shape[1] + GAP for column in columns) + GAP
    canvas = np.full((tall + 2 * GAP, width, 3), PAPER, np.uint8)
    x = GAP
    for column in columns:
        y = GAP
        for picture in column:
            canvas[y : y + picture.shape[0], x : x + picture.shape[1]] = picture
            y += picture.shape[0] + GAP
        x += column[0].shape[1] + GAP
    return canvas


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/console.webp"))
    parser.add_argument("--keep", type=Path, help="folder for the single pictures")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        server = Server(Path(temporary)).start()
        try:
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
                await shoot(browser, server, folder)
                await browser.close()
        finally:
            server.stop()
        cv2.imwrite(str(given.out), sheet(folder), [cv2.IMWRITE_WEBP_QUALITY, 82])
        print(f"{len(SCENES)} pages: {given.out}")


if __name__ == "__main__":
    asyncio.run(main())
