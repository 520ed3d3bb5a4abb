"""Sealed at rest: keys apart from the data, erasure by destroying a key, refusals that save an operator."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.store.engine import ConflictError, StoreError
from renzheng.store.identities import NewPerson
from renzheng.store.keyring import KeysRefusedError
from renzheng.store.open import open_store
from renzheng.store.sealer import DamagedError, ErasedError, Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.store.sqlite_vault import SqliteVault
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.records import Tombstone
from tests.support.stores import sqlite_of, vault_of

from .conftest import ID_CARD, NAME, PHOTO, OpenWorld, World, jpeg

pytestmark = pytest.mark.sqlite


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def whole_verification(world: World) -> int:
    session_id = await world.hand_in(photo=PHOTO)
    await world.store.sessions.keep_video(session_id, b"MARKEDVIDEO" * 100)
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    measurement = '{"MARKEDMEASUREMENT": 1}'
    assert await world.store.sessions.record_verdict(
        session_id, job.epoch, Verdict(PASSED, 80.0), measurement, 1, world.clock()
    )
    return session_id


async def test_no_name_number_key_or_face_is_found_in_the_clear(world: World) -> None:
    await whole_verification(world)
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    await world.store.identities.add(world.account.id, NewPerson(ID_CARD, NAME, PHOTO))
    stored = everything(world.root)
    assert (world.root / "data" / "renzheng.db-wal").stat().st_size > 0  # the log is among what is searched
    secrets = [NAME, ID_CARD, key.secret_key, "TOKEN", "MARKEDEXTRA", "MARKEDPHOTO", "MARKEDFRAME", "MARKEDVIDEO"]
    for marked in (*secrets, "MARKEDMEASUREMENT"):
        assert marked.encode() not in stored, marked
    assert jpeg(1)[:40] not in stored
    master = bytes.fromhex((world.root / "keys" / "master-1.key").read_text())
    data = everything(world.root / "data")
    assert master not in data
    for (wrapped,) in vault_of(world.store)._reader.execute("SELECT wrapped FROM data_keys"):
        assert wrapped not in data


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


async def test_a_blob_opens_only_under_its_own_subject_and_field(world: World) -> None:
    one, two = (world.store.vault.draw(Subject(Kind.SESSION, number)) for number in (1, 2))
    sealed = one.seal("name", b"content")
    assert one.open("name", sealed) == b"content"
    changed = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for sealer, field, blob in (
        (one, "photo", sealed),
        (two, "name", sealed),
        (one, "name", changed),
        (one, "name", b"short"),
    ):
        with pytest.raises(DamagedError):
            sealer.open(field, blob)


async def test_look_ups_are_keyed_and_told_apart_by_purpose(world: World, open_world: OpenWorld) -> None:
    other = await open_world("two")
    assert world.store.vault.digest("token", "A") == world.store.vault.digest("token", "A")
    assert world.store.vault.digest("token", "A") != world.store.vault.digest("device", "A")
    assert world.store.vault.digest("token", "A") != other.store.vault.digest("token", "A")


async def test_rotation_keeps_everything_readable_beside_a_running_store(world: World) -> None:
    session_id = await world.capture()
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    rotating = SqliteVault(world.root / "keys", world.clock, os.urandom)
    assert rotating.rotate(chunk=2) >= 4
    rotating.close()
    assert sorted(path.name for path in (world.root / "keys").glob("master-*")) == ["master-2.key"]
    # The store that was open all along reads the old rows and seals new ones under the new key.
    assert len(await world.store.sessions.frames(session_id, 1)) == 3
    assert (await world.store.accounts.key(world.account.id, key.secret_id)).secret_key == key.secret_key
    assert await world.issue("AFTER")
    assert await world.store.sessions.find("AFTER") is not None
    assert vault_of(world.store)._reader.execute("SELECT DISTINCT master FROM data_keys").fetchall() == [(2,)]
    token = world.store.vault.digest("token", "AFTER")
    again = SqliteVault(world.root / "keys", world.clock, os.urandom)
    assert again.digest("token", "AFTER") == token
    again.close()


@pytest.mark.parametrize(("name", "mode"), [("", 0o750), ("master-1.key", 0o640), ("keys.db", 0o604)])
async def test_keys_that_others_can_reach_are_refused_with_a_sentence(
    open_world: OpenWorld, name: str, mode: int
) -> None:
    world = await open_world()
    path = world.root / "keys" / name
    path.chmod(mode)
    with pytest.raises(KeysRefusedError, match=r"group or others can reach the keys; run: chmod [67]00"):
        open_store(world.root / "data", world.root / "keys", time.time, os.urandom)


async def test_all_files_are_the_owners_alone(world: World) -> None:
    await whole_verification(world)
    for path in (world.root / "data", world.root / "keys", *world.root.rglob("*/*")):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_lost_master_key_is_refused_and_not_replaced(world: World) -> None:
    master = world.root / "keys" / "master-1.key"
    master.unlink()
    with pytest.raises(KeysRefusedError, match="no master key"):
        open_store(world.root / "data", world.root / "keys", time.time, os.urandom)
    assert not master.exists()


async def test_records_without_their_keys_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(KeysRefusedError, match="has no keys for them"):
        open_store(world.root / "data", tmp_path / "empty", time.time, os.urandom)
    assert not (tmp_path / "empty").exists()
    SqliteVault(tmp_path / "foreign", time.time, os.urandom).close()
    with pytest.raises(KeysRefusedError, match="not the one that"):
        open_store(world.root / "data", tmp_path / "foreign", time.time, os.urandom)


@pytest.mark.parametrize(("data", "keys"), [("a", "a/keys"), ("a/data", "a"), ("a", "a")])
def test_keys_and_data_inside_each_other_are_refused(tmp_path: Path, data: str, keys: str) -> None:
    with pytest.raises(StoreError, match="inside each other"):
        open_store(tmp_path / data, tmp_path / keys, time.time, os.urandom)
    assert list(tmp_path.iterdir()) == []


async def test_a_crash_between_keys_and_records_loses_no_key_of_an_acknowledged_token(world: World) -> None:
    """The keys are committed first: a copy of both folders at that moment has the key and not yet the record."""
    keys_then: list[int] = []
    vault, session_ids = vault_of(world.store), []
    real_commit = vault.commit

    def commit() -> None:
        real_commit()
        reader = sqlite3.connect(sqlite_of(world.store).path)
        keys_then.append(reader.execute("SELECT count(*) FROM sessions").fetchone()[0])
        reader.close()
        raise OSError("the power went out")

    vault.commit = commit  # type: ignore[method-assign]
    with pytest.raises(OSError, match="power"):
        await world.issue("LOST")
    vault.commit = real_commit  # type: ignore[method-assign]
    assert keys_then == [0]
    assert world.count("SELECT count(*) FROM sessions") == 0  # not acknowledged, not there
    assert len(await vault.subjects(Kind.SESSION, 0, world.clock() + 1, 10)) == 1  # an orphan, which the sweeper finds
    session_ids.append(await world.issue("NEXT"))
    assert await world.store.sessions.find("NEXT") is not None


def reading_process(path: Path) -> subprocess.Popen[bytes]:
    """Another process that reads until its standard input ends."""
    reading = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN');"
        "c.execute('SELECT count(*) FROM data_keys').fetchone(); print('reading', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen([sys.executable, "-c", reading, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"reading\n"
    return reader


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


async def test_a_rotation_leaves_no_key_wrapped_under_the_old_master_in_the_log(world: World) -> None:
    await world.issue()
    before = [row[0] for row in vault_of(world.store)._reader.execute("SELECT wrapped FROM data_keys").fetchall()]
    rotating = SqliteVault(world.root / "keys", world.clock, os.urandom)
    rotating.rotate()
    rotating.close()
    kept = everything(world.root / "keys")
    assert not [wrapped for wrapped in before if wrapped in kept]
    assert await world.store.vault.erasures.is_clean()


async def test_a_rotation_that_others_hold_up_keeps_the_old_master_key(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from renzheng.store import sqlite_vault

    monkeypatch.setattr(sqlite_vault, "ROTATION_PATIENCE", 0)
    reader = connect(world.root / "keys" / "keys.db", busy_timeout=1)
    reader.execute("BEGIN")
    reader.execute("SELECT 1 FROM data_keys").fetchall()
    with pytest.raises(StoreError, match="rotate again"):
        world.store.vault.rotate()
    assert len(list((world.root / "keys").glob("master-*"))) == 2
    assert not await world.store.vault.erasures.is_clean()
    reader.close()
    world.store.vault.rotate()
    assert [path.name for path in (world.root / "keys").glob("master-*")] == ["master-3.key"]


async def test_a_wrapped_key_opens_only_for_its_own_subject(world: World) -> None:
    """Else whoever can write keys.db could give one subject's key to another."""
    one, two = await world.issue("ONE"), await world.issue("TWO")
    keys = connect(world.root / "keys" / "keys.db", busy_timeout=1)
    keys.execute(
        "UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE kind = 1 AND id = ?)"
        " WHERE kind = 1 AND id = ?",
        (one, two),
    )
    with pytest.raises(KeysRefusedError, match="not a pair"):
        (await world.store.vault.of(Subject(Kind.SESSION, two)))
    keys.execute("UPDATE data_keys SET kind = 2 WHERE kind = 1 AND id = ?", (one,))
    with pytest.raises(KeysRefusedError, match="not a pair"):
        (await world.store.vault.of(Subject(Kind.EVIDENCE, one)))
    keys.close()


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


async def test_a_key_that_exists_is_kept_and_another_is_refused(world: World) -> None:
    """What was sealed with the other one would never open."""
    vault, subject = world.store.vault, Subject(Kind.PERSON, 5)
    first, second = vault.draw(subject), vault.draw(subject)
    for _ in range(2):
        await world.store.database.write(lambda _: vault.keep(first), keys=True)
    with pytest.raises(ConflictError, match="another data key"):
        await world.store.database.write(lambda _: vault.keep(second), keys=True)
    assert (await vault.of(subject)).open("field", first.seal("field", b"content")) == b"content"


async def test_a_key_made_after_another_process_rotated_is_wrapped_under_the_new_master(world: World) -> None:
    rotating = SqliteVault(world.root / "keys", world.clock, os.urandom)
    rotating.rotate()
    await world.issue()
    assert vault_of(world.store)._reader.execute("SELECT DISTINCT master FROM data_keys").fetchall() == [(2,)]
    rotating.rotate()
    rotating.close()
    assert await world.store.sessions.find("TOKEN") is not None


@pytest.mark.parametrize("content", ["", "zz" * 32, "ab" * 31, "ab" * 33])
async def test_a_damaged_master_key_is_refused(world: World, content: str) -> None:
    (world.root / "keys" / "master-1.key").write_text(content)
    with pytest.raises(KeysRefusedError, match="is damaged"):
        SqliteVault(world.root / "keys", world.clock, os.urandom)


async def test_two_rotations_do_not_run_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from renzheng.store import keyring, sqlite_vault, vault

    held: list[Path] = []

    @contextlib.contextmanager
    def lock(path: Path) -> Iterator[None]:
        held.append(path)
        yield
        assert len(list((world.root / "keys").glob("master-*"))) == 1  # the old one is gone before others may begin
        held.pop()

    monkeypatch.setattr(sqlite_vault, "file_lock", lock)
    monkeypatch.setattr(vault, "make_master", lambda *given: (held[0], keyring.make_master(*given))[1])
    world.store.vault.rotate()
    assert held == []


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
