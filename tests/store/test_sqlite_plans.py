"""No statement of a verification or of the sweeper reads a growing table of SQLite whole."""

from __future__ import annotations

import re
from typing import Any

import pytest

from renzheng.store.sqlite import SqliteTransaction

from .conftest import World
from .test_postgres_plans import GROWING, whole_verification

pytestmark = pytest.mark.sqlite

WHOLE = re.compile(rf"SCAN ({'|'.join(GROWING)})\b(?: USING (?:COVERING )?INDEX (\w+))?")


_PARTIAL = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"


async def test_verifications_and_the_sweeper_read_by_an_index(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, dict[str, Any]] = {}
    for name in ("one", "all", "run"):
        monkeypatch.setattr(SqliteTransaction, name, _noting(getattr(SqliteTransaction, name), asked))
    await whole_verification(world, "TOKEN")
    await world.store.sweeper.sweep(world.clock())
    monkeypatch.undo()
    assert len(asked) > 60
    # an index of the few rows that wait for something may be read whole
    partial = {row[0] for row in await world.store.database.all(_PARTIAL)}
    assert "sessions_lapsing" in partial
    found = {}
    for sql, values in asked.items():
        if sql.lstrip().split(None, 1)[0] in ("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"):
            plan = [str(row[3]) for row in await world.store.database.all(f"EXPLAIN QUERY PLAN {sql}", **values)]
            read = [(step, WHOLE.search(step)) for step in plan]
            if whole := [step for step, scan in read if scan and scan[2] not in partial]:
                found[sql] = whole
    assert not found


def _noting(given: Any, asked: dict[str, dict[str, Any]]) -> Any:
    async def note(self: SqliteTransaction, sql: str, /, **values: Any) -> Any:
        asked.setdefault(sql, values)
        return await given(self, sql, **values)

    return note
