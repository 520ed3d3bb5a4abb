"""What runs behind the answers goes on whatever happens, and does not fill the log with an outage."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from renzheng.base.unavailable import UnavailableError
from renzheng.server import background


async def test_a_part_is_begun_again_an_outage_is_told_once_and_a_fault_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rest = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: rest(0))
    errors = [UnavailableError("away"), UnavailableError("away"), UnavailableError("full"), *[ValueError()] * 2]
    over = asyncio.Event()

    async def run() -> None:
        if errors:
            raise errors.pop(0)
        over.set()
        await asyncio.Event().wait()

    with capture_logs() as lines:
        task = asyncio.create_task(background.forever("sweeper", run))
        await over.wait()
        task.cancel()
    assert [(line["event"], line.get("why")) for line in lines] == [
        ("background_waits", "away"),
        ("background_waits", "full"),
        ("background_failed", None),
        ("background_failed", None),
    ]
