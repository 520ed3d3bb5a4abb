"""News between processes: heard after what it is about can be read, over both engines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from renzheng.store.news import ANYTHING
from renzheng.store.postgres_news import PostgresNews
from renzheng.store.postgres_session import PostgresSettings

from .conftest import World

PATIENCE = 30.0


class Heard:
    def __init__(self) -> None:
        self.all: list[tuple[str, int]] = []
        self._more = asyncio.Event()

    def __call__(self, topic: str, number: int) -> None:
        self.all.append((topic, number))
        self._more.set()

    async def until(self, found: Callable[[list[tuple[str, int]]], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not found(self.all):
                self._more.clear()
                await self._more.wait()


async def test_own_news_is_heard_at_once_and_once(world: World) -> None:
    heard = Heard()
    world.store.database.news.listen(heard)
    world.store.database.news.tell("verdict", 7)
    assert heard.all == [("verdict", 7)]


async def test_what_another_process_wrote_is_heard_when_it_can_be_read(world: World) -> None:
    other = await world.beside()
    try:
        heard = Heard()
        world.store.database.news.listen(heard)
        heard.all.clear()
        account = await other.accounts.create("later", world.clock())
        other.database.news.tell("account", account.id)
        await heard.until(lambda all_of_it: ANYTHING in dict(all_of_it) or ("account", account.id) in all_of_it)
        assert account.id in {known.id for known in await world.store.accounts.all()}
    finally:
        await other.stop()


@pytest.mark.sqlite
async def test_own_commits_are_no_news(world: World) -> None:
    database = world.store.database
    assert not database._has_changed_elsewhere()  # type: ignore[attr-defined]
    await world.store.accounts.create("own", world.clock())
    assert not database._has_changed_elsewhere()  # type: ignore[attr-defined]
    other = await world.beside()
    await other.accounts.create("other", world.clock())
    await other.stop()
    assert database._has_changed_elsewhere()  # type: ignore[attr-defined]
    assert not database._has_changed_elsewhere()  # type: ignore[attr-defined]


@pytest.mark.postgres
async def test_a_number_goes_to_the_others_and_a_lost_connection_means_reading_anew(world: World) -> None:
    assert world.postgres is not None
    teller, listener = (PostgresNews(world.postgres.records, PostgresSettings()) for _ in range(2))
    heard = Heard()
    listener.listen(heard)
    await heard.until(lambda all_of_it: (ANYTHING, 0) in all_of_it)  # it listens from here on
    try:
        teller.tell("verdict", 2**50)
        await heard.until(lambda all_of_it: ("verdict", 2**50) in all_of_it)
        heard.all.clear()
        world.force(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'renzheng-news' AND datname = current_database()"
        )
        await heard.until(lambda all_of_it: (ANYTHING, 0) in all_of_it)
        teller.tell("verdict", 3)
        await heard.until(lambda all_of_it: ("verdict", 3) in all_of_it or all_of_it.count((ANYTHING, 0)) > 2)
    finally:
        await teller.stop()
        await listener.stop()
