"""How often an account may call an action over all servers: fixed windows of one second, counted in Redis.

While Redis is away each server counts its own, which lets an account have at most as many times its limit as there are
servers.
"""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from renzheng.base.shared_redis import SharedRedis
from renzheng.gateway.quota import FixedWindowQuota

KEPT_SECONDS = 5
"""Longer than the clocks of two servers may differ."""


class RedisQuota:
    """`failed()`: called for each request that was counted by this server alone, as Redis is away."""

    def __init__(self, redis: SharedRedis, failed: Callable[[], None]) -> None:
        self._redis = redis
        self._failed = failed
        self._own = FixedWindowQuota()

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """As `contract.Quota.hit`, of all servers."""
        own = await self._own.hit(account_id, action, now)
        key = f"renzheng:rate:{account_id}:{action}:{int(now)}"

        async def count(redis: Redis) -> int:
            async with redis.pipeline(transaction=False) as pipe:
                pipe.incr(key)
                pipe.expire(key, KEPT_SECONDS)
                counted, _ = await pipe.execute()
            return int(counted)

        counted = await self._redis.ask(count)
        if counted is None:
            self._failed()
            return own
        return counted
