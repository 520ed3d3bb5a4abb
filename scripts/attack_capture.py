"""What is sent to the capture channel by somebody who has tokens: frames that are none, and many pages at once."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from renzheng.evaluation.device import capture_address
from tests.hostile.inputs import FILL

SECONDS = 20.0
PLACE_SECONDS = 60.0
"""Pages that show no face give their places back before, where others wait."""
FRAMES_A_SECOND = 50
"""Under the rate that closes a socket as a flood."""


class Page:
    """A page whose person agreed and pressed the button; it answers pings and shows no face.

    `number`: which of the loopback network's addresses it comes from.
    """

    def __init__(self, url: str, token: str, number: int = 1) -> None:
        parts = urlsplit(url)
        line = socket.create_connection((parts.hostname, parts.port), SECONDS, (f"127.0.0.{number}", 0))
        self._socket = connect(capture_address(url), sock=line, open_timeout=SECONDS, compression=None)
        self._sequence = 0
        self.close_code: int | None = None
        self.say("hello", protocol=1, token=token)
        self.hear("welcome")
        self.say("start")

    def say(self, kind: str, **fields: Any) -> None:
        self._socket.send(json.dumps({"type": kind, **fields}))

    def hear(self, *kinds: str, seconds: float = SECONDS) -> dict[str, Any] | None:
        """The next message of one of these kinds; None where the socket is closed before, or nothing comes."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                message = json.loads(self._socket.recv(timeout=left))
            except TimeoutError:
                return None
            except ConnectionClosed as closed:
                self.close_code = closed.rcvd.code if closed.rcvd else 1006
                return None
            if message["type"] in kinds:
                return dict(message)
            if message["type"] == "ping":
                with contextlib.suppress(ConnectionClosed):
                    self.say("pong", id=message["id"])
        return None

    def step(self) -> bytes:
        """The nonce of the next step. TimeoutError where none comes."""
        message = self.hear("step")
        if message is None:
            raise TimeoutError(f"no step; the close code is {self.close_code}")
        return bytes.fromhex(message["nonce"])

    def frame(self, nonce: bytes, jpeg: bytes) -> None:
        """Send a frame; a socket that was closed meanwhile takes none."""
        self._sequence += 1
        with contextlib.suppress(ConnectionClosed):
            self._socket.send(b"\x01" + nonce + self._sequence.to_bytes(4, "big") + jpeg)

    def close(self) -> None:
        with contextlib.suppress(ConnectionClosed, OSError):
            self._socket.socket.close()


@contextlib.contextmanager
def page(url: str, token: str, number: int = 1) -> Iterator[Page]:
    opened = Page(url, token, number)
    try:
        yield opened
    finally:
        opened.close()


def picture(progressive: bool = False) -> bytes:
    """A frame of noise as a phone sends it, some 200 kB."""
    noise = np.random.default_rng(0).integers(0, 256, (640, 360, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])[1])


def send_progressive_frames(url: str, token: str) -> int | None:
    """The close code that a progressive frame gets."""
    with page(url, token) as opened:
        nonce = opened.step()
        opened.frame(nonce, picture(progressive=True))
        opened.hear("outcome", seconds=5)
        return opened.close_code


def send_old_nonces(url: str, token: str) -> tuple[int | None, int]:
    """Three seconds of the largest frames under the nonce of an attempt that is over: the close code, if any, and how
    many the server said that it stored."""
    with page(url, token) as opened:
        old = opened.step()
        opened.say("restart", reason="turned")
        if opened.hear("attempt_over") is None:
            raise TimeoutError("the attempt did not end")
        opened.say("start")
        opened.step()
        stored, heaviest = 0, FILL(512 * 1024)
        for _ in range(3 * FRAMES_A_SECOND):
            opened.frame(old, heaviest)
            stored += opened.hear("ack", seconds=1 / FRAMES_A_SECOND) is not None
        return opened.close_code, stored


def open_many(url: str, tokens: list[str], other: str | None) -> str:
    """All these tokens' pages at once, and then somebody else's, who is the next to get a place: what is wrong with
    what that one hears, empty where nothing is."""
    pages: list[Page] = []
    try:
        for number, token in enumerate(tokens):
            with contextlib.suppress(OSError, ConnectionClosed, TimeoutError):
                pages.append(Page(url, token, 2 + number))
        if other is None:
            return ""
        with page(url, other, 2 + len(tokens)) as opened:
            until = time.monotonic() + PLACE_SECONDS
            while time.monotonic() < until and (message := opened.hear("step", "wait")) is not None:
                if message["type"] == "step":
                    return ""
                if message["position"] != 1:
                    return f"position {message['position']}"
            return f"no step; the close code is {opened.close_code}"
    finally:
        for one in pages:
            one.close()
