"""Every screen of the verification page as a picture, and all of them on one sheet: docs/screens.webp.

The page is the one that is shipped; the server behind it is scripted, so that each screen can be held still, and the
camera shows a drawn face. Needs chromium (scripts/chromium.sh) and the development packages.

    .venv/bin/python scripts/contact_sheet.py [--out docs/screens.webp] [--only NAME] [--keep FOLDER]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import segno
import uvicorn
from numpy.typing import NDArray
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from playwright.async_api import Error as PlaywrightError
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from renzheng.capture import pages

CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required")  # fmt: skip

Image = NDArray[np.uint8]
BLOCK = (1000, 410)  # pixels of one screen's part of the sheet
LATIN = "Inter, Noto Sans, sans-serif"
PAPER = 200  # grey level between the pictures

WELCOME = {
    "type": "welcome", "device": "0" * 32, "state": "ready", "attempts_left": 3, "expires_in": 582, "handover": True,
    "account": "青禾银行", "compares": "BUSINESS", "retention": {"result_seconds": 259200, "evidence_days": 3},
    "limits": {"frame_bytes": 524288, "max_fps": 10}, "eases": True, "contact": "400 820 8820",
    "privacy_url": "https://bank.example/privacy",
}  # fmt: skip

# A stand-in for a person: drawn, breathing a little, lit from one side.
DRAWN_CAMERA = """
(() => {
  const canvas = document.createElement("canvas");
  const portrait = innerHeight > innerWidth;
  canvas.width = portrait ? 480 : 640;
  canvas.height = portrait ? 640 : 480;
  const c = canvas.getContext("2d");
  const ellipse = (x, y, rx, ry, fill, from = 0, to = 7) => {
    c.beginPath(); c.ellipse(x, y, rx, ry, 0, from, to); c.fillStyle = fill; c.fill();
  };
  const draw = () => {
    const k = Math.sin(performance.now() / 900) * 2;
    const light = c.createLinearGradient(0, 0, canvas.width, canvas.height);
    light.addColorStop(0, "#d8dfdc"); light.addColorStop(1, "#93a39c");
    c.fillStyle = light; c.fillRect(0, 0, canvas.width, canvas.height);
    c.save(); c.translate(canvas.width / 2, canvas.height / 2 + k);
    ellipse(0, 330, 230, 160, "#385d73"); c.fillStyle = "#cf9f78"; c.fillRect(-44, 90, 88, 110);
    ellipse(0, 185, 58, 26, "#cf9f78"); ellipse(0, -60, 128, 150, "#2a2522");
    ellipse(-112, 10, 16, 26, "#d8a880"); ellipse(112, 10, 16, 26, "#d8a880");
    ellipse(0, 6, 110, 138, "#e8bd97"); ellipse(0, -92, 108, 56, "#2a2522");
    ellipse(30, 20, 70, 105, "rgba(255,235,215,.25)");
    for (const x of [-42, 42]) {
      ellipse(x, -4, 19, 11, "#fff"); ellipse(x, -4, 9, 10, "#33241c");
      c.fillStyle = "#33241c"; c.fillRect(x - 24, -34, 48, 7);
    }
    c.strokeStyle = "#bd8a63"; c.lineWidth = 5; c.lineCap = "round"; c.beginPath();
    c.moveTo(0, 4); c.quadraticCurveTo(-8, 36, -12, 46); c.quadraticCurveTo(0, 54, 12, 47); c.stroke();
    c.strokeStyle = "#9c4a40"; c.lineWidth = 8; c.beginPath(); c.moveTo(-32, 84); c.quadraticCurveTo(0, 102, 32, 84);
    c.stroke(); c.restore(); setTimeout(draw, 40);
  };
  draw();
  const media = navigator.mediaDevices;
  if (!media) return;
  const kind = new URLSearchParams(location.hash.split("&").slice(1).join("&")).get("camera");
  media.enumerateDevices = async () => kind === "none" ? [] : [{ kind: "videoinput" }];
  media.getUserMedia = async () => {
    const names = { refused: "NotAllowedError", busy: "NotReadableError", none: "NotFoundError" };
    if (kind === "asking") return new Promise(() => {});
    if (kind === "still") {
      const still = document.createElement("canvas");
      still.getContext("2d");
      return still.captureStream(0);
    }
    if (names[kind]) throw new DOMException("", names[kind]);
    return (window.stream = canvas.captureStream(25));
  };
  if (kind === "blank") {
    HTMLCanvasElement.prototype.toBlob = function (done, type) {
      const blank = new OffscreenCanvas(64, 64), white = blank.getContext("2d");
      white.fillStyle = "#fff"; white.fillRect(0, 0, 64, 64); blank.convertToBlob({ type }).then(done);
    };
  }
})();
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """One screen: what the server says, what is pressed, and the value of `data-screen` to wait for."""

    name: str
    screen: str
    welcome: dict[str, Any] = field(default_factory=dict)
    says: tuple[dict[str, Any], ...] = ()  # after `start`, or at once where nothing is pressed
    close: int | None = None  # instead of a welcome
    camera: str = ""
    press: str = ".primary"  # selector, or nothing
    presses: tuple[str, ...] = ()  # selectors, one after another, after that
    hides: str = ""  # a property of window that this browser lacks
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    settle: float = 0.9
    desktop_only: bool = False
    runs: str = ""  # a line of script, once the camera is there
    late: int = 0  # milliseconds by which the page's clock is moved on at the end
    silent: bool = False  # the server says nothing at all


def step(action: str, index: int = 1, seconds: float = 5.6) -> dict[str, Any]:
    return {"type": "step", "index": index, "of": 2, "action": action, "nonce": "ab" * 16, "seconds": seconds}


def colour(name: str, index: int, shown: str) -> dict[str, Any]:
    return {**step(f"light_{name}", index), "colour": shown}


def hint(code: str) -> dict[str, Any]:
    return {"type": "hint", "code": code}


def over(reason: str, counted: bool = True) -> dict[str, Any]:
    return {
        "type": "attempt_over", "reason": reason, "counted": counted, "attempts_left": 3 - counted, "eases": counted,
    }  # fmt: skip


def outcome(passed: bool, retry: str = "never", advice: str = "") -> tuple[dict[str, Any], ...]:
    return ({"type": "outcome", "passed": passed, "retry": retry, "advice": advice},)


CODE = segno.make("http://192.168.1.20:8400/verify#9F3A6C1E-7D52-4B8E-A1C0-5E2F6B7D8C90.48213377", error="m")
QR = {"type": "handover", "code": "48213377", "expires_in": 118,
      "modules": ["".join(map(str, row)) for row in CODE.matrix]}  # fmt: skip
SCENES = (
    Scene("ready", "ready", press=""),
    Scene("ready_local", "ready", {"compares": "LOCAL", "retention": {"result_seconds": 7200, "evidence_days": 0}},
          press=""),
    Scene("asking", "asking", camera="asking"),
    Scene("preparing", "capture"),
    Scene("neutral", "capture", says=(step("neutral", 0, 55),)),
    Scene("hint_closer", "capture", says=(step("neutral", 0, 14), hint("move_closer"))),
    Scene("hint_faces", "capture", says=(step("neutral", 0, 14), hint("several_faces"))),
    Scene("turn_left", "capture", says=(step("turn_left"),)),
    Scene("turn_right", "capture", says=(step("turn_right"), hint("less_light"))),
    Scene("blink", "capture", says=(step("blink", 2),)),
    Scene("open_mouth", "capture", says=(step("open_mouth", 2, 2.9),)),
    Scene("nod", "capture", says=(step("nod", 2),)),
    Scene("tilt_left", "capture", says=(step("tilt_left", 2),)),
    Scene("tilt_right", "capture", says=(step("tilt_right", 2),)),
    Scene("ready_light", "ready", {"light": True}, press=""),
    Scene("light_warning", "capture", says=(step("light_warning", 3),)),
    Scene("light_red", "capture", says=(colour("red", 4, "#ff3c3c"),)),
    Scene("light_blue", "capture", says=(colour("blue", 5, "#4664ff"),)),
    Scene("slow", "capture", says=({"type": "network", "ok": False, "reason": "slow_round_trip"},)),
    Scene("judging", "capture", says=(step("blink", 2), {"type": "judging"})),
    Scene("passed", "passed", says=outcome(True), settle=1.6),
    Scene("failed", "failed", says=outcome(False)),
    Scene("failed_action", "failed", says=outcome(False, advice="action")),
    Scene("failed_photo", "failed", says=outcome(False, advice="photo")),
    Scene("failed_tomorrow", "failed_tomorrow", says=outcome(False, "tomorrow")),
    Scene("timeout", "over_timeout", says=(over("timeout"),)),
    Scene("not_ready", "over_not_ready", says=(over("not_ready"),)),
    Scene("turned", "over_turned", says=(over("turned", counted=False),)),
    Scene("eased", "over_eased", says=(over("eased", counted=False),)),
    Scene("slow_line", "over_slow_line", says=(over("slow_line", counted=False),)),
    Scene("camera_stopped", "camera_stopped", says=(step("nod", 2),), runs="stream.getTracks()[0].onended()"),
    Scene("silent", "camera_silent", camera="asking", late=12_500),
    Scene("no_picture", "camera_dark", camera="still", late=8_500),
    Scene("blank", "camera_blank", camera="blank"),
    Scene("connecting", "connecting", silent=True, late=7_500, press=""),
    Scene("blocked", "blocked", press="", hides="upgrade"),
    Scene("judging_slow", "judging_slow", says=(step("blink", 2), {"type": "judging"}), late=30_500),
    Scene("refused", "camera_refused", camera="refused"),
    Scene("camera_busy", "camera_busy", camera="busy"),
    Scene("no_camera", "camera_none", camera="none", press=""),
    Scene("no_camera_alone", "camera_none", {"handover": False}, camera="none", press=""),
    Scene("waiting", "waiting", says=({"type": "wait", "position": 4, "seconds": 62},)),
    Scene("server", "over_server", says=(over("server", counted=False),)),
    Scene("handover_over", "handover_over", camera="none", answers={"handover": {**QR, "expires_in": 2}},
          desktop_only=True, late=2500),
    Scene("handover", "handover", camera="none", answers={"handover": QR}, desktop_only=True),
    Scene("cancelled", "cancelled", press=".quiet:last-child"),
    Scene("declined_light", "declined_light", says=(step("light_warning", 3),),
          presses=(".capture .quiet:nth-last-child(2)",)),  # the last one leaves; this one comes with the warning
    Scene("insecure", "missing_insecure", press="", hides="isSecureContext"),
    Scene("too_old", "missing_old", press="", hides="crypto"),
    Scene("no_socket", "missing_no_socket", press="", hides="WebSocket"),
    *(Scene(f"closed_{code}", f"closed_{code}", close=code, press="")
      for code in (4401, 4403, 4406, 4409, 4410, 4411, 4412, 4414, 4400)),
)  # fmt: skip

VIEWS = {
    "phone": (390, 844, 2.0),
    "small": (320, 568, 2.0),
    "zoomed": (320, 256, 2.0),  # 400 % of a window of 1280 by 1024
    "landscape": (780, 360, 1.5),
    "desktop": (1280, 800, 1.0),
}
Look = tuple[str, str, str]  # view, language, theme
ZH_LIGHT, ZH_DARK = ("zh-CN", "light"), ("zh-CN", "dark")
EN_LIGHT, EN_DARK = ("en-US", "light"), ("en-US", "dark")
# Languages and themes change places from one screen to the next.
TURNS = (
    {"phone": ZH_LIGHT, "small": EN_DARK, "zoomed": EN_LIGHT, "landscape": EN_LIGHT, "desktop": ZH_DARK},
    {"phone": EN_LIGHT, "small": ZH_DARK, "zoomed": ZH_LIGHT, "landscape": ZH_LIGHT, "desktop": EN_DARK},
)


def looks(scene: Scene) -> list[Look]:
    return [(view, *look) for view, look in TURNS[SCENES.index(scene) % 2].items()]


async def scripted(socket: WebSocket) -> None:
    """Speaks one scene's part of the protocol; the token is the scene's name."""
    await socket.accept()
    hello = json.loads(await socket.receive_text())
    scene = next(scene for scene in SCENES if scene.name == hello["token"])
    if scene.silent:
        await asyncio.sleep(60)
    if scene.close:
        await socket.close(scene.close)
        return
    account = "青禾银行" if hello["language"] == "zh-CN" else "Qinghe Bank"
    await socket.send_json({**WELCOME, "account": account, **scene.welcome})
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        kind = json.loads(message["text"])["type"] if message.get("text") else "frame"
        if kind == "start":
            for said in scene.says:
                await socket.send_json(said)
        elif kind in scene.answers:
            await socket.send_json(scene.answers[kind])


@contextlib.asynccontextmanager
async def serve() -> AsyncIterator[str]:
    app = Starlette(routes=[*pages.routes(lambda: ()), WebSocketRoute("/capture/v1", scripted)])
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110  (uvicorn has no event for it)
        await asyncio.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


def name_of(scene: Scene, look: Look) -> str:
    return f"{scene.name}.{'.'.join(look)}.png"


async def shoot(page: Page, base: str, scene: Scene, look: Look, folder: Path) -> None:
    _, language, theme = look
    if scene.hides == "upgrade":
        await page.route_web_socket("**/capture/v1", lambda socket: socket.close(code=1002))
        await page.route("**/capture/v1", lambda route: route.fulfill(status=426))
    elif scene.hides:
        hide = f"delete window.{scene.hides}; Object.defineProperty(window, '{scene.hides}', {{ value: undefined }});"
        await page.add_init_script(hide)
    if scene.late:
        await page.clock.install()
    await page.goto(f"{base}/verify#{scene.name}&language={language}&theme={theme}&camera={scene.camera}")
    if language == "en-US":  # what this machine lacks of fonts is not what the picture is about
        await page.evaluate(
            "document.documentElement.style.setProperty('--renzheng-font', 'Inter, Noto Sans, sans-serif')"
        )
    if scene.press:
        await page.locator(scene.press).first.click()
    for selector in scene.presses:
        await page.locator(selector).first.click()
    if scene.runs:
        await page.locator('[data-phase="step"]').wait_for()
        await page.evaluate(scene.runs)
    for _ in range(scene.late // 500):
        await page.clock.run_for(500)
        await asyncio.sleep(0.02)
    await page.locator(f'[data-screen="{scene.screen}"]').wait_for(timeout=5000)
    await asyncio.sleep(scene.settle)
    await page.screenshot(path=folder / name_of(scene, look))


async def take(browser: Browser, base: str, scenes: list[Scene], folder: Path) -> None:
    """Each picture in a context of its own; one screen that fails must not hide the others."""
    for scene in scenes:
        for look in looks(scene):
            width, height, scale = VIEWS[look[0]]
            touch = look[0] != "desktop"
            if touch and scene.desktop_only:
                continue
            context: BrowserContext = await browser.new_context(
                viewport={"width": width, "height": height}, device_scale_factor=scale, has_touch=touch,
                is_mobile=touch, locale=look[1],
            )  # fmt: skip
            page = await context.new_page()
            await page.add_init_script(DRAWN_CAMERA)
            page.on("pageerror", lambda error: print("page error:", error))
            try:
                await shoot(page, base, scene, look, folder)
            except PlaywrightError as error:
                print(scene.name, look, str(error).splitlines()[0])
            await context.close()


def picture(scene: Scene, look: Look, folder: Path, width: int, height: int) -> Image:
    read = cv2.imread(str(folder / name_of(scene, look)))
    if read is None:
        return np.full((height, width, 3), PAPER, np.uint8)
    return np.asarray(cv2.resize(read, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def block(scene: Scene, folder: Path) -> Image:
    """One screen: two phones, a phone on its side above a desktop, and a desktop at 400 %, under the screen's name."""
    phone, small, zoomed, landscape, desktop = looks(scene)
    canvas = np.full((BLOCK[1], BLOCK[0], 3), PAPER, np.uint8)
    places = ((phone, 0, 30, 166, 360), (small, 176, 30, 202, 358), (landscape, 388, 30, 312, 144),
              (desktop, 388, 184, 312, 195),
              (zoomed, 710, 30, 280, 224))  # fmt: skip
    for look, x, y, width, height in places:
        canvas[y : y + height, x : x + width] = picture(scene, look, folder, width, height)
    cv2.putText(canvas, scene.name, (0, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (60, 60, 60), 1, cv2.LINE_AA)
    return canvas


def sheet(scenes: list[Scene], folder: Path, across: int = 3) -> Image:
    blocks = [block(scene, folder) for scene in scenes]
    blocks += [np.full_like(blocks[0], PAPER)] * (-len(blocks) % across)
    return np.vstack([np.hstack(blocks[i : i + across]) for i in range(0, len(blocks), across)])


def strip(scenes: list[Scene], folder: Path, height: int = 720, gap: int = 36) -> Image:
    """The first picture of each scene, side by side on paper."""
    width = round(height * VIEWS[looks(scenes[0])[0][0]][0] / VIEWS[looks(scenes[0])[0][0]][1])
    canvas = np.full((height + 2 * gap, len(scenes) * (width + gap) + gap, 3), PAPER, np.uint8)
    for index, scene in enumerate(scenes):
        x = gap + index * (width + gap)
        canvas[gap : gap + height, x : x + width] = picture(scene, looks(scene)[0], folder, width, height)
    return canvas


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/screens.webp"))
    parser.add_argument("--only", nargs="*", help="scenes by name")
    parser.add_argument("--keep", type=Path, help="folder for the single pictures")
    parser.add_argument("--strip", type=Path, help="also write the scenes' first pictures side by side, large")
    given = parser.parse_args()
    scenes = [scene for scene in SCENES if not given.only or scene.name in given.only]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        async with serve() as base, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
            await asyncio.gather(*(take(browser, base, scenes[part::2], folder) for part in range(2)))
            await browser.close()
        cv2.imwrite(str(given.out), sheet(scenes, folder), [cv2.IMWRITE_WEBP_QUALITY, 80])
        if given.strip:
            cv2.imwrite(str(given.strip), strip(scenes, folder), [cv2.IMWRITE_WEBP_QUALITY, 85])
    print(f"{len(scenes)} screens: {given.out}")


if __name__ == "__main__":
    asyncio.run(main())
