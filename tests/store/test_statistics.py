"""What the console's overview counts: verdicts by time and result, tokens by state, of all accounts or of one."""

from __future__ import annotations

import pytest

from renzheng.store.statistics import Statistics

from .conftest import World
from .test_sweeper import judged


async def test_verdicts_are_counted_by_day_where_the_day_begins(world: World) -> None:
    midnight = 1_789_920_000  # of UTC+8
    other = (await world.store.accounts.create("other", world.clock())).id
    for number, (account, result, at) in enumerate(
        [
            (world.account.id, "0", midnight - 1),
            (world.account.id, "0", midnight),
            (world.account.id, "1005", midnight + 3600),
            (other, "0", midnight + 86_399),
            (other, "0", midnight + 86_400),
        ]
    ):
        world.force(
            "INSERT INTO ledger (account_id, session_id, result, billed, at, charged) VALUES (?, ?, ?, 1, ?, 0)",
            *(account, number + 1, result, at),
        )
    count = world.store.statistics.verdicts
    found = [(one.start - midnight, one.result, one.count) for one in await count(midnight - 1, 86_400, 8)]
    assert found == [(-86_400, "0", 1), (0, "0", 2), (0, "1005", 1), (86_400, "0", 1)]
    own = await count(midnight, 86_400, 8, world.account.id)
    assert [(one.result, one.count) for one in own] == [("0", 1), ("1005", 1)]
    hours = await count(midnight, 3600, 8, world.account.id)
    assert [one.start - midnight for one in hours] == [0, 3600]


async def test_tokens_are_counted_by_state_since_they_were_issued(world: World) -> None:
    await judged(world)
    world.clock.now += 100
    await world.issue("LATER")
    states = world.store.statistics.states
    assert await states(0) == {"passed": 1, "issued": 1}
    assert await states(world.clock() - 50) == {"issued": 1}
    other = await world.store.accounts.create("other", world.clock())
    assert await states(0, other.id) == {}


@pytest.mark.sqlite
async def test_what_is_counted_is_found_by_an_index(world: World) -> None:
    """The ledger is kept for good: it must not be gone through whole for the last day."""
    asked: list[str] = []

    class Explaining:
        async def survey(self, sql: str, /, **values: object) -> list[tuple[object, ...]]:
            plan = await world.store.database.all(f"EXPLAIN QUERY PLAN {sql}", **values)
            asked.append(str(plan[0][3]))
            return []

    statistics = Statistics(Explaining())  # type: ignore[arg-type]
    await statistics.verdicts(1, 3600, 8)
    await statistics.states(1)
    assert asked == [
        "SEARCH ledger USING INDEX ledger_at (at>?)",
        "SEARCH sessions USING INTEGER PRIMARY KEY (rowid>?)",
    ]
