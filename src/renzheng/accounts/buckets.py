"""An account's own bucket, to which UseCos delivers its verifications' video and best frame.

Tencent COS by its S3 interface, or any other S3. What is delivered there belongs to the customer, and is not encrypted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

from renzheng.base.addresses import split_url

VIDEO, BEST_FRAME = "video.mp4", "best_frame.jpg"
MAX_LINK_HOURS = 7 * 24
"""A presigned URL is valid for at most seven days: S3's own limit."""
MAX_PREFIX = 200

_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9]")
_COS_NAME = re.compile(r"[a-z0-9][a-z0-9\-]*-[0-9]{5,}")
_REGION = re.compile(r"[a-z0-9][a-z0-9\-]{0,40}")
_PREFIX = re.compile(r"[A-Za-z0-9_.\-]+(/[A-Za-z0-9_.\-]+)*")


class BucketRefusedError(ValueError):
    """The description of the bucket is not valid. The text says why, for the operator."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's place, and the form of its addresses. `endpoint`: host, and the port if it is not the scheme's,
    without the bucket's name.

    `virtual`: the bucket's name is the first label of the host; otherwise it is in the path. `public_base`: addresses
    begin with it instead, for example with the customer's own domain. `link_hours`: above 0, addresses are signed and
    valid for so long; at 0 they are plain, and the customer reads with keys of its own.
    """

    name: str
    region: str
    endpoint: str
    prefix: str = ""
    virtual: bool = True
    secure: bool = True
    public_base: str = ""
    link_hours: float = 0.0

    def __post_init__(self) -> None:
        _check(self)

    @property
    def host(self) -> str:
        """Host and port that requests for this bucket go to."""
        return f"{self.name}.{self.endpoint}" if self.virtual else self.endpoint

    def key(self, folder: str, name: str) -> str:
        """Return the key of an object in a delivery's folder."""
        return "/".join(part for part in (self.prefix, folder, name) if part)

    def address(self, key: str) -> str:
        """Return the complete address of an object, unsigned, as a result contains it."""
        if self.public_base:
            return f"{self.public_base.rstrip('/')}/{quote(key)}"
        scheme = "https" if self.secure else "http"
        path = quote(key) if self.virtual else f"{self.name}/{quote(key)}"
        return f"{scheme}://{self.host}/{path}"


@dataclass(frozen=True, slots=True)
class BucketKey:
    """A key that may put, get and delete in the bucket. It is never shown."""

    access_id: str = field(repr=False)
    secret: str = field(repr=False)


def cos_bucket(name: str, region: str, prefix: str = "", public_base: str = "", link_hours: float = 0.0) -> Bucket:
    """Make a bucket of Tencent COS: virtual-hosted, as COS refuses other requests to buckets made since 2024.

    Raises BucketRefusedError, also for a name without its APPID.
    """
    if not _COS_NAME.fullmatch(name):
        raise BucketRefusedError(f"{name!r} is not a COS bucket name: it ends in the APPID, such as faces-1250000000")
    return Bucket(name, region, f"cos.{region}.myqcloud.com", prefix, public_base=public_base, link_hours=link_hours)


def s3_bucket(
    name: str,
    endpoint: str,
    region: str = "us-east-1",
    prefix: str = "",
    virtual: bool = False,
    public_base: str = "",
    link_hours: float = 0.0,
) -> Bucket:
    """Make a bucket of another S3 from its endpoint's address, `https://host[:port]`. Raises BucketRefusedError."""
    parts = split_url(endpoint)
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.path.strip("/")
        or parts.query
    ):
        raise BucketRefusedError(
            f"{endpoint!r} is not an endpoint; it looks like https://s3.example.com or http://host:9000"
        )
    if "@" in parts.netloc:
        raise BucketRefusedError("an endpoint must not contain a user or password: give the key separately")
    secure = parts.scheme == "https"
    return Bucket(name, region, parts.netloc, prefix, virtual, secure, public_base, link_hours)


def _check(bucket: Bucket) -> None:
    if not _NAME.fullmatch(bucket.name):
        raise BucketRefusedError(
            f"{bucket.name!r} is not a bucket name: 3 to 63 lower-case letters, digits, dots, hyphens"
        )
    if not _REGION.fullmatch(bucket.region):
        raise BucketRefusedError(f"{bucket.region!r} is not a region; it looks like ap-guangzhou")
    if bucket.prefix and (len(bucket.prefix) > MAX_PREFIX or not _is_prefix(bucket.prefix)):
        raise BucketRefusedError(
            f"{bucket.prefix!r} is not a prefix: up to {MAX_PREFIX} letters, digits, dots, hyphens and underscores,"
            " with single slashes between"
        )
    if bucket.public_base:
        base = split_url(bucket.public_base)
        if base is None or base.scheme not in ("http", "https") or not base.hostname or base.query or base.fragment:
            raise BucketRefusedError(
                f"{bucket.public_base!r} is not a base URL; it looks like https://faces.example.com"
            )
        if bucket.link_hours:
            raise BucketRefusedError("signed URLs use the bucket's own host: leave out the base or the hours")
    if not 0 <= bucket.link_hours <= MAX_LINK_HOURS:
        raise BucketRefusedError(f"signed URLs are valid for 0 to {MAX_LINK_HOURS} hours, not {bucket.link_hours:g}")


def _is_prefix(text: str) -> bool:
    return bool(_PREFIX.fullmatch(text)) and not any(part in (".", "..") for part in text.split("/"))
