"""Usage, the audit, the server's health, and its settings."""

from __future__ import annotations

from typing import Any

import msgspec

from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import AUDITORS, EVERYBODY, STAFF, Desk, ListRequest, Request
from renzheng.management.texts import ACCOUNT_FILTER, LIST, TIMES, action
from renzheng.store.search import day_of

MAX_DAYS = 400
DAY = 86_400


class UsageView(msgspec.Struct, rename="pascal", frozen=True):
    """`billed`: verifications to pay for. `charged`: those of them that a prepaid balance paid."""

    day: str
    account_id: int
    result: str
    rule_id: str
    verifications: int
    billed: int
    charged: int


class CallsView(msgspec.Struct, rename="pascal", frozen=True):
    """Signed calls of a day. `code`: empty for a success."""

    day: str
    account_id: int
    action: str
    code: str
    count: int


class UsageRequest(Request, frozen=True, kw_only=True):
    account_id: int | None = None
    since: float | None = None
    until: float | None = None

    def check(self) -> None:
        for name, value in (("Since", self.since), ("Until", self.until)):
            if value is not None and not 0 <= value < 1e11:
                raise InvalidParameterValueError(name=name, value=value)


class UsageReply(msgspec.Struct, rename="pascal"):
    """`usage`: by day, the newest first, account, result and rule. `calls`: by day, account, action and code."""

    total_count: int
    verifications: int
    billed: int
    charged: int
    usage: list[UsageView]
    calls: list[CallsView]


async def usage(desk: Desk, request: UsageRequest) -> UsageReply:
    scope = await desk.scope(request.account_id)
    until = desk.now + DAY if request.until is None else request.until
    since = max(0.0, until - 31 * DAY) if request.since is None else request.since
    if until - since > MAX_DAYS * DAY:
        raise InvalidParameterValueError(name="Since", value=since)
    await desk.store.calls.flush(desk.now)
    rows = await desk.store.search.usage(since, until, desk.parts.utc_offset, scope)
    shown = [
        UsageView(
            row.day,
            row.account_id,
            row.result,
            "" if row.rule_id is None else str(row.rule_id),
            row.verifications,
            row.billed,
            row.charged,
        )
        for row in rows
    ]
    return UsageReply(
        len(shown),
        sum(row.verifications for row in rows),
        sum(row.billed for row in rows),
        sum(row.charged for row in rows),
        shown,
        [CallsView(day_of(one.day), *one[1:]) for one in await desk.store.calls.counts(since, until, scope)],
    )


class EventView(msgspec.Struct, rename="pascal", frozen=True):
    id: int
    at: float
    actor: str
    verb: str
    subject: str


class EventsRequest(ListRequest, frozen=True, kw_only=True):
    subject: str | None = None


class EventsReply(msgspec.Struct, rename="pascal"):
    total_count: int
    events: list[EventView]
    next_cursor: str


async def events(desk: Desk, request: EventsRequest) -> EventsReply:
    search, subject = desk.store.search, request.subject or ""
    found = await search.events(request.most + 1, request.first, request.position, subject)
    shown = [EventView(*event) for event in found[: request.most]]
    cursor = str(shown[-1].id) if len(found) > request.most and shown else ""
    return EventsReply(await search.count_events(subject), shown, cursor)


class NothingRequest(Request, frozen=True, kw_only=True):
    pass


class HealthReply(msgspec.Struct, rename="pascal"):
    """`reasons`: why the server is not ready, by check. `judging_waiting`: verifications that wait for a judge."""

    ready: bool
    reasons: dict[str, str]
    version: str
    judging_waiting: int
    deliveries_waiting: int
    changed_rows: dict[str, int]
    free_bytes: dict[str, int]


async def health(desk: Desk, request: NothingRequest) -> HealthReply:
    store, reasons = desk.store, dict(await desk.parts.health())
    return HealthReply(
        ready=not reasons,
        reasons=reasons,
        version=desk.parts.version,
        judging_waiting=await store.sessions.waiting(desk.now),
        deliveries_waiting=await store.deliveries.waiting(),
        changed_rows={table: len(rows) for table, rows in store.authenticity.found.items() if rows},
        free_bytes=dict(store.room.free()),
    )


class SettingsReply(msgspec.Struct, rename="pascal"):
    """The settings in force, by the name of their environment variable."""

    settings: dict[str, Any]


async def settings(desk: Desk, request: NothingRequest) -> SettingsReply:
    return SettingsReply(dict(desk.parts.settings()))


MANIFESTS = (
    action(
        "DescribeUsage",
        usage,
        UsageRequest,
        UsageReply,
        EVERYBODY,
        (
            "按天、结果、规则和接口统计核身次数、计费次数和调用次数，默认最近 31 天，最长 400 天。",
            "Counts verifications and calls by day, result, rule and action: 31 days by default, at most 400.",
        ),
        {**ACCOUNT_FILTER, **TIMES},
        order=190,
    ),
    action(
        "DescribeEvents",
        events,
        EventsRequest,
        EventsReply,
        AUDITORS,
        ("查询审计记录，最新的在前。", "Shows the audit log: who did what, newest first."),
        {
            **LIST,
            "Subject": Parameter(
                "对象以此开头的，例如 account 1。", "Those whose subject begins so, such as account 1."
            ),
        },
        order=191,
    ),
    action(
        "DescribeHealth",
        health,
        NothingRequest,
        HealthReply,
        STAFF,
        (
            "查询服务是否就绪，以及等待的任务和磁盘空间。",
            "Shows whether the server is ready, what waits, and free disk.",
        ),
        order=192,
    ),
    action(
        "DescribeSettings",
        settings,
        NothingRequest,
        SettingsReply,
        STAFF,
        ("查询生效的设置，不含密码。", "Shows the current settings, without secrets."),
        order=193,
    ),
)
