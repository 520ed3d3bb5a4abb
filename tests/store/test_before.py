"""What is promised only when it is durable: objects before the rows that name them."""

from __future__ import annotations

import pytest

from .conftest import World


async def test_rows_name_no_object_that_was_not_written(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await world.capture(frames=1)
    seen: list[int] = []
    sessions = world.store.sessions
    put = sessions._objects.put

    async def counting(path: str, content: object) -> None:
        seen.append((await sessions.stored_frames(session_id, 1))[0])
        await put(path, content)  # type: ignore[arg-type]

    monkeypatch.setattr(sessions._objects, "put", counting)
    assert await sessions.store_frames(session_id, 1, [world.frame(5), world.frame(6)])
    assert seen == [1]  # when the object was written there was no row of these frames yet
    assert (await sessions.stored_frames(session_id, 1))[0] == 3

    async def failing(path: str, content: object) -> None:
        raise OSError("no disk")

    monkeypatch.setattr(sessions._objects, "put", failing)
    with pytest.raises(OSError, match="no disk"):
        await sessions.store_frames(session_id, 1, [world.frame(7)])
    assert (await sessions.stored_frames(session_id, 1))[0] == 3


async def test_frames_are_read_in_their_order_however_many_objects_hold_them(world: World) -> None:
    session_id = await world.capture(frames=0)
    sessions = world.store.sessions
    for start in (40, 0, 20, 60, 80, 100, 120, 140, 160, 180):  # more than are read at once
        assert await sessions.store_frames(session_id, 1, [world.frame(start + n) for n in range(3)])
    found = await sessions.frames(session_id, 1)
    assert [record.sequence for record, _ in found] == sorted(record.sequence for record, _ in found)
    assert len(found) == 30
    assert all(jpeg == world.frame(record.sequence)[1] for record, jpeg in found)
    newest = await sessions.newest_frames(session_id, 1, step=1, most=4)
    assert [record.sequence for record, _ in newest] == [162, 180, 181, 182]
    kept = await sessions.stored_frames(session_id, 1)
    assert kept[:2] == (30, 182)
    assert kept[2] >= sum(len(jpeg) for _, jpeg in found)
