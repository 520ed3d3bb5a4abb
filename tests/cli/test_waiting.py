"""A start that waits for what is not there yet."""

from __future__ import annotations

import asyncio
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from renzheng.cli import waiting
from renzheng.settings import Settings, load_settings
from renzheng.store.engine import AwayError, StoreError
from tests.support.server import PATIENCE


@pytest.fixture
def operator() -> Iterator[socket.socket]:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        yield made


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    return load_settings()


async def test_work_is_tried_until_what_it_needs_is_there_and_the_operator_is_told_meanwhile(
    settings: Settings, operator: socket.socket
) -> None:
    port, answers = operator.getsockname()[1], list[tuple[int, str]]()

    def ask(path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read().decode()

    tries = 0

    async def work() -> str:
        nonlocal tries
        tries += 1
        if tries == 2:
            answers.extend([await asyncio.to_thread(ask, path) for path in ("/healthz", "/readyz")])
        if tries < 4:
            raise AwayError("the database is away")
        return "done"

    with capture_logs() as lines:
        assert await waiting.once_there(work, settings, operator) == "done"
    assert answers[0] == (200, "ok\n")
    code, said = answers[1]
    assert (code, json.loads(said)["reasons"]) == (503, {"server": "the start waits: the database is away"})
    assert [line["why"] for line in lines if line["event"] == "start_waits"] == ["the database is away"]
    assert operator.fileno() >= 0, "the server listens on it next"


async def test_the_wait_has_an_end_and_what_is_no_outage_is_not_waited_for(settings: Settings) -> None:
    tries = list[Exception]()

    async def fail() -> None:
        raise tries.pop(0)

    tries[:] = [AwayError("away")] * 2
    with pytest.raises(AwayError):
        await waiting.once_there(fail, settings.model_copy(update={"start_seconds": 0}), None)
    assert len(tries) == 1
    tries[:] = [StoreError("the keys are of other records")] * 2
    with pytest.raises(StoreError, match="other records"):
        await waiting.once_there(fail, settings, None)
    assert len(tries) == 1
