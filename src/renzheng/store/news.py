"""News between the processes that work on one database: a hint that something is there to be read, never the thing.

News may be lost, so whoever listens is also told, every few seconds, that it should read again; and it comes after the
commit of what it is about, so that who reads upon it finds that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

ANYTHING = ""
"""The topic of news that were perhaps missed: read again."""

Heard = Callable[[str, int], None]
"""(topic, number). Called on the event loop; must not wait."""


class News(Protocol):
    def tell(self, topic: str, number: int = 0) -> None:
        """This process at once, others soon. `topic`: a word."""
        ...

    def listen(self, heard: Heard) -> None:
        """For as long as the database is open."""
        ...

    async def stop(self) -> None: ...


class Listeners:
    """Those of this process."""

    def __init__(self) -> None:
        self._listeners: list[Heard] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, heard: Heard) -> None:
        self._listeners.append(heard)

    def tell(self, topic: str, number: int = 0) -> None:
        for heard in self._listeners:
            heard(topic, number)


class PolledNews:
    """For an engine that tells nobody: asks every `seconds` whether another process has written anything."""

    def __init__(self, has_changed: Callable[[], bool], seconds: float = 0.1) -> None:
        self._has_changed = has_changed
        self._seconds = seconds
        self._here = Listeners()
        self._task: asyncio.Task[None] | None = None

    def tell(self, topic: str, number: int = 0) -> None:
        self._here.tell(topic, number)

    def listen(self, heard: Heard) -> None:
        self._here.add(heard)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._poll(), name="renzheng-news")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(self._seconds)
            if self._has_changed():
                self._here.tell(ANYTHING)
