"""What was measured of frames while they came: sealed beside them, gone with the verdict or with their evidence."""

from __future__ import annotations

from pathlib import Path

from renzheng.store.records import session_folder
from renzheng.verification.session import EndReason

from .conftest import World

DIGEST = b"d" * 32


def file(world: World, session_id: int, attempt: int = 1) -> Path:
    return world.root / "data" / "evidence" / session_folder(session_id) / f"{attempt:03d}-measured"


async def test_it_is_kept_by_the_digests_of_stored_frames_until_it_is_forgotten(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.hand_in()
    assert await sessions.measured(session_id, 1) == {}
    await sessions.keep_measured(session_id, 1, {b"o" * 32: b"of no frame"})
    assert not file(world, session_id).exists()
    await sessions.keep_measured(session_id, 1, {DIGEST: b"MARKEDNUMBERS", b"o" * 32: b"of no frame"})
    assert await sessions.measured(session_id, 1) == {DIGEST: b"MARKEDNUMBERS"}
    assert await sessions.measured(session_id, 2) == {}
    assert b"MARKED" not in file(world, session_id).read_bytes()
    await sessions.forget_measured(session_id, 1)
    await sessions.forget_measured(session_id, 1)
    assert await sessions.measured(session_id, 1) == {}
    assert not file(world, session_id).exists()


async def test_what_was_changed_or_is_anothers_is_nothing(world: World) -> None:
    """It decides a verdict: nobody who can only write to the folder may put numbers there."""
    sessions = world.store.sessions
    mine, other = await world.hand_in("MINE"), await world.hand_in("OTHER")
    for session_id, content in ((mine, b"mine"), (other, b"other")):
        await sessions.keep_measured(session_id, 1, {DIGEST: content})
    own = file(world, mine).read_bytes()
    file(world, mine, 2).write_bytes(own)
    assert await sessions.measured(mine, 2) == {}, "of another attempt"
    file(world, mine).write_bytes(file(world, other).read_bytes())
    assert await sessions.measured(mine, 1) == {}, "of another person"
    file(world, mine).write_bytes(own[:-1] + bytes([own[-1] ^ 1]))
    assert await sessions.measured(mine, 1) == {}, "changed"
    file(world, mine).write_bytes(own[:7])
    assert await sessions.measured(mine, 1) == {}, "cut short"


async def test_it_goes_with_its_evidence(world: World) -> None:
    sessions = world.store.sessions
    session_id = await world.capture()
    await sessions.keep_measured(session_id, 1, {DIGEST: b"numbers"})
    assert await sessions.submit(session_id, 1, EndReason.COMPLETED, world.clock())
    await world.store.sweeper.erase(session_id, world.account.id, world.clock())
    assert await sessions.measured(session_id, 1) == {}
    assert not file(world, session_id).exists()
    await sessions.keep_measured(session_id, 1, {DIGEST: b"numbers"})
    assert not file(world, session_id).exists()
