"""What every room of the store relies on in its database: jobs that are coroutines, with parameters by name."""

from __future__ import annotations

import asyncio
import functools
from pathlib import Path

import pytest

from renzheng.store import engine
from renzheng.store.engine import Transaction
from tests.store.conftest import World

_ADD = "INSERT INTO counters (name, value) VALUES (:name, :value)"
_READ = "SELECT value FROM counters WHERE name = :name"


async def test_a_job_reads_what_it_wrote_and_its_result_is_returned(world: World) -> None:
    async def job(tx: Transaction) -> list[int]:
        assert await tx.one(_READ, name="test") is None
        await tx.run_each(_ADD, [{"name": name, "value": 1} for name in ("test", "other")])
        changed = await tx.run("UPDATE counters SET value = value + 1 WHERE name IN (:a, :b)", a="test", b="other")
        row = await tx.one("UPDATE counters SET value = 7 WHERE name = :name RETURNING value", name="test")
        assert row == (7,)
        return [changed, *(found[0] for found in await tx.all(_READ, name="test"))]

    database = world.store.database
    assert await database.write(job) == [2, 7]
    assert await database.one(_READ, name="other") == (2,)
    assert await database.all(_READ, name="nobody") == []


async def test_what_a_job_raises_undoes_that_job_alone(world: World) -> None:
    async def add(tx: Transaction, name: str) -> None:
        await tx.run(_ADD, name=name, value=1)
        if name == "wrong":
            raise LookupError(name)

    database = world.store.database
    given = [database.write(functools.partial(add, name=name)) for name in ("first", "wrong", "last")]
    answers = await asyncio.gather(*given, return_exceptions=True)
    assert [type(answer) for answer in answers] == [type(None), LookupError, type(None)]
    assert [await database.one(_READ, name=name) for name in ("first", "wrong", "last")] == [(1,), None, (1,)]


async def test_a_lock_clause_is_obeyed_or_left_out(world: World) -> None:
    async def job(tx: Transaction) -> object:
        return await tx.one("SELECT 1 FROM counters LIMIT 1 FOR UPDATE SKIP LOCKED")

    assert await world.store.database.write(job) == (1,)


@pytest.mark.sqlite  # over PostgreSQL a job may wait, for the database
async def test_a_job_that_waits_for_something_else_is_refused(world: World) -> None:
    async def job(tx: Transaction) -> None:
        await tx.run(_ADD, name="test", value=1)
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="something else"):
        await world.store.database.write(job)
    assert await world.store.database.one(_READ, name="test") is None


def test_a_room_of_the_store_knows_no_driver() -> None:
    """SQLite is spoken to by the engine, the keys' own files and what copies, migrates, empties and measures them."""
    rooms = Path(engine.__file__).parent.glob("*.py")
    own = {"sqlite", "sqlite_vault", "erasures", "backup", "checkpoints", "moving", "table_copy", "schema", "room"}
    assert {room.stem for room in rooms if "import sqlite3" in room.read_text()} == own | {"surveys"}
