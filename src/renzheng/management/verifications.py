"""Verifications: lists, details of one, and erasing one."""

from __future__ import annotations

import msgspec

from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import EVERYBODY, TENANTS, Desk, ListRequest, Request
from renzheng.management.errors import ResourceNotFoundError
from renzheng.management.texts import ACCOUNT_FILTER, LIST, TIMES, action
from renzheng.operations import sessions
from renzheng.operations.sessions import VerificationLine, VerificationView
from renzheng.store.search import Wanted
from renzheng.verification.records import SessionOutcome
from renzheng.verification.session import State

STATES = tuple(state.value for state in State)


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    account_id: int | None = None
    state: str | None = None
    result: str | None = None
    rule_id: str | None = None
    id_card: str | None = None
    since: float | None = None
    until: float | None = None
    request_id: str | None = None

    def check(self) -> None:
        ListRequest.check(self)
        if self.state is not None and self.state not in STATES:
            raise InvalidParameterValueError(name="State", value=self.state)
        if self.rule_id and not (self.rule_id.isascii() and self.rule_id.isdigit() and len(self.rule_id) < 19):
            raise InvalidParameterValueError(name="RuleId", value=self.rule_id)
        for name, value in (("Since", self.since), ("Until", self.until)):
            if value is not None and not 0 <= value < 1e11:
                raise InvalidParameterValueError(name=name, value=value)


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    verifications: list[VerificationLine]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    store = desk.store
    # An ID number is looked up by a hash of the account's own.
    scope = await desk.account(request.account_id) if request.id_card else await desk.scope(request.account_id)
    wanted = Wanted(
        account_id=scope,
        state=request.state,
        result=request.result or None,
        rule_id=int(request.rule_id) if request.rule_id else None,
        id_hash=store.sessions.id_hash(scope, request.id_card) if request.id_card and scope is not None else None,
        since=request.since or 0,
        until=request.until,
        session_id=await _session_of(desk, request.request_id) if request.request_id else None,
    )
    listed = await store.search.sessions(wanted, request.most + 1, request.first, request.position)
    shown = [sessions.line_of(one) for one in listed[: request.most]]
    cursor = str(shown[-1].id) if len(listed) > request.most and shown else ""
    return DescribeReply(await store.search.count_sessions(wanted), shown, cursor)


async def _session_of(desk: Desk, request_id: str) -> int:
    """Return the verification that a call was about; 0 if there is none."""
    await desk.store.calls.flush(desk.now)
    return await desk.store.calls.session_of(request_id) or 0


class OneRequest(Request, frozen=True, kw_only=True):
    verification_id: str


class VerificationReply(msgspec.Struct, rename="pascal"):
    verification: VerificationView


async def found(desk: Desk, request: OneRequest) -> SessionOutcome:
    """Return a verification. Another account's does not exist for the caller."""
    outcome = await sessions.find(desk.store, request.verification_id)
    own = desk.person.account_id
    if own is not None and outcome.session.account_id != own:
        raise ResourceNotFoundError(reason="there is no such verification, or it is erased")
    return outcome


async def describe_one(desk: Desk, request: OneRequest) -> VerificationReply:
    return VerificationReply(await sessions.describe(desk.store, await found(desk, request), desk.now))


class EraseReply(msgspec.Struct, rename="pascal"):
    """`delivered`: whether something in a customer's bucket is still to be deleted."""

    verification_id: int
    delivered: bool


async def erase(desk: Desk, request: OneRequest) -> EraseReply:
    session = (await found(desk, request)).session
    due = await desk.store.sweeper.erase(session.id, session.account_id, desk.now)
    return EraseReply(session.id, bool(due))


ONE = {
    "VerificationId": Parameter(
        "核身编号（列表和日志中的），或 FaceIdToken。", "Its number, as lists and logs have it, or the FaceIdToken."
    )
}
MANIFESTS = (
    action(
        "DescribeVerifications",
        describe,
        DescribeRequest,
        DescribeReply,
        EVERYBODY,
        ("列出核身，最新的在前，不含个人信息。", "Lists verifications, newest first, without personal data."),
        {
            **ACCOUNT_FILTER,
            **LIST,
            **TIMES,
            "State": Parameter(f"只列出该状态的：{'、'.join(STATES)}。", f"Only in this state: {', '.join(STATES)}."),
            "Result": Parameter("只列出该结果码的，例如 0。", "Only with this Result, such as 0."),
            "RuleId": Parameter("只列出使用该规则的。", "Only of this rule."),
            "RequestId": Parameter(
                "签发该 Token 或取回其结果的那次请求的 RequestId。",
                "RequestId of the call that issued its token or fetched its result.",
            ),
            "IdCard": Parameter(
                "只列出该身份证号的；服务只保存其散列值。", "Only of this ID number, of which a hash is kept."
            ),
        },
        order=180,
    ),
    action(
        "DescribeVerification",
        describe_one,
        OneRequest,
        VerificationReply,
        EVERYBODY,
        (
            "查询一次核身：时间线、结论和各项测量值，号码和姓名已脱敏；此操作记入审计。",
            "Shows one verification: timeline, verdict and measurements, masked. The audit log notes it.",
        ),
        ONE,
        order=181,
    ),
    action(
        "EraseVerification",
        erase,
        OneRequest,
        EraseReply,
        TENANTS,
        (
            "立即删除一次核身的结果和全部影像，不能恢复。",
            "Erases one verification at once, its result and all evidence, permanently.",
        ),
        ONE,
        order=182,
    ),
)
