"""Long lists: every query of theirs walks an index, and a page costs the same wherever it is."""

from __future__ import annotations

from typing import Any

import pytest

from renzheng.store.engine import DatabaseBusyError
from renzheng.store.search import Wanted
from tests.gateway.support import NOW
from tests.management.conftest import House


async def plans(house: House, monkeypatch: pytest.MonkeyPatch, ask: Any) -> list[str]:
    """How SQLite carries out what `ask` reads."""
    database = house.store.database
    found: list[str] = []
    real = {name: getattr(database, name) for name in ("one", "all", "survey")}

    def watched(name: str) -> Any:
        async def read(sql: str, **values: Any) -> Any:
            rows = await real["all"](f"EXPLAIN QUERY PLAN {sql}", **values)
            found.extend(str(row[-1]) for row in rows)
            return await real[name](sql, **values)

        return read

    with monkeypatch.context() as patch:
        for name in real:
            patch.setattr(database, name, watched(name))
        await ask
    return found


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(), "s USING INTEGER PRIMARY KEY"),
        (Wanted(since=NOW, id_hash=b"x"), "s USING INTEGER PRIMARY KEY"),
        (Wanted(since=NOW, until=NOW + 1, state="failed"), "s USING INTEGER PRIMARY KEY"),
        (Wanted(account_id=1, state="failed"), "s USING INDEX sessions_account"),
        (Wanted(account_id=1, since=NOW), "s USING INDEX sessions_account"),
        (Wanted(result="0"), "v USING INDEX verdicts_result"),
        (Wanted(account_id=1, result="0", since=NOW), "verdicts_result"),
    ],
)
async def test_verifications_are_listed_along_an_index(
    house: House, monkeypatch: pytest.MonkeyPatch, wanted: Wanted, index: str
) -> None:
    search = house.store.search
    listed = await plans(house, monkeypatch, search.sessions(wanted, 20, 10_000, 1 << 60))
    counted = await plans(house, monkeypatch, search.count_sessions(wanted))
    for steps in (listed, counted):
        assert not any("TEMP B-TREE" in step for step in steps), steps
    assert any(step.startswith("SEARCH") and index in step for step in listed), listed
    assert not any(step.startswith("SCAN") for step in listed), listed
    # What is asked for without a condition is counted over the smallest index, and over nothing else.
    assert all(step.startswith("SEARCH") or "USING COVERING INDEX" in step for step in counted) or wanted.id_hash


async def test_what_may_go_over_many_rows_is_read_beside_the_event_loop(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A count of 200,000 verifications takes a tenth of a second, and whoever may list them may ask again and again."""
    store = house.store

    async def on_the_loop(*_: Any, **__: Any) -> Any:
        raise AssertionError("on the event loop")

    for name in ("one", "all"):
        monkeypatch.setattr(store.database, name, on_the_loop)
    assert await store.search.count_sessions(Wanted(account_id=1, state="failed")) == 0
    assert await store.search.sessions(Wanted(account_id=1, result="0"), 20, 10_000) == []
    assert await store.search.usage(0, NOW, 8, 1) == []
    assert await store.search.count_people(1) == 0
    assert await store.search.count_events("nobody") == 0
    assert await store.search.events(5, subject="nobody") == []
    assert await store.statistics.verdicts(0, 3600, 8, 1) == []
    assert await store.statistics.states(0, 1) == {}
    assert await store.ledger.billed(1) == 0


async def test_no_other_list_of_the_service_sorts_or_scans_what_may_be_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = house.store
    made = await store.imports.create(1, False)
    for ask in (
        lambda: store.search.person_at(1, 5),
        lambda: store.search.count_people(1),
        lambda: store.search.frames_by_step(1, 1),
        lambda: store.calls.session_of("x"),
        lambda: store.imports.parts(1, made.id),
    ):
        steps = await plans(house, monkeypatch, ask())
        assert steps
        assert all(step.startswith("SEARCH") for step in steps if "GROUP BY" not in step), steps
    steps = await plans(house, monkeypatch, store.search.events(20, 0, 500))
    assert steps == ["SEARCH audit USING INTEGER PRIMARY KEY (rowid<?)"] or not any("TEMP" in step for step in steps)


async def test_what_cannot_be_written_of_calls_waits_and_is_not_counted_twice(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, database = house.store.calls, house.store.database

    async def failing(job: Any, **_: Any) -> Any:
        raise DatabaseBusyError("the disk is full")

    calls.note(1, NOW, "GetFaceIdToken", "AKID", "one")
    calls.count(1, "GetFaceIdToken", "")
    with monkeypatch.context() as patch:
        patch.setattr(database, "write", failing)
        with pytest.raises(DatabaseBusyError):
            await calls.flush(NOW)
    for number in range(450):  # three writes
        calls.note(2, NOW, "GetFaceIdResult", "AKID", f"{number}")
    calls.count(1, "GetFaceIdToken", "")
    assert await calls.flush(NOW) == 451
    assert [note.request_id for note in await calls.of_session(1)] == ["one"]
    assert len(await calls.of_session(2, 1000)) == 450
    (counted,) = await calls.counts(NOW, NOW)
    assert counted.calls == 2
    assert await calls.flush(NOW) == 0
