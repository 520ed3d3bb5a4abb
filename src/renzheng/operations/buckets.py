"""The account's own bucket, authorised only after a test object was written, read and deleted there."""

from __future__ import annotations

import msgspec

from renzheng.accounts.buckets import Bucket, cos_bucket, s3_bucket
from renzheng.store.accounts import NotFoundError
from renzheng.store.customer_buckets import Authorised
from renzheng.store.open import Store


class BucketView(msgspec.Struct, rename="pascal", frozen=True):
    """A bucket without its key. `addresses`: the form of the addresses that merchants get."""

    account_id: int
    bucket: str
    region: str
    host: str
    prefix: str
    addresses: str
    link_hours: float
    authorised_at: float


def view_of(found: Authorised) -> BucketView:
    bucket = found.bucket
    return BucketView(
        found.account_id,
        bucket.name,
        bucket.region,
        bucket.host,
        bucket.prefix,
        example_address(bucket),
        bucket.link_hours,
        found.at,
    )


def example_address(bucket: Bucket) -> str:
    return bucket.address(bucket.key("yyyymmdd/128-random-bits", "video.mp4"))


def bucket_of(
    name: str,
    region: str,
    *,
    endpoint: str | None = None,
    prefix: str = "",
    virtual: bool = False,
    public_base: str = "",
    link_hours: float = 0.0,
) -> Bucket:
    """Make a bucket: Tencent COS without an endpoint, else an S3 store. Raises BucketRefusedError."""
    if endpoint is None:
        return cos_bucket(name, region, prefix, public_base, link_hours)
    return s3_bucket(name, endpoint, region, prefix, virtual, public_base, link_hours)


async def authorised(store: Store, account_id: int) -> Authorised:
    """Return the account's authorised bucket. Raises NotFoundError."""
    found = await store.buckets.get(account_id)
    if found is None:
        raise NotFoundError(f"account {account_id} has authorised no bucket: renzheng bucket authorise")
    return found
