"""The schema and the rooms' statements over PostgreSQL, where they were SQLite's alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from renzheng.store import postgres
from renzheng.store.calls import CallRecords
from renzheng.store.deliveries import Deliveries
from renzheng.store.engine import AwayError, StoreError, Transaction
from renzheng.store.listing import Listing
from renzheng.store.migrations import HEAD
from renzheng.store.postgres import PostgresDatabase
from renzheng.store.postgres_session import PostgresSettings
from renzheng.store.schema import migrate_postgres
from renzheng.store.search import Search, Wanted
from renzheng.store.statistics import Statistics
from tests.support.postgres import cluster

from .conftest import World


@pytest.fixture(scope="module")
def template() -> str:
    url = cluster().create()
    migrate_postgres(url, PostgresSettings())
    return url


@pytest.fixture
async def database(template: str) -> AsyncIterator[PostgresDatabase]:
    url = cluster().create(str(psycopg.conninfo.conninfo_to_dict(template)["dbname"]))
    made = PostgresDatabase(url)
    yield made
    await made.stop()
    cluster().drop(url)


def test_the_schema_is_made_once_and_a_newer_one_is_refused(template: str) -> None:
    url = cluster().create(str(psycopg.conninfo.conninfo_to_dict(template)["dbname"]))
    migrate_postgres(url, PostgresSettings())
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
        connection.execute("UPDATE counters SET value = 1800000000000000")  # microseconds
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.execute("UPDATE meta SET value = '9999' WHERE name = 'schema_needs'")
    with pytest.raises(StoreError, match="newer renzheng"):
        migrate_postgres(url, PostgresSettings())


async def test_what_operators_ask_for_can_be_asked_with_and_without_a_choice(database: PostgresDatabase) -> None:
    search, listing = Search(database), Listing(database)
    wanted = Wanted(account_id=1, state="issued", result="0", rule_id=2, id_hash=b"x", session_id=3)
    for one in (Wanted(), wanted):
        assert await search.sessions(one, 10) == []
        assert await search.count_sessions(one) == 0
    for account in (None, 1):
        assert await listing.newest(account_id=account, before=account) == []
        assert await Statistics(database).states(0, account) == {}
        assert await Deliveries(database).unfinished(account) == []
        assert await CallRecords(database).counts(0, 1.8e9, account) == []
    assert await search.events(10, subject="account") == []


async def test_days_begin_at_midnight_as_over_sqlite(database: PostgresDatabase) -> None:
    midnight = 1_800_057_600.0 - 8 * 3600  # of UTC+8

    async def add(tx: Transaction) -> None:
        await tx.run("INSERT INTO accounts (id, name, created_at, origins) VALUES (1, 'shop', 0, '[]')")
        for number, at in enumerate((midnight - 0.25, midnight, midnight + 43_200, midnight + 86_399)):
            await tx.run(
                "INSERT INTO ledger (account_id, session_id, result, billed, at, charged)"
                " VALUES (1, :session, '0', 1, :at, 0)",
                session=number,
                at=at,
            )

    await database.write(add)
    usage = await Search(database).usage(0, midnight * 2, 8)
    assert [day.verifications for day in usage] == [3, 1]


async def test_a_claim_passes_over_the_row_that_another_is_claiming(database: PostgresDatabase) -> None:
    """Without SKIP LOCKED it would wait for the other's claim, and then go away empty."""

    async def add(tx: Transaction) -> None:
        for number in (1, 2):
            await tx.run(
                "INSERT INTO deliveries (session_id, account_id, attempt, folder, state, created_at, due_at)"
                " VALUES (:id, 1, 1, 'x', 'waiting', :id, :id)",
                id=number,
            )

    await database.write(add)
    deliveries = Deliveries(database)
    with psycopg.connect(database.url) as other:
        other.execute("SELECT 1 FROM deliveries WHERE session_id = 1 FOR UPDATE")
        taken = await asyncio.wait_for(deliveries.claim(9, 30, 2), 30)
        assert taken is not None
        assert taken.session_id == 2
        other.rollback()
    taken = await deliveries.claim(9, 30, 2)
    assert taken is not None
    assert taken.session_id == 1
    assert await deliveries.claim(9, 30, 2) is None


@pytest.mark.postgres
async def test_a_key_database_that_takes_no_writes_is_connected_to_anew(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a fail-over: a connection that was made to a server without writes is of no use afterwards."""
    monkeypatch.setattr(postgres, "FIRST_PAUSE", 0.001)
    assert world.postgres is not None
    name = str(psycopg.conninfo.conninfo_to_dict(world.postgres.keys)["dbname"])
    await world.issue("A")
    with cluster().admin() as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        with pytest.raises(AwayError, match="ReadOnlySqlTransaction"):
            await world.issue("B")
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert world.state(await world.issue("C")) == "issued"
