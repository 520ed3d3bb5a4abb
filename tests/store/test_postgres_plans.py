"""No statement of a verification or of the sweeper reads a table of PostgreSQL from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg
import pytest

from renzheng.store.identities import NewPerson
from renzheng.verification.decision import PASSED, Verdict

from .conftest import ID_CARD, NAME, PHOTO, World

pytestmark = pytest.mark.postgres

GROWN = 5000
"""Copies of each row: more than PostgreSQL reads whole where there is an index."""
# Tables that grow with the verifications, those that others refer to first; what has to differ between two rows.
GROWING = {
    "sessions": ["id", "token"],
    "attempts": ["session_id"],
    "steps": ["session_id"],
    "frames": ["session_id", "digest"],
    "verdicts": ["session_id"],
    "ledger": ["id", "session_id"],
    "day_counts": ["id_hash"],
    "deliveries": ["session_id"],
    "session_calls": ["request_id", "session_id"],
    "tombstones": ["token"],
    "audit": ["id"],
    "persons": ["id", "id_hash"],
}
KEYS = "data_keys"


def grow(connection: psycopg.Connection[Any]) -> None:
    for table, columns in GROWING.items():
        changed = ", ".join(f"'{column}', {_changed(column)}" for column in columns)
        state = ", 'state', 'passed'" if table == "sessions" else ", 'state', 'done'" if table == "deliveries" else ""
        made = connection.execute(
            f"INSERT INTO {table} SELECT made.* FROM (SELECT * FROM {table} LIMIT 1) AS one,"
            f" generate_series(1, {GROWN}) AS n,"
            f" LATERAL jsonb_populate_record(one::{table}, jsonb_build_object({changed}{state})) AS made"
        )
        assert made.rowcount == GROWN, table
    connection.execute("VACUUM ANALYZE")


def _changed(column: str) -> str:
    if column in ("id", "session_id"):
        return f"one.{column} - n"
    return "md5(n::text)" if column == "request_id" else r"'\x' || md5(n::text)"


Asked = dict[tuple[str, str], Mapping[str, Any]]
"""Values by database and statement."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Every statement that is sent to PostgreSQL, with its values."""
    found: Asked = {}
    execute, execute_many = psycopg.AsyncConnection.execute, psycopg.AsyncCursor.executemany

    async def note(self: Any, query: Any, values: Any = None, **rest: Any) -> Any:
        found.setdefault((self.info.dbname, query), values or {})
        return await execute(self, query, values, **rest)

    async def note_each(self: Any, query: Any, rows: Any, **rest: Any) -> Any:
        found.setdefault((self.connection.info.dbname, query), next(iter(rows)))
        return await execute_many(self, query, rows, **rest)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", note)
    monkeypatch.setattr(psycopg.AsyncCursor, "executemany", note_each)
    return found


def whole_reads(plan: dict[str, Any]) -> Iterator[str]:
    """The tables that a plan reads from their beginning to their end."""
    if plan["Node Type"] == "Seq Scan":
        yield plan["Relation Name"]
    for inner in plan.get("Plans", []):
        yield from whole_reads(inner)


def read_whole(connection: psycopg.Connection[Any], asked: Asked) -> dict[str, list[str]]:
    """Statements to this database that read a growing table whole."""
    found = {}
    for (database, query), values in asked.items():
        if database == connection.info.dbname and query.lstrip().split(None, 1)[0] in (
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "WITH",
        ):
            row = connection.execute(f"EXPLAIN (FORMAT JSON) {query}", values).fetchone()
            assert row is not None
            if tables := sorted(set(whole_reads(row[0][0]["Plan"])) & {*GROWING, KEYS}):
                found[query] = tables
    return found


async def whole_verification(world: World, token: str) -> None:
    """A token, its attempt, its frames, its verdict, its result, and a poll of the keys."""
    store, now = world.store, world.clock()
    session_id = await world.hand_in(token, photo=PHOTO)
    assert await store.sessions.find(token) is not None
    assert await store.sessions.claim_device(session_id, "device", now, 10, None) is not None
    job = await store.sessions.claim_judging(now, 15)
    assert job is not None
    assert await store.sessions.renew_judging(session_id, job.epoch, now + 20)
    assert len(await store.sessions.frames(session_id, 1)) == 3
    await store.sessions.seen_before(session_id, 1)
    await store.identities.lookup(world.account.id, ID_CARD)
    await store.sessions.record_verdict(session_id, job.epoch, Verdict(PASSED, 80.0), "{}", 1, now)
    assert await store.sessions.result(world.account.id, token) is not None
    assert await store.sessions.result(world.account.id, "UNKNOWN") is None
    await store.keys.refresh()
    await store.deliveries.claim(now, 30, 2)
    await store.deliveries.waiting()
    await store.sessions.expire(now, 100)


async def test_verifications_and_the_sweeper_read_by_an_index_among_thousands(world: World, asked: Asked) -> None:
    assert world.postgres is not None
    await whole_verification(world, "FIRST")
    await world.store.identities.add(world.account.id, NewPerson(ID_CARD, NAME, PHOTO))
    for sql in (
        f"INSERT INTO tombstones (token, account_id, gone_at) VALUES (x'00', 1, {world.clock()})",
        "INSERT INTO day_counts VALUES (1, x'00', '9999-01-01', 1)",
        "INSERT INTO session_calls VALUES ('r', 1, 1, 'GetFaceIdToken', 'AKID')",
        "INSERT INTO deliveries (session_id, account_id, attempt, folder, state, created_at, due_at)"
        f" VALUES (1, 1, 1, 'x', 'done', {world.clock()}, 1)",
    ):
        world.force(sql)
    with psycopg.connect(world.postgres.records, autocommit=True) as connection:
        grow(connection)
        asked.clear()
        await whole_verification(world, "SECOND")
        await world.store.sweeper.sweep(world.clock())
        assert len(asked) > 60
        assert not read_whole(connection, asked)
        # and the search would find one: without an index, this reads every session
        unaided = (connection.info.dbname, "SELECT 1 FROM sessions WHERE advice = %(a)s")
        assert read_whole(connection, {unaided: {"a": "x"}}) == {unaided[1]: ["sessions"]}
    with psycopg.connect(world.postgres.keys, autocommit=True) as connection:
        connection.execute(f"INSERT INTO data_keys SELECT 1, n, 1, '', 1 FROM generate_series(1, {GROWN}) AS n")
        connection.execute("VACUUM ANALYZE")
        assert sum("data_keys" in query for _, query in asked) >= 2
        assert not read_whole(connection, asked)
