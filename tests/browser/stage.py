"""A device for the page under test: chromium, and before its camera a puppet that does what the page says.

The page is the one that is shipped and the server behind it draws its challenge at random. Only `getUserMedia` is
replaced: by the stream of a canvas, onto which pictures are painted that a puppet renders here, for the instruction
and in the light of the colour that are read off the page.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import shutil
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import simplejpeg
from playwright.async_api import Browser, BrowserContext, Page, WebSocketRoute

from renzheng.evaluation.performance import Kind, Performance
from renzheng.evaluation.screen import Screen
from renzheng.verification.challenge import COLOURS
from tests.support.puppets import sample_puppet
from tests.support.server import PATIENCE

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
INSECURE_HOST = "insecure.test"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    f"--host-resolver-rules=MAP {INSECURE_HOST} 127.0.0.1",
)
ENDS = ("passed", "failed")
OVER = ("over_timeout", "over_not_ready", "over_slow_line", "over_server", "over_not_passed")
SHOWN_SCREEN = '[data-screen="{}"]:not([data-waits])'
ATTEMPT = 240.0
"""Seconds that a test waits for the end of a whole attempt."""
PERIOD = 0.085
"""Seconds from picture to picture: twelve a second, as a plain camera."""
PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 800}

SHOWN = {f"rgb({red}, {green}, {blue})": action for action, (red, green, blue) in COLOURS.items()}

CAMERA = """
(() => {
  const media = navigator.mediaDevices;
  if (!media) return;
  const canvas = document.createElement("canvas");
  canvas.width = 640; canvas.height = 480;
  const context = canvas.getContext("2d");
  let open = false;
  const shine = () => document.documentElement.hasAttribute("data-light")
    ? getComputedStyle(document.documentElement).backgroundColor : "";
  const paint = async () => {
    const began = performance.now();
    const page = document.getElementById("page");
    const asked = page?.dataset.phase === "step" ? page.querySelector(".glyph")?.dataset.action : undefined;
    const colour = shine();
    const picture = await window.renderPuppet(asked === "idle" ? "neutral" : asked ?? "neutral", colour);
    const bytes = Uint8Array.from(atob(picture), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes]));
    // A face reflects what shines now: a picture that was long in the making is not shown under the next colour.
    const late = shine() !== colour;
    if (!late) context.drawImage(bitmap, 0, 0);
    const took = performance.now() - began;
    // A busy machine gets a break after each picture, or the puppet would take it from the server.
    if (open) setTimeout(paint, late ? 0 : Math.max(PERIOD - took, took / 2));
  };
  media.enumerateDevices = async () => (await window.cameraState()) === "none" ? [] : [{ kind: "videoinput" }];
  media.getUserMedia = async () => {
    const state = await window.cameraState();
    const error = { refused: "NotAllowedError", none: "NotFoundError", busy: "NotReadableError" }[state];
    if (error) throw new DOMException("", error);
    const stream = canvas.captureStream(25);
    if (!open) { open = true; await paint(); }
    return stream;
  };
})();
""".replace("PERIOD", f"{1000 * PERIOD:g}")

WITNESS = """
window.witness = [];
new MutationObserver(() => {
  const { screen, hint } = document.getElementById("page")?.dataset ?? {};
  window.witness.push(`screen ${screen}`, `hint ${hint}`);
}).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-screen", "data-hint"] });
"""


@dataclass
class Camera:
    """What is before the device: nothing, a refusal, or a puppet. `obeys` False: it only stands and looks. `pause`:
    seconds that each picture takes longer. `scene`: what plays instead of a performance of `kind`.

    Its time stands still while no picture is made: on a busy machine a person moves slowly, and never in jerks.
    `colours`: the colours that the page was seen to show, in order.
    """

    state: str = "on"
    kind: Kind = "head"
    obeys: bool = True
    pause: float = 0.0
    scene: Performance | None = None

    def __post_init__(self) -> None:
        self._performance = self.scene
        self._action = self._does = ""
        self._seconds = 0.0
        self._rendered_at = 0.0
        self.seen: list[str] = []
        self.colours: list[str] = []

    def render(self, action: str, colour: str = "") -> str:
        """The picture of this moment for the instruction and the colour on the page, as JPEG in Base64."""
        time.sleep(self.pause)
        if self._performance is None:
            self._performance = Performance(sample_puppet(), self.kind, seed=7, screen=Screen(lag=0.0))
        now = time.monotonic()
        if colour:
            action = SHOWN[colour]
            if self.colours[-1:] != [action]:
                self.colours.append(action)
        self._seconds += min(now - self._rendered_at, 1.2 * PERIOD)
        self._rendered_at = now
        if action != self._action:
            self._action = action
            self.seen.append(action)
        does = action if self.obeys else "neutral"
        if does != self._does:  # who begins to obey begins with the beginning, and does not jump into the middle
            self._does, self._seconds = does, 0.0
        picture = self._performance.frame(does, self._seconds)
        return base64.b64encode(simplejpeg.encode_jpeg(picture, quality=92, colorspace="BGR")).decode()


class Device:
    """One browser context with one page, as a phone or a desktop."""

    def __init__(self, context: BrowserContext, page: Page, camera: Camera) -> None:
        self.context, self.page, self.camera = context, page, camera
        self.hosts: set[str] = set()
        self.errors: list[str] = []
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("websocket", lambda socket: self.hosts.add(socket.url.split("/")[2]))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, line: Any) -> None:
        if "Content Security Policy" in line.text or "Content-Security-Policy" in line.text:
            self.errors.append(line.text)

    async def open(self, server: str, token: str, **options: str) -> Device:
        extra = "".join(f"&{name}={value}" for name, value in options.items())
        await self.page.goto(f"{server}/verify#{token}{extra}")
        return self

    @contextlib.asynccontextmanager
    async def _explained(self, problem: str) -> AsyncIterator[None]:
        """If what is waited for within does not come, the failure says what the page shows and showed before."""
        try:
            yield
        except Exception:
            now = await self.page.evaluate("document.getElementById('page')?.outerHTML.slice(0, 300)")
            before = await self.page.evaluate("window.witness?.slice(-12)")
            raise AssertionError(f"{problem}: {now}; before: {before}; errors: {self.errors}") from None

    async def screen(self, name: str) -> None:
        """Wait for a screen by its name, on which nothing is under way that was pressed before."""
        await self.screen_among((name,))

    async def screen_among(self, names: tuple[str, ...], seconds: float = PATIENCE) -> str:
        """The first of these screens that comes."""
        wanted = ", ".join(map(SHOWN_SCREEN.format, names))
        async with self._explained(f"no screen {names} within {seconds:g} s"):
            await self.page.locator(wanted).first.wait_for(timeout=seconds * 1000)
        return str(await self.page.locator("#page").get_attribute("data-screen"))

    async def saw(self, what: str) -> None:
        """Wait until `screen NAME` or `hint CODE` was shown, even if it is gone by now."""
        await self.page.wait_for_function("(what) => window.witness.includes(what)", arg=what)

    async def pass_time(self, until: str, step: int = 500) -> None:
        """Move the page's own clock on by steps of so many milliseconds, until the screen of that name."""
        screen = self.page.locator(SHOWN_SCREEN.format(until))
        for _ in range(round(PATIENCE / 0.1)):
            if await screen.count():
                return
            await self.page.clock.run_for(step)
            await asyncio.sleep(0.1)  # for what does not go by that clock: the server, the camera
        await self.screen(until)

    async def press_until(self, name: str) -> None:
        """Press the first button, and again whenever its screen comes back, until the screen of that name."""
        before = str(await self.page.locator("#page").get_attribute("data-screen"))
        await self.press()
        while await self.screen_among((before, name)) != name:
            await self.press()

    async def press(self, which: str = ".primary") -> None:
        await self.page.locator(f".actions {which}").first.click()

    async def agree(self) -> None:
        await self.screen("ready")
        await self.press()

    async def end(self, name: str) -> None:
        """Go to the screen of that name, an outcome or one of `OVER`. Try again as often as the page offers it
        before."""
        while (now := await self.screen_among((*ENDS, *OVER), ATTEMPT)) != name:
            assert now in OVER, f"it ended with {now}: {await self.page.locator('.words').inner_text()}"
            await self.press()

    async def step(self) -> None:
        """Wait for a step of the challenge, before which the server has no attempt under way that could go on."""
        async with self._explained("no step"):
            await self.page.locator('[data-phase="step"]').wait_for()

    async def reconnected(self) -> None:
        """Wait until the page no longer says that the connection is lost."""
        async with self._explained("not reconnected"):
            await self.page.locator('#page:not([data-hint="reconnecting"])').wait_for()

    async def action(self) -> str:
        """Wait for the first action of a challenge; its name."""
        glyph = self.page.locator('[data-phase="step"] .glyph:not([data-action="neutral"])')
        async with self._explained("no action"):
            await glyph.wait_for()
        return str(await glyph.get_attribute("data-action"))


@contextlib.asynccontextmanager
async def device(browser: Browser, camera: Camera | None = None, *, phone: bool = True) -> AsyncIterator[Device]:
    context = await browser.new_context(
        viewport=PHONE if phone else DESKTOP,  # type: ignore[arg-type]
        is_mobile=phone,
        has_touch=phone,
        locale="zh-CN" if phone else "en-US",
    )
    context.set_default_timeout(1000 * PATIENCE)
    page = await context.new_page()
    camera = camera or Camera()
    await asyncio.to_thread(sample_puppet)  # before the page waits for a picture

    async def render(_: Any, action: str, colour: str) -> str:
        return await asyncio.to_thread(camera.render, action, colour)

    await page.expose_binding("renderPuppet", render)
    await page.expose_binding("cameraState", lambda _: camera.state)
    await page.add_init_script(CAMERA)
    await page.add_init_script(WITNESS)
    try:
        yield Device(context, page, camera)
    finally:
        await context.close()


async def alter_welcome(page: Page, **change: Any) -> None:
    """Have the server's `welcome` say something else in these fields; everything else is the server's own."""

    def alter(text: str | bytes) -> str | bytes:
        message = json.loads(text) if isinstance(text, str) else {}
        return json.dumps({**message, **change}) if message.get("type") == "welcome" else text

    def connect(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda text: socket.send(alter(text)))

    await page.route_web_socket("**/capture/v1", connect)


async def check_screen(device: Device, title: str) -> None:
    """The words of the screen are the right ones, and nothing was refused or thrown. `title`: the heading's key.

    How each screen looks, in both languages and at every size, is `test_screens.py`'s.
    """
    page = device.page
    texts = await page.evaluate("import('/static/texts.js').then((module) => module.LANGUAGES)")
    language = await page.evaluate("document.documentElement.lang")
    assert await page.locator("h1").inner_text() == texts[language][title]
    assert not device.errors


class Line:
    """A TCP line to the server that can be cut and mended. `delay`: seconds more each way. `uplink`: bytes a second at
    which what the device sends gets through; 0: all at once."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.delay = 0.0
        self.uplink = 0

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        # Little waits in the machine, as on a real line: what the device sends has to wait there.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        self._writers |= {writer, far_writer}
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pump(reader, far_writer, is_up=True), self._pump(far_reader, writer))
        self._writers -= {writer, far_writer}

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_up: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096 if self.uplink else 65536):
                await asyncio.sleep(self.delay + (len(data) / self.uplink if is_up and self.uplink else 0.0))
                writer.write(data)
                await writer.drain()
        writer.close()


def assert_same_texts(languages: Any, *given: str) -> None:
    """Both languages have the same texts, none is empty, and each fills in the same values but for those `given`."""
    chinese, english = languages["zh-CN"], languages["en-US"]
    assert chinese.keys() == english.keys()
    for name, text in chinese.items():
        assert text, name
        assert english[name], name
        values = [set(re.findall(r"\{(\w+)\}", one)) - {*given} for one in (text, english[name])]
        assert values[0] == values[1], name
