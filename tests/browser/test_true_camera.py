"""The true camera path of the browser, with a clip of a real face: it is seen, and it cannot answer a challenge."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from playwright.async_api import async_playwright

from tests.browser.stage import ARGUMENTS, CHROMIUM, PHONE, Camera, Device
from tests.support.images import DATA, base64_of, needs_data, sample
from tests.support.server import Server, result
from tests.support.server import token as issue

SPARING = {
    "attempts": 1,
    "step_seconds": 2,
    "min_frames_per_second": 1,
    "ready_seconds": 300,
    "max_excused_attempts": 10,
    "spared_attempts": 10,
}
"""An attempt that a slow machine did not watch is made again."""
CLIP = DATA / "video" / "dinoman_example.mp4"


def as_camera(clip: Path, to: Path, seconds: float = 4.0) -> Path:
    """The clip as Motion JPEG, which chromium plays in a loop as its camera."""
    read = cv2.VideoCapture(str(clip))
    rate = read.get(cv2.CAP_PROP_FPS) or 25.0
    with to.open("wb") as out:
        for _ in range(round(seconds * rate)):
            there, frame = read.read()
            if not there:
                break
            scale = 480 / frame.shape[0]
            frame = cv2.resize(frame, None, fx=scale, fy=scale)
            side = max(0, (640 - frame.shape[1]) // 2)
            frame = cv2.copyMakeBorder(frame, 0, 0, side, 640 - frame.shape[1] - side, cv2.BORDER_REPLICATE)
            out.write(cv2.imencode(".jpg", frame)[1].tobytes())
    return to


@needs_data
async def test_a_recording_before_the_true_camera_gets_to_the_challenge_and_fails_it(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = Server(tmp_path_factory.mktemp("true"), **SPARING).start()
    token = issue(server.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    clip = as_camera(CLIP, tmp_path / "camera.mjpeg")
    fake = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={clip}")  # fmt: skip
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGUMENTS, *fake])
            context = await browser.new_context(viewport=PHONE)  # type: ignore[arg-type]
            person = Device(context, await context.new_page(), Camera())
            await person.open(server.url, token)
            await person.agree()
            await person.action()
            await person.end("failed")
            await browser.close()
        assert 1001 <= int(result(server.sdk(), token).Result) <= 1007
    finally:
        server.stop()
