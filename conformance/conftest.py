from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.calls import BUSINESS
from tests.support.server import Server, token


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(600))  # the first test of a client installs it


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("conformance")).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def key(server: Server) -> tuple[str, str]:
    return server.key()


@pytest.fixture(scope="session")
def issued(server: Server, key: tuple[str, str]) -> str:
    return token(server.sdk(key), **BUSINESS)
