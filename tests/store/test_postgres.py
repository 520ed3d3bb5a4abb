"""The engine over PostgreSQL: texts, batches, failures, outages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from renzheng.store import postgres
from renzheng.store.engine import AwayError, StoppedError, StoreError, Transaction
from renzheng.store.postgres import PostgresDatabase
from renzheng.store.postgres_session import PostgresSettings, connecting, place, to_psycopg
from tests.support.postgres import Cluster, cluster
from tests.support.server import PATIENCE


@pytest.fixture
async def database() -> AsyncIterator[PostgresDatabase]:
    url = cluster().create()
    made = PostgresDatabase(url)
    await made.write(_create)
    yield made
    await made.stop()
    cluster().drop(url)


async def _create(tx: Transaction) -> None:
    await tx.run("CREATE TABLE things (id bigint PRIMARY KEY, name text, blob bytea)")


async def insert(tx: Transaction, number: int, name: str = "x") -> None:
    await tx.run("INSERT INTO things (id, name, blob) VALUES (:id, :name, :blob)", id=number, name=name, blob=b"\0\xff")


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT :a, :b_2", "SELECT %(a)s, %(b_2)s"),
        ("SELECT ':a', 'it''s 5 %'", "SELECT ':a', 'it''s 5 %%'"),
        ("SELECT :a::text, 7 % 3", "SELECT %(a)s::text, 7 %% 3"),
        ("SELECT x LIKE '%a:b%' AND y = :y", "SELECT x LIKE '%%a:b%%' AND y = %(y)s"),
    ],
)
def test_one_text_serves_both_engines(sql: str, said: str) -> None:
    assert to_psycopg(sql) == said


def test_sentences_name_the_place_and_no_secret() -> None:
    assert place("postgresql://li:pass@db.example.com:5433/faces?sslpassword=x") == "db.example.com:5433/faces"


async def test_what_is_written_at_once_is_committed_together_and_read_back(database: PostgresDatabase) -> None:
    await asyncio.gather(*(database.write(lambda tx, n=n: insert(tx, n)) for n in range(50)))  # type: ignore[misc]
    assert await database.one("SELECT count(*), count(DISTINCT xmin::text) FROM things") in {(50, 1), (50, 2)}
    assert await database.one("SELECT blob FROM things WHERE id = :id", id=7) == (b"\0\xff",)
    assert await database.one("SELECT 1 FROM things WHERE id = :id", id=70) is None


async def test_who_writes_again_at_once_shares_the_next_transaction_too(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "GATHER_PART", 1e9)
    monkeypatch.setattr(postgres, "MAX_GATHER", PATIENCE)

    async def write_on(who: int) -> None:
        for number in range(5):
            await database.write(lambda tx: insert(tx, 100 * who + number))  # noqa: B023 - awaited at once
            await asyncio.sleep(0.005 * who)  # as over a network, and not all at once

    await asyncio.gather(*(write_on(who) for who in range(8)))
    assert await database.one("SELECT count(*), count(DISTINCT xmin::text) FROM things") == (40, 5)


async def test_a_job_that_fails_undoes_itself_alone(database: PostgresDatabase) -> None:
    async def fail(tx: Transaction) -> None:
        await insert(tx, 100)
        raise ValueError("no")

    async def twice(tx: Transaction) -> None:
        await insert(tx, 101)
        await insert(tx, 101, "a secret name")

    jobs = [database.write(lambda tx, n=n: insert(tx, n)) for n in range(5)]  # type: ignore[misc]
    done = await asyncio.gather(*jobs, database.write(fail), database.write(twice), return_exceptions=True)
    assert done[:5] == [None] * 5
    assert isinstance(done[5], ValueError)
    assert isinstance(done[6], StoreError)
    assert "UniqueViolation" in str(done[6])
    assert "secret" not in str(done[6])
    assert await database.all("SELECT id FROM things ORDER BY id") == [(n,) for n in range(5)]


async def test_nodes_that_wait_for_each_other_both_get_through(database: PostgresDatabase) -> None:
    """Each of two nodes locks what the other wants next: PostgreSQL undoes one, and it is run again."""
    other = PostgresDatabase(database.url, settings=PostgresSettings(lock_seconds=2))
    await database.write(lambda tx: insert(tx, 1))
    await database.write(lambda tx: insert(tx, 2))
    both = asyncio.Barrier(2)
    runs: list[str] = []

    async def take(tx: Transaction, first: int, second: int, who: str) -> None:
        runs.append(who)
        await tx.run("UPDATE things SET name = name || :who WHERE id = :id", who=who, id=first)
        if runs.count(who) == 1:
            await both.wait()
        await tx.run("UPDATE things SET name = name || :who WHERE id = :id", who=who, id=second)

    await asyncio.gather(database.write(lambda tx: take(tx, 1, 2, "a")), other.write(lambda tx: take(tx, 2, 1, "b")))
    rows = await database.all("SELECT name FROM things")
    assert [sorted(name) for (name,) in rows] == [["a", "b", "x"]] * 2
    assert len(runs) > 2, "one of the two was run again"
    await other.stop()


async def test_connections_that_are_cut_cost_no_write_and_no_read(database: PostgresDatabase) -> None:
    await database.write(lambda tx: insert(tx, 1))
    await database.one("SELECT 1")
    with cluster().admin() as admin:
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'renzheng'")
    assert await database.one("SELECT count(*) FROM things") == (1,)
    await database.write(lambda tx: insert(tx, 2))
    assert await database.one("SELECT count(*) FROM things") == (2,)
    assert not database.trouble


async def test_a_server_that_is_away_is_told_and_found_again() -> None:
    own = Cluster(Path(f"{cluster().folder}-own"), fsync="on", synchronous_commit="on")
    database = PostgresDatabase(own.create(), settings=PostgresSettings(connect_seconds=2))
    try:
        await database.write(_create)
        own.stop("immediate")
        with pytest.raises(StoreError, match="cannot be used"):
            await database.write(lambda tx: insert(tx, 1))
        assert database.trouble
        with pytest.raises(StoreError, match="cannot be used"):
            await database.one("SELECT 1")
        own.start()
        await database.write(lambda tx: insert(tx, 2))
        assert not database.trouble
        assert await database.all("SELECT id FROM things") == [(2,)]
    finally:
        await database.stop()
        own.stop("immediate")


async def test_a_server_that_is_no_primary_is_away_and_is_connected_to_anew(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a fail-over, where the address leads to another one in the meantime."""
    monkeypatch.setattr(postgres, "FIRST_PAUSE", 0.001)
    await database.write(lambda tx: insert(tx, 1))
    with cluster().admin() as admin:
        name = database.url.partition("@/")[2].partition("?")[0]
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(AwayError, match="ReadOnlySqlTransaction"):
            await database.write(lambda tx: insert(tx, 2))
        assert database.trouble
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    await database.write(lambda tx: insert(tx, 3))
    assert await database.all("SELECT id FROM things ORDER BY id") == [(1,), (3,)]


async def test_a_commit_whose_answer_was_lost_is_looked_up(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection dies right after the commit: the write is not done twice, and not told as failed."""
    await database.write(lambda tx: insert(tx, 1))
    writer = database._writer
    assert writer is not None
    execute = writer.execute

    async def cut(query: str, *rest: Any, **more: Any) -> object:
        done = await execute(query, *rest, **more)
        if query == "COMMIT":
            await writer.close()
            await writer.execute("SELECT 1")  # raises as psycopg does when the line is cut
        return done

    monkeypatch.setattr(writer, "execute", cut)
    await database.write(lambda tx: insert(tx, 2))
    assert await database.all("SELECT id FROM things ORDER BY id") == [(1,), (2,)]


async def test_whoever_left_is_not_waited_for_and_nothing_begins_after_the_stop(database: PostgresDatabase) -> None:
    task = asyncio.create_task(database.write(lambda tx: insert(tx, 1)))
    await asyncio.sleep(0)
    task.cancel()
    await database.write(lambda tx: insert(tx, 2))
    await database.stop()
    with pytest.raises(StoppedError):
        await database.write(lambda tx: insert(tx, 3))


def test_a_machine_that_is_gone_is_noticed_and_what_the_address_says_stands() -> None:
    bounds = connecting("postgresql://li@db/faces?keepalives_idle=60&connect_timeout=3", PostgresSettings())
    assert (bounds["tcp_user_timeout"], bounds["keepalives_interval"]) == (30_000, 5)
    assert not {"keepalives_idle", "connect_timeout"} & set(bounds)
    assert bounds["autocommit"]
