"""Sealed at rest: keys apart from the data, erasure by destroying a key, refusals that save an operator."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from pathlib import Path

import pytest

from renzheng.store.database import StoreError
from renzheng.store.identities import NewPerson
from renzheng.store.keyring import KeysRefused
from renzheng.store.open import open_store
from renzheng.store.sealer import Damaged, Erased, Kind, Subject
from renzheng.store.vault import Vault
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.records import Gone

from .conftest import ID_CARD, NAME, PHOTO, OpenWorld, World, jpeg


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
    for (wrapped,) in world.store.vault._reader.execute("SELECT wrapped FROM data_keys"):
        assert wrapped not in data


async def test_after_its_key_is_destroyed_nothing_of_a_session_opens(world: World) -> None:
    session_id = await whole_verification(world)
    keys = [Subject(kind, session_id) for kind in (Kind.SESSION, Kind.EVIDENCE)]
    wrapped = [row[0] for row in world.store.vault._reader.execute("SELECT wrapped FROM data_keys WHERE kind < 3")]
    await world.store.vault.erasures.destroy(keys)
    sessions = world.store.sessions
    assert await sessions.find("TOKEN") is None
    assert isinstance(await sessions.result(world.account.id, "TOKEN"), Gone)
    assert await sessions.frames(session_id, 1) == []
    assert await sessions.frame(session_id, 1, 1) is None
    assert await sessions.photo(session_id) is None
    assert await sessions.video(session_id) is None
    assert await sessions.measurement(session_id) is None
    for subject in keys:
        with pytest.raises(Erased):
            world.store.vault.of(subject)
    kept = everything(world.root / "keys")  # the log too: the key's old bytes are nowhere
    gone = [key for key in wrapped if key not in kept]
    assert len(gone) == 2


async def test_a_key_destroyed_by_another_process_opens_nothing_from_then_on(world: World) -> None:
    session_id = await world.issue()
    other = Vault(world.root / "keys", world.clock, os.urandom)
    await other.erasures.destroy([Subject(Kind.SESSION, session_id)])
    other.close()
    assert await world.store.sessions.find("TOKEN") is None


async def test_keys_restored_from_an_older_backup_stay_erased(open_world: OpenWorld, tmp_path: Path) -> None:
    world = await open_world()
    kept, erased = await world.issue("KEPT"), await world.issue("ERASED")
    await world.store.stop()
    shutil.copy(world.root / "keys" / "keys.db", tmp_path / "backup.db")
    vault = Vault(world.root / "keys", world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, erased)])
    vault.close()
    shutil.copy(tmp_path / "backup.db", world.root / "keys" / "keys.db")
    restored = Vault(world.root / "keys", world.clock, os.urandom)
    assert restored.has(Subject(Kind.SESSION, kept))
    with pytest.raises(Erased):
        restored.of(Subject(Kind.SESSION, erased))
    restored.close()


async def test_a_whole_keys_folder_from_an_older_backup_replays_a_newer_list(
    open_world: OpenWorld, tmp_path: Path
) -> None:
    world = await open_world()
    ids = [await world.issue(token) for token in "ABC"]
    await world.store.stop()
    keys, backup, newer = world.root / "keys", tmp_path / "backup", tmp_path / "newer.db"
    shutil.copytree(keys, backup)
    vault = Vault(keys, world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, ids[0])])
    vault.close()
    shutil.copy(keys / "erasures.db", newer)
    shutil.rmtree(keys)
    shutil.copytree(backup, keys)
    restored = Vault(keys, world.clock, os.urandom)
    assert restored.has(Subject(Kind.SESSION, ids[0]))
    await restored.erasures.replay(newer)
    await restored.erasures.replay(newer)
    assert [restored.has(Subject(Kind.SESSION, number)) for number in ids] == [False, True, True]
    restored.close()


async def test_an_older_list_beside_newer_keys_hides_no_later_erasure(open_world: OpenWorld, tmp_path: Path) -> None:
    world = await open_world()
    ids = [await world.issue(token) for token in "ABC"]
    await world.store.stop()
    keys = world.root / "keys"
    shutil.copy(keys / "erasures.db", tmp_path / "older.db")
    vault = Vault(keys, world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, number) for number in ids[:2]])
    vault.close()
    shutil.copy(tmp_path / "older.db", keys / "erasures.db")
    vault = Vault(keys, world.clock, os.urandom)
    await vault.erasures.destroy([Subject(Kind.SESSION, ids[2])])
    assert [vault.has(Subject(Kind.SESSION, number)) for number in ids] == [False, False, False]
    vault.close()


async def test_the_list_of_erasures_holds_what_was_asked_for_and_not_what_has_run_out(world: World) -> None:
    session_id = await whole_verification(world)
    person = await world.store.identities.add(world.account.id, NewPerson(ID_CARD, NAME, None))
    await world.store.identities.remove(world.account.id, ID_CARD)
    await world.store.sweeper.sweep(world.clock() + 40 * 86400)
    assert not world.store.vault.has(Subject(Kind.SESSION, session_id))
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
    Vault(world.root / "keys", world.clock, os.urandom).close()
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
        with pytest.raises(Damaged):
            sealer.open(field, blob)


async def test_look_ups_are_keyed_and_told_apart_by_purpose(world: World, open_world: OpenWorld) -> None:
    other = await open_world("two")
    assert world.store.vault.digest("token", "A") == world.store.vault.digest("token", "A")
    assert world.store.vault.digest("token", "A") != world.store.vault.digest("device", "A")
    assert world.store.vault.digest("token", "A") != other.store.vault.digest("token", "A")


async def test_rotation_keeps_everything_readable_beside_a_running_store(world: World) -> None:
    session_id = await world.capture()
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    rotating = Vault(world.root / "keys", world.clock, os.urandom)
    assert rotating.rotate(chunk=2) >= 4
    rotating.close()
    assert sorted(path.name for path in (world.root / "keys").glob("master-*")) == ["master-2.key"]
    # The store that was open all along reads the old rows and seals new ones under the new key.
    assert len(await world.store.sessions.frames(session_id, 1)) == 3
    assert (await world.store.accounts.key(world.account.id, key.secret_id)).secret_key == key.secret_key
    assert await world.issue("AFTER")
    assert await world.store.sessions.find("AFTER") is not None
    assert world.store.vault._reader.execute("SELECT DISTINCT master FROM data_keys").fetchall() == [(2,)]
    token = world.store.vault.digest("token", "AFTER")
    again = Vault(world.root / "keys", world.clock, os.urandom)
    assert again.digest("token", "AFTER") == token
    again.close()


@pytest.mark.parametrize(("name", "mode"), [("", 0o750), ("master-1.key", 0o640), ("keys.db", 0o604)])
async def test_keys_that_others_can_reach_are_refused_with_a_sentence(
    open_world: OpenWorld, name: str, mode: int
) -> None:
    world = await open_world()
    path = world.root / "keys" / name
    path.chmod(mode)
    with pytest.raises(KeysRefused, match=r"group or others can reach the keys; run: chmod [67]00"):
        open_store(world.root / "data", world.root / "keys", time.time, os.urandom)


async def test_all_files_are_the_owners_alone(world: World) -> None:
    await whole_verification(world)
    for path in (world.root / "data", world.root / "keys", *world.root.rglob("*/*")):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_lost_master_key_is_refused_and_not_replaced(world: World) -> None:
    master = world.root / "keys" / "master-1.key"
    master.unlink()
    with pytest.raises(KeysRefused, match="no master key"):
        open_store(world.root / "data", world.root / "keys", time.time, os.urandom)
    assert not master.exists()


async def test_records_without_their_keys_are_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(KeysRefused, match="has no keys for them"):
        open_store(world.root / "data", tmp_path / "empty", time.time, os.urandom)
    assert not (tmp_path / "empty").exists()
    Vault(tmp_path / "foreign", time.time, os.urandom).close()
    with pytest.raises(KeysRefused, match="not the one that"):
        open_store(world.root / "data", tmp_path / "foreign", time.time, os.urandom)


@pytest.mark.parametrize(("data", "keys"), [("a", "a/keys"), ("a/data", "a"), ("a", "a")])
def test_keys_and_data_inside_each_other_are_refused(tmp_path: Path, data: str, keys: str) -> None:
    with pytest.raises(StoreError, match="inside each other"):
        open_store(tmp_path / data, tmp_path / keys, time.time, os.urandom)
    assert list(tmp_path.iterdir()) == []


async def test_a_crash_between_keys_and_records_loses_no_key_of_an_acknowledged_token(world: World) -> None:
    """The keys are committed first: a copy of both folders at that moment has the key and not yet the record."""
    keys_then: list[int] = []
    vault, session_ids = world.store.vault, []
    real_commit = vault.commit

    def commit() -> None:
        real_commit()
        reader = sqlite3.connect(world.store.database.path)
        keys_then.append(reader.execute("SELECT count(*) FROM sessions").fetchone()[0])
        reader.close()
        raise OSError("the power went out")

    vault.commit = commit  # type: ignore[method-assign]
    with pytest.raises(OSError, match="power"):
        await world.issue("LOST")
    vault.commit = real_commit  # type: ignore[method-assign]
    assert keys_then == [0]
    assert world.count("SELECT count(*) FROM sessions") == 0  # not acknowledged, not there
    assert len(vault.subjects(Kind.SESSION, 0, world.clock() + 1, 10)) == 1  # an orphan, which the sweeper finds
    session_ids.append(await world.issue("NEXT"))
    assert await world.store.sessions.find("NEXT") is not None
