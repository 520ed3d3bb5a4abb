"""Tries of customers' buckets, in threads of their own: what waits for a customer's server holds up nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from renzheng.accounts.buckets import Bucket, BucketKey
from renzheng.delivery.client import BucketError, Clients
from renzheng.gateway.errors import ServiceUnavailableError
from renzheng.gateway.shares import FairShares
from renzheng.management.desk import BucketTroubleError

PROBES = 4
"""Buckets that are tried at once; one account has at most half of them."""


class BucketProbes:
    """`clients`: makes what a try goes through, which closes it."""

    def __init__(self, clients: Callable[[], Clients]) -> None:
        self._clients = clients
        self._threads = ThreadPoolExecutor(PROBES, thread_name_prefix="renzheng-probe")
        self._shares = FairShares(PROBES)

    async def probe(self, account_id: int, bucket: Bucket, key: BucketKey) -> str:
        """Write, read and delete an object; its address.

        Raises BucketTroubleError, and ServiceUnavailableError where the account tries too many at once.
        """
        if not self._shares.take(account_id):
            raise ServiceUnavailableError
        work = asyncio.get_running_loop().run_in_executor(self._threads, self._probe, bucket, key)
        work.add_done_callback(partial(self._done, account_id))
        return await asyncio.shield(work)  # whoever leaves does not free the thread

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _done(self, account_id: int, work: asyncio.Future[str]) -> None:
        self._shares.release(account_id)
        if not work.cancelled():
            work.exception()  # nobody else asks for it where the caller has left

    def _probe(self, bucket: Bucket, key: BucketKey) -> str:
        clients = self._clients()
        try:
            return clients.of(bucket, key).probe()
        except BucketError as error:
            raise BucketTroubleError(f"{error}. Nothing was changed") from None
        finally:
            clients.close()
