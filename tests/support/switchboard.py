"""A door in front of several servers: each connection goes to the next one that takes it, as a proxy does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sys
import threading
from collections.abc import Sequence

from tests.support.server import PATIENCE


class Switchboard:
    """Runs in a thread of its own. `port`: where it listens, on 127.0.0.1."""

    def __init__(self, backends: Sequence[int], port: int = 0) -> None:
        self.port = port
        self._backends = list(backends)
        self._turns = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._is_open = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._is_open.wait(PATIENCE)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", self.port))
        self.port = int(server.sockets[0].getsockname()[1])
        self._is_open.set()
        self._loop.run_forever()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turns)
        for turn in range(len(self._backends)):
            with contextlib.suppress(OSError):
                port = self._backends[(first + turn) % len(self._backends)]
                back_reader, back_writer = await asyncio.open_connection("127.0.0.1", port)
                await asyncio.gather(_copy(reader, back_writer), _copy(back_reader, writer))
                return
        writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy bytes until either end is gone."""
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()


if __name__ == "__main__":  # a process of its own: its port, and those behind it
    own, *behind = (int(word) for word in sys.argv[1:])
    Switchboard(behind, own)
    threading.Event().wait()
