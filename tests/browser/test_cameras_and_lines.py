"""Several cameras, an uplink that carries little, and an app that was in front for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, async_playwright

from renzheng.engine.media import probe
from tests.browser.stage import ARGUMENTS, CHROMIUM, PHONE, Camera, Line, device
from tests.browser.test_states import KEEP_STREAM, fresh
from tests.support.server import Server

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.stress, pytest.mark.attacks]

AWAY = """{
  let hidden = false;
  Object.defineProperty(Document.prototype, "hidden", { get: () => hidden });
  window.hide = (value) => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };
  const play = HTMLMediaElement.prototype.play;
  window.wantsTap = false;
  HTMLMediaElement.prototype.play = function () {
    if (!window.wantsTap) return play.call(this);
    this.pause();
    return Promise.reject(new DOMException("gesture", "NotAllowedError"));
  };
  addEventListener("click", () => { window.wantsTap = false; }, true);
}"""
KEEP_CAMERAS = """{
  const media = navigator.mediaDevices, ask = media.getUserMedia;
  window.cameras = [];
  media.getUserMedia = async (...given) => {
    if (window.isUnplugged && given[0].video.deviceId) throw new DOMException("", "OverconstrainedError");
    const stream = await ask.apply(media, given);
    window.cameras.push(stream.getVideoTracks()[0].getSettings().deviceId);
    return stream;
  };
}"""
UPLINK = 48 * 1024
"""Bytes a second: a bad mobile network. Pictures of full size would come at one or two a second."""


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("patient"), challenge_length=1, step_seconds=20).start()
    try:
        yield running
    finally:
        running.stop()


async def test_of_several_cameras_the_next_is_chosen_before_the_first_action(patient: Server) -> None:
    devices = ("--use-fake-device-for-media-stream=device-count=3", "--use-fake-ui-for-media-stream")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *devices])
        page = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
        await page.add_init_script(KEEP_CAMERAS)
        await page.goto(f"{patient.url}/verify#{fresh(patient)}")
        await page.locator('[data-screen="ready"] .primary').click()
        seen = []
        for opened in (1, 2, 3, 4, 5):
            await page.wait_for_function(f"() => window.cameras.length === {opened}")
            seen.append(await page.evaluate("window.cameras.at(-1)"))
            await page.locator('[data-screen="capture"]').wait_for()
            another = page.get_by_role("button", name="Use another camera").or_(
                page.get_by_role("button", name="换一个摄像头")
            )
            if opened == 4:
                await page.evaluate("window.isUnplugged = true")
            if opened < 5:
                await another.click()
        assert len(set(seen[:3])) == 3
        assert seen[3] == seen[0]
        assert seen[4], "a camera that was unplugged meanwhile gives way to any other"
        await browser.close()


async def test_an_uplink_that_carries_little_gets_smaller_pictures_and_the_person_through(
    patient: Server, browser: Browser
) -> None:
    line, widths, bytes_sent = Line(patient.port), list[int](), list[int]()
    await line.mend()

    def sent(data: object) -> None:
        if isinstance(data, bytes):
            widths.append(probe(data[21:]).width)
            bytes_sent.append(len(data))

    async with device(browser, Camera()) as person:
        person.page.on("websocket", lambda socket: socket.on("framesent", sent))
        await person.open(f"http://127.0.0.1:{line.port}", fresh(patient))
        await person.screen("ready")
        line.uplink = UPLINK
        await person.press()
        await person.action()
        assert widths[0] == 640
        assert min(widths) < 640
        assert bytes_sent[-1] < bytes_sent[0] / 2
        assert not person.errors
    await line.cut()


@pytest.mark.parametrize("wants_tap", [False, True])
async def test_who_comes_back_from_another_app_that_took_the_camera_goes_on(
    patient: Server, browser: Browser, wants_tap: bool
) -> None:
    """As on an iPhone: the track is gone, and at times a page may play only after a tap."""
    async with device(browser, Camera(obeys=False)) as person:
        page = person.page
        await page.add_init_script(KEEP_STREAM + AWAY)
        await person.open(patient.url, fresh(patient))
        await person.agree()
        await person.action()
        await page.evaluate("hide(true)")
        await page.evaluate("stream.getTracks().forEach((track) => track.stop())")
        await page.evaluate(f"window.wantsTap = {str(wants_tap).lower()}")
        await page.evaluate("hide(false)")
        if wants_tap:
            await person.screen("tap")
            await person.press()
        await page.wait_for_function("() => window.opened === 2")
        await person.action()
        token = page.url.split("#")[1].split("&")[0]
        assert patient.json("session", "show", token)["counted"] == 1, "the attempt that was left was given back"
        assert not person.errors
