"""Requests a second over several servers: counted together in Redis, and by each server alone while that is away."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator

import pytest

from renzheng.base.shared_redis import AWAY_SECONDS, SharedRedis
from renzheng.gateway.shared_quota import RedisQuota
from tests.support.redis import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    running = RedisServer(tmp_path_factory.mktemp("redis"))
    yield running
    running.stop()


class Node:
    """One server's quota, and what it told."""

    def __init__(self, url: str, answer_seconds: float = 30.0) -> None:
        self.failed = 0
        self.shared: list[bool] = []
        self.uptime = 0.0
        self.redis = SharedRedis(url, self.shared.append, lambda: self.uptime, answer_seconds)
        self.quota = RedisQuota(self.redis, self.fail)

    def fail(self) -> None:
        self.failed += 1


@pytest.fixture
async def nodes(server: RedisServer) -> AsyncIterator[list[Node]]:
    made = [Node(server.url) for _ in range(2)]
    yield made
    for node in made:
        await node.redis.stop()


async def test_two_servers_count_an_accounts_second_together_and_exactly(nodes: list[Node]) -> None:
    hits = [node.quota.hit(1, "GetFaceIdToken", 1000.0 + n / 300) for n in range(150) for node in nodes]
    assert sorted(await asyncio.gather(*hits)) == list(range(1, 301))
    assert await nodes[0].quota.hit(1, "GetFaceIdToken", 1001.0) == 1
    assert await nodes[1].quota.hit(2, "GetFaceIdToken", 1000.0) == 1
    assert await nodes[1].quota.hit(1, "GetFaceIdResult", 1000.0) == 1
    assert [(node.failed, node.shared) for node in nodes] == [(0, [True])] * 2


@pytest.mark.parametrize("how", ["gone", "hanging"])
async def test_while_redis_is_away_each_server_counts_its_own_and_says_so(
    server: RedisServer, nodes: list[Node], how: str
) -> None:
    node, now = nodes[0], 2000.0 if how == "gone" else 3000.0
    if how == "hanging":
        node = nodes[0] = Node(server.url, 1.0)
    assert await node.quota.hit(1, "A", now) == 1
    assert await nodes[1].quota.hit(1, "A", now) == 2
    assert server.process is not None
    if how == "gone":
        server.stop()
    else:
        server.process.send_signal(signal.SIGSTOP)
    assert await node.quota.hit(1, "A", now) == 2, "its own second, and not the third of all"
    node.uptime += AWAY_SECONDS / 2
    assert await node.quota.hit(1, "A", now) == 3
    assert (node.failed, node.shared) == (2, [True, False])
    if how == "gone":
        server.start()
    else:
        server.process.send_signal(signal.SIGCONT)
    node.uptime += AWAY_SECONDS
    assert await node.quota.hit(1, "A", now + 1) == 1
    assert await nodes[1].quota.hit(1, "A", now + 1) == 2
    assert (node.failed, node.shared) == (2, [True, False, True])
