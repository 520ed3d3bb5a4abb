"""Keys: the SecretId and SecretKey that sign for an account. A secret is shown once, when it is created."""

from __future__ import annotations

import msgspec

from renzheng.accounts.keys import Key
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import EVERYBODY, TENANTS, WORKERS, Desk, ListRequest, Request
from renzheng.management.texts import ACCOUNT, ACCOUNT_FILTER, LIST, action
from renzheng.operations import keys
from renzheng.operations.keys import KeyView


class KeyReply(msgspec.Struct, rename="pascal"):
    key: KeyView


class SecretReply(msgspec.Struct, rename="pascal"):
    """`secret_key` and `token` are not shown again."""

    key: KeyView
    secret_key: str
    token: str | None


async def _key(desk: Desk, account_id: int, secret_id: str) -> KeyReply:
    key = await desk.store.accounts.key(account_id, secret_id)
    return KeyReply(keys.view_of(key, await desk.store.operator_keys.scopes()))


async def _secret(desk: Desk, key: Key) -> SecretReply:
    return SecretReply(keys.view_of(key, await desk.store.operator_keys.scopes()), key.secret_key, key.token)


class CreateRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    unsigned_payload: bool | None = None
    addresses: list[str] | None = None


async def create(desk: Desk, request: CreateRequest) -> SecretReply:
    account_id = await desk.account(request.account_id)
    key = await desk.store.accounts.create_key(
        account_id,
        desk.now,
        unsigned_payload=bool(request.unsigned_payload),
        addresses=tuple(request.addresses or ()),
    )
    return await _secret(desk, key)


class TemporaryRequest(CreateRequest, frozen=True, kw_only=True):
    duration_seconds: int | None = None


async def create_temporary(desk: Desk, request: TemporaryRequest) -> SecretReply:
    account_id = await desk.account(request.account_id)
    key = await desk.store.accounts.create_temporary_key(
        account_id,
        desk.now,
        1800 if request.duration_seconds is None else request.duration_seconds,
        unsigned_payload=bool(request.unsigned_payload),
        addresses=tuple(request.addresses or ()),
    )
    return await _secret(desk, key)


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    account_id: int | None = None
    enabled: bool | None = None


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    keys: list[KeyView]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    scopes = await desk.store.operator_keys.scopes()
    found = [
        keys.view_of(key, scopes)
        for key in await desk.store.accounts.list_keys(await desk.scope(request.account_id))
        if request.enabled is None or key.enabled == request.enabled
    ]
    start = request.position or request.first
    shown = found[start : start + request.most]
    return DescribeReply(len(found), shown, str(start + request.most) if start + request.most < len(found) else "")


class OneRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    secret_id: str


async def enable(desk: Desk, request: OneRequest) -> KeyReply:
    return await _switch(desk, request, True)


async def disable(desk: Desk, request: OneRequest) -> KeyReply:
    return await _switch(desk, request, False)


async def _switch(desk: Desk, request: OneRequest, enabled: bool) -> KeyReply:
    account_id = await desk.account(request.account_id)
    await desk.store.accounts.set_enabled(account_id, request.secret_id, enabled)
    return await _key(desk, account_id, request.secret_id)


class Done(msgspec.Struct, rename="pascal"):
    secret_id: str


async def delete(desk: Desk, request: OneRequest) -> Done:
    await desk.store.accounts.delete_key(await desk.account(request.account_id), request.secret_id)
    return Done(request.secret_id)


class ModifyRequest(OneRequest, frozen=True, kw_only=True):
    unsigned_payload: bool | None = None
    addresses: list[str] | None = None


async def modify(desk: Desk, request: ModifyRequest) -> KeyReply:
    account_id = await desk.account(request.account_id)
    if request.addresses is not None:
        await desk.store.accounts.set_addresses(account_id, request.secret_id, tuple(request.addresses))
    if request.unsigned_payload is not None:
        await desk.store.accounts.set_unsigned_payload(account_id, request.secret_id, request.unsigned_payload)
    return await _key(desk, account_id, request.secret_id)


class ScopeRequest(OneRequest, frozen=True, kw_only=True):
    services: list[str]


async def modify_scope(desk: Desk, request: ScopeRequest) -> KeyReply:
    account_id = await desk.account(request.account_id)
    await desk.store.operator_keys.set_scopes(account_id, request.secret_id, request.services)
    return await _key(desk, account_id, request.secret_id)


_ONE = {**ACCOUNT, "SecretId": Parameter("密钥的 SecretId。", "The key's SecretId.")}
_MORE = {
    "UnsignedPayload": Parameter("请求体是否可以不参与签名。", "Whether requests may leave their body unsigned."),
    "Addresses": Parameter("允许使用的网段，整体替换；空为不限。", "Networks it may be used from, all; empty: any."),
}
MANIFESTS = (
    action(
        "CreateKey",
        create,
        CreateRequest,
        SecretReply,
        TENANTS,
        (
            "为账号创建密钥。SecretKey 只显示这一次。",
            "Makes a key for an account. Its SecretKey is shown only this once.",
        ),
        {**ACCOUNT, **_MORE},
        order=120,
        secret=True,
    ),
    action(
        "CreateTemporaryKey",
        create_temporary,
        TemporaryRequest,
        SecretReply,
        TENANTS,
        ("创建临时密钥：SecretId、SecretKey 和 Token。", "Makes temporary credentials: SecretId, SecretKey and Token."),
        {
            **ACCOUNT,
            **_MORE,
            "DurationSeconds": Parameter(
                "有效秒数，默认 1800，最大 129600。",
                "How long they are good, seconds: 1800 by default, at most 129600.",
            ),
        },
        order=121,
        secret=True,
    ),
    action(
        "DescribeKeys",
        describe,
        DescribeRequest,
        DescribeReply,
        EVERYBODY,
        ("列出密钥，不含 SecretKey，按创建时间排序。", "Lists keys by age, without their secrets."),
        {**ACCOUNT_FILTER, **LIST, "Enabled": Parameter("只列出启用或停用的。", "Only enabled or disabled ones.")},
        order=122,
    ),
    action(
        "EnableKey",
        enable,
        OneRequest,
        KeyReply,
        TENANTS,
        ("启用密钥。", "Lets a disabled key sign again."),
        _ONE,
        order=123,
    ),
    action(
        "DisableKey",
        disable,
        OneRequest,
        KeyReply,
        TENANTS,
        ("停用密钥，一秒内生效。", "Refuses a key, within a second."),
        _ONE,
        order=124,
    ),
    action(
        "DeleteKey",
        delete,
        OneRequest,
        Done,
        TENANTS,
        ("删除密钥，不能恢复。", "Deletes a key for good."),
        _ONE,
        order=125,
    ),
    action(
        "ModifyKey",
        modify,
        ModifyRequest,
        KeyReply,
        TENANTS,
        ("修改密钥的使用限制；不填的不变。", "Changes the limits of a key's use; omitted fields stay unchanged."),
        {**_ONE, **_MORE},
        order=126,
    ),
    action(
        "ModifyKeyScope",
        modify_scope,
        ScopeRequest,
        KeyReply,
        WORKERS,
        (
            "设置密钥可用于哪些产品。新密钥只能用于 faceid；授予 renzheng 后可以管理自己的账号。",
            "Sets the services that a key signs for: faceid, and renzheng to manage its own account. New keys: faceid.",
        ),
        {
            **_ONE,
            "Services": Parameter(
                "产品名，整体替换：faceid、renzheng。", "The services, all of them: faceid, renzheng."
            ),
        },
        order=127,
    ),
)
