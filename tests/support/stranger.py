"""A server of somebody else's, which answers as it likes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

Answer = Callable[[socket.socket, threading.Event], None]
"""What is done with a connection once its first request is there; the event tells that the test is over."""


class Stranger:
    """A server on loopback that answers each connection's first request as it likes."""

    def __init__(self, answer: Answer) -> None:
        self.seen: list[bytes] = []
        self._ends = threading.Event()
        self._answer = answer
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._take, args=(taken,), daemon=True).start()

    def _take(self, taken: socket.socket) -> None:
        with taken, contextlib.suppress(OSError):
            self.seen.append(taken.recv(65536))
            self._answer(taken, self._ends)

    def stop(self) -> None:
        self._ends.set()
        self._listening.close()


def says_nothing(line: socket.socket, ends: threading.Event) -> None:
    ends.wait()


def drips(start: bytes, piece: bytes = b"a", pause: float = 0.02) -> Answer:
    """A little at a time, for ever: no wait for it is long."""

    def answer(line: socket.socket, ends: threading.Event) -> None:
        line.sendall(start)
        while not ends.wait(pause):
            line.sendall(piece)

    return answer
