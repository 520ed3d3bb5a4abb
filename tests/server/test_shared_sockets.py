"""Capture sockets by address over several servers: counted together in Redis, and by each alone while that is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from renzheng.base.shared_redis import AWAY_SECONDS, SharedRedis
from renzheng.server import shared_sockets
from renzheng.server.shared_sockets import SharedSocketCounts
from tests.support.redis import RedisServer

MOST = 8
HOME, OTHER = "192.0.2.1", "2001:db8::/64"


class Node:
    """One server's count, and how often it was made without Redis."""

    def __init__(self, url: str, name: str) -> None:
        self.failed = 0
        self.uptime = 0.0
        self.redis = SharedRedis(url, lambda _: None, lambda: self.uptime, 30.0)
        self.sockets = SharedSocketCounts(self.redis, MOST, name, self._fail)

    def _fail(self) -> None:
        self.failed += 1


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[RedisServer]:
    running = RedisServer(tmp_path)
    yield running
    running.stop()


@pytest.fixture
async def nodes(server: RedisServer) -> AsyncIterator[list[Node]]:
    made = [Node(server.url, name) for name in "ab"]
    yield made
    for node in made:
        await node.redis.stop()


async def enter(nodes: list[Node], count: int, address: str = HOME) -> list[tuple[Node, str]]:
    """Open as many at once, in turns. Returns those that got a place."""
    tried = [nodes[number % len(nodes)] for number in range(count)]
    places = await asyncio.gather(*(node.sockets.enter(address) for node in tried))
    return [(node, place) for node, place in zip(tried, places, strict=True) if place is not None]


async def test_an_address_has_its_places_once_however_many_servers_it_comes_to(nodes: list[Node]) -> None:
    for _ in range(5):
        held = await enter(nodes, 16)
        assert len(held) == MOST
        elsewhere = await enter(nodes, 2, OTHER)
        assert len(elsewhere) == 2
        for node, place in elsewhere:
            await node.sockets.leave(OTHER, place)
        node, place = held.pop()
        await node.sockets.leave(HOME, place)
        held += await enter(nodes, 4)
        assert len(held) == MOST
        for node, place in held:
            await node.sockets.leave(HOME, place)
    assert [node.failed for node in nodes] == [0, 0]


async def test_places_of_a_server_that_was_killed_are_free_again_and_open_sockets_keep_theirs(
    nodes: list[Node], server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = nodes
    async with Redis.from_url(server.url) as redis:
        key = f"renzheng:sockets:{HOME}"
        assert len(await enter([one], 5)) == 5
        assert len(await enter([other], 5)) == MOST - 5
        members: Any = dict.fromkeys(await redis.zrange(key, 0, -1), 1.0)
        await redis.zadd(key, members)  # as if their seconds were over
        await one.sockets.renew()  # the other is gone
        assert len(await enter([one], MOST)) == MOST - 5
        assert 0 < await redis.ttl(key) <= shared_sockets.SOCKET_LEASE_SECONDS


async def test_while_redis_is_away_each_server_counts_its_own(nodes: list[Node], server: RedisServer) -> None:
    assert len(await enter(nodes, 4)) == 4
    server.stop()
    held = await enter(nodes, 32)
    assert len(held) == 2 * MOST - 4, "each has all of its own"
    assert sum(node.failed for node in nodes) == len(held)
    server.start()
    for node in nodes:
        node.uptime += AWAY_SECONDS
        await node.sockets.renew()
    node, place = held.pop()
    await node.sockets.leave(HOME, place)
    assert await enter([node], 1) == [], "over both there are more than there may be"
