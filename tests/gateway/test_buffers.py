"""Memory of large bodies is used again, never while anybody looks at it, and given back when nothing comes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable

import pytest

from renzheng.base.defaults import MIB
from renzheng.gateway import buffers
from renzheng.gateway.body import BytesInFlight, ReadInto, RequestBody, SlowReadTimer
from renzheng.gateway.buffers import MAX_KEPT, BodyBuffers
from renzheng.gateway.contract import GatewaySettings
from renzheng.gateway.errors import ServiceUnavailableError


def arriving(content: bytes) -> ReadInto:
    async def fill(buffer: memoryview) -> AsyncGenerator[int, None]:
        buffer[: len(content)] = content
        yield len(content)

    return fill


async def read(body: RequestBody, content: bytes) -> None:
    async def receive() -> dict[str, object]:
        raise AssertionError

    await body.read(
        receive, arriving(content), announced=len(content), limit=16 * MIB, too_large=ServiceUnavailableError
    )


def new(kept: BodyBuffers) -> RequestBody:
    settings = GatewaySettings()
    return RequestBody(BytesInFlight(settings), SlowReadTimer(), settings, "10.0.0.1", kept)


async def test_a_body_sees_nothing_of_the_one_that_was_there_before_it() -> None:
    kept = BodyBuffers()
    first, second = new(kept), new(kept)
    await read(first, b"a" * (2 * MIB - 1))
    first.release()
    assert len(kept._kept) == 1
    content = b"b" * (MIB + 5)
    await read(second, content)
    assert kept._kept == []  # it is in the same place
    assert (bytes(second.data), second.sha256) == (content, hashlib.sha256(content).hexdigest())


async def test_memory_that_anybody_refers_to_is_not_used_again() -> None:
    kept = BodyBuffers()
    body, other = new(kept), new(kept)
    await read(body, b"a" * MIB)
    seen = memoryview(body.data)[10:20]
    body.release()
    assert kept._kept == []
    await read(other, b"b" * MIB)
    assert bytes(seen) == b"a" * 10


async def test_few_are_kept_and_each_for_bodies_of_its_size() -> None:
    kept = BodyBuffers()
    taken = [kept.take(MIB) for _ in range(MAX_KEPT + 2)]
    for buffer in taken:
        kept.give_back(buffer)
    assert len(kept._kept) == MAX_KEPT
    assert kept.take(2 * MIB) not in taken
    assert kept.take(MIB - 1) in taken


async def test_what_waits_for_long_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffers, "KEPT_SECONDS", 0.0)
    kept = BodyBuffers()
    for _ in range(2):  # and again
        kept.give_back(kept.take(MIB))
        assert kept._timer is not None
        await until(lambda: not kept._kept)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
