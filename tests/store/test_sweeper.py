"""What has outlived its time goes, in bounded rounds, and a crash leaves nothing for good."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from renzheng.store.engine import Transaction
from renzheng.store.identities import NewPerson
from renzheng.store.records import session_folder
from renzheng.store.sealer import Kind, Sealer, Subject
from renzheng.store.sweeper import DAY, Retention, Swept
from renzheng.store.vault import Vault
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.records import SessionOutcome, Tombstone
from renzheng.verification.session import RESULT_SECONDS

from .conftest import ID_CARD, PHOTO, OpenWorld, World


async def judged(world: World, token: str = "TOKEN") -> int:
    session_id = await world.hand_in(token, photo=PHOTO)
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await world.store.sessions.record_verdict(
        session_id, job.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock()
    )
    return session_id


async def _keep(vault: Vault, drawn: Sealer, _: Transaction) -> None:
    await vault.keep(drawn)


def files(world: World, folder: str = "sessions") -> list[Path]:
    return [path for path in (world.root / "data" / "evidence" / folder).rglob("*") if path.is_file()]


async def test_results_go_after_three_days_and_leave_a_tombstone_for_thirty(world: World) -> None:
    other = await world.store.accounts.create("other", world.clock())
    session_id = await judged(world)
    start = world.clock()
    sessions, sweeper = world.store.sessions, world.store.sweeper
    await sweeper.sweep(start + RESULT_SECONDS - 1)
    assert isinstance(await sessions.result(world.account.id, "TOKEN"), SessionOutcome)
    swept = await sweeper.sweep(start + RESULT_SECONDS)
    assert (swept.results, swept.evidence) == (1, 1)
    assert await sessions.result(world.account.id, "TOKEN") == Tombstone(world.account.id, start + RESULT_SECONDS)
    assert await sessions.result(other.id, "TOKEN") is None
    assert await sessions.find("TOKEN") is None
    for table in ("sessions", "attempts", "steps", "frames", "verdicts"):
        assert world.count(f"SELECT count(*) FROM {table}") == 0, table
    assert world.count("SELECT count(*) FROM ledger") == 1
    assert not files(world)
    assert not await world.store.vault.has(Subject(Kind.SESSION, session_id))
    assert not await world.store.vault.has(Subject(Kind.EVIDENCE, session_id))
    await sweeper.sweep(start + RESULT_SECONDS + 30 * DAY - 1)
    assert isinstance(await sessions.result(world.account.id, "TOKEN"), Tombstone)
    assert (await sweeper.sweep(start + RESULT_SECONDS + 30 * DAY)).tombstones == 1
    assert await sessions.result(world.account.id, "TOKEN") is None


async def test_evidence_that_is_kept_longer_than_the_result_stays_readable(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(evidence_days=10))
    session_id = await judged(world)
    start = world.clock()
    await world.store.sweeper.sweep(start + RESULT_SECONDS)
    assert isinstance(await world.store.sessions.result(world.account.id, "TOKEN"), Tombstone)
    assert len(await world.store.sessions.frames(session_id, 1)) == 3
    assert await world.store.sessions.measurement(session_id) == "{}"
    row = await world.store.database.one("SELECT token, sealed, id_hash, device FROM sessions")
    assert row == (None, None, None, None)
    swept = await world.store.sweeper.sweep(start + 10 * DAY)
    assert (swept.evidence, world.count("SELECT count(*) FROM sessions")) == (1, 0)
    assert not files(world)


async def test_evidence_that_is_kept_shorter_leaves_the_result(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(evidence_days=1))
    session_id = await judged(world)
    assert (await world.store.sweeper.sweep(world.clock() + DAY)).evidence == 1
    outcome = await world.store.sessions.result(world.account.id, "TOKEN")
    assert isinstance(outcome, SessionOutcome)
    assert outcome.verdict is not None
    assert outcome.verdict.result == "0"
    assert await world.store.sessions.frame(session_id, 1, 1) is None
    assert not files(world)
    assert (await world.store.sweeper.sweep(world.clock() + RESULT_SECONDS)).results == 1
    assert world.count("SELECT count(*) FROM sessions") == 0


async def test_evidence_of_a_session_that_is_not_finished_stays(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(evidence_days=0))
    session_id = await world.hand_in(photo=PHOTO)
    await world.store.sweeper.sweep(world.clock() + 5)
    assert len(await world.store.sessions.frames(session_id, 1)) == 3
    assert await world.store.sessions.photo(session_id) == PHOTO


async def test_what_nobody_finished_in_three_days_is_over_too(world: World) -> None:
    await world.hand_in("JUDGING")
    await world.issue("ISSUED")
    later = world.clock() + RESULT_SECONDS + 1
    await world.store.sweeper.sweep(later)
    await world.store.sweeper.sweep(later)
    assert world.count("SELECT count(*) FROM sessions") == 0
    for token in ("JUDGING", "ISSUED"):
        assert isinstance(await world.store.sessions.result(world.account.id, token), Tombstone)
    assert await world.store.sessions.claim_judging(later, 15) is None


async def test_a_round_is_bounded_and_the_next_goes_on(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(round=4))
    for number in range(10):
        await world.issue(f"T{number}")
    later = world.clock() + RESULT_SECONDS + 1
    rounds = [await world.store.sweeper.sweep(later) for _ in range(4)]
    assert [swept.results for swept in rounds] == [4, 4, 2, 0]
    assert [swept.more for swept in rounds] == [True, True, False, False]
    assert world.count("SELECT count(*) FROM tombstones") == 10


async def test_orphan_objects_and_keys_go_after_an_hour_and_nothing_else_does(world: World) -> None:
    live = await judged(world)
    await world.store.sessions.keep_video(live, b"mp4")
    waiting = await world.hand_in("WAITING")
    await world.store.sessions.keep_measured(waiting, 1, {b"d" * 32: b"measured"})
    await world.store.identities.prepare()
    await world.store.identities.add(world.account.id, NewPerson(ID_CARD, "name", PHOTO))
    good = {path.name for path in (*files(world), *files(world, "persons"))}
    orphan = waiting + 1
    objects, vault = world.store.objects, world.store.vault
    for name in (
        f"{session_folder(live)}/001-0000000009-0badcafe",  # frames whose rows were never written
        f"{session_folder(orphan)}/photo",
        f"{session_folder(orphan)}/video",
        f"{session_folder(live)}/001-measured",  # judged already
        f"{session_folder(orphan)}/001-measured",
        "sessions/stray",
        f"persons/0000001/{orphan:016d}/photo",
    ):
        await objects.put(name, b"sealed")
    (world.root / "data" / "evidence" / "sessions" / ".photo.0badcafe").write_bytes(b"half a write")
    for kind in (Kind.SESSION, Kind.PERSON):
        drawn = vault.draw(Subject(kind, orphan))
        await world.store.database.write(functools.partial(_keep, vault, drawn), keys=True)
    young = await world.store.sweeper.sweep(world.clock())
    assert (young.orphan_objects, young.orphan_keys) == (0, 0)
    old = await world.store.sweeper.sweep(world.clock() + 3700)
    assert (old.orphan_objects, old.orphan_keys) == (8, 2)
    assert {path.name for path in (*files(world), *files(world, "persons"))} == good
    assert not await vault.has(Subject(Kind.SESSION, orphan))
    assert len(await world.store.sessions.frames(live, 1)) == 3
    assert await world.store.identities.lookup(world.account.id, ID_CARD) is not None


async def test_the_search_for_orphans_walks_through_everything_in_rounds(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(round=3))
    for number in range(8):
        await world.store.objects.put(f"sessions/0000001/{number:016d}/photo", b"sealed")
    found = [(await world.store.sweeper.sweep(world.clock() + 3700)).orphan_objects for _ in range(3)]
    assert found == [3, 3, 2]


async def test_records_that_a_backup_brings_back_without_their_key_are_buried(world: World) -> None:
    session_id = await judged(world)
    person_id = await world.store.identities.add(world.account.id, NewPerson(ID_CARD, "name", None))
    waiting = await world.hand_in("WAITING")
    subjects = [Subject(Kind.SESSION, session_id), Subject(Kind.SESSION, waiting), Subject(Kind.PERSON, person_id)]
    await world.store.vault.erasures.destroy(subjects)
    assert await world.store.identities.lookup(world.account.id, ID_CARD) is None
    assert (await world.store.sweeper.sweep(world.clock())).keyless == 3
    assert isinstance(await world.store.sessions.result(world.account.id, "TOKEN"), Tombstone)
    assert world.count("SELECT count(*) FROM persons") == 0
    assert world.state(waiting) == "failed"  # else a judge would claim it for ever
    assert await world.store.sweeper.sweep(world.clock()) == Swept()


async def test_a_round_that_dies_in_the_middle_is_completed_by_the_next(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It dies behind each of its deeds in turn: keys destroyed, objects deleted, rows written."""
    done = 0
    for last in itertools.count(1):
        world = await open_world(f"world{last}")
        session_id = await judged(world)
        later, done = world.clock() + RESULT_SECONDS, 0

        def note(real: Callable[..., Awaitable[Any]], last: int = last) -> Callable[..., Awaitable[Any]]:
            async def run(*given: Any, **named: Any) -> Any:
                nonlocal done
                result = await real(*given, **named)
                done += 1
                if done == last:
                    raise OSError("killed")
                return result

            return run

        with monkeypatch.context() as patch:
            store = world.store
            for part, name in ((store.vault.erasures, "destroy"), (store.objects, "delete_all")):
                patch.setattr(part, name, note(getattr(part, name)))
            patch.setattr(store.database, "write", note(store.database.write))
            with contextlib.suppress(OSError):
                await store.sweeper.sweep(later)
        await world.store.sweeper.sweep(later)
        await is_gone(world, session_id)
        if done < last:
            break
    assert last > 5


async def is_gone(world: World, session_id: int) -> None:
    assert world.count("SELECT count(*) FROM sessions") == 0
    assert not files(world)
    assert not await world.store.vault.has(Subject(Kind.EVIDENCE, session_id))
    assert isinstance(await world.store.sessions.result(world.account.id, "TOKEN"), Tombstone)


async def test_day_counts_go_when_the_day_is_over_everywhere(world: World) -> None:
    world.force("INSERT INTO day_counts VALUES (1, x'00', '2001-01-01', 3), (1, x'00', '9999-01-01', 3)")
    await world.store.sweeper.sweep(world.clock())
    assert await world.store.database.all("SELECT day FROM day_counts") == [("9999-01-01",)]


async def test_ids_are_never_given_twice_even_when_the_clock_goes_back(open_world: OpenWorld) -> None:
    world = await open_world()
    first = await world.issue("A")
    world.clock.now -= 3600
    second = await world.issue("B")
    await world.store.stop()
    again = await open_world(clock=world.clock)
    third = await again.issue("C")
    assert first < second < third


async def test_a_result_that_a_backup_brought_back_beside_its_tombstone_is_buried_again(world: World) -> None:
    await judged(world)
    later = world.clock() + RESULT_SECONDS
    world.force(
        "INSERT INTO tombstones (token, account_id, gone_at) SELECT token, account_id, ? FROM sessions", later - 5
    )
    assert (await world.store.sweeper.sweep(later)).results == 1
    assert await world.store.sessions.result(world.account.id, "TOKEN") == Tombstone(world.account.id, later - 5)


async def test_a_row_that_stays_for_its_evidence_keeps_nothing_of_the_person(world: World) -> None:
    """Its rule keeps frames longer than results."""
    session_id = await judged(world)
    later = world.clock() + RESULT_SECONDS
    world.force("UPDATE sessions SET evidence_until = ?", later + DAY)
    await world.store.sweeper.sweep(later)
    columns = "token, sealed, id_hash, device, handover"
    assert await world.store.database.one(f"SELECT {columns} FROM sessions") == (None,) * 5
    assert await world.store.vault.has(Subject(Kind.EVIDENCE, session_id))
    assert world.count("SELECT count(*) FROM frames") == 3
    assert world.count("SELECT count(*) FROM verdicts WHERE measurement IS NOT NULL") == 1
    await world.store.sweeper.sweep(later + DAY)
    assert world.count("SELECT count(*) FROM sessions") == 0


async def test_evidence_that_goes_before_its_result_takes_the_measurement_along(open_world: OpenWorld) -> None:
    world = await open_world(retention=Retention(evidence_days=1))
    session_id = await judged(world)
    await world.store.sweeper.sweep(world.clock() + DAY - 1)
    assert await world.store.sessions.measurement(session_id) == "{}"
    await world.store.sweeper.sweep(world.clock() + DAY)
    assert world.count("SELECT count(*) FROM verdicts WHERE measurement IS NULL") == 1
    assert world.count("SELECT count(*) FROM attempts") == 0
    assert not files(world)
    assert isinstance(await world.store.sessions.result(world.account.id, "TOKEN"), SessionOutcome)


async def test_a_tombstone_stays_until_its_last_day_is_over(world: World) -> None:
    world.force("INSERT INTO tombstones VALUES (x'01', 1, ?), (x'02', 1, ?)", world.clock(), world.clock() + 1)
    swept = await world.store.sweeper.sweep(world.clock() + 30 * DAY - 1)
    assert swept.tombstones == 0
    swept = await world.store.sweeper.sweep(world.clock() + 30 * DAY)
    assert swept.tombstones == 1
    assert await world.store.database.all("SELECT token FROM tombstones") == [(b"\x02",)]


async def test_an_object_is_named_by_a_row_of_its_own_attempt_and_the_decoy_by_none(world: World) -> None:
    session_id = await world.capture()
    (name,) = [path.name for path in files(world)]
    sweeper, folder = world.store.sweeper, session_folder(session_id)
    assert await sweeper._is_named(f"{folder}/{name}")
    for wrong in (f"002-{name[4:]}", f"{name}x", "photo", "x-y"):
        assert not await sweeper._is_named(f"{folder}/{wrong}"), wrong
    assert await sweeper._is_named(f"{folder}/video")
    assert await sweeper._is_named("persons/0000000/0000000000000000/photo")
    assert not await sweeper._is_named("persons/0000000/0000000000000001/photo")
    for odd in ("sessions/stray", "sessions/a/b/photo", "other/0/1/photo"):
        assert not await sweeper._is_named(odd)
