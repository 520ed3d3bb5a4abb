"""What a server cannot reach while a person acts: the device is told to come again, and it costs no attempt."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from renzheng.capture import channel
from renzheng.capture.messages import Close
from renzheng.store.engine import AwayError

from .inside import PACE, World, world


async def test_an_outage_of_the_evidence_sends_the_device_away_and_gives_its_attempt_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with world(tmp_path, pace=replace(PACE, step_seconds=1.2)) as house:
        await house.issue()
        async with house.person() as person:
            device = (await person.until("welcome"))["device"]
            await person.action()
            with monkeypatch.context() as outage:
                outage.setattr(house.store.objects, "put", _fail)
                person.frame()
                assert await person.close_code() == Close.RESTART
        assert house.steps.seen["closed", "unavailable"] == 1
        await noted(house)
        house.clock.ahead += 10  # too late for the step
        async with house.person(device=device) as person:
            welcome = await person.until("welcome")
            assert (welcome["state"], welcome["attempts_left"]) == ("ready", 3)


async def test_an_outage_of_the_records_is_noted_when_they_are_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "BLAME_SECONDS", 0.001)
    async with world(tmp_path, pace=replace(PACE, step_seconds=1.2)) as house:
        await house.issue()
        async with house.person() as person:
            device = (await person.until("welcome"))["device"]
            await person.action()
            with monkeypatch.context() as outage:
                outage.setattr(house.store.database, "write", _fail)
                person.frame()
                assert await person.close_code() == Close.RESTART
                assert not await _is_noted(house)
        await noted(house)
        async with house.person(device=device) as person:
            assert (await person.until("welcome"))["state"] == "capturing", "it goes on where it was"


async def _fail(*_: Any, **__: Any) -> None:
    raise AwayError("away")


async def _is_noted(house: World) -> bool:
    session = await house.store.sessions.find("TOKEN")
    assert session is not None
    attempt = await house.store.sessions.attempt(session.id, session.attempt)
    return attempt is not None and attempt.unwatched


async def noted(house: World) -> None:
    async with asyncio.timeout(60):
        while not await _is_noted(house):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
