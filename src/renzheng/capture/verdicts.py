"""Waiting and waking: judges wait for work, sockets and callers wait for a verdict, across processes."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from renzheng.capture.ports import News
from renzheng.verification.session import Session, State

WORK, VERDICT = "judging", "verdict"
"""Topics: a session waits for a judge; the session with this number has a verdict."""


class SessionSource(Protocol):
    async def find(self, token: str) -> Session | None: ...


class Verdicts:
    """Wakes judges, and those who wait for a verdict. `poll`: seconds after which they check by themselves. `news`:
    connects to other processes; None: there are none."""

    def __init__(self, sessions: SessionSource, poll: float = 1.0, news: News | None = None) -> None:
        self._sessions = sessions
        self._poll = poll
        self._tell = news.tell if news else self._heard
        self._news = news
        self._work = asyncio.Event()
        self._waiting: dict[asyncio.Event, int] = {}
        self._told = 0

    def start(self) -> None:
        """Start to listen to other processes."""
        if self._news is not None:
            self._news.listen(self._heard)

    def wake(self) -> None:
        """Announce that a session waits to be judged."""
        self._tell(WORK, 0)

    def go_on(self) -> None:
        """Announce that a judge of this process has room for another session."""
        self._work.set()

    def publish(self, session_id: int) -> None:
        """Announce that a verdict was recorded."""
        self._tell(VERDICT, session_id)

    def _heard(self, topic: str, number: int) -> None:
        if topic in (WORK, ""):
            self._work.set()
        if topic in (VERDICT, ""):
            self._told += 1
            for event, session_id in self._waiting.items():
                if not topic or session_id == number:
                    event.set()

    async def work(self) -> None:
        """Wait until there may be work: until woken, or for the poll interval."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._work.wait()
        self._work.clear()

    async def decided(self, token: str) -> Session | None:
        """Wait until the session's attempt was judged, and return the session: finished, or open for another attempt.

        None if the token no longer exists.
        """
        news = asyncio.Event()
        try:
            while True:
                told = self._told
                session = await self._sessions.find(token)
                if session is None or session.state is not State.JUDGING:
                    return session
                self._waiting[news] = session.id
                if told != self._told:
                    continue  # this verdict may have come before anybody listened for it
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await news.wait()
                news.clear()
        finally:
            self._waiting.pop(news, None)
