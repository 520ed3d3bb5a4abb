"""An 8 MB LOCAL request against the least that has to be done with its bytes: SHA-256, Base64, one JSON scan.

CPU in interleaved rounds, then the memory of 32 such requests in flight.
"""

from __future__ import annotations

import base64
import hashlib
import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
import psutil
import pybase64
import simplejpeg

from bench.load import Target, is_token, measure, renzheng, send_many, sign_tc3, target_of

ROUNDS, REQUESTS, IN_FLIGHT = 7, 12, 32


def big_photo() -> bytes:
    """A JPEG whose Base64 is just under 8,388,608 characters: noise at full quality, cut to size by its width."""
    noise = np.random.default_rng(1).integers(0, 256, (2400, 1300, 3), dtype=np.uint8)
    jpeg = bytes(simplejpeg.encode_jpeg(noise, quality=97, colorspace="BGR", colorsubsampling="444"))
    most = 8 * 1024 * 1024 // 4 * 3
    while len(jpeg) > most:
        noise = noise[:, : int(noise.shape[1] * 0.97)]
        noise = np.ascontiguousarray(noise)
        jpeg = bytes(simplejpeg.encode_jpeg(noise, quality=97, colorspace="BGR", colorsubsampling="444"))
    return jpeg


def floor(body: bytes) -> None:
    hashlib.sha256(body).digest()
    text = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["ImageBase64"]
    pybase64.b64decode(memoryview(text)[1:-1], validate=True)


def main() -> None:
    photo = big_photo()
    body = json.dumps({"CompareLib": "LOCAL", "ImageBase64": base64.b64encode(photo).decode()}).encode()
    print(f"photo {len(photo):,} B, body {len(body):,} B")
    ours: list[float] = []
    least: list[float] = []
    with renzheng(bytes_in_flight=4 * IN_FLIGHT * len(body), request_places=64 * IN_FLIGHT) as server:
        target = target_of(server, sign_tc3(f"127.0.0.1:{server.port}", server.key(), "GetFaceIdToken", body))
        measure(target, 4, 2, is_token)
        for _ in range(ROUNDS):
            ours.append(measure(target, REQUESTS, 2, is_token)[0])
            begun = time.process_time()
            for _ in range(REQUESTS):
                floor(body)
            least.append((time.process_time() - begun) / REQUESTS)
        idle, peak = _memory_in_flight(target)
    ratio = statistics.median(ours) / statistics.median(least)
    print(f"server {statistics.median(ours) * 1e3:.1f} ms CPU a request, floor {statistics.median(least) * 1e3:.1f} ms")
    print(f"8 MB request : floor     {ratio:.2f}   (at most 2.5, goal 1.5)")
    share = (peak - idle) / (IN_FLIGHT * len(body))
    print(f"{IN_FLIGHT} in flight: {(peak - idle) / 1e6:.0f} MB above idle, {share:.2f} times their bodies")


def _memory_in_flight(target: Target) -> tuple[int, int]:
    """Resident bytes of the server's process: idle, and at the most while 32 large requests are under way."""
    process = psutil.Process(target.pid)
    idle = peak = process.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            peak = max(peak, process.memory_info().rss)
            time.sleep(0.005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            list(pool.map(lambda _: send_many(target, 1, 1, is_token), range(IN_FLIGHT)))
    finally:
        done.set()
        watcher.join()
    return idle, peak


if __name__ == "__main__":
    main()
