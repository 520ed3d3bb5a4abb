from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Server
from tests.support.server import token as issue

BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Short waits, so that silence is seen soon; everything else as shipped."""
    folder = tmp_path_factory.mktemp("capture")
    running = Server(folder, hello_seconds=2, idle_seconds=3, device_grace_seconds=2, handover_seconds=20).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def key(server: Server) -> tuple[str, str]:
    return server.key()


@pytest.fixture
def token(server: Server, key: tuple[str, str]) -> str:
    return issue(server.sdk(key), **BUSINESS)
