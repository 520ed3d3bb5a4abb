"""The Redis that several servers share: queries have a time limit, and after a failure it is not used for a moment.

It holds nothing that may not be lost: each caller has a count of its own for the time without it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

log = structlog.get_logger("renzheng.redis")

T = TypeVar("T")
CONNECTIONS = 16
ANSWER_SECONDS = 0.25
"""Longest time that a request waits for Redis."""
AWAY_SECONDS = 1.0
"""Seconds after a failure in which nobody waits for it."""


class SharedRedis:
    """`is_shared` is called with whether Redis answers, whenever that changes."""

    def __init__(
        self,
        url: str,
        is_shared: Callable[[bool], None],
        uptime: Callable[[], float] = time.monotonic,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """`url`: redis://, rediss:// or unix://. Nothing is connected yet."""
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=CONNECTIONS,
            timeout=answer_seconds,
            socket_timeout=answer_seconds,
            socket_connect_timeout=answer_seconds,
            retry=Retry(NoBackoff(), 1),  # Redis closed this connection meanwhile
        )
        self._redis = Redis.from_pool(pool)
        self._place = urlsplit(url).hostname or "the local socket"
        self._uptime = uptime
        self._away_until = 0.0
        self._is_away = False
        self._tell = is_shared
        is_shared(True)

    async def ask(self, question: Callable[[Redis], Awaitable[T]]) -> T | None:
        """Return Redis's answer; None while it cannot be used."""
        if self._uptime() < self._away_until:
            return None
        try:
            answer = await question(self._redis)
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = self._uptime() + AWAY_SECONDS
            if not self._is_away:
                log.warning(
                    "redis_is_away", host=self._place, error=type(error).__name__, why="each server counts alone"
                )
            self._is_away = True
            self._tell(False)
            return None
        if self._is_away:
            self._is_away = False
            self._tell(True)
            log.info("redis_is_back", host=self._place)
        return answer

    async def stop(self) -> None:
        await self._redis.aclose()
