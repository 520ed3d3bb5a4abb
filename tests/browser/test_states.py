"""Waits of the page that only a browser has, driven to their end by a clock of the test's own."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.stage import Camera, check_screen, device
from tests.support.images import base64_of, sample
from tests.support.server import Server
from tests.support.server import token as issue

pytestmark = pytest.mark.asyncio(loop_scope="session")

NEVER_ASKED = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {});"
NEVER_LISTED = "navigator.mediaDevices.enumerateDevices = () => new Promise(() => {});"
WHITE = """HTMLCanvasElement.prototype.toBlob = function (done, type, quality) {
  const blank = new OffscreenCanvas(this.width || 1, this.height || 1);
  const context = blank.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, blank.width, blank.height);
  blank.convertToBlob({ type: "image/jpeg", quality }).then(done);
};"""
KEEP_STREAM = """{
  const media = navigator.mediaDevices, ask = media.getUserMedia;
  window.opened = 0;
  media.getUserMedia = async (...given) => {
    window.opened += 1;
    window.stream = await ask.apply(media, given);
    return window.stream;
  };
}"""


def fresh(server: Server) -> str:
    return issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))


@pytest.mark.parametrize(
    ("script", "screen", "title", "step"),
    [
        (NEVER_ASKED, "camera_silent", "silentTitle", 500),
        (WHITE, "camera_blank", "blankTitle", 25),  # the picture is looked at while little of the page's time goes by
    ],
)
async def test_a_camera_that_gives_nothing_ends_on_a_screen_with_a_next_step(
    server: Server, browser: Browser, script: str, screen: str, title: str, step: int
) -> None:
    async with device(browser) as person:
        await person.page.add_init_script(script)
        await person.page.clock.install()
        await person.open(server.url, fresh(server))
        await person.agree()
        await person.pass_time(screen, step)
        await check_screen(person, title)


async def test_who_reads_for_half_a_minute_notices_nothing_and_a_list_that_never_comes_holds_nobody_up(
    server: Server, browser: Browser
) -> None:
    sockets: list[str] = []
    async with device(browser) as person:
        person.page.on("websocket", lambda socket: sockets.append(socket.url))
        await person.page.add_init_script(NEVER_LISTED)
        await person.page.clock.install()
        await person.open(server.url, fresh(server))
        while not sockets:  # until the page no longer waits for the list of cameras
            await person.page.clock.run_for(100)
        await person.screen("ready")
        await person.page.clock.run_for(30_000)
        await person.press()
        await person.page.clock.run_for(1000)
        await person.page.clock.resume()
        await person.action()
        assert "hint reconnecting" not in await person.page.evaluate("window.witness")
        assert len(sockets) == 1


async def test_a_camera_that_stops_in_the_middle_is_opened_anew_and_the_attempt_given_back(
    server: Server, browser: Browser
) -> None:
    ended = "stream.getTracks()[0].onended()"
    muted = "Object.defineProperty(stream.getTracks()[0], 'muted', { value: true }); stream.getTracks()[0].onmute()"
    async with device(browser, Camera(obeys=False)) as person:
        page = person.page
        await page.add_init_script(KEEP_STREAM)
        await person.open(server.url, fresh(server))
        await person.agree()
        await person.action()
        for opened, how in enumerate((ended, muted), start=2):
            await page.evaluate("window.witness = []")
            await page.evaluate(how)
            await person.saw("screen camera_stopped")
            await page.wait_for_function(f"() => window.opened === {opened}")
            await person.screen("capture")
            await person.action()
        token = page.url.split("#")[1].split("&")[0]
        assert server.json("session", "show", token)["counted"] == 1, "of three attempts two were given back"
        assert not person.errors


async def test_a_phone_that_is_turned_is_told_to_keep_still_and_goes_again(server: Server, browser: Browser) -> None:
    said: list[str] = []
    async with device(browser, Camera(obeys=False)) as person:
        person.page.on("websocket", lambda socket: socket.on("framesent", lambda text: said.append(str(text))))
        await person.open(server.url, fresh(server))
        await person.agree()
        await person.action()
        await person.page.evaluate("dispatchEvent(new Event('orientationchange'))")
        await person.screen("over_turned")
        await check_screen(person, "turnedTitle")
        assert await person.page.locator(".badge").inner_text() in (
            "这次不算 · 还有 3 次机会",
            "This one did not count · 3 tries left",
        )
        # The camera is looked at before the screen changes; a second press meanwhile does nothing.
        await person.page.locator(".actions .quiet").first.evaluate("(button) => { button.click(); button.click(); }")
        await person.action()
        assert said.count('{"type":"ease"}') == 1


async def test_more_time_and_another_action_are_offered_once(server: Server, browser: Browser) -> None:
    async with device(browser, Camera(obeys=False)) as person:
        await person.open(server.url, fresh(server))
        await person.agree()
        asked = await person.action()
        await person.page.locator(".actions .quiet", has_text="需要更多时间").click()
        await person.screen("over_eased")
        await check_screen(person, "easedTitle")
        await person.press()
        assert await person.action() != asked
        await expect(person.page.locator(".actions .quiet:visible")).to_have_count(1)


async def test_a_proxy_that_drops_upgrade_is_named(server: Server, browser: Browser) -> None:
    async with device(browser) as person:
        await person.page.route_web_socket("**/capture/v1", lambda socket: socket.close(code=1002))
        await person.open(server.url, fresh(server))
        await person.screen("blocked")
        await check_screen(person, "blockedTitle")
    assert "capture_without_upgrade" in server.log.read_text()
