"""Notifications between the processes of one database: a hint that there is something to read, never the data.

Notifications may be lost, so every few seconds listeners are also told to read again. A notification comes after the
commit of its change, so that a listener that reads finds the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

ANYTHING = ""
"""The topic that means that notifications may have been lost: read again."""

Heard = Callable[[str, int], None]
"""Called with (topic, number) on the event loop. It must not wait."""


class News(Protocol):
    def tell(self, topic: str, number: int = 0) -> None:
        """Notify this process at once, and others soon. `topic`: a word."""
        ...

    def listen(self, heard: Heard) -> None:
        """Call `heard` for each notification, until the database is closed."""
        ...

    async def stop(self) -> None: ...


class Listeners:
    """The listeners of this process."""

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
    """For a database without notifications: checks every `seconds` whether another process has written anything."""

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
