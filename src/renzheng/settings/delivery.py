"""The customers' own buckets."""

from __future__ import annotations

from pydantic import BaseModel, Field

from renzheng.settings.kinds import BucketHosts, Site


class DeliverySection(BaseModel):
    """Read by the deliverer."""

    bucket_hosts: BucketHosts = Field(
        ("*.myqcloud.com",),
        description="Hosts on which accounts may authorise buckets, comma-separated: names, endings such as "
        "*.example.com, addresses and networks. For addresses that are not public, list their network.",
    )
    bucket_proxy: Site = Field("", description="HTTP proxy to customers' buckets; empty: connect directly.")
    delivery_wait_seconds: float = Field(
        2, ge=0, le=20, description="Seconds that GetFaceIdResult waits for a delivery to a bucket that is in progress."
    )
