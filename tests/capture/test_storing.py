"""Nothing goes on before what came so far is stored: no next step is revealed, and nothing handed to the judge."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from renzheng.capture.measured import FrameMeasurements
from renzheng.verification.policy import Policy

from .inside import world


async def test_a_step_is_revealed_and_an_attempt_handed_in_when_its_frames_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = Policy(challenge_length=1)
    async with world(tmp_path, policy) as inside:
        session_id = await inside.issue()
        sessions = inside.store.sessions
        store_frames, reveal, submit = sessions.store_frames, sessions.reveal, sessions.submit
        under_way, seen = [0], []

        async def slowly(session: int, attempt: int, frames: Any, socket: int) -> bool:
            under_way[0] += len(frames)
            await asyncio.sleep(0.1)  # longer than the whole of the neutral step
            stored = await store_frames(session, attempt, frames, socket)
            under_way[0] -= len(frames)
            return stored

        async def revealing(*given: Any) -> bool:
            seen.append((given[2].index, under_way[0], (await sessions.stored_frames(session_id, 1))[0] > 0))
            return await reveal(*given)

        async def submitting(*given: Any) -> bool:
            seen.append((-1, under_way[0], True))
            return await submit(*given)

        for name, stand_in in (("store_frames", slowly), ("reveal", revealing), ("submit", submitting)):
            monkeypatch.setattr(sessions, name, stand_in)
        async with inside.person() as person:
            await person.action()
            inside.lookout.sees = True
            person.frame()
            await person.until("judging")
        assert seen == [(0, 0, False), (1, 0, True), (-1, 0, True)]
        step_of = [record.step for record, _ in await sessions.frames(session_id, 1)]
        assert 1 in step_of  # the frame that was seen to act is stored, too


async def test_what_was_measured_of_the_kept_frames_is_kept_with_them_before_they_are_judged(tmp_path: Path) -> None:
    async with world(tmp_path, Policy(challenge_length=1)) as inside:
        session_id = await inside.issue()
        async with inside.person() as person:
            await person.action()
            inside.lookout.sees = True
            person.frame()
            await person.until("judging")
        sessions = inside.store.sessions
        stored = {bytes(record.digest) for record, _ in await sessions.frames(session_id, 1)}
        measured = await sessions.measured(session_id, 1)
        assert measured
        assert set(measured) <= stored
        assert set(measured.values()) == {b"measured"}


async def test_an_attempt_goes_on_where_that_cannot_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with world(tmp_path, Policy(challenge_length=1)) as inside:
        await inside.issue()

        async def failing(*given: Any) -> None:
            raise OSError("the folder is away")

        monkeypatch.setattr(inside.store.sessions, "keep_measured", failing)
        async with inside.person() as person:
            await person.action()
            inside.lookout.sees = True
            person.frame()
            await person.until("judging")


def test_measurements_are_bounded_and_the_oldest_go_first() -> None:
    measured = FrameMeasurements(2)
    for number in range(4):
        measured.note(b"%d" % number, b"m%d" % number)
    assert list(measured._by_digest.values()) == [b"m2", b"m3"]
