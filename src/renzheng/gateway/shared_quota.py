"""How often an account may call an action over all servers: fixed windows of one second, counted in Redis.

Nothing else lives there, so that Redis may be lost without loss. While it is away each server counts its own, which
lets an account have at most as many times its limit as there are servers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from renzheng.gateway.quota import FixedWindowQuota

log = structlog.get_logger("renzheng.gateway")

CONNECTIONS = 16
ANSWER_SECONDS = 0.25
"""For so long a request waits for Redis at most."""
AWAY_SECONDS = 1.0
"""For so long nobody waits for it after it failed."""
KEPT_SECONDS = 5
"""Longer than the clocks of two servers may differ."""


class RedisQuota:
    """`failed()`: called for each request that was counted by this server alone, as Redis is away. `is_shared` is told
    whenever that changes."""

    def __init__(
        self,
        url: str,
        failed: Callable[[], None],
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
            retry=Retry(NoBackoff(), 1),  # on a connection that Redis closed meanwhile
        )
        self._redis = Redis.from_pool(pool)
        self._place = urlsplit(url).hostname or "the local socket"
        self._failed = failed
        self._uptime = uptime
        self._own = FixedWindowQuota()
        self._away_until = 0.0
        self._is_away = False
        self._tell = is_shared
        is_shared(True)

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """As `contract.Quota.hit`, of all servers."""
        own = await self._own.hit(account_id, action, now)
        if self._uptime() < self._away_until:
            self._failed()
            return own
        try:
            count = await self._count(f"renzheng:rate:{account_id}:{action}:{int(now)}")
        except (RedisError, OSError, TimeoutError) as error:
            self._away_until = self._uptime() + AWAY_SECONDS
            if not self._is_away:
                log.warning(
                    "redis_is_away", host=self._place, error=type(error).__name__, why="each server counts alone"
                )
            self._is_away = True
            self._tell(False)
            self._failed()
            return own
        if self._is_away:
            self._is_away = False
            self._tell(True)
            log.info("redis_is_back", host=self._place)
        return count

    async def _count(self, key: str) -> int:
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.incr(key)
            pipe.expire(key, KEPT_SECONDS)
            count, _ = await pipe.execute()
        return int(count)

    async def stop(self) -> None:
        await self._redis.aclose()
