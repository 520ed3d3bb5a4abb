"""The JavaScript SDK on a merchant's page: in a frame, by redirect, bound to a device; and the example shop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, FrameLocator, expect

from tests.browser.conftest import serving
from tests.browser.stage import ATTEMPT, Camera, Device, device
from tests.support.images import ROOT, base64_of, sample
from tests.support.server import PATIENCE, Server, free_port
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of its own, as a second account is made here."""
    with serving(tmp_path_factory.mktemp("merchants")) as running:
        yield running


@pytest.fixture(scope="module")
def shop(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example, by the two commands of its README but for ports and folders."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = {**server.environment, "SHOP_PORT": str(port), "RENZHENG_URL": server.url}
    server.command("account", "origins", address)
    log = (tmp_path_factory.mktemp("shop") / "shop.log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "examples/shop/shop.py"], cwd=ROOT, env=environment, stdout=log, stderr=log
    )
    for _ in range(round(10 * PATIENCE)):
        try:
            urllib.request.urlopen(address, timeout=1).close()
            break
        except OSError:
            assert process.poll() is None, Path(log.name).read_text()
            time.sleep(0.1)
    yield address
    process.terminate()
    process.wait(PATIENCE)
    log.close()


def new_token(server: Server, key: tuple[str, str], **fields: object) -> str:
    return issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()), **fields)


async def on_shop(person: Device, shop: str) -> None:
    await person.page.goto(shop)
    await person.page.locator("#pay[data-ready]").wait_for()


async def begin(person: Device, server: Server, options: dict[str, Any]) -> None:
    """Call `start` on the shop's page; the promise and the events are kept on the window."""
    await person.page.evaluate(
        """async ([url, options]) => {
          const { start } = await import(url);
          document.body.style.setProperty("--renzheng-accent", "rgb(120, 30, 90)");
          window.events = [];
          window.ended = start({ ...options, onevent: (event) => window.events.push(event) });
        }""",
        [f"{server.url}/sdk/renzheng.js", options],
    )


async def end_of(person: Device) -> dict[str, Any]:
    return dict(await asyncio.wait_for(person.page.evaluate("window.ended"), ATTEMPT))


def framed(person: Device) -> FrameLocator:
    return person.page.frame_locator("iframe")


@contextlib.asynccontextmanager
async def going_again(person: Device) -> AsyncIterator[None]:
    """Whenever the framed page offers another attempt it is taken, as a slow machine may let one run out."""

    async def press() -> None:
        while True:
            await framed(person).locator('[data-screen^="over_"] .primary').click(timeout=0)

    pressing = asyncio.create_task(press())
    try:
        yield
    finally:
        pressing.cancel()
        await asyncio.gather(pressing, return_exceptions=True)


async def test_the_example_shop_is_paid_for_by_whom_it_expects(server: Server, shop: str, browser: Browser) -> None:
    async with device(browser, phone=False) as person:
        await on_shop(person, shop)
        photo = {"name": "me.png", "mimeType": "image/png", "buffer": sample()}
        await person.page.locator("input[type=file]").set_input_files(photo)  # type: ignore[arg-type]
        await person.page.locator("#pay").click()
        page = framed(person)
        await page.locator('[data-screen="ready"] .primary').click()
        async with going_again(person):
            await person.page.locator("#told", has_text="Paid").wait_for(timeout=1000 * ATTEMPT)
        assert not person.errors
        assert person.hosts == {server.url.split("/")[2], shop.split("/")[2]}


async def test_a_frame_tells_its_progress_takes_the_theme_and_ends_with_212(
    server: Server, key: tuple[str, str], shop: str, browser: Browser
) -> None:
    async with device(browser) as person:
        await on_shop(person, shop)
        await begin(person, server, {"token": new_token(server, key), "container": "body", "language": "en-US"})
        page = framed(person)
        await page.locator('[data-screen="ready"] h1', has_text="Confirm it").wait_for()
        button = page.locator(".primary")
        assert await button.evaluate("(e) => getComputedStyle(e).backgroundColor") == "rgb(120, 30, 90)"
        await page.locator(".quiet").last.click()
        end = await end_of(person)
        assert (end["code"], "passed" in end) == (212, False)
        names = [event["name"] for event in await person.page.evaluate("window.events") if event["type"] == "screen"]
        assert names[:2] == ["opening", "ready"]
        await expect(person.page.locator("iframe")).to_have_count(0)


@pytest.mark.parametrize(
    ("state", "screen", "code"), [("refused", "camera_refused", 215), ("busy", "camera_busy", 218)]
)
async def test_a_camera_that_stays_shut_ends_with_its_code(
    server: Server, key: tuple[str, str], shop: str, browser: Browser, state: str, screen: str, code: int
) -> None:
    async with device(browser, Camera(state)) as person:
        await on_shop(person, shop)
        await begin(person, server, {"token": new_token(server, key), "container": "body"})
        page = framed(person)
        await page.locator('[data-screen="ready"] .primary').click()
        await page.locator(f'[data-screen="{screen}"] .quiet').last.click()
        assert (await end_of(person))["code"] == code


async def test_a_wrong_parameter_ends_with_221(server: Server, shop: str, browser: Browser) -> None:
    wrong: tuple[dict[str, str], ...] = (
        {},
        {"container": "#nowhere"},
        {"container": "body", "redirect": "/"},
        {"container": "body", "token": "x"},
    )
    async with device(browser) as person:
        await on_shop(person, shop)
        for options in wrong:
            await begin(person, server, {"token": "0F0F0F0F-0000-0000-0000-000000000000", **options})
            assert (await end_of(person))["code"] == 221, options


async def test_an_unknown_token_ends_with_288(server: Server, shop: str, browser: Browser) -> None:
    async with device(browser) as person:
        await on_shop(person, shop)
        await begin(person, server, {"token": "0F0F0F0F-0000-0000-0000-000000000000", "container": "body"})
        await framed(person).locator('[data-screen="closed_4401"] .primary').click()
        assert (await end_of(person))["code"] == 288


async def test_another_accounts_token_is_refused_in_a_frame(server: Server, shop: str, browser: Browser) -> None:
    other = server.json("account", "create", "another")
    made = server.json("key", "create", "--account", str(other["id"]))
    server.follow()
    token = new_token(server, (made["secret_id"], made["secret_key"]))
    async with device(browser) as person:
        await on_shop(person, shop)
        await begin(person, server, {"token": token, "container": "body"})
        await framed(person).locator('[data-screen="closed_4403"]').wait_for()


async def test_redirect_leaves_for_the_page_and_comes_back_with_a_code_and_without_the_token(
    server: Server, key: tuple[str, str], shop: str, browser: Browser
) -> None:
    token = new_token(server, key)
    async with device(browser) as person:
        await on_shop(person, shop)
        await begin(person, server, {"token": token, "redirect": "/?order=7"})
        await person.screen("ready")
        assert person.page.url.startswith(f"{server.url}/verify?origin=")
        await person.page.locator(".actions .quiet").last.click()
        await person.page.wait_for_url(f"{shop}/**")
        assert person.page.url == f"{shop}/?order=7&renzheng_code=212"


async def test_nobody_is_sent_to_an_address_that_is_not_of_the_named_origin(
    server: Server, key: tuple[str, str], shop: str, browser: Browser
) -> None:
    async with device(browser) as person:
        for address in ("https://evil.example/", "javascript:alert(1)"):
            await person.page.goto("about:blank")
            await person.page.goto(f"{server.url}/verify?origin={shop}#{new_token(server, key)}&return={address}")
            await person.screen("ready")
            await person.page.locator(".actions .quiet").last.click()
            await person.screen("cancelled")


async def test_meta_binds_a_token_to_the_device_that_made_it(
    server: Server, key: tuple[str, str], shop: str, browser: Browser
) -> None:
    async with device(browser) as owner, device(browser, phone=False) as thief:
        await on_shop(owner, shop)
        get_meta = "(url) => import(url).then(({ getMeta }) => getMeta())"
        sdk = f"{server.url}/sdk/renzheng.js"
        meta = await owner.page.evaluate(get_meta, sdk)
        assert meta == await owner.page.evaluate(get_meta, sdk), "one key a device"
        made = json.loads(meta)
        assert set(made["key"]) == {"kty", "crv", "x", "y"}, "the public half alone"
        unbound = await owner.page.evaluate("(url) => import(url).then(({ getMeta }) => getMeta({ bind: false }))", sdk)
        assert "key" not in json.loads(unbound)
        token = new_token(server, key, Meta=meta)
        await on_shop(thief, shop)
        await begin(thief, server, {"token": token, "container": "body"})
        await framed(thief).locator('[data-screen="closed_4414"]').wait_for()
        await begin(owner, server, {"token": token, "container": "body"})
        await framed(owner).locator('[data-screen="ready"]').wait_for()


async def test_an_app_hears_the_end_through_its_named_object(
    server: Server, key: tuple[str, str], browser: Browser
) -> None:
    async with device(browser) as person:
        await person.page.add_init_script(
            "window.heard = []; window.renzhengHost = { postMessage: (text) => window.heard.push(JSON.parse(text)) };"
        )
        await person.open(server.url, new_token(server, key))
        await person.screen("ready")
        await person.page.locator(".actions .quiet").last.click()
        await person.page.wait_for_function("() => window.heard.some(({ type }) => type === 'end')")
        heard = await person.page.evaluate("window.heard")
    assert heard[0] == {"renzheng": 1, "type": "hello"}
    assert heard[-1]["type"] == "event" or heard[-1]["code"] == 212
    assert {"renzheng": 1, "type": "end", "code": 212, "message": "the person left"} in heard
