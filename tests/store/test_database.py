"""Group commit, the server's lock, the schema's history."""

from __future__ import annotations

import asyncio
import fcntl
import functools
import os
import sqlite3
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from renzheng.store import schema, surveys
from renzheng.store.engine import AwayError, DatabaseBusyError, StoppedError, StoreError, Transaction
from renzheng.store.locks import file_lock
from renzheng.store.migrations import HEAD
from renzheng.store.open import open_store
from renzheng.store.sqlite import Database, connect
from tests.support.stores import sqlite_of, vault_of

from .conftest import OpenWorld, World

pytestmark = pytest.mark.sqlite


async def add(tx: Transaction, name: str) -> int:
    return await tx.run("INSERT INTO meta VALUES (:name, '')", name=name)


async def test_a_failing_job_takes_no_other_of_its_transaction_along(world: World) -> None:
    async def good(tx: Transaction, number: int) -> int:
        await tx.run("INSERT INTO meta VALUES (:name, 'x')", name=f"good{number}")
        return number

    async def bad(tx: Transaction) -> int:
        await tx.run("INSERT INTO meta VALUES ('half', 'x')")
        raise ValueError("no")

    jobs = [world.store.database.write(functools.partial(good, number=n)) for n in range(5)]
    jobs.insert(2, world.store.database.write(bad))
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert [r for r in results if not isinstance(r, BaseException)] == [0, 1, 2, 3, 4]
    assert isinstance(results[2], ValueError)
    assert world.count("SELECT count(*) FROM meta WHERE name LIKE 'good%'") == 5
    assert world.count("SELECT count(*) FROM meta WHERE name = 'half'") == 0


async def test_writers_that_come_at_once_share_a_commit(world: World) -> None:
    class Counting:
        commits = 0

        def begin(self) -> None: ...
        def commit(self) -> None:
            self.commits += 1

        def rollback(self) -> None: ...

    counting = Counting()
    database = Database(sqlite_of(world.store).path, counting)
    try:
        await asyncio.gather(*(database.write(functools.partial(add, name=f"w{n}"), keys=True) for n in range(40)))
    finally:
        await database.stop()
    assert counting.commits == 1
    assert world.count("SELECT count(*) FROM meta WHERE name LIKE 'w%'") == 40


async def test_what_was_answered_is_seen_by_every_reader_and_what_was_not_is_by_none(world: World) -> None:
    other = connect(sqlite_of(world.store).path, busy_timeout=5)
    seen_inside: list[int] = []

    async def job(tx: Transaction) -> None:
        await tx.run("INSERT INTO meta VALUES ('a', 'x')")
        seen_inside.append(other.execute("SELECT count(*) FROM meta WHERE name = 'a'").fetchone()[0])

    await world.store.database.write(job)
    assert seen_inside == [0]
    assert other.execute("SELECT count(*) FROM meta WHERE name = 'a'").fetchone()[0] == 1
    other.close()


async def test_a_write_waits_for_another_process_and_the_loop_does_not(world: World) -> None:
    other = connect(sqlite_of(world.store).path, busy_timeout=5)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(world.issue())
    for _ in range(20):
        await asyncio.sleep(0.005)  # the loop turns while the write waits
    assert not write.done()
    other.execute("COMMIT")
    other.close()
    assert await write > 0


async def test_a_lock_that_is_never_released_ends_in_a_sentence(world: World) -> None:
    database = Database(sqlite_of(world.store).path, busy_timeout=0.05)
    other = connect(sqlite_of(world.store).path, busy_timeout=5)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(DatabaseBusyError, match="locked"):
            await database.write(lambda tx: tx.run("DELETE FROM meta"))
    finally:
        other.execute("ROLLBACK")
        other.close()
        await database.stop()


async def test_stopping_finishes_what_was_handed_in_and_takes_nothing_more(open_world: OpenWorld) -> None:
    world = await open_world()
    database = Database(sqlite_of(world.store).path)
    write = asyncio.create_task(database.write(lambda tx: tx.run("INSERT INTO meta VALUES ('last', 'x')")))
    await asyncio.sleep(0)
    await database.stop()
    assert await write == 1
    with pytest.raises(StoppedError):
        await database.write(lambda tx: tx.run("DELETE FROM meta"))


async def test_a_second_server_is_refused_and_a_command_is_not(open_world: OpenWorld) -> None:
    world = await open_world(serving=True)
    second = open_store(world.root / "data", world.root / "keys", world.clock, os.urandom)
    try:
        with pytest.raises(StoreError, match="another server"):
            await second.start()
        await second.start(serving=False)
        assert [account.name for account in await second.accounts.all()] == ["shop"]
    finally:
        await second.stop()
    with pytest.raises(StoreError, match="another server"):  # the one that stopped did not hold the lock
        await open_world(serving=True)


def test_the_head_that_a_start_compares_with_is_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_database_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "renzheng.db"
    schema.migrate(path)
    connection = connect(path, busy_timeout=1)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreError, match="newer renzheng"):
        schema.migrate(path)
    assert schema.revision(path) == "9999"


def test_a_migration_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "renzheng.db"
    connection = connect(path, busy_timeout=1)
    connection.execute("CREATE TABLE counters (already TEXT)")  # in the way of the last step
    with pytest.raises(Exception, match="counters"):
        schema.migrate(path)
    tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    connection.close()
    assert tables == [("counters",)]


class _Answers(sqlite3.Connection):
    """A connection of which one PRAGMA stays as it is, as SQLite leaves it where it cannot be had."""

    name = ""
    answer: object = None

    def execute(self, sql: str, *parameters: object) -> sqlite3.Cursor:
        if sql.startswith(f"PRAGMA {self.name}"):
            return super().execute("SELECT ?", (self.answer,))
        return super().execute(sql, *parameters)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "answer", "sentence"),
    [
        ("journal_mode", "delete", "journal_mode WAL; SQLite answers delete: its file system"),
        ("synchronous", 1, "synchronous FULL; SQLite answers 1"),
        ("foreign_keys", 0, "foreign_keys ON"),
        ("temp_store", 0, "temp_store MEMORY"),
        ("cache_size", -2000, "cache_size"),
        ("secure_delete", 0, "secure_delete ON; SQLite answers 0: this SQLite was built without overwriting"),
    ],
)
def test_what_sqlite_does_not_give_is_refused_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, answer: object, sentence: str
) -> None:
    real = sqlite3.connect
    factory = type("Answers", (_Answers,), {"name": name, "answer": answer})
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **given: real(*a, **given, factory=factory))
    with pytest.raises(StoreError, match=sentence):
        connect(tmp_path / "some.db", busy_timeout=1, secure_delete=True)


def test_every_connection_is_durable_and_checks_references(tmp_path: Path) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "temp_store": 2, "secure_delete": 1}
    connection = connect(tmp_path / "some.db", busy_timeout=1, secure_delete=True)
    assert {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in wanted} == wanted
    connection.close()


async def test_the_writers_of_records_and_keys_and_the_list_of_erasures_are_synced(world: World) -> None:
    store = world.store
    destroyer = vault_of(store).erasures._destroyer()
    connections = [sqlite_of(store)._writer, vault_of(store)._writer, destroyer]
    assert [c.execute("PRAGMA main.synchronous").fetchone()[0] for c in connections] == [2, 2, 2]
    assert destroyer.execute("PRAGMA listed.synchronous").fetchone()[0] == 2
    assert [c.execute("PRAGMA secure_delete").fetchone()[0] for c in (vault_of(store)._writer, destroyer)] == [1, 1]
    destroyer.close()


async def test_a_reader_can_change_nothing(world: World) -> None:
    with pytest.raises(AwayError, match="READONLY"):
        await world.store.database.one("DELETE FROM accounts")


async def test_a_write_whose_caller_has_left_is_not_carried_out(world: World) -> None:
    database = world.store.database
    left = asyncio.create_task(database.write(lambda tx: tx.run("INSERT INTO meta VALUES ('left', '')")))
    await asyncio.sleep(0)
    left.cancel()
    await asyncio.gather(left, return_exceptions=True)
    await database.write(lambda tx: tx.one("SELECT 1"))
    assert world.count("SELECT count(*) FROM meta WHERE name = 'left'") == 0


COUNT = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n LIMIT :most) SELECT count(*) FROM n"


async def test_others_are_served_while_a_survey_goes_over_many_rows(world: World) -> None:
    asked = asyncio.create_task(world.store.database.survey(COUNT, most=2_000_000))
    await asyncio.sleep(0)
    assert not asked.done()  # as one that is read on the loop is
    assert await world.store.database.one("SELECT 1") == (1,)
    assert not asked.done()
    assert await asked == [(2_000_000,)]


async def test_a_survey_sees_what_was_answered_and_changes_nothing(world: World) -> None:
    await world.store.database.write(functools.partial(add, name="seen"))
    assert await world.store.database.survey("SELECT value FROM meta WHERE name = :name", name="seen") == [("",)]
    with pytest.raises(AwayError, match="READONLY"):
        await world.store.database.survey("DELETE FROM meta")


async def test_a_survey_that_takes_too_long_ends_in_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert surveys.MAX_SECONDS <= 5
    monkeypatch.setattr(surveys, "MAX_SECONDS", 0.0)
    with pytest.raises(AwayError, match="takes more than 0 s"):
        await world.store.database.survey(COUNT, most=1 << 60)
    monkeypatch.setattr(surveys, "MAX_SECONDS", 5.0)
    assert await world.store.database.survey(COUNT, most=10) == [(10,)]


async def test_a_survey_under_way_holds_up_no_stop(open_world: OpenWorld) -> None:
    world = await open_world()
    asked = asyncio.create_task(world.store.database.survey(COUNT, most=1 << 60))
    for _ in range(1000):
        if sqlite_of(world.store)._surveys._until:  # it has begun
            break
        await asyncio.sleep(0.01)
    await world.store.stop()
    with pytest.raises(AwayError):
        await asked


def test_a_lock_file_is_held_by_one_at_a_time(tmp_path: Path) -> None:
    with file_lock(tmp_path / "lock"):
        descriptor = os.open(tmp_path / "lock", os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(descriptor)
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


async def test_a_disk_that_fails_is_away_and_not_the_statements_fault(tmp_path: Path) -> None:
    database = Database(tmp_path / "things.db")
    failed = sqlite3.OperationalError("disk I/O error")
    failed.sqlite_errorcode = sqlite3.SQLITE_IOERR
    failed.sqlite_errorname = "SQLITE_IOERR"

    async def fail(_: Transaction) -> None:
        raise failed

    with pytest.raises(AwayError, match="SQLITE_IOERR"):
        await database.write(fail)
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await database.one("SELECT 1 FROM missing")
    await database.stop()
