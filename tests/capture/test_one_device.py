"""One device at a time: whose socket is open keeps its verification, however late the server is with its heartbeat."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from renzheng.capture.messages import Close
from renzheng.server.app import App
from renzheng.server.upkeep import Upkeep
from renzheng.settings import load_settings
from renzheng.verification.session import EndReason
from tests.capture.inside import world

STILL = 100.0
"""Seconds for which the server stood still: much longer than a device's grace, and shorter than a token's life."""


async def test_after_a_stop_of_the_server_an_open_socket_still_keeps_others_out(tmp_path: Path) -> None:
    async with world(tmp_path) as inside:
        await inside.issue()
        async with inside.person() as first:
            await first.until("welcome")
            inside.clock.ahead += STILL
            async with inside.person() as second:
                assert await second.close_code() == Close.OTHER_DEVICE
            first.say("handover")
            assert await first.until("handover"), "the first device was not disturbed"
        async with inside.person() as soon:
            assert await soon.close_code() == Close.OTHER_DEVICE
        inside.clock.ahead += STILL
        async with inside.person() as later:
            assert (await later.until("welcome"))["state"] == "ready"


async def test_the_sweeper_ends_no_attempt_whose_device_has_a_socket_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = App(load_settings(data_dir=tmp_path / "data", keys_dir=tmp_path / "keys"))
    ended: list[int] = []

    async def run_out(now: float, grace: float, node: int) -> list[tuple[int, int]]:
        return [(1, 3), (2, 3)]

    async def attempt(session_id: int, number: int) -> None:
        return None

    async def submit(session_id: int, number: int, ending: EndReason, now: float) -> bool:
        ended.append(session_id)
        return False

    for name, stand_in in (("run_out", run_out), ("attempt", attempt), ("submit", submit)):
        monkeypatch.setattr(app.parts.store.sessions, name, stand_in)
    monkeypatch.setattr(app.parts.channel, "is_open", lambda session_id: session_id == 1)
    await Upkeep(app.parts).end_abandoned()
    assert ended == [2]


async def test_of_two_connections_of_a_device_that_come_at_once_the_row_says_which_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first one's claim is written first, and told to it last."""
    async with world(tmp_path) as inside:
        await inside.issue()
        async with inside.person() as first:
            secret = (await first.until("welcome"))["device"]
        claim = inside.store.sessions.return_device
        written, told_late = asyncio.Event(), asyncio.Event()

        async def claim_in_turn(*given: Any) -> bool:
            is_first = not written.is_set()
            held = await claim(*given)
            written.set()
            if is_first:
                await told_late.wait()
            return held

        monkeypatch.setattr(inside.store.sessions, "return_device", claim_in_turn)
        async with inside.person(device=secret) as slow:
            await written.wait()
            async with inside.person(device=secret) as quick:
                await quick.until("welcome")
                told_late.set()
                assert await slow.close_code() == Close.TAKEN_OVER
                quick.say("handover")
                assert await quick.until("handover"), "the one that has the row stays"
