"""The accounts' own buckets, for tokens with UseCos."""

from __future__ import annotations

import msgspec

from renzheng.accounts.buckets import BucketKey
from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import EVERYBODY, TENANTS, Desk, ListRequest, Request, page
from renzheng.management.errors import ResourceNotFoundError
from renzheng.management.texts import ACCOUNT, ACCOUNT_FILTER, LIST, action
from renzheng.operations import buckets
from renzheng.operations.buckets import BucketView

STYLES = ("path", "virtual")
MAX_TEXT = 500
"""Characters of an address, and of each part of a key."""


class BucketReply(msgspec.Struct, rename="pascal"):
    bucket: BucketView


class AuthoriseRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    bucket: str
    region: str
    key_id: str
    key_secret: str
    endpoint: str | None = None
    prefix: str | None = None
    style: str | None = None
    public_base: str | None = None
    link_hours: float | None = None

    def check(self) -> None:
        if self.style not in (None, *STYLES):
            raise InvalidParameterValueError(name="Style", value=self.style)
        for name, text in (
            ("Endpoint", self.endpoint),
            ("PublicBase", self.public_base),
            ("KeyId", self.key_id),
            ("KeySecret", self.key_secret),
        ):
            if text is not None and len(text) > MAX_TEXT:
                raise InvalidParameterValueError(name=name, value=f"{len(text)} characters")


async def authorise(desk: Desk, request: AuthoriseRequest) -> BucketReply:
    account_id = await desk.account(request.account_id)
    bucket = buckets.bucket_of(
        request.bucket,
        request.region,
        endpoint=request.endpoint or None,
        prefix=request.prefix or "",
        virtual=request.style == "virtual",
        public_base=request.public_base or "",
        link_hours=request.link_hours or 0.0,
    )
    key = BucketKey(request.key_id, request.key_secret)
    await desk.parts.probe(account_id, bucket, key)
    await desk.store.buckets.authorise(account_id, bucket, key, desk.now)
    return BucketReply(buckets.view_of(await buckets.authorised(desk.store, account_id)))


class OneRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None


async def check(desk: Desk, request: OneRequest) -> BucketReply:
    account_id = await desk.account(request.account_id)
    found = await buckets.authorised(desk.store, account_id)
    await desk.parts.probe(account_id, found.bucket, found.key)
    return BucketReply(buckets.view_of(found))


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    account_id: int | None = None


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    buckets: list[BucketView]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    scope = await desk.scope(request.account_id)
    owners = [scope] if scope is not None else [account.id for account in await desk.store.accounts.all()]
    found = [buckets.view_of(one) for owner in owners if (one := await desk.store.buckets.get(owner)) is not None]
    shown, total, cursor = page(request, found, lambda view: view.account_id)
    return DescribeReply(total, shown, cursor)


class RevokeReply(msgspec.Struct, rename="pascal"):
    account_id: int


async def revoke(desk: Desk, request: OneRequest) -> RevokeReply:
    account_id = await desk.account(request.account_id)
    if not await desk.store.buckets.revoke(account_id):
        raise ResourceNotFoundError(reason="the account has authorised no bucket")
    return RevokeReply(account_id)


MANIFESTS = (
    action(
        "AuthoriseBucket",
        authorise,
        AuthoriseRequest,
        BucketReply,
        TENANTS,
        (
            "授权存储桶：先写入、读取并删除一个测试对象，成功后才保存。",
            "Authorises a bucket, once a probe object was written, read and deleted in it.",
        ),
        {
            **ACCOUNT,
            "Bucket": Parameter(
                "存储桶名称；COS 须带 APPID，例如 faces-1250000000。",
                "The bucket's name; for COS with its APPID, such as faces-1250000000.",
            ),
            "Region": Parameter("地域，例如 ap-guangzhou。", "The region, such as ap-guangzhou."),
            "KeyId": Parameter("有读、写、删除权限的密钥编号。", "Id of a key that may put, get and delete."),
            "KeySecret": Parameter("该密钥的内容。", "The key's secret."),
            "Endpoint": Parameter(
                "COS 以外的 S3 存储的地址。", "URL of an S3 store other than COS: https://host or http://host:port."
            ),
            "Prefix": Parameter("对象键的前缀。", "Beginning of every object key."),
            "Style": Parameter(
                "有 Endpoint 时：path 或 virtual。",
                "With Endpoint: path (host/bucket/key) or virtual (bucket.host/key).",
                choices=STYLES,
            ),
            "PublicBase": Parameter("返回地址的开头，例如您自己的域名。", "Beginning of the returned URLs."),
            "LinkHours": Parameter(
                "返回的签名地址的有效小时数；0 表示返回不带签名的地址。",
                "Hours for which presigned URLs are valid; 0: unsigned URLs.",
            ),
        },
        order=170,
    ),
    action(
        "DescribeBuckets",
        describe,
        DescribeRequest,
        DescribeReply,
        EVERYBODY,
        ("列出已授权的存储桶，不含其密钥。", "Lists the authorised buckets, without their keys."),
        {**ACCOUNT_FILTER, **LIST},
        order=171,
    ),
    action(
        "CheckBucket",
        check,
        OneRequest,
        BucketReply,
        TENANTS,
        ("在已授权的存储桶中写入、读取并删除一个测试对象。", "Writes, reads and deletes a probe in the bucket."),
        ACCOUNT,
        order=172,
    ),
    action(
        "RevokeBucket",
        revoke,
        OneRequest,
        RevokeReply,
        TENANTS,
        ("取消授权，并删除存储桶的密钥。", "Revokes the authorisation and deletes the bucket's key."),
        ACCOUNT,
        order=173,
    ),
)
