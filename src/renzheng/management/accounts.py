"""Accounts: who calls the signed API, and what each may do."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from renzheng.accounts.keys import AccountProfile
from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import EVERYBODY, TENANTS, WORKERS, Desk, ListRequest, Request, page
from renzheng.management.texts import ACCOUNT, LIST, action
from renzheng.operations import accounts
from renzheng.operations.accounts import AccountLine, AccountView


class AccountReply(msgspec.Struct, rename="pascal"):
    account: AccountView


async def _reply(desk: Desk, account_id: int) -> AccountReply:
    return AccountReply(await accounts.describe(desk.store, await desk.store.accounts.get(account_id)))


class CreateRequest(Request, frozen=True, kw_only=True):
    name: str
    origins: list[str] | None = None
    display_name_zh: str | None = None
    display_name_en: str | None = None
    privacy_url: str | None = None
    contact: str | None = None
    active: bool | None = None
    prepaid: int | None = None


async def create(desk: Desk, request: CreateRequest) -> AccountReply:
    face = AccountProfile(
        request.display_name_zh or "", request.display_name_en or "", request.privacy_url or "", request.contact or ""
    )
    made, _ = await accounts.create(
        desk.store,
        request.name,
        desk.now,
        desk.parts.make_key_pairs,
        origins=tuple(request.origins or ()),
        face=face if face != AccountProfile() else None,
        active=request.active is not False,
        prepaid=request.prepaid,
    )
    return await _reply(desk, made.id)


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    account_ids: list[int] | None = None
    name: str | None = None


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    accounts: list[AccountLine]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    own = desk.person.account_id
    found = [
        accounts.line_of(account)
        for account in await desk.store.accounts.all()
        if (own is None or account.id == own)
        and (not request.account_ids or account.id in request.account_ids)
        and (not request.name or request.name.lower() in account.name.lower())
    ]
    shown, total, cursor = page(request, found, lambda line: line.id)
    return DescribeReply(total, shown, cursor)


class OneRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None


async def describe_one(desk: Desk, request: OneRequest) -> AccountReply:
    return await _reply(desk, await desk.account(request.account_id))


class ModifyRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    name: str | None = None
    origins: list[str] | None = None
    display_name_zh: str | None = None
    display_name_en: str | None = None
    privacy_url: str | None = None
    contact: str | None = None


async def modify(desk: Desk, request: ModifyRequest) -> AccountReply:
    account_id = await desk.account(request.account_id)
    account = await desk.store.accounts.get(account_id)
    given = {
        "name_zh": request.display_name_zh,
        "name_en": request.display_name_en,
        "privacy_url": request.privacy_url,
        "contact": request.contact,
    }
    face = replace(account.face, **{name: text for name, text in given.items() if text is not None})
    if request.name is not None and request.name != account.name:
        await desk.store.accounts.rename(account_id, request.name)
    if request.origins is not None:
        await desk.store.accounts.set_origins(account_id, tuple(request.origins))
    if face != account.face:
        await desk.store.accounts.set_face(account_id, face)
    return await _reply(desk, account_id)


class BillingRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    active: bool | None = None
    billing: str | None = None

    def check(self) -> None:
        if self.billing not in (None, "prepaid", "unlimited"):
            raise InvalidParameterValueError(name="Billing", value=self.billing)


async def modify_billing(desk: Desk, request: BillingRequest) -> AccountReply:
    account_id = await desk.account(request.account_id)
    if request.active is not None:
        await desk.store.billing.set_active(account_id, request.active)
    if request.billing == "prepaid":
        await desk.store.billing.set_prepaid(account_id)
    elif request.billing == "unlimited":
        await desk.store.billing.set_unlimited(account_id)
    return await _reply(desk, account_id)


class TopUpRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    amount: int


async def top_up(desk: Desk, request: TopUpRequest) -> AccountReply:
    account_id = await desk.account(request.account_id)
    await desk.store.billing.top_up(account_id, request.amount, desk.now)
    return await _reply(desk, account_id)


class LimitRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    name: str
    limit: int | None = None


async def modify_limit(desk: Desk, request: LimitRequest) -> AccountReply:
    account_id = await desk.account(request.account_id)
    if request.name not in accounts.limit_names(desk.parts.actions):
        raise InvalidParameterValueError(name="Name", value=request.name)
    await desk.store.billing.set_limit(account_id, request.name, request.limit)
    return await _reply(desk, account_id)


_SHOWN = {
    "Origins": Parameter(
        "允许嵌入采集页的网页来源，例如 https://shop.example；整体替换。",
        "Web origins whose pages may run captures, such as https://shop.example; the whole list.",
    ),
    "DisplayNameZh": Parameter("用户看到的中文名称。", "The name that people read in Chinese."),
    "DisplayNameEn": Parameter("用户看到的英文名称。", "The name that people read in English."),
    "PrivacyUrl": Parameter("隐私政策的地址。", "Address of the privacy policy."),
    "Contact": Parameter("用户可以联系谁。", "Whom people may ask, as text."),
}
_NAME = {"Name": Parameter("账号名称，唯一，1 到 64 个字符。", "A name of its own, of 1 to 64 characters.")}
_ACTIVE = {"Active": Parameter("是否开通。", "Whether the account is served.")}
MANIFESTS = (
    action(
        "CreateAccount",
        create,
        CreateRequest,
        AccountReply,
        WORKERS,
        ("创建账号。账号还没有密钥，用 CreateKey 创建。", "Makes an account. It has no key yet: CreateKey makes one."),
        {
            **_NAME,
            **_SHOWN,
            **_ACTIVE,
            "Prepaid": Parameter(
                "预付的核身次数；不填则不限。", "How many verifications it may make; left out: no limit."
            ),
        },
        order=110,
    ),
    action(
        "DescribeAccounts",
        describe,
        DescribeRequest,
        DescribeReply,
        EVERYBODY,
        ("列出账号，按编号排序。", "Lists accounts, by number."),
        {
            **LIST,
            "AccountIds": Parameter("只列出这些编号。", "Only these numbers."),
            "Name": Parameter("名称包含此文字的。", "Those whose name has this in it."),
        },
        order=111,
    ),
    action(
        "DescribeAccount",
        describe_one,
        OneRequest,
        AccountReply,
        EVERYBODY,
        ("查询一个账号：名称、余额、限额和用量。", "Shows one account: names, balance, limits and what it uses."),
        ACCOUNT,
        order=112,
    ),
    action(
        "ModifyAccount",
        modify,
        ModifyRequest,
        AccountReply,
        TENANTS,
        (
            "修改账号的名称、来源和用户看到的信息；不填的不变。",
            "Changes an account's names and origins; omitted fields stay unchanged.",
        ),
        {**ACCOUNT, **_NAME, **_SHOWN},
        order=113,
    ),
    action(
        "ModifyAccountBilling",
        modify_billing,
        BillingRequest,
        AccountReply,
        WORKERS,
        ("开通或停用账号，或改变计费方式。", "Activates or deactivates an account, and sets how it is billed."),
        {
            **ACCOUNT,
            **_ACTIVE,
            "Billing": Parameter(
                "prepaid 为预付，unlimited 为不限。",
                "prepaid keeps a balance, unlimited keeps none.",
                choices=("prepaid", "unlimited"),
            ),
        },
        order=114,
    ),
    action(
        "TopUpAccount",
        top_up,
        TopUpRequest,
        AccountReply,
        WORKERS,
        (
            "给预付账号充值，单位为一次核身；负数为扣回。",
            "Adds verifications to a prepaid balance; a negative number takes them back.",
        ),
        {**ACCOUNT, "Amount": Parameter("次数。", "How many verifications.")},
        order=115,
    ),
    action(
        "ModifyAccountLimit",
        modify_limit,
        LimitRequest,
        AccountReply,
        WORKERS,
        (
            "设置账号的限额：某个接口每秒的请求数，或保存的影像字节数。",
            "Sets a limit of an account: requests per second of an action, or bytes of evidence.",
        ),
        {
            **ACCOUNT,
            "Name": Parameter("接口名，或 evidence_bytes。", "An action's name, or evidence_bytes."),
            "Limit": Parameter("限额；不填则恢复默认。", "The limit; left out: the server's own again."),
        },
        order=116,
    ),
)
