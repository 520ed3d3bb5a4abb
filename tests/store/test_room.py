"""A disk that fills up: what is refused, what goes on, and that it heals by itself."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from renzheng.store import evidence_use
from renzheng.store.engine import AwayError
from renzheng.store.identities import NewPerson
from renzheng.store.room import MAX_RESERVE, Room, is_full
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sweeper import DAY
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.records import EvidenceLimitError, NoRoomError, SessionOutcome
from renzheng.verification.session import EndReason
from tests.support.stores import sqlite_of, vault_of

from .conftest import ID_CARD, PHOTO, World
from .test_sweeper import files, judged

pytestmark = pytest.mark.sqlite

MIB = 1 << 20


class Disk:
    """What statvfs tells of a disk of 1000 MiB in blocks of 4096 bytes."""

    def __init__(self, free: int) -> None:
        self.free = free

    def __call__(self, _: Path) -> os.statvfs_result:
        return os.statvfs_result((4096, 4096, 256_000, self.free // 4096, self.free // 4096, 0, 0, 0, 0, 255))


def room_of(world: World, free: int) -> Disk:
    disk = Disk(free)
    world.store.room._statvfs = disk
    return disk


def test_the_reserve_is_five_percent_and_a_gibibyte_at_most_or_what_is_set() -> None:
    def large(_: Path) -> os.statvfs_result:
        return os.statvfs_result((1, MIB, 1 << 20, 1 << 20, 1023, 0, 0, 0, 0, 255))  # 1 TiB, 1023 MiB for this user

    folders = {"data": Path("/")}
    assert Room(folders, statvfs=Disk(50 * MIB)).shortage() is None
    assert "data folder has 52424704 bytes left, and 52428800 are" in (
        Room(folders, statvfs=Disk(50 * MIB - 4096)).shortage() or ""
    )
    assert MAX_RESERVE == 1024 * MIB
    assert Room(folders, statvfs=large).shortage() is not None
    assert Room(folders, 1023 * MIB, large).shortage() is None
    assert Room(folders, 0, Disk(0)).shortage() is None
    assert Room(folders, 0, Disk(0)).shortage(1) is not None


def test_each_folders_own_disk_counts_and_one_that_cannot_be_asked_does_not(tmp_path: Path) -> None:
    def by_name(folder: Path) -> os.statvfs_result:
        if folder.name == "gone":
            raise FileNotFoundError
        return Disk(10 * MIB if folder.name == "keys" else 900 * MIB)(folder)

    room = Room({"data": tmp_path / "data", "keys": tmp_path / "keys", "gone": tmp_path / "gone"}, statvfs=by_name)
    assert room.free() == {"data": 900 * MIB, "keys": 10 * MIB}
    assert "keys folder" in (room.shortage() or "")


def test_what_is_being_written_is_counted_until_it_is() -> None:
    room = Room({"data": Path("/")}, statvfs=Disk(60 * MIB))
    with room.taking(6 * MIB):
        with pytest.raises(NoRoomError), room.taking(6 * MIB):
            pass
        with room.taking(4 * MIB):
            assert room.shortage() is None
    with pytest.raises(ZeroDivisionError), room.taking(10 * MIB):
        raise ZeroDivisionError
    with room.taking(10 * MIB):
        pass


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "no"), True),
        (OSError(errno.EDQUOT, "no"), True),
        (OSError(errno.EIO, "no"), False),
        (NoRoomError(), True),
        (ValueError(), False),
    ],
)
def test_what_counts_as_a_full_disk(error: Exception, full: bool) -> None:
    assert is_full(error) is full


def test_sqlites_own_word_for_it_counts_too() -> None:
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(sqlite3.OperationalError) as full:
        connection.execute("CREATE TABLE t (a)")
    assert is_full(full.value)
    with pytest.raises(sqlite3.OperationalError) as other:
        connection.execute("SELECT nothing")
    assert not is_full(other.value)


async def test_below_the_reserve_photos_and_attempts_are_refused_and_the_rest_goes_on(world: World) -> None:
    begun = await world.capture("BEGUN")
    waiting = await world.hand_in("WAITING")
    fresh = await world.issue("FRESH")
    disk = room_of(world, 49 * MIB)
    sessions = world.store.sessions
    with pytest.raises(NoRoomError, match="data folder"):
        await world.issue("PHOTO", photo=PHOTO)
    with pytest.raises(NoRoomError):
        await sessions.begin_attempt(fresh, 0, ("blink",), world.clock())
    with pytest.raises(NoRoomError):
        await world.store.identities.add(world.account.id, NewPerson(ID_CARD, "name", PHOTO))
    assert world.state(fresh) == "issued"
    assert not list((world.root / "data" / "evidence").rglob("*photo*"))
    assert await sessions.store_frames(begun, 1, [world.frame(10)])
    assert await world.issue("WITHOUT")
    job = await sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert job.session.id == waiting
    assert await sessions.record_verdict(waiting, job.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock())
    assert await sessions.submit(begun, 1, EndReason.COMPLETED, world.clock())
    assert isinstance(await sessions.result(world.account.id, "WAITING"), SessionOutcome)
    disk.free = 900 * MIB
    assert await sessions.begin_attempt(fresh, 0, ("blink",), world.clock()) == 1
    assert await world.issue("PHOTO", photo=PHOTO)


async def test_an_attempt_begins_where_the_frames_of_an_ordinary_one_fit(world: World) -> None:
    fresh = await world.issue()
    disk = room_of(world, 54 * MIB - 4096)  # 50 MiB are kept free
    with pytest.raises(NoRoomError):
        await world.store.sessions.begin_attempt(fresh, 0, ("blink",), world.clock())
    disk.free = 54 * MIB
    assert await world.store.sessions.begin_attempt(fresh, 0, ("blink",), world.clock()) == 1


async def test_frames_of_what_has_begun_may_use_half_of_the_reserve_and_a_video_none_of_it(world: World) -> None:
    session_id = await world.capture()
    disk = room_of(world, 26 * MIB)
    assert await world.store.sessions.store_frames(session_id, 1, [world.frame(10)])
    await world.store.sessions.keep_video(session_id, b"mp4")  # a result that asks for it is not harmed
    assert await world.store.sessions.video(session_id) is None
    disk.free = 24 * MIB
    with pytest.raises(NoRoomError):
        await world.store.sessions.store_frames(session_id, 1, [world.frame(11)])
    assert (await world.store.sessions.stored_frames(session_id, 1))[:2] == (4, 10)


async def test_the_photo_of_a_token_that_expired_unused_goes_at_once_and_one_in_use_stays(world: World) -> None:
    unused = await world.issue("UNUSED", photo=PHOTO)
    used = await world.capture("USED", photo=PHOTO)
    await world.store.sweeper.sweep(world.clock() + 599)
    assert world.count("SELECT evidence_bytes FROM sessions WHERE id = ?", unused) == len(PHOTO) + 28
    swept = await world.store.sweeper.sweep(world.clock() + 600)
    assert (swept.unused, swept.expired, swept.evidence) == (1, 2, 0)
    assert (await world.store.sweeper.sweep(world.clock() + 700)).unused == 0
    assert not await world.store.vault.has(Subject(Kind.EVIDENCE, unused))
    assert await world.store.vault.has(Subject(Kind.EVIDENCE, used))
    assert [path.parent.name for path in files(world) if path.name == "photo"] == [f"{used:016d}"]
    assert world.count("SELECT has_photo + has_evidence + evidence_bytes FROM sessions WHERE id = ?", unused) == 0
    found = await world.store.sessions.result(world.account.id, "UNUSED")
    assert isinstance(found, SessionOutcome)
    assert not found.session.has_photo


async def test_evidence_by_account_is_counted_and_bounded(world: World) -> None:
    billing, sessions = world.store.billing, world.store.sessions
    other = await world.store.accounts.create("other", world.clock())
    one = await judged(world, "ONE")
    used = await billing.evidence_bytes(world.account.id)
    assert used == sum(path.stat().st_size for path in files(world))
    await billing.set_limit(world.account.id, "EvidenceBytes", used + 100)
    with pytest.raises(EvidenceLimitError):
        await world.issue("TWO", photo=PHOTO)
    assert len([path for path in files(world) if path.name == "photo"]) == 1
    two = await world.issue("TWO")
    assert await sessions.begin_attempt(two, 0, ("blink",), world.clock()) == 1  # 100 bytes are left
    assert await sessions.reveal(two, 1, world.step(0), False, None)
    assert await sessions.store_frames(two, 1, [world.frame(0)])  # what has begun is finished
    three = await world.issue("THREE")
    with pytest.raises(EvidenceLimitError):
        await sessions.begin_attempt(three, 0, ("blink",), world.clock())
    await sessions.keep_video(one, b"mp4" * 100)
    assert await sessions.video(one) is None
    assert await billing.evidence_bytes(other.id) == 0
    await billing.set_limit(world.account.id, "EvidenceBytes", await billing.evidence_bytes(world.account.id) + 728)
    await world.issue("FITS", photo=PHOTO)  # 700 bytes and what sealing adds: the limit itself may be reached
    await billing.set_limit(world.account.id, "EvidenceBytes", None)
    await sessions.keep_video(one, b"mp4" * 100)
    assert await billing.evidence_bytes(world.account.id) == sum(path.stat().st_size for path in files(world))
    assert (
        await sessions.begin_attempt(two, 1, ("blink",), world.clock()) == 2
    )  # the first never counted: its frames go
    assert await billing.evidence_bytes(world.account.id) == sum(path.stat().st_size for path in files(world))
    await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    assert not files(world)
    assert await billing.evidence_bytes(world.account.id) == 0
    await world.store.keys.refresh()
    assert not world.store.keys.limits  # no action has a limit of that name


Fail = Callable[..., Awaitable[Any]]


def failing(error: Exception, times: int, real: Callable[..., Awaitable[Any]]) -> Fail:
    left = [times]

    async def run(*given: Any, **named: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise error
        return await real(*given, **named)

    return run


async def test_what_comes_for_evidence_that_is_erased_is_not_counted(world: World) -> None:
    number = await judged(world)
    database, billing = world.store.database, world.store.billing
    assert await database.write(lambda tx: evidence_use.add_to_session(tx, number, 7))
    assert await world.store.sweeper._erase_evidence([number]) == 1
    assert not await database.write(lambda tx: evidence_use.add_to_session(tx, number, 7))
    assert await billing.evidence_bytes(world.account.id) == 0


@pytest.mark.parametrize("error", [NoRoomError("full"), OSError(errno.ENOSPC, "full")], ids=["records", "keys"])
async def test_a_sweep_on_a_full_disk_frees_room_first_and_the_next_one_does_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """Every write fails until the first files are gone, as on a disk that is full to the last byte."""
    session_id = await judged(world)
    abandoned = await world.capture("ABANDONED")  # dead by then, and nobody could write that down yet
    unused = await world.issue("UNUSED", photo=PHOTO)
    writes = {"database": world.store.database, "erasures": world.store.vault.erasures}

    def until_room(real: Callable[..., Awaitable[Any]]) -> Fail:
        async def run(*given: Any, **named: Any) -> Any:
            if files(world):
                raise error
            return await real(*given, **named)

        return run

    monkeypatch.setattr(writes["database"], "write", until_room(world.store.database.write))
    monkeypatch.setattr(writes["erasures"], "destroy", until_room(world.store.vault.erasures.destroy))
    swept = await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    assert swept.full is error  # the photo of the unused token went, and could not be written down yet
    assert not files(world)
    again = await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    assert again.full is None
    for number in (session_id, abandoned, unused):
        assert not await world.store.vault.has(Subject(Kind.EVIDENCE, number))
    assert world.count("SELECT count(*) FROM sessions") == 0
    assert await world.store.billing.evidence_bytes(world.account.id) == 0


async def test_one_step_that_lacks_room_keeps_no_other_from_being_done(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await judged(world)
    expire = failing(NoRoomError("full"), 1, world.store.sessions.expire)
    monkeypatch.setattr(world.store.sessions, "expire", expire)
    swept = await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    assert (swept.expired, swept.evidence, swept.results) == (0, 1, 1)
    assert str(swept.full) == "full"


async def test_evidence_that_is_away_keeps_no_result_and_no_key_from_being_erased(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await judged(world)
    await world.issue("OLD")
    away = AwayError("the object store is away")
    monkeypatch.setattr(world.store.objects, "delete_all", failing(away, 100, _nothing))
    monkeypatch.setattr(world.store.objects, "entries", failing(away, 100, _nothing))
    swept = await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    assert (swept.away, swept.full) == (away, None)
    assert swept.results == 2
    for kind in (Kind.SESSION, Kind.EVIDENCE):
        assert not await world.store.vault.has(Subject(kind, session_id))
    monkeypatch.undo()
    assert files(world)
    swept = await world.store.sweeper.sweep(world.clock() + 4 * DAY)
    assert swept.away is None
    assert not files(world)


async def test_records_that_are_away_end_the_round(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.store.sessions, "expire", failing(AwayError("away"), 1, _nothing))
    monkeypatch.setattr(world.store.database, "trouble", "away")
    with pytest.raises(AwayError):
        await world.store.sweeper.sweep(world.clock())


async def test_what_is_no_lack_of_room_is_raised(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.store.sessions, "expire", failing(OSError(errno.EIO, "bad disk"), 1, _nothing))
    with pytest.raises(OSError, match="bad disk"):
        await world.store.sweeper.sweep(world.clock())


async def _nothing() -> None: ...


async def test_a_token_that_could_not_be_written_down_leaves_no_photo(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_of(world.store)._writer.execute("PRAGMA max_page_count = 1")  # as it is, and never a page more
    tokens = [world.issue(f"T{number}", photo=PHOTO) for number in range(200)]
    refused = [error for error in await asyncio.gather(*tokens, return_exceptions=True) if not isinstance(error, int)]
    assert refused
    assert all(isinstance(error, NoRoomError) for error in refused)
    kept = world.count("SELECT count(*) FROM sessions")
    assert len([path for path in files(world) if path.name == "photo"]) == kept
    assert world.store.database.trouble is None or "SQLITE_FULL" in world.store.database.trouble
    sqlite_of(world.store)._writer.execute("PRAGMA max_page_count = 1000000")
    assert await world.issue("AFTER", photo=PHOTO)
    assert world.store.database.trouble is None


async def test_a_transaction_that_fails_for_the_disks_sake_is_a_trouble_until_one_succeeds(world: World) -> None:
    vault = vault_of(world.store)
    real = vault.commit

    def commit() -> None:
        raise OSError(errno.ENOSPC, "full")

    vault.commit = commit  # type: ignore[method-assign]
    with pytest.raises(NoRoomError):
        await world.issue("A")
    assert world.store.database.trouble == "the last transaction failed: builtins.OSError ENOSPC"
    vault.commit = real  # type: ignore[method-assign]
    await world.issue("B")
    assert world.store.database.trouble is None


async def test_an_object_that_finds_the_disk_full_leaves_neither_a_file_nor_a_folder(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.write

    def write(descriptor: int, content: Any) -> int:
        if len(content) > 500:
            real(descriptor, content[:100])
            raise OSError(errno.ENOSPC, "full")
        return real(descriptor, content)

    monkeypatch.setattr(os, "write", write)
    with pytest.raises(NoRoomError, match="evidence is full"):
        await world.issue("A", photo=PHOTO)
    monkeypatch.undo()
    assert list((world.root / "data" / "evidence").rglob("*")) == []
    assert world.count("SELECT count(*) FROM sessions") == 0
