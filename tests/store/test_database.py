"""Group commit, the server's lock, the schema's history."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from renzheng.store import schema
from renzheng.store.database import Busy, Database, Stopped, StoreError, connect
from renzheng.store.migrations import HEAD
from renzheng.store.open import open_store

from .conftest import OpenWorld, World


async def test_a_failing_job_takes_no_other_of_its_transaction_along(world: World) -> None:
    def good(connection: sqlite3.Connection, number: int) -> int:
        connection.execute("INSERT INTO meta VALUES (?, 'x')", (f"good{number}",))
        return number

    def bad(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('half', 'x')")
        raise ValueError("no")

    jobs = [world.store.database.write(lambda c, n=n: good(c, n)) for n in range(5)]  # type: ignore[misc]
    jobs.insert(2, world.store.database.write(bad))  # type: ignore[arg-type]
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
    database = Database(world.store.database.path, counting)
    try:
        await asyncio.gather(
            *(
                database.write(lambda c, n=n: c.execute("INSERT INTO meta VALUES (?, '')", (f"w{n}",)), keys=True)  # type: ignore[misc]
                for n in range(40)
            )
        )
    finally:
        await database.stop()
    assert counting.commits == 1
    assert world.count("SELECT count(*) FROM meta WHERE name LIKE 'w%'") == 40


async def test_what_was_answered_is_seen_by_every_reader_and_what_was_not_is_by_none(world: World) -> None:
    other = connect(world.store.database.path, busy_timeout=5)
    seen_inside: list[int] = []

    def job(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO meta VALUES ('a', 'x')")
        seen_inside.append(other.execute("SELECT count(*) FROM meta WHERE name = 'a'").fetchone()[0])

    await world.store.database.write(job)
    assert seen_inside == [0]
    assert other.execute("SELECT count(*) FROM meta WHERE name = 'a'").fetchone()[0] == 1
    other.close()


async def test_a_write_waits_for_another_process_and_the_loop_does_not(world: World) -> None:
    other = connect(world.store.database.path, busy_timeout=5)
    other.execute("BEGIN IMMEDIATE")
    write = asyncio.create_task(world.issue())
    for _ in range(20):
        await asyncio.sleep(0.005)  # the loop turns while the write waits
    assert not write.done()
    other.execute("COMMIT")
    other.close()
    assert await write > 0


async def test_a_lock_that_is_never_released_ends_in_a_sentence(world: World) -> None:
    database = Database(world.store.database.path, busy_timeout=0.05)
    other = connect(world.store.database.path, busy_timeout=5)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(Busy, match="locked"):
            await database.write(lambda c: c.execute("DELETE FROM meta"))
    finally:
        other.execute("ROLLBACK")
        other.close()
        await database.stop()


async def test_stopping_finishes_what_was_handed_in_and_takes_nothing_more(open_world: OpenWorld) -> None:
    world = await open_world()
    database = Database(world.store.database.path)
    write = asyncio.create_task(database.write(lambda c: c.execute("INSERT INTO meta VALUES ('last', 'x')").rowcount))
    await asyncio.sleep(0)
    await database.stop()
    assert await write == 1
    with pytest.raises(Stopped):
        await database.write(lambda c: c.execute("DELETE FROM meta"))


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
