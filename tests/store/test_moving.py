"""A filled installation on SQLite moves to PostgreSQL, where it verifies, erases and answers as before."""

from __future__ import annotations

import contextlib
import json
import os
import re
from pathlib import Path
from typing import Any

import psycopg
import pytest

from renzheng.cli.account import app as account_app
from renzheng.cli.audit import app as audit_app
from renzheng.cli.key import app as key_app
from renzheng.cli.store import app
from renzheng.cli.vault import app as vault_app
from renzheng.store import moving, table_copy
from renzheng.store.engine import StoreError
from renzheng.store.engines import PostgresPlace, StoreLocation
from renzheng.store.identities import NewPerson
from renzheng.store.locks import ServerLock
from renzheng.store.open import open_store
from renzheng.store.sealer import ErasedError, Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.store.table_copy import RowDigest
from renzheng.verification.decision import PASSED, Verdict
from tests.support.postgres import cluster

from .commands import run
from .conftest import ID_CARD, NAME, PHOTO, OpenWorld, World, jpeg

pytestmark = pytest.mark.sqlite


async def fill(world: World) -> dict[str, int]:
    """A session of each state, a person, a person erased, an account that is gone, keys, rules, calls."""
    store, now = world.store, world.clock()
    ids = {"issued": await world.issue("ISSUED", photo=PHOTO), "capturing": await world.capture("CAPTURING")}
    ids["judged"] = await world.hand_in("JUDGED", photo=PHOTO)
    job = await store.sessions.claim_judging(now, 15)
    assert job is not None
    assert await store.sessions.record_verdict(job.session.id, job.epoch, Verdict(PASSED, 80.0), '{"a": 1}', 1, now)
    ids["judging"] = await world.hand_in("JUDGING")
    ids["erased"] = await world.issue("ERASED")
    await store.vault.erasures.destroy([Subject(Kind.SESSION, ids["erased"])])
    await store.identities.add(world.account.id, NewPerson(ID_CARD, NAME, PHOTO))
    await store.identities.add(world.account.id, NewPerson("11010519491231002X", NAME, PHOTO))
    await store.identities.remove(world.account.id, "11010519491231002X")
    await store.accounts.create_key(world.account.id, now)
    return ids


def place_of(world: World) -> StoreLocation:
    return StoreLocation(world.root / "data", world.root / "keys", world.clock, os.urandom, 0.1, adopt=False)


def empty() -> PostgresPlace:
    return PostgresPlace(cluster().create(), cluster().create())


async def test_all_of_it_arrives_and_goes_on_there(open_world: OpenWorld) -> None:
    world = await open_world()
    ids = await fill(world)
    kept = await world.store.vault.count()
    secret = (await world.store.accounts.list_keys(None))[0]
    await world.store.stop()
    where = empty()
    moved = moving.move(place_of(world), where, actor="test")
    assert moved.keys == kept
    assert moved.signed > 2
    assert moved.changed == 0
    counted = {table.name: table.rows for table in moved.tables}
    assert counted["sessions"] == 5
    assert counted["keys: erasures"] == 2
    assert len(moved.tables) == len(counted) > 30

    with pytest.raises(StoreError, match="were moved to PostgreSQL"):
        open_store(world.root / "data", world.root / "keys", world.clock, os.urandom)
    store = open_store(world.root / "data", world.root / "keys", world.clock, os.urandom, postgres=where)
    await store.start()
    try:
        after = World(world.root, world.clock, store, world.account, where)
        # what was there is there
        assert store.keys.find(secret.secret_id) is not None
        result = await store.sessions.result(world.account.id, "JUDGED")
        assert getattr(result, "verdict", None) is not None
        assert await store.sessions.photo(ids["judged"]) == PHOTO
        assert await store.sessions.frame(ids["judged"], 1, 1) == jpeg(1)
        assert await store.sessions.find("ERASED") is None
        assert (await store.identities.find(world.account.id, ID_CARD)) is not None
        # a verification that had begun ends, and a new one begins behind the numbers of before
        job = await store.sessions.claim_judging(world.clock(), 15)
        assert job is not None
        assert job.session.id == ids["judging"]
        assert await store.sessions.record_verdict(
            job.session.id, job.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock()
        )
        assert await after.hand_in("NEW") > max(ids.values())
        assert (await store.accounts.create("second", world.clock())).id == world.account.id + 1
        # and erasing erases
        assert await store.vault.erasures.destroy([Subject(Kind.SESSION, ids["judged"])])
        with pytest.raises(ErasedError):
            await store.vault.of(Subject(Kind.SESSION, ids["judged"]))
        assert store.authenticity.found["verdicts"] == set()
    finally:
        await store.stop()


async def test_what_does_not_arrive_is_noticed_and_nothing_is_left_half_done(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row goes missing on the way: both sides stay as they were, and the next copy says what it finds."""
    world = await open_world()
    await fill(world)
    await world.store.stop()
    given, where = place_of(world), empty()
    add = RowDigest.add
    spoiled = [b"\xff\xd8\xff" * 9]

    def lose(self: RowDigest, row: tuple[Any, ...]) -> None:
        add(self, (*row[:-1], spoiled.pop()) if spoiled and len(row) == 4 else row)

    monkeypatch.setattr(table_copy.RowDigest, "add", lose)
    with pytest.raises(StoreError, match="not the same on both sides"):
        moving.move(given, where, actor="test")
    monkeypatch.undo()
    with pytest.raises(StoreError, match=r"did not end.*--replace"):
        moving.move(given, where, actor="test")
    with pytest.raises(StoreError, match=r"did not end.*--replace"):
        open_store(given.data, given.keys, world.clock, os.urandom, postgres=where)
    store = open_store(given.data, given.keys, world.clock, os.urandom)  # SQLite serves on
    await store.stop()
    moved = moving.move(given, where, actor="test", replace=True)
    assert moved.keys > 0
    with pytest.raises(StoreError, match="not empty"):
        moving.move(given, where, actor="test", replace=True)


@pytest.mark.parametrize("step", ["_open_all", "_check_signatures", "_leave", "_release"])
async def test_a_copy_that_is_cut_at_any_step_is_made_again(
    open_world: OpenWorld, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Before the keys are committed, before the records are, before SQLite is left, before PostgreSQL is released."""
    world = await open_world()
    await world.issue()
    await world.store.stop()
    given, where = place_of(world), empty()

    def cut(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(moving, step, cut)
        with pytest.raises(KeyboardInterrupt):
            moving.move(given, where, actor="test")
    with pytest.raises(StoreError, match="--replace"):
        open_store(given.data, given.keys, world.clock, os.urandom, postgres=where)
    moving.move(given, where, actor="test", replace=True)
    store = open_store(given.data, given.keys, world.clock, os.urandom, postgres=where)
    await store.start()
    assert await store.sessions.find("TOKEN") is not None
    await store.stop()


async def test_who_works_on_sqlite_is_waited_out(open_world: OpenWorld) -> None:
    world = await open_world()
    await world.store.stop()
    given, where = place_of(world), empty()
    lock = ServerLock(given.data / "server.lock")
    lock.acquire()
    with pytest.raises(StoreError, match="another server"):
        moving.move(given, where, actor="test")
    lock.release()
    with contextlib.closing(connect(given.data / "renzheng.db", busy_timeout=1)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="another command is writing"):
            moving.move(given, where, actor="test")
    world.force(
        "INSERT INTO nodes (id, kind, name, evidence, started_at, seen_at) VALUES (1, 'judge', 'box:7', '', 0, ?)",
        world.clock() - 3,
    )
    with pytest.raises(StoreError, match="box:7 still works on these records"):
        moving.move(given, where, actor="test")
    world.clock.now += 60  # it was killed, and said nothing
    with psycopg.connect(where.records, autocommit=True) as other:
        other.execute("CREATE TABLE diary (day date)")
    with pytest.raises(StoreError, match=r"not empty \(it has diary\)"):
        moving.move(given, where, actor="test", replace=True)


def test_a_tally_tells_types_values_and_counts_apart() -> None:
    rows: list[tuple[Any, ...]] = [(1, "a", None), (1.0, "a", None), ("1", "a", None), (1, b"a", None), (1, "a", 0)]
    digests = {RowDigest().add_all([row]).of("t").digest for row in rows}
    assert len(digests) == len(rows)
    assert RowDigest().add_all(rows).of("t") == RowDigest().add_all(reversed(rows)).of("t")
    assert RowDigest().add_all(rows * 2).of("t") != RowDigest().add_all(rows).of("t")


def test_an_operator_moves_looks_and_removes_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    monkeypatch.setenv("RENZHENG_DATA_DIR", str(data))
    monkeypatch.setenv("RENZHENG_KEYS_DIR", str(keys))
    run(account_app, "create", "shop")
    made = json.loads(run(key_app, "create", "--json"))
    assert "two databases of PostgreSQL" in run(app, "copy", code=1)
    where = empty()
    monkeypatch.setenv("RENZHENG_DATABASE_URL", where.records)
    monkeypatch.setenv("RENZHENG_KEYS_URL", where.keys)
    assert "no records that were moved" in run(app, "discard", code=1)
    moved = run(app, "copy")
    assert f"Evidence stays where it is: {data / 'evidence'}" in moved
    assert re.search(r"^accounts +1 rows  [0-9a-f]{32}$", moved, re.MULTILINE)
    assert "not empty" in run(app, "copy", code=1)
    assert json.loads(run(key_app, "show", "--json"))["secret_key"] == made["secret_key"]
    assert "renzheng store discard" in run(vault_app, "status")
    with monkeypatch.context() as without:
        without.setenv("RENZHENG_DATABASE_URL", "")
        without.setenv("RENZHENG_KEYS_URL", "")
        assert "were moved" in run(key_app, "list", code=1)
        assert "--yes" in run(app, "reopen", code=2)
        assert "in use again" in run(app, "reopen", "--yes")
        assert made["secret_id"] in run(key_app, "list")
    assert "no records that were moved" in run(app, "discard", code=1), "they are in use again"


def test_what_is_left_is_removed_with_its_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, keys = tmp_path / "data", tmp_path / "keys"
    monkeypatch.setenv("RENZHENG_DATA_DIR", str(data))
    monkeypatch.setenv("RENZHENG_KEYS_DIR", str(keys))
    run(account_app, "create", "shop")
    where = empty()
    monkeypatch.setenv("RENZHENG_DATABASE_URL", where.records)
    monkeypatch.setenv("RENZHENG_KEYS_URL", where.keys)
    run(app, "copy")
    other = empty()
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("RENZHENG_DATABASE_URL", other.records)
        elsewhere.setenv("RENZHENG_KEYS_URL", other.keys)
        assert "other keys" in run(app, "discard", code=1)
    assert (keys / "keys.db").exists()
    assert set(json.loads(run(app, "discard", "--json"))["removed"]) >= {
        str(keys / "keys.db"),
        str(data / "renzheng.db"),
    }
    assert {path.name for path in keys.iterdir()} == {"master-1.key", "lock"}
    assert "shop" in run(account_app, "list")
    assert "files of before" in run(audit_app, "list")
