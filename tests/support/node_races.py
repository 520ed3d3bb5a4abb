"""Sixteen that come at once to two servers of the same records: one of them wins, whichever server it came to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from renzheng.capture.messages import Close
from tests.support.images import base64_of, drawn
from tests.support.postgres import cluster
from tests.support.server import PATIENCE, Server, result, second, until
from tests.support.server import token as issue

CONTENDERS = 16
LIFE = 10
"""Seconds of a token: the fewest that there may be."""


class Pair:
    def __init__(self, servers: tuple[Server, Server]) -> None:
        self.servers = servers
        self.key = servers[0].key()
        self.clients = [server.sdk(self.key) for server in servers]
        self.numbers: dict[str, int] = {}
        self.records = psycopg.connect(servers[0].environment["RENZHENG_DATABASE_URL"], autocommit=True)

    def token(self) -> str:
        made = issue(self.clients[0], CompareLib="LOCAL", ImageBase64=base64_of(drawn()))
        self.numbers[made] = self.row("SELECT max(id) FROM sessions")[0]  # nobody else issues any
        return made

    def of(self, column: str, token: str) -> Any:
        """Return the number of a token's session."""
        return self.row(f"SELECT {column} FROM sessions WHERE id = %s", self.numbers[token])[0]

    def billed(self, token: str) -> int:
        return int(self.row("SELECT count(*) FROM ledger WHERE session_id = %s", self.numbers[token])[0])

    def row(self, sql: str, *given: object) -> tuple[Any, ...]:
        found = self.records.execute(sql, given).fetchone()
        assert found is not None
        return tuple(found)

    @contextlib.asynccontextmanager
    async def sockets(self) -> AsyncIterator[list[ClientConnection]]:
        """Open the sockets of sixteen devices, every second one to the other server. None has sent anything yet."""
        async with contextlib.AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(
                    connect(
                        self.servers[number % 2].url.replace("http", "ws") + "/capture/v1",
                        ping_interval=None,
                        compression=None,
                    )
                )
                for number in range(CONTENDERS)
            ]


@contextlib.contextmanager
def running_pair(folder: Path) -> Iterator[Pair]:
    """Run two servers without a judge, so that a verdict comes only from a token's end."""
    (folder / "one").mkdir()
    (folder / "other").mkdir()
    records, keys = (cluster().create() for _ in range(2))
    given: dict[str, object] = {
        "judge_here": False, "captures_per_address": 4 * CONTENDERS, "token_seconds": LIFE, "sweep_seconds": 0.5,
        "hello_seconds": 60,  # some wait for a token's end before they say it
    }  # fmt: skip
    one = Server(folder / "one", database_url=records, keys_url=keys, **given).start()
    other = second(one, folder / "other", **given).start()
    found = Pair((one, other))
    try:
        yield found
    finally:
        found.records.close()
        other.stop()
        one.stop()


async def hear(socket: ClientConnection, *kinds: str) -> dict[str, Any] | int:
    """The first message of these kinds, or the code by which the server closed."""
    try:
        async with asyncio.timeout(PATIENCE):
            while True:
                message: dict[str, Any] = json.loads(await socket.recv())
                if message["type"] == "ping":
                    await socket.send(json.dumps({"type": "pong", "id": message["id"]}))
                if message["type"] in kinds:
                    return message
    except ConnectionClosed as closed:
        return int(closed.rcvd.code) if closed.rcvd else 1006


async def greet(sockets: list[ClientConnection], token: str, secret: str = "") -> list[dict[str, Any] | int]:
    """All say hello at once; what each hears."""
    hello = json.dumps({"type": "hello", "protocol": 1, "token": token, **({"device": secret} if secret else {})})
    await asyncio.gather(*(socket.send(hello) for socket in sockets))
    return await asyncio.gather(*(hear(socket, "welcome") for socket in sockets))


def welcomed(heard: list[dict[str, Any] | int]) -> list[dict[str, Any]]:
    return [one for one in heard if isinstance(one, dict)]


def until_all(pair: Pair, tokens: list[str], state: str) -> None:
    until(lambda: all(pair.of("state", token) == state for token in tokens))


async def race_of_devices(pair: Pair, rounds: int) -> None:
    for _ in range(rounds):
        token = pair.token()
        async with pair.sockets() as sockets:
            heard = await greet(sockets, token)
        assert len(welcomed(heard)) == 1
        assert Counter(one for one in heard if isinstance(one, int)) == {int(Close.OTHER_DEVICE): CONTENDERS - 1}


async def race_of_connections(pair: Pair, rounds: int) -> None:
    """Connect like a device that tries again and again while its network comes and goes."""
    for _ in range(rounds):
        token = pair.token()
        async with pair.sockets() as sockets:
            [secret] = [one["device"] for one in welcomed(await greet(sockets[:1], token))]
            await greet(sockets[1:], token, secret)
            for socket in sockets:
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(json.dumps({"type": "start"}))
            ends = [asyncio.create_task(hear(socket, "outcome")) for socket in sockets]
            done: set[asyncio.Task[Any]] = set()
            async with asyncio.timeout(PATIENCE):
                while len(done) < CONTENDERS - 1:
                    done, open_still = await asyncio.wait(ends, timeout=0.2)
            assert {task.result() for task in done} == {int(Close.TAKEN_OVER)}
            assert len(open_still) == 1
            assert pair.of("attempt", token) in (0, 1)
            for task in open_still:
                task.cancel()


async def race_of_ends(pair: Pair, rounds: int) -> None:
    """All rounds' tokens are issued at once, as each takes as long as a token lives."""
    tokens = [pair.token() for _ in range(rounds)]
    ends = {token: pair.of("expires_at", token) for token in tokens}
    for token in tokens:
        async with pair.sockets() as sockets:
            await asyncio.sleep(ends[token] - time.time())
            heard = await greet(sockets, token)
        assert len(welcomed(heard)) <= 1
        assert {one for one in heard if isinstance(one, int)} <= {int(Close.OTHER_DEVICE), int(Close.EXPIRED)}
    await asyncio.to_thread(until_all, pair, tokens, "expired")
    assert [pair.billed(token) for token in tokens] == [0] * rounds


async def race_of_fetches(pair: Pair, rounds: int) -> None:
    """An attempt that was begun when its token's life ended is failed by whichever server sees it first."""
    ended = []
    for _ in range(rounds):
        token = pair.token()
        async with pair.sockets() as sockets:
            assert len(welcomed(await greet(sockets[:1], token))) == 1
        ended.append(token)
    set_back = "UPDATE sessions SET state = 'capturing', attempt = 1, expires_at = %s WHERE id = ANY(%s)"
    pair.records.execute(set_back, [time.time() - 1, [pair.numbers[token] for token in ended]])
    for token in ended:
        with ThreadPoolExecutor(CONTENDERS) as pool:
            replies = list(pool.map(lambda number: _fetched(pair, token, number), range(CONTENDERS)))  # noqa: B023
        assert len(set(replies)) == 1, replies
        assert pair.billed(token) <= 1


def _fetched(pair: Pair, token: str, number: int) -> str:
    reply = json.loads(result(pair.clients[number % 2], token).to_json_string())
    del reply["RequestId"]
    return json.dumps(reply, sort_keys=True)
