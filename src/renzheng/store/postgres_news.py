"""Notifications by LISTEN and NOTIFY, on two connections of their own. No request waits for either.

Neither connection may go through a pooler in transaction mode, as LISTEN belongs to a session. Behind one, nothing is
heard, and only the regular reading again is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable

import psycopg
import structlog
from psycopg import AsyncConnection

from renzheng.store.engine import Row
from renzheng.store.news import ANYTHING, Heard, Listeners
from renzheng.store.postgres_session import PostgresSettings, connecting

log = structlog.get_logger("renzheng.store")

CHANNEL = "renzheng"
READ_ANEW_SECONDS = 2.0
PAUSE = 0.5
"""Seconds before a lost connection is made again."""
MAX_WAITING_NEWS = 10_000
"""Most notifications that wait to be sent. Further ones are dropped, as everybody reads again soon."""


class PostgresNews:
    def __init__(self, url: str, settings: PostgresSettings) -> None:
        self._url = url
        self._settings = settings
        self._here = Listeners()
        self._own = secrets.token_hex(4)  # marks this process's own notifications, which come back to it
        self._waiting: dict[str, None] = {}
        self._has_news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_heard = True

    def tell(self, topic: str, number: int = 0) -> None:
        self._here.tell(topic, number)
        if len(self._waiting) < MAX_WAITING_NEWS:
            self._waiting[f"{self._own} {topic} {number}"] = None
        self._start("teller", self._tell_all)
        self._has_news.set()

    def listen(self, heard: Heard) -> None:
        self._here.add(heard)
        self._start("listener", self._hear_all)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, name: str, work: Callable[[AsyncConnection[Row]], Awaitable[None]]) -> None:
        if all(task.get_name() != name for task in self._tasks):
            self._tasks.append(asyncio.get_running_loop().create_task(self._always(work), name=name))

    async def _always(self, work: Callable[[AsyncConnection[Row]], Awaitable[None]]) -> None:
        while True:
            try:
                keywords = connecting(self._url, self._settings, "renzheng-news")
                async with await AsyncConnection.connect(**keywords) as connection:
                    await work(connection)
            except (psycopg.Error, OSError) as error:
                if self._is_heard:
                    self._is_heard = False
                    log.warning("news_lost", error=type(error).__name__, why="read again every few seconds meanwhile")
            self._here.tell(ANYTHING)
            await asyncio.sleep(PAUSE)

    async def _tell_all(self, connection: AsyncConnection[Row]) -> None:
        while True:
            if not self._waiting:
                self._has_news.clear()
                await self._has_news.wait()
            told = list(self._waiting)
            async with connection.pipeline():
                for payload in told:
                    await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
            for payload in told:
                self._waiting.pop(payload, None)

    async def _hear_all(self, connection: AsyncConnection[Row]) -> None:
        await connection.execute(f"LISTEN {CHANNEL}")
        self._is_heard = True
        while True:
            self._here.tell(ANYTHING)
            async with contextlib.aclosing(connection.notifies(timeout=READ_ANEW_SECONDS)) as found:
                async for notify in found:
                    teller, topic, number = notify.payload.split(" ")
                    if teller != self._own:
                        self._here.tell(topic, int(number))
