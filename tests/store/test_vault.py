"""Sealed at rest: keys apart from the data, and refusals that save an operator."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

import pytest

from renzheng.store.engine import ConflictError, StoreError
from renzheng.store.identities import NewPerson
from renzheng.store.keyring import KeysRefusedError
from renzheng.store.open import open_store
from renzheng.store.sealer import DamagedError, Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.store.sqlite_vault import SqliteVault
from tests.support.stores import sqlite_of, vault_of

from .conftest import ID_CARD, NAME, PHOTO, OpenWorld, World, jpeg
from .sealed import everything, whole_verification

pytestmark = pytest.mark.sqlite


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


async def test_a_key_that_exists_is_kept_and_another_is_refused(world: World) -> None:
    """What was sealed with the other one would never open."""
    vault, subject = world.store.vault, Subject(Kind.PERSON, 5)
    first, second = vault.draw(subject), vault.draw(subject)
    for _ in range(2):
        await world.store.database.write(lambda _: vault.keep(first), keys=True)
    with pytest.raises(ConflictError, match="another data key"):
        await world.store.database.write(lambda _: vault.keep(second), keys=True)
    assert (await vault.of(subject)).open("field", first.seal("field", b"content")) == b"content"
