"""Tests customers' buckets in threads of their own, so that waiting for a customer's server delays nothing else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from renzheng.accounts.buckets import Bucket, BucketKey
from renzheng.base.threads import OwnThreads
from renzheng.delivery.client import BucketError, Clients
from renzheng.gateway.errors import ServiceUnavailableError
from renzheng.gateway.shares import FairShares
from renzheng.management.desk import BucketTroubleError

PROBES = 4
"""Buckets that are tested at once. One account has at most half of them."""


class BucketProbes:
    """`clients`: makes the clients for a test, which closes them."""

    def __init__(self, clients: Callable[[], Clients]) -> None:
        self._clients = clients
        self._threads = OwnThreads("probe", PROBES)
        self._shares = FairShares(PROBES)

    async def probe(self, account_id: int, bucket: Bucket, key: BucketKey) -> str:
        """Write, read and delete an object. Returns its address.

        Raises BucketTroubleError, and ServiceUnavailableError if the account tests too many at once.
        """
        if not self._shares.take(account_id):
            raise ServiceUnavailableError
        return await self._threads.run(self._probe, bucket, key, ended=partial(self._shares.release, account_id))

    def stop(self) -> None:
        self._threads.stop()

    def _probe(self, bucket: Bucket, key: BucketKey) -> str:
        clients = self._clients()
        try:
            return clients.of(bucket, key).probe()
        except BucketError as error:
            raise BucketTroubleError(f"{error}. Nothing was changed") from None
        finally:
            clients.close()
