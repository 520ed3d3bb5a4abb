"""Counts how often an account calls an action over all servers: fixed windows of one second, in Redis.

Without Redis each server counts its own requests, so an account can have its limit at each server.
"""

from __future__ import annotations

from collections.abc import Callable

from redis.asyncio import Redis

from renzheng.base.shared_redis import SharedRedis
from renzheng.gateway.quota import FixedWindowQuota

KEPT_SECONDS = 5
"""Lifetime of a count; longer than the clocks of two servers may differ."""


class RedisQuota:
    """`failed()` is called for each request that this server counted by itself because Redis did not answer."""

    def __init__(self, redis: SharedRedis, failed: Callable[[], None]) -> None:
        self._redis = redis
        self._failed = failed
        self._own = FixedWindowQuota()

    async def hit(self, account_id: int, action: str, now: float) -> int:
        """Count one request over all servers; see `contract.Quota.hit`."""
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
