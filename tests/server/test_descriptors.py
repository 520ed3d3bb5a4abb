"""Under few descriptors, whoever opens connections and says nothing keeps nobody from being served."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.images import base64_of, drawn
from tests.support.server import Server, token

FEW = 256


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """One that has 256 descriptors in all."""
    running = Server(tmp_path, sweep_seconds=0.5)
    running.descriptors = FEW
    yield running.start()
    running.stop()


@pytest.mark.stress
@pytest.mark.disk
def test_idle_connections_leave_room_for_photos_and_the_sweeper(server: Server) -> None:
    key = server.key()
    with contextlib.ExitStack() as held:
        for _ in range(2 * FEW):
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        client = server.sdk(key)
        for _ in range(5):
            assert token(client, CompareLib="LOCAL", ImageBase64=base64_of(drawn()))
        log = server.log.read_text()
    assert "Too many open files" not in log
    assert "background_failed" not in log
