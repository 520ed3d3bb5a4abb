"""Erasing by destroying a key: lists of erasures, older backups, and the log of SQLite."""

from __future__ import annotations

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from renzheng.store.identities import NewPerson
from renzheng.store.sealer import ErasedError, Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.store.sqlite_vault import SqliteVault
from renzheng.verification.records import Tombstone
from tests.support.stores import vault_of

from .conftest import ID_CARD, NAME, OpenWorld, World
from .sealed import everything, reading_process, whole_verification

pytestmark = pytest.mark.sqlite


async def test_after_its_key_is_destroyed_nothing_of_a_session_opens(world: World) -> None:
    session_id = await whole_verification(world)
    keys = [Subject(kind, session_id) for kind in (Kind.SESSION, Kind.EVIDENCE)]
    wrapped = [row[0] for row in vault_of(world.store)._reader.execute("SELECT wrapped FROM data_keys WHERE kind < 3")]
    await world.store.vault.erasures.destroy(keys)
    sessions = world.store.sessions
    assert await sessions.find("TOKEN") is None
    assert isinstance(await sessions.result(world.account.id, "TOKEN"), Tombstone)
    assert await sessions.frames(session_id, 1) == []
    assert await sessions.frame(session_id, 1, 1) is None
    assert await sessions.photo(session_id) is None
    assert await sessions.video(session_id) is None
    assert await sessions.measurement(session_id) is None
    for subject in keys:
        with pytest.raises(ErasedError):
            (await world.store.vault.of(subject))
    kept = everything(world.root / "keys")  # the log too: the key's old bytes are nowhere
    gone = [key for key in wrapped if key not in kept]
    assert len(gone) == 2


async def test_a_key_destroyed_by_another_process_opens_nothing_from_then_on(world: World) -> None:
    session_id = await world.issue()
    other = SqliteVault(world.root / "keys", world.clock, os.urandom)
    await other.erasures.destroy([Subject(Kind.SESSION, session_id)])
    other.close()
    assert await world.store.sessions.find("TOKEN") is None


async def test_keys_restored_from_an_older_backup_stay_erased(open_world: OpenWorld, tmp_path: Path) -> None:
    world = await open_world()
    kept, erased = await world.issue("KEPT"), await world.issue("ERASED")
    await world.store.stop()
    shutil.copy(world.root / "keys" / "keys.db", tmp_path / "backup.db")
    vault = SqliteVault(world.root / "keys", world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, erased)])
    vault.close()
    shutil.copy(tmp_path / "backup.db", world.root / "keys" / "keys.db")
    restored = SqliteVault(world.root / "keys", world.clock, os.urandom)
    assert await restored.has(Subject(Kind.SESSION, kept))
    with pytest.raises(ErasedError):
        await restored.of(Subject(Kind.SESSION, erased))
    restored.close()


async def test_a_whole_keys_folder_from_an_older_backup_replays_a_newer_list(
    open_world: OpenWorld, tmp_path: Path
) -> None:
    world = await open_world()
    ids = [await world.issue(token) for token in "ABC"]
    await world.store.stop()
    keys, backup, newer = world.root / "keys", tmp_path / "backup", tmp_path / "newer.db"
    shutil.copytree(keys, backup)
    vault = SqliteVault(keys, world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, ids[0])])
    vault.close()
    shutil.copy(keys / "erasures.db", newer)
    shutil.rmtree(keys)
    shutil.copytree(backup, keys)
    restored = SqliteVault(keys, world.clock, os.urandom)
    assert await restored.has(Subject(Kind.SESSION, ids[0]))
    await restored.erasures.replay(newer)
    await restored.erasures.replay(newer)
    assert [await restored.has(Subject(Kind.SESSION, number)) for number in ids] == [False, True, True]
    restored.close()


async def test_an_older_list_beside_newer_keys_hides_no_later_erasure(open_world: OpenWorld, tmp_path: Path) -> None:
    world = await open_world()
    ids = [await world.issue(token) for token in "ABC"]
    await world.store.stop()
    keys = world.root / "keys"
    shutil.copy(keys / "erasures.db", tmp_path / "older.db")
    vault = SqliteVault(keys, world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, number) for number in ids[:2]])
    vault.close()
    shutil.copy(tmp_path / "older.db", keys / "erasures.db")
    SqliteVault(keys, world.clock, os.urandom).close()
    # An erasure that was listed when the process died: the next start carries it out, though these keys have seen more.
    listed = sqlite3.connect(keys / "erasures.db")
    listed.execute("INSERT INTO erasures (kind, id, erased_at) VALUES (1, ?, 0)", (ids[2],))
    listed.commit()
    listed.close()
    vault = SqliteVault(keys, world.clock, os.urandom)
    assert [await vault.has(Subject(Kind.SESSION, number)) for number in ids] == [False, False, False]
    vault.close()


async def test_the_list_of_erasures_holds_what_was_asked_for_and_not_what_has_run_out(world: World) -> None:
    session_id = await whole_verification(world)
    person = await world.store.identities.add(world.account.id, NewPerson(ID_CARD, NAME, None))
    await world.store.identities.remove(world.account.id, ID_CARD)
    await world.store.sweeper.sweep(world.clock() + 40 * 86400)
    assert not await world.store.vault.has(Subject(Kind.SESSION, session_id))
    listed = sqlite3.connect(world.root / "keys" / "erasures.db")
    assert listed.execute("SELECT kind, id FROM erasures").fetchall() == [(Kind.PERSON, person)]
    listed.close()


async def test_a_crash_between_listing_and_deleting_is_made_good_at_the_next_start(world: World) -> None:
    session_id = await world.issue()
    listed = sqlite3.connect(world.root / "keys" / "erasures.db")
    listed.execute("INSERT INTO erasures (kind, id, erased_at) VALUES (1, ?, 0)", (session_id,))
    listed.commit()
    listed.close()
    assert await world.store.sessions.find("TOKEN") is not None
    SqliteVault(world.root / "keys", world.clock, os.urandom).close()
    assert await world.store.sessions.find("TOKEN") is None


async def test_a_key_erased_while_another_process_reads_is_remembered_and_goes_when_that_is_done(
    world: World, open_world: OpenWorld
) -> None:
    """The reader is a process of its own, as SQLite shares what connections of one process hold."""
    session_id = await world.issue()
    keys = world.root / "keys"
    (wrapped,) = vault_of(world.store)._reader.execute("SELECT wrapped FROM data_keys WHERE kind = 1").fetchone()
    reader = reading_process(keys / "keys.db")
    try:
        vault_of(world.store).erasures._patience = 0
        assert not await world.store.vault.erasures.destroy([Subject(Kind.SESSION, session_id)])
        assert not await world.store.vault.has(Subject(Kind.SESSION, session_id))
        assert wrapped in everything(keys)
        assert not await world.store.vault.erasures.is_clean()
        assert not await world.store.vault.erasures.is_clean()
        await world.issue("OTHER")  # nobody is held up
        assert (await world.store.sweeper.sweep(world.clock())).soiled
        beside = SqliteVault(keys, world.clock, os.urandom)  # as the next command or start: it still knows
        assert not await beside.erasures.is_clean()
        beside.close()
    finally:
        reader.communicate()
    assert not (await world.store.sweeper.sweep(world.clock())).soiled
    assert await world.store.vault.erasures.is_clean()
    assert wrapped not in everything(keys)


async def test_what_is_erased_while_the_log_is_emptied_is_not_taken_for_gone(world: World) -> None:
    """The number that is noted as clean is read before the log is emptied."""
    from renzheng.store import erasures

    connection = connect(world.root / "keys" / "keys.db", busy_timeout=1)
    erasures.soil(connection)
    real = erasures._try_to_truncate

    def another_erases_meanwhile(keys: sqlite3.Connection) -> bool:
        done = real(keys)
        erasures.soil(keys)
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(erasures, "_try_to_truncate", another_erases_meanwhile)
        assert erasures.truncate(connection, 0)
    assert erasures.is_soiled(connection)
    assert erasures.truncate(connection, 0)
    assert not erasures.is_soiled(connection)
    connection.close()


async def test_what_was_listed_is_noted_as_done_and_an_older_list_counts_from_its_beginning(world: World) -> None:
    session_id, other = await world.issue("ONE"), await world.issue("TWO")
    keys = world.root / "keys"
    await world.store.vault.erasures.destroy([Subject(Kind.SESSION, session_id)])
    connection = connect(keys / "keys.db", busy_timeout=1)
    listed = connect(keys / "erasures.db", busy_timeout=1)
    assert connection.execute("SELECT value FROM meta WHERE name = 'replayed'").fetchone() == (1,)
    # A list with one entry, beside keys that have seen five: it was put back from a backup.
    connection.execute("UPDATE meta SET value = 5 WHERE name = 'replayed'")
    listed.execute("UPDATE erasures SET id = ?", (other,))
    SqliteVault(keys, world.clock, os.urandom).close()
    assert not await world.store.vault.has(Subject(Kind.SESSION, other))
    assert connection.execute("SELECT value FROM meta WHERE name = 'replayed'").fetchone() == (1,)
    connection.close()
    listed.close()


async def test_old_entries_of_the_list_are_forgotten_but_for_the_newest(world: World) -> None:
    """The newest says how far the list has come."""
    erasures = world.store.vault.erasures
    for number in (1, 2, 3):
        await erasures.destroy([Subject(Kind.PERSON, number)])
        world.clock.now += 10
    assert await erasures.forget(world.clock.now - 25) == 1
    assert await erasures.forget(world.clock.now + 1) == 1
    listed = connect(world.root / "keys" / "erasures.db", busy_timeout=1)
    assert listed.execute("SELECT id FROM erasures").fetchall() == [(3,)]
    listed.close()


async def test_only_keys_made_before_a_time_are_searched_for_orphans(world: World) -> None:
    made = await world.issue()
    vault = vault_of(world.store)
    assert await vault.subjects(Kind.SESSION, 0, world.clock(), 10) == []
    assert await vault.subjects(Kind.SESSION, 0, world.clock() + 1, 10) == [Subject(Kind.SESSION, made)]
    assert await vault.subjects(Kind.SESSION, made, world.clock() + 1, 10) == []
    assert await vault.subjects(Kind.EVIDENCE, 0, world.clock() + 1, 10) == []


async def test_a_slower_process_does_not_take_back_that_the_log_was_emptied(world: World) -> None:
    from renzheng.store import erasures

    connection = connect(world.root / "keys" / "keys.db", busy_timeout=1)
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('log_soiled', 3), ('log_cleaned', 5)")
    assert erasures.truncate(connection, 0)
    assert connection.execute("SELECT value FROM meta WHERE name = 'log_cleaned'").fetchone() == (5,)
    connection.close()


async def test_what_takes_keys_away_asks_for_them_to_be_overwritten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for, as some builds of SQLite overwrite unasked, and this must not depend on the build."""
    from renzheng.store import erasures, sqlite_vault

    asked: list[tuple[str, bool]] = []

    def note(path: Path, *, busy_timeout: float, secure_delete: bool = False) -> sqlite3.Connection:
        asked.append((path.name, secure_delete))
        return connect(path, busy_timeout=busy_timeout, secure_delete=secure_delete)

    monkeypatch.setattr(erasures, "connect", note)
    monkeypatch.setattr(sqlite_vault, "connect", note)
    await world.store.vault.erasures.destroy([Subject(Kind.PERSON, 5)])
    assert asked == [("keys.db", True)]
    asked.clear()
    opened = SqliteVault(world.root / "keys", world.clock, os.urandom)
    assert ("keys.db", True) in asked[-1:]  # the writer, which is opened last
    asked.clear()
    opened.rotate()
    opened.close()
    assert asked == [("keys.db", True)]


async def test_a_start_empties_a_log_that_was_left_soiled(world: World) -> None:
    session_id = await world.issue()
    keys = world.root / "keys"
    (wrapped,) = vault_of(world.store)._reader.execute("SELECT wrapped FROM data_keys WHERE kind = 1").fetchone()
    reader = connect(keys / "keys.db", busy_timeout=1)
    reader.execute("BEGIN")
    reader.execute("SELECT 1 FROM data_keys").fetchall()
    vault_of(world.store).erasures._patience = 0
    assert not await world.store.vault.erasures.destroy([Subject(Kind.SESSION, session_id)], listed=False)
    reader.close()
    SqliteVault(keys, world.clock, os.urandom).close()
    assert await world.store.vault.erasures.is_clean()
    assert wrapped not in everything(keys)
