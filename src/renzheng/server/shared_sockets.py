"""Counts capture sockets by address over all servers, in Redis, so that several servers do not allow more.

A socket's entry lives for seconds, and its server renews it while the socket is open: the entries of a server that was
killed expire soon. Without Redis each server counts its own.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

from redis.asyncio import Redis

from renzheng.base.shared_redis import SharedRedis
from renzheng.capture.socket_counts import OwnSocketCounts

SOCKET_LEASE_SECONDS = 30
RENEW_SECONDS = 8.0
"""Several times in an entry's life, as Redis may fail at one of them."""

_CLOCK = "local t = redis.call('TIME') local now = t[1] + t[2] / 1000000 "
# Counting and taking a place are one step: of two sockets that want the last place, one gets it.
_ENTER = _CLOCK + (
    "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now) "
    "if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end "
    "redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1]) redis.call('EXPIRE', KEYS[1], ARGV[3]) return 1"
)
_RENEW = _CLOCK + (
    "for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end redis.call('EXPIRE', KEYS[1], ARGV[1])"
)


class SharedSocketCounts:
    """`most`: sockets of one address. `name`: of this server, and unique. `failed()`: called for each socket that this
    server counted by itself."""

    def __init__(self, redis: SharedRedis, most: int, name: str, failed: Callable[[], None]) -> None:
        self._redis = redis
        self._most = most
        self._name = name
        self._failed = failed
        self._own = OwnSocketCounts(most)
        self._numbers = itertools.count()
        self._places: dict[str, set[str]] = {}

    async def enter(self, address: str) -> str | None:
        if await self._own.enter(address) is None:
            return None
        place = f"{self._name}:{next(self._numbers)}"
        try:
            taken = await self._run(_ENTER, address, place, self._most, SOCKET_LEASE_SECONDS)
        except BaseException:
            await self._own.leave(address, place)
            raise
        if taken == 0:
            await self._own.leave(address, place)
            return None
        if taken is None:
            self._failed()
        self._places.setdefault(address, set()).add(place)
        return place

    async def leave(self, address: str, place: str) -> None:
        await self._own.leave(address, place)
        places = self._places[address]
        places.discard(place)
        if not places:
            del self._places[address]
        await self._redis.ask(lambda redis: redis.zrem(_key(address), place))  # else it expires in seconds

    async def run(self) -> None:
        """Renew the entries of open sockets, until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            await self.renew()

    async def renew(self) -> None:
        for address, places in list(self._places.items()):
            await self._run(_RENEW, address, SOCKET_LEASE_SECONDS, *places)

    async def _run(self, script: str, address: str, *arguments: Any) -> int | None:
        """Run a script and return its result; None without Redis."""

        async def evaluate(redis: Redis) -> int:
            return int(await redis.eval(script, 1, _key(address), *arguments) or 0)

        return await self._redis.ask(evaluate)


def _key(address: str) -> str:
    return f"renzheng:sockets:{address}"
