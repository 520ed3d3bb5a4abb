"""Latency of hints: from sending a frame to receiving the hint that it changes, with one device and with eight.

The devices send pre-rendered frames at ten a second and change between a face and no face, so that every change
has its hint. All run in one process of this machine, beside the server.
"""

from __future__ import annotations

import asyncio
import json
import time

import cv2
from websockets.asyncio.client import ClientConnection, connect

from bench.load import percentile, renzheng
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from tests.support.images import drawn, sample_picture
from tests.support.server import Server, token

SECONDS, EVERY, HOLD = 20.0, 0.1, 6
"""Seconds a run, seconds between frames, frames before the picture changes."""


async def device(server: Server, face_token: str, pictures: list[list[bytes]], begun: float) -> list[float]:
    """One device's latencies, in seconds."""
    found: list[float] = []
    async with connect(server.url.replace("http", "ws") + "/capture/v1", compression=None) as socket:
        await socket.send(json.dumps({"type": "hello", "protocol": 1, "token": face_token}))
        await socket.send(json.dumps({"type": "start"}))
        nonce = await _nonce(socket)
        changed: list[float] = []
        reading = asyncio.create_task(_read(socket, changed, found))
        for count in range(int(SECONDS / EVERY)):
            which = count // HOLD % 2
            if count % HOLD == 0:
                changed[:] = [time.perf_counter()]
            jpeg = pictures[which][count % len(pictures[which])]
            await socket.send(b"\x01" + nonce + (count + 1).to_bytes(4, "big") + jpeg)
            await asyncio.sleep(max(0.0, begun + (count + 1) * EVERY - time.perf_counter()))
        reading.cancel()
    return found


async def _nonce(socket: ClientConnection) -> bytes:
    while True:
        message = json.loads(await socket.recv())
        if message["type"] == "ping":
            await socket.send(json.dumps({"type": "pong", "id": message["id"]}))
        elif message["type"] == "step":
            return bytes.fromhex(message["nonce"])


async def _read(socket: ClientConnection, changed: list[float], found: list[float]) -> None:
    async for text in socket:
        if json.loads(text)["type"] == "hint" and changed:
            found.append(time.perf_counter() - changed.pop())


def run(server: Server, count: int, pictures: list[list[bytes]]) -> list[float]:
    client = server.sdk()
    tokens = [token(client, CompareLib="BUSINESS", IdCard="11204416541220243X", Name="韦小宝") for _ in range(count)]

    async def every() -> list[float]:
        begun = time.perf_counter()
        each = await asyncio.gather(*(device(server, one, pictures, begun) for one in tokens))
        return [seconds for one in each for seconds in one]

    return asyncio.run(every())


def main() -> None:
    scene = Performance(Puppet(sample_picture()), "head", seed=1)
    faces = [bytes(cv2.imencode(".jpg", scene.frame("neutral", n / 10))[1]) for n in range(20)]
    pictures = [faces, [drawn(640, 480)]]
    with renzheng(neutral_seconds=10) as server:
        run(server, 1, pictures)
        for count in (1, 8):
            found = run(server, count, pictures)
            p50, p95 = percentile(found, 0.5) * 1e3, percentile(found, 0.95) * 1e3
            goal = "   (p95 at most 300 ms)" if count == 8 else ""
            print(f"{count} device(s): {len(found)} hints, p50 {p50:.0f} ms, p95 {p95:.0f} ms{goal}")


if __name__ == "__main__":
    main()
