"""Waiting and waking: judges wait for work, sockets and callers wait for a verdict, in this process and in others."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Protocol

from renzheng.capture.ports import News
from renzheng.verification.session import Session, State

WORK, VERDICT = "judging", "verdict"
"""Topics: a session waits for a judge; a session, by its number, has a verdict."""


class SessionSource(Protocol):
    async def find(self, token: str) -> Session | None: ...


class Verdicts:
    """Wakes judges, and those who wait for a verdict. `poll` seconds: how often waiters look for themselves. `news`:
    to and from other processes; None: there are none."""

    def __init__(self, sessions: SessionSource, poll: float = 1.0, news: News | None = None) -> None:
        self._sessions = sessions
        self._poll = poll
        self._tell = news.tell if news else self._heard
        self._news = news
        self._work = asyncio.Event()
        self._waiting: dict[asyncio.Event, int] = {}
        self._told = 0

    def start(self) -> None:
        """Listen to other processes, from now on."""
        if self._news is not None:
            self._news.listen(self._heard)

    def wake(self) -> None:
        """There is a session to judge."""
        self._tell(WORK, 0)

    def go_on(self) -> None:
        """The judge of this process has room for another."""
        self._work.set()

    def publish(self, session_id: int) -> None:
        """A verdict was recorded."""
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
        """Returns when there may be work: when woken, or after the poll interval."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll):
                await self._work.wait()
        self._work.clear()

    async def decided(self, token: str) -> Session | None:
        """The session once its attempt was judged: finished, or open for another; None where the token is gone."""
        news = asyncio.Event()
        try:
            while True:
                told = self._told
                session = await self._sessions.find(token)
                if session is None or session.state is not State.JUDGING:
                    return session
                self._waiting[news] = session.id
                if told != self._told:
                    continue  # perhaps it was this one's verdict, while nobody listened for it yet
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._poll):
                        await news.wait()
                news.clear()
        finally:
            self._waiting.pop(news, None)
