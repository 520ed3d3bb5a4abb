"""Tries of buckets that say nothing hold up neither the store nor another account's tries."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from renzheng.accounts.buckets import Bucket, s3_bucket
from renzheng.base.bounded_http import Bounds
from renzheng.delivery.client import Clients
from renzheng.delivery.hosts import AllowedHosts
from renzheng.gateway.errors import ServiceUnavailableError
from renzheng.management.desk import BucketTroubleError
from renzheng.server.bucket_probes import PROBES, BucketProbes
from tests.delivery.conftest import KEY
from tests.support.stranger import Stranger, says_nothing


@pytest.fixture
def silent() -> Iterator[Stranger]:
    made = Stranger(says_nothing)
    yield made
    made.stop()


async def seen(silent: Stranger, count: int) -> None:
    async with asyncio.timeout(20):
        while len(silent.seen) < count:  # noqa: ASYNC110 - what it waits for has no event
            await asyncio.sleep(0.01)


async def test_one_account_takes_half_of_the_places_whoever_leaves(silent: Stranger) -> None:
    bucket: Bucket = s3_bucket("faces", "https://127.0.0.1")
    bucket = replace(bucket, endpoint=f"127.0.0.1:{silent.port}", secure=False)
    bounds = Bounds(connect=30, read=30, whole=30)
    probes = BucketProbes(lambda: Clients(AllowedHosts(["127.0.0.0/8"]), bounds=bounds))
    try:
        mine = [asyncio.create_task(probes.probe(1, bucket, KEY)) for _ in range(PROBES // 2)]
        await seen(silent, PROBES // 2)
        with pytest.raises(ServiceUnavailableError):
            await probes.probe(1, bucket, KEY)
        mine.pop().cancel()
        await asyncio.sleep(0)
        with pytest.raises(ServiceUnavailableError):
            await probes.probe(1, bucket, KEY)
        mine.append(asyncio.create_task(probes.probe(2, bucket, KEY)))
        await seen(silent, PROBES // 2 + 1)
        async with asyncio.timeout(20):
            await asyncio.to_thread(int)  # where the store works
        silent.stop()
        for task in mine:
            with pytest.raises(BucketTroubleError, match="Nothing was changed"):
                await task
        with pytest.raises(BucketTroubleError, match="cannot be reached"):
            await probes.probe(1, bucket, KEY)
    finally:
        silent.stop()
        probes.stop()
