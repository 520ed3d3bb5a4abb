"""The evidence shelf over a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import structlog

from renzheng.capture.evidence import EvidenceShelf
from renzheng.engine.limits import EngineLimits
from renzheng.engine.workers import EngineWorkers
from renzheng.server.engine_adapters import EngineExaminer
from renzheng.verification.session import FrameRecord
from tests.support.images import drawn

from .conftest import NONCE, World, jpeg


class Joiner:
    """Makes of frames what a test can recognise, and counts how often."""

    def __init__(self) -> None:
        self.made = 0

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        self.made += 1
        await asyncio.sleep(0)
        return b"".join(content for _, content in frames)


async def test_a_video_is_made_once_however_many_ask_for_it_at_once(world: World) -> None:
    """All frames of an attempt may be hundreds of megabytes, which each who asked held for themselves."""
    session_id = await world.capture(frames=3)
    joiner = Joiner()
    shelf = EvidenceShelf(world.store.sessions, joiner)
    videos = await asyncio.gather(*(shelf.video(session_id, 1) for _ in range(16)))
    assert set(videos) == {b"".join(map(jpeg, range(3)))}
    assert joiner.made == 1


class Delayed:
    """Sessions whose answer about a kept video reaches the one who asked late."""

    def __init__(self, sessions: Any) -> None:
        self._sessions = sessions
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sessions, name)

    async def video(self, session_id: int) -> bytes | None:
        found: bytes | None = await self._sessions.video(session_id)
        if not self.asked.is_set():
            self.asked.set()
            await self.answers.wait()
        return found


async def test_who_looked_before_a_video_was_kept_and_asks_afterwards_gets_that_one(world: World) -> None:
    session_id = await world.capture(frames=3)
    sessions, joiner = Delayed(world.store.sessions), Joiner()
    shelf = EvidenceShelf(sessions, joiner)
    late = asyncio.create_task(shelf.video(session_id, 1))
    await sessions.asked.wait()
    first = await shelf.video(session_id, 1)
    sessions.answers.set()
    assert await late == first
    assert joiner.made == 1


async def test_a_video_that_cannot_be_made_is_left_out_and_tried_again_for_the_next_who_asks(world: World) -> None:
    """Else a verdict that stands could not be fetched with it: the action answered an internal error."""
    session_id = await world.capture(frames=0)
    record = FrameRecord(0, 1, NONCE, world.clock(), b"d" * 32)
    assert await world.store.sessions.store_frames(session_id, 1, [(record, drawn())])
    limits = EngineLimits()
    hurried = EngineLimits(workers=replace(limits.workers, mux_seconds=0.001))
    for engine in (EngineWorkers(hurried), EngineWorkers(limits)):  # the muxer starts with its first video
        try:
            shelf = EvidenceShelf(world.store.sessions, EngineExaminer(engine))
            with structlog.testing.capture_logs() as said:
                video = await shelf.video(session_id, 1)
            if engine.limits is hurried:
                assert video is None
                [line] = said
                assert (line["event"], line["log_level"], line["session"]) == ("video_not_made", "warning", session_id)
                assert await world.store.sessions.video(session_id) is None
            else:
                assert video is not None
                assert b"ftyp" in video[:16]
        finally:
            await engine.stop()


async def test_frames_of_which_no_video_can_be_made_are_no_error_of_the_result(world: World) -> None:
    session_id = await world.capture(frames=3)  # they hold no pictures
    engine = EngineWorkers()
    try:
        assert await EvidenceShelf(world.store.sessions, EngineExaminer(engine)).video(session_id, 1) is None
    finally:
        await engine.stop()


class Slow(Joiner):
    """Makes no video before it is let go on."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()
        self.at_once = self.most_at_once = 0

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await self.go_on.wait()
        self.at_once -= 1
        return await super().mux(frames)


async def test_a_slow_video_holds_up_no_result_and_is_there_for_who_asks_again(world: World) -> None:
    session_id = await world.capture(frames=2)
    joiner = Slow()
    shelf = EvidenceShelf(world.store.sessions, joiner, wait_seconds=0.01)
    assert await shelf.video(session_id, 1) is None
    joiner.go_on.set()
    await asyncio.gather(*shelf._making.values())
    assert await shelf.video(session_id, 1) == b"".join(map(jpeg, range(2)))
    assert joiner.made == 1


async def test_videos_of_several_sessions_are_made_side_by_side_up_to_a_bound(world: World) -> None:
    ids = [await world.capture(f"T{number}", frames=1) for number in range(5)]
    joiner = Slow()
    shelf = EvidenceShelf(world.store.sessions, joiner, at_once=2, waiting=2, wait_seconds=0.05)
    with structlog.testing.capture_logs() as said:
        assert await asyncio.gather(*(shelf.video(session_id, 1) for session_id in ids)) == [None] * 5
    assert joiner.most_at_once == 2
    assert sorted(line["why"] for line in said if line["event"] == "video_not_now") == [
        *["4 others are waiting"],
        *["not made within 0.05 s"] * 4,
    ]
    joiner.go_on.set()
    await asyncio.gather(*shelf._making.values())
    assert len([1 for session_id in ids if await world.store.sessions.video(session_id) is not None]) == 4
    await shelf.video(ids[4], 1)  # there is room again, though a busy machine may need longer than is waited
    await asyncio.gather(*shelf._making.values())
    assert await world.store.sessions.video(ids[4]) is not None
    assert joiner.most_at_once == 2


async def test_a_shelf_that_stops_gives_up_what_is_being_made(world: World) -> None:
    session_id = await world.capture(frames=1)
    shelf = EvidenceShelf(world.store.sessions, Slow(), wait_seconds=0)
    assert await shelf.video(session_id, 1) is None
    await shelf.stop()
    assert shelf._making == {}


async def test_where_nothing_was_captured_no_video_is_made(world: World) -> None:
    session_id = await world.capture(frames=0)
    joiner = Joiner()
    assert await EvidenceShelf(world.store.sessions, joiner).video(session_id, 1) is None
    assert joiner.made == 0
    assert await world.store.sessions.video(session_id) is None
