"""Rotating the master key, and master keys that cannot be used."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renzheng.store.engine import StoreError
from renzheng.store.keyring import KeysRefusedError
from renzheng.store.open import open_store
from renzheng.store.sqlite import connect
from renzheng.store.sqlite_vault import SqliteVault
from tests.support.stores import vault_of

from .conftest import World
from .sealed import everything

pytestmark = pytest.mark.sqlite


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


async def test_a_lost_master_key_is_refused_and_not_replaced(world: World) -> None:
    master = world.root / "keys" / "master-1.key"
    master.unlink()
    with pytest.raises(KeysRefusedError, match="no master key"):
        open_store(world.root / "data", world.root / "keys", time.time, os.urandom)
    assert not master.exists()


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
