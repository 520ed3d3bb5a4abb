"""Nobody is left at a dead end: every way that does not lead to an outcome ends in a screen with a next step."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.async_api import Browser

from tests.browser.stage import INSECURE_HOST, Camera, alter_welcome, check_screen, device
from tests.support.images import base64_of, sample
from tests.support.server import Server, result
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")

LIVENESS = (1001, 1007)  # Results of a failed liveness check


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two attempts, and two seconds a step."""
    folder = tmp_path_factory.mktemp("hasty")
    running = Server(
        folder,
        attempts=2,
        step_seconds=2,
        device_grace_seconds=1,
        min_frames_per_second=1,
        max_excused_attempts=10,
        spared_attempts=10,
        idle_seconds=3,
    ).start()
    yield running
    running.stop()


@pytest.fixture
def token(server: Server, key: tuple[str, str]) -> str:
    return issue(server.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()))


def fresh(server: Server) -> str:
    return issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))


async def test_a_flat_picture_uses_up_its_attempts_and_its_token(hasty: Server, browser: Browser) -> None:
    token = fresh(hasty)
    # A camera that is slow: within a step's two seconds the server then looks at every picture.
    async with device(browser, Camera(kind="flat", pause=0.25)) as person:
        sockets: list[str] = []
        person.page.on("websocket", lambda socket: sockets.append(socket.url))
        await person.open(hasty.url, token)
        await person.screen("ready")
        # Who reads for long is not punished: the silent socket is closed, and opened again behind the screen.
        while len(sockets) < 2:
            await person.page.wait_for_event("websocket")
        await person.agree()
        await person.end("over_timeout")
        await check_screen(person, "timeoutTitle")
        await person.press()
        await person.end("failed")
        await check_screen(person, "failed")
    async with device(browser, phone=False) as late:
        await late.open(hasty.url, token)
        await late.screen("closed_4411")
        await check_screen(late, "c4411Title")
    found = result(hasty.sdk(), token)
    assert LIVENESS[0] <= int(found.Result) <= LIVENESS[1]


async def test_a_camera_that_is_refused_or_in_use_has_a_way_back(server: Server, token: str, browser: Browser) -> None:
    camera = Camera("refused")
    async with device(browser, camera) as person:
        await person.open(server.url, token)
        await person.agree()
        await person.screen("camera_refused")
        await check_screen(person, "refusedTitle")
        camera.state = "busy"
        await person.press()
        await person.screen("camera_busy")
        await check_screen(person, "busyCameraTitle")
        camera.state = "on"
        await person.press()
        await person.screen("capture")
        await person.step()
        await person.page.locator(".actions .quiet").last.click()  # before it may stand the offer of help
        await person.screen("cancelled")
        await check_screen(person, "cancelledTitle")
        await person.press()
        await person.screen("capture")


async def test_a_desktop_without_a_camera_hands_over_to_a_phone_which_goes_on(
    server: Server, token: str, browser: Browser
) -> None:
    async with device(browser, Camera("none"), phone=False) as desktop, device(browser) as phone:
        await alter_welcome(desktop.page, loopback=False)  # as behind a name that phones know
        await desktop.open(server.url, token)
        await desktop.screen("camera_none")
        await check_screen(desktop, "noCameraTitle")
        answers: list[str] = []
        desktop.page.on(
            "websocket", lambda socket: socket.on("framereceived", lambda frame: answers.append(str(frame)))
        )
        await desktop.page.reload()
        await desktop.screen("camera_none")
        await desktop.press()
        await desktop.screen("handover")
        await check_screen(desktop, "handoverTitle")
        assert await desktop.page.locator(".qr").is_visible()
        offer = next(answer for answer in answers if '"handover","code"' in answer)
        code = offer.split('"code":"')[1].split('"')[0]
        await phone.open(server.url, f"{token}.{code}")
        await phone.screen("ready")
        assert code not in phone.page.url, "the code is good once and leaves the address"
        await desktop.screen("closed_4412")
        await check_screen(desktop, "c4412Title")
        await phone.agree()
        await phone.action()


async def test_a_second_device_is_told_that_another_has_it(server: Server, token: str, browser: Browser) -> None:
    async with device(browser) as first, device(browser, phone=False) as second:
        await first.open(server.url, token)
        await first.screen("ready")
        await second.open(server.url, token)
        await second.screen("closed_4409")
        await check_screen(second, "c4409Title")
        await first.page.goto("about:blank")
        await second.press_until("ready")  # once the first device's grace is over


async def test_a_link_that_is_unknown_or_cut_short_says_where_to_go(server: Server, browser: Browser) -> None:
    async with device(browser) as person:
        await person.open(server.url, "0F0F0F0F-0000-0000-0000-000000000000")
        await person.screen("closed_4401")
        await check_screen(person, "c4401Title")
        await person.page.goto("about:blank")
        await person.page.goto(f"{server.url}/verify")
        await person.screen("no_token")
        await check_screen(person, "noTokenTitle")


async def test_an_insecure_address_says_so_in_one_sentence(server: Server, token: str, browser: Browser) -> None:
    async with device(browser) as person:
        await person.open(f"http://{INSECURE_HOST}:{server.port}", token)
        await person.screen("missing_insecure")
        await check_screen(person, "insecureTitle")
        await person.press()
        assert await person.page.locator(".actions .primary").inner_text() in ("已复制", "Copied")


@pytest.mark.parametrize(
    ("lacking", "screen", "title"),
    [("crypto", "missing_old", "oldTitle"), ("WebSocket", "missing_no_socket", "noSocketTitle")],
)
async def test_a_browser_that_lacks_something_is_told_what_to_do(
    server: Server, token: str, browser: Browser, lacking: str, screen: str, title: str
) -> None:
    async with device(browser) as person:
        await person.page.add_init_script(
            f"delete window.{lacking}; Object.defineProperty(window, '{lacking}', {{ value: undefined }})"
        )
        await person.open(server.url, token)
        await person.screen(screen)
        await check_screen(person, title)


async def test_a_browser_too_old_for_the_script_still_says_something(server: Server, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{server.url}/verify#whatever")
    assert await page.locator(".noscript").is_visible()
    assert "Chrome" in await page.locator(".unstarted").inner_text()
    await context.close()


async def test_a_server_that_is_gone_ends_in_a_retry(server: Server, token: str, browser: Browser) -> None:
    async with device(browser) as person:
        # Nothing answers at the socket's address; the patience of 45 s is not waited out but moved on.
        await person.page.clock.install()
        await person.page.route_web_socket("**/capture/v1", lambda socket: socket.close(code=1012, reason="restart"))
        await person.page.route("**/capture/v1", lambda route: route.abort())
        await person.open(server.url, token)
        await person.page.clock.run_for(8000)
        await person.screen("connecting")
        await check_screen(person, "connectingTitle")
        for _ in range(40):
            await person.page.clock.run_for(2000)
        await person.screen("offline")
        await check_screen(person, "offlineTitle")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_for_a_site_that_is_not_listed_can_be_read(
    browser: Browser, server: Server, axe: str, scheme: Literal["light", "dark"]
) -> None:
    page = await browser.new_page(color_scheme=scheme, viewport={"width": 360, "height": 640})
    reply = await page.goto(f"{server.url}/verify?origin=https://elsewhere.example")
    assert reply is not None
    assert reply.status == 403
    assert await page.locator("h1").inner_text() == "这个网站未获许可"
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not await page.evaluate(axe)
    await page.close()
