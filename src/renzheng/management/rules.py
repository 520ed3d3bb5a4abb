"""Rules: drafted, submitted, and approved by another person than their author."""

from __future__ import annotations

from typing import Any

import msgspec

from renzheng.accounts.rules import RuleTerms
from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import EVERYBODY, REVIEWERS, TENANTS, Desk, ListRequest, Request, page
from renzheng.management.errors import OperationDeniedError
from renzheng.management.texts import ACCOUNT, ACCOUNT_FILTER, LIST, action
from renzheng.operations import rules
from renzheng.operations.rules import RuleView, VersionView
from renzheng.verification.challenge import ACTIONS


class RuleReply(msgspec.Struct, rename="pascal"):
    rule: RuleView


class TermsRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    threshold: float | None = None
    challenge_length: int | None = None
    challenge_kinds: list[str] | None = None
    step_seconds: float | None = None
    attempts: int | None = None
    attempts_a_day: int | None = None
    evidence_days: float | None = None
    light: bool | None = None

    def changes(self) -> dict[str, Any]:
        names = ("threshold", "challenge_length", "challenge_kinds", "step_seconds", "attempts", "attempts_a_day")
        return {name: getattr(self, name) for name in (*names, "evidence_days", "light")}


def _terms(base: RuleTerms, request: TermsRequest) -> RuleTerms:
    try:
        return rules.changed_terms(base, request.changes())
    except ValueError as error:
        raise OperationDeniedError(reason=error) from None


class CreateRequest(TermsRequest, frozen=True, kw_only=True):
    name: str


async def create(desk: Desk, request: CreateRequest) -> RuleReply:
    account_id = await desk.account(request.account_id)
    terms = _terms(RuleTerms(desk.parts.policy), request)
    return RuleReply(rules.view_of(await desk.store.rules.create(account_id, request.name, terms, desk.now)))


class OneRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    rule_id: str

    def check(self) -> None:
        _number(self.rule_id)

    @property
    def number(self) -> int:
        return int(self.rule_id)


def _number(rule_id: str) -> int:
    if not (rule_id.isascii() and rule_id.isdigit() and len(rule_id) < 19):
        raise InvalidParameterValueError(name="RuleId", value=rule_id)
    return int(rule_id)


class ModifyRequest(TermsRequest, frozen=True, kw_only=True):
    rule_id: str
    name: str | None = None

    def check(self) -> None:
        _number(self.rule_id)


async def modify(desk: Desk, request: ModifyRequest) -> RuleReply:
    account_id = await desk.account(request.account_id)
    number = _number(request.rule_id)
    rule = await desk.store.rules.get(account_id, number)
    terms = _terms(rule.terms, request)
    modified = await desk.store.rules.modify(account_id, number, request.name or rule.name, terms, desk.now)
    return RuleReply(rules.view_of(modified))


async def submit(desk: Desk, request: OneRequest) -> RuleReply:
    account_id = await desk.account(request.account_id)
    return RuleReply(rules.view_of(await rules.move(desk.store, account_id, request.number, "submit", desk.now)))


class NoteRequest(OneRequest, frozen=True, kw_only=True):
    note: str | None = None


class ReviewRequest(NoteRequest, frozen=True, kw_only=True):
    changed_at: float | None = None


async def approve(desk: Desk, request: ReviewRequest) -> RuleReply:
    return await _review(desk, request, "approve")


async def reject(desk: Desk, request: ReviewRequest) -> RuleReply:
    return await _review(desk, request, "reject")


async def _review(desk: Desk, request: ReviewRequest, name: str) -> RuleReply:
    account_id, note = await desk.account(request.account_id), request.note or ""
    moved = await rules.review(desk.store, account_id, request.number, name, desk.now, note, request.changed_at)
    return RuleReply(rules.view_of(moved))


async def disable(desk: Desk, request: NoteRequest) -> RuleReply:
    account_id = await desk.account(request.account_id)
    moved = await rules.move(desk.store, account_id, request.number, "disable", desk.now, request.note or "")
    return RuleReply(rules.view_of(moved))


class DescribeRequest(ListRequest, frozen=True, kw_only=True):
    account_id: int | None = None
    state: str | None = None
    name: str | None = None


class DescribeReply(msgspec.Struct, rename="pascal"):
    total_count: int
    rules: list[RuleView]
    next_cursor: str


async def describe(desk: Desk, request: DescribeRequest) -> DescribeReply:
    scope = await desk.scope(request.account_id)
    owners = [scope] if scope is not None else [account.id for account in await desk.store.accounts.all()]
    found = [
        rules.view_of(rule)
        for owner in owners
        for rule in await desk.store.rules.of_account(owner)
        if (not request.state or rule.state == request.state)
        and (not request.name or request.name.lower() in rule.name.lower())
    ]
    shown, total, cursor = page(request, sorted(found, key=_id), _id)
    return DescribeReply(total, shown, cursor)


def _id(rule: RuleView) -> int:
    return int(rule.rule_id)


class VersionsReply(msgspec.Struct, rename="pascal"):
    total_count: int
    versions: list[VersionView]


async def versions(desk: Desk, request: OneRequest) -> VersionsReply:
    account_id = await desk.account(request.account_id)
    found = [rules.version_view(one) for one in await desk.store.rules.versions(account_id, request.number)]
    return VersionsReply(len(found), found)


_ONE = {**ACCOUNT, "RuleId": Parameter("规则编号。", "The rule's number.")}
_NOTE = {
    **_ONE,
    "Note": Parameter("给规则所有者的备注，最长 1000 个字符。", "A note for the owner, at most 1000 characters."),
}
_REVIEW = {
    **_NOTE,
    "ChangedAt": Parameter(
        "您看到的规则 ChangedAt；若此后规则有变动则拒绝。",
        "The rule's ChangedAt as you saw it: refused where it has changed since.",
    ),
}
_TERMS = {
    "Threshold": Parameter("算作同一人的相似度，60 到 100。", "Similarity that counts as one person, 60 to 100."),
    "ChallengeLength": Parameter("一次挑战的动作数。", "How many actions a challenge has."),
    "ChallengeKinds": Parameter(
        f"可能要求的动作，其中至少一个转头：{'、'.join(ACTIONS)}。",
        f"Actions it may ask for, a turn among them: {', '.join(ACTIONS)}.",
    ),
    "StepSeconds": Parameter("每个动作的秒数，2 到 30。", "Seconds for one action, 2 to 30."),
    "Attempts": Parameter("每个 Token 的尝试次数，1 到 10。", "Attempts a token, 1 to 10."),
    "AttemptsADay": Parameter(
        "同一身份证号每天的尝试次数，0 为不限。", "Attempts a day for one ID number; 0: no limit."
    ),
    "EvidenceDays": Parameter("影像保存天数，0 到 3650。", "Days that evidence is kept, 0 to 3650."),
    "Light": Parameter("是否加入光线活体检测。", "Whether the light challenge is added."),
}
_NAME = {"Name": Parameter("规则名称，在账号内唯一。", "A name of its own in the account.")}
MANIFESTS = (
    action(
        "CreateRule",
        create,
        CreateRequest,
        RuleReply,
        TENANTS,
        (
            "创建规则草稿；不填的取服务当前的设置。",
            "Creates a draft; omitted fields get the server's current settings.",
        ),
        {**ACCOUNT, **_NAME, **_TERMS},
        order=140,
    ),
    action(
        "ModifyRule",
        modify,
        ModifyRequest,
        RuleReply,
        TENANTS,
        (
            "修改草稿、被驳回或已停用的规则，形成新版本，须重新审核；不填的不变。",
            "Makes a new version of a draft, rejected or disabled rule, to review again; omitted fields stay the same.",
        ),
        {**_ONE, **_NAME, **_TERMS},
        order=141,
    ),
    action(
        "SubmitRule",
        submit,
        OneRequest,
        RuleReply,
        TENANTS,
        ("提交规则审核。", "Submits a rule for review."),
        _ONE,
        order=142,
    ),
    action(
        "ApproveRule",
        approve,
        ReviewRequest,
        RuleReply,
        REVIEWERS,
        (
            "审核通过，一秒内即可用于 Token。作者不能审核自己的规则，除非没有其他人能审核。",
            "Approves a rule, so that tokens can use it. Its author cannot do this, unless there is nobody else.",
        ),
        _REVIEW,
        order=143,
    ),
    action(
        "RejectRule",
        reject,
        ReviewRequest,
        RuleReply,
        REVIEWERS,
        ("驳回规则，退给所有者。", "Rejects a rule and returns it to its owner."),
        _REVIEW,
        order=144,
    ),
    action(
        "DisableRule",
        disable,
        NoteRequest,
        RuleReply,
        TENANTS,
        (
            "停用规则。已用它签发的 Token 保持原有规则。",
            "Disables a rule. Tokens that were issued with it keep its policy.",
        ),
        _NOTE,
        order=145,
    ),
    action(
        "DescribeRules",
        describe,
        DescribeRequest,
        DescribeReply,
        EVERYBODY,
        ("列出规则，按编号排序。", "Lists rules, by number."),
        {
            **ACCOUNT_FILTER,
            **LIST,
            "State": Parameter(
                "只列出该状态的：draft、submitted、approved、rejected、disabled。",
                "Only in this state: draft, submitted, approved, rejected or disabled.",
            ),
            "Name": Parameter("名称包含此文字的。", "Those whose name has this in it."),
        },
        order=146,
    ),
    action(
        "DescribeRuleVersions",
        versions,
        OneRequest,
        VersionsReply,
        EVERYBODY,
        (
            "列出规则的全部版本及其审核结果，最新的在前。",
            "Lists every version of a rule with its review, newest first.",
        ),
        _ONE,
        order=147,
    ),
)
