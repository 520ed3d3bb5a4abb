"""The fast path is tried at start, and given up where it does not fit the uvicorn that is there."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import threading
import time
from functools import partial
from typing import Any

import pytest
import uvicorn
import uvloop

from renzheng.server import http_check
from renzheng.server.exchange import Exchange
from renzheng.server.http import ApiProtocol
from tests.support.server import PATIENCE


class Noted:
    def __init__(self) -> None:
        self.errors: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **values: Any) -> None:
        self.errors.append((event, values))


def differs(way: Any) -> str:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(http_check.difference(way))


def test_the_short_way_answers_as_uvicorn_does() -> None:
    log = Noted()
    way = http_check.http_way({"head_seconds": 7.0}, log)
    assert isinstance(way, partial)
    assert way.func is ApiProtocol
    assert way.keywords == {"head_seconds": 7.0}
    assert not log.errors


def test_a_part_of_uvicorn_that_is_gone_ends_the_short_way_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with uvicorn 0.40, whose protocol starts its task in another way."""

    def gone(self: Any) -> Any:
        raise AttributeError("_start_asgi_task")

    monkeypatch.setattr(ApiProtocol, "_start_asgi_task", property(gone))
    log = Noted()
    assert http_check.http_way({"head_seconds": 7.0}, log) == "auto"
    ((event, values),) = log.errors
    assert "fast path" in event
    assert values["uvicorn"] == uvicorn.__version__
    assert values["fault"].startswith("a GET: ")


def test_a_module_that_cannot_be_imported_ends_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "renzheng.server.http", None)
    log = Noted()
    assert http_check.http_way({"head_seconds": 7.0}, log) == "auto"
    assert log.errors


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("_parse", lambda self, data: None),  # answers nothing
        ("counted", lambda self, size: (_ for _ in ()).throw(TypeError())),
        ("arrived", None),
    ],
)
def test_whatever_differs_is_found(name: str, broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_check, "_SECONDS", 0.2)
    if broken is None:  # a body that comes twice
        monkeypatch.setattr(Exchange, "arrived", lambda self, chunk: self._chunks.extend([chunk, chunk]))
    else:
        monkeypatch.setattr(ApiProtocol, name, broken)
    assert differs(ApiProtocol)


@pytest.mark.parametrize(("target", "status"), [("/", 200), ("/?a=1", 200), ("/healthz", 500)])
def test_a_fault_of_our_own_is_answered_and_logged_as_ours(
    target: str, status: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Any) -> None:
        raise AttributeError("SECRET of the caller's")

    monkeypatch.setattr(ApiProtocol, "on_headers_complete", fails)
    server = uvicorn.Server(
        uvicorn.Config(http_check._echo, port=0, http=ApiProtocol, lifespan="off", log_config=None, loop="uvloop")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        with (
            caplog.at_level(logging.WARNING, "uvicorn.error"),
            socket.create_connection(server.servers[0].sockets[0].getsockname(), timeout=PATIENCE) as line,
        ):
            line.sendall(f"POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            answer = b""
            while part := line.recv(65536):
                answer += part
    finally:
        server.should_exit = True
        thread.join()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body)["Response"]["Error"]["Code"] == "InternalError"
    assert "a fault of this server, not of the client: AttributeError in " in caplog.text
    assert "SECRET" not in caplog.text
    assert "Invalid HTTP" not in caplog.text
