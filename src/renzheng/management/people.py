"""The people who run this installation: their roles and their own keys."""

from __future__ import annotations

import msgspec

from renzheng.accounts.operators import Role
from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import AUDITORS, OWNERS, Desk, ListRequest, Request, page
from renzheng.management.texts import LIST, action
from renzheng.operations import people
from renzheng.operations.people import OperatorView

ROLES = tuple(role.value for role in Role)


class OperatorReply(msgspec.Struct, rename="pascal"):
    operator: OperatorView


class SecretReply(msgspec.Struct, rename="pascal"):
    """`secret_key` is not shown again."""

    operator: OperatorView
    secret_id: str
    secret_key: str


class CreateRequest(Request, frozen=True, kw_only=True):
    name: str
    role: str
    account_id: int | None = None

    def check(self) -> None:
        if self.role not in ROLES:
            raise InvalidParameterValueError(name="Role", value=self.role)


class CreateReply(SecretReply, rename="pascal"):
    """`sign_in_link`: valid once; there the person chooses a password for the console."""

    sign_in_link: str


async def create(desk: Desk, request: CreateRequest) -> CreateReply:
    operator, key = await people.add(desk.store, request.name, Role(request.role), desk.now, request.account_id)
    link = await desk.parts.offer_link(operator.id)
    return CreateReply(await people.view_of(desk.store, operator), key.secret_id, key.secret_key, link)


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    role: str | None = None
    account_id: int | None = None


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    operators: list[OperatorView]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    found = [
        await people.view_of(desk.store, one)
        for one in await desk.store.operators.all()
        if (not request.role or one.role == request.role)
        and (request.account_id is None or one.account_id == request.account_id)
    ]
    shown, total, cursor = page(request, found, lambda view: view.id)
    return DescribeReply(total, shown, cursor)


class ModifyRequest(Request, frozen=True, kw_only=True):
    operator_id: int
    role: str | None = None
    disabled: bool | None = None

    def check(self) -> None:
        if self.role is not None and self.role not in ROLES:
            raise InvalidParameterValueError(name="Role", value=self.role)


async def modify(desk: Desk, request: ModifyRequest) -> OperatorReply:
    role = Role(request.role) if request.role else None
    operator = await desk.store.operators.modify(request.operator_id, role=role, disabled=request.disabled)
    return OperatorReply(await people.view_of(desk.store, operator))


class OneRequest(Request, frozen=True, kw_only=True):
    operator_id: int


async def renew_key(desk: Desk, request: OneRequest) -> SecretReply:
    operator = await desk.store.operators.get(request.operator_id)
    key = await desk.store.operator_keys.renew(operator, desk.now)
    return SecretReply(await people.view_of(desk.store, operator), key.secret_id, key.secret_key)


_ONE = {"OperatorId": Parameter("人员编号。", "The person's number.")}
_ROLE = {
    "Role": Parameter(
        "角色：owner、operator、reviewer、auditor 或 merchant。",
        "The role: owner, operator, reviewer, auditor or merchant.",
        choices=ROLES,
    )
}
MANIFESTS = (
    action(
        "CreateOperator",
        create,
        CreateRequest,
        CreateReply,
        OWNERS,
        (
            "添加人员，为其创建密钥，并返回设置控制台密码的一次性链接。SecretKey 只显示这一次。",
            "Adds a person with a key, and a link to choose a password that works once. Both are shown only this once.",
        ),
        {
            **_ROLE,
            "Name": Parameter("姓名或登录名，唯一。", "A name of their own, as it is typed at sign-in."),
            "AccountId": Parameter(
                "商户人员所属的账号；其他角色不填。", "The account of a merchant's person; else none."
            ),
        },
        order=130,
        secret=True,
    ),
    action(
        "DescribeOperators",
        describe,
        DescribeRequest,
        DescribeReply,
        AUDITORS,
        ("列出人员，按编号排序。", "Lists the people, by number."),
        {
            **LIST,
            "Role": Parameter("只列出该角色的。", "Only of this role."),
            "AccountId": Parameter("只列出该账号的。", "Only of this account."),
        },
        order=131,
    ),
    action(
        "ModifyOperator",
        modify,
        ModifyRequest,
        OperatorReply,
        OWNERS,
        ("修改人员的角色，或停用、恢复。", "Changes a person's role, or disables the person."),
        {**_ONE, **_ROLE, "Disabled": Parameter("是否停用。", "Whether the person is shut out.")},
        order=132,
    ),
    action(
        "RenewOperatorKey",
        renew_key,
        OneRequest,
        SecretReply,
        OWNERS,
        ("为人员换发密钥，旧密钥立即失效。", "Gives a person a new key; the old one stops working."),
        _ONE,
        order=133,
        secret=True,
    ),
)
