"""The evidence shelf over a real store."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from renzheng.capture.evidence import EvidenceShelf

from .conftest import World, jpeg


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
