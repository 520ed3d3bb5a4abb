"""Verifications as an operator sees them: lists, and the details of one. Names and numbers are masked."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from renzheng.store.accounts import NotFoundError
from renzheng.store.calls import CallNote
from renzheng.store.listing import ListedSession
from renzheng.store.open import Store
from renzheng.verification.identity import mask_id_card, mask_name
from renzheng.verification.records import SessionOutcome

ISSUES = "GetFaceIdToken"
"""The action whose call issued the verification; every other noted call fetched its result."""


class VerificationLine(msgspec.Struct, rename="pascal", frozen=True):
    """`id`: as in the log and the audit. `result`, `billed`: of the verdict; None while there is none."""

    id: int
    account_id: int
    created_at: float
    state: str
    attempts: int
    ending: str | None
    result: str | None
    billed: bool | None


class TimelinePoint(msgspec.Struct, rename="pascal", frozen=True):
    """One point of a timeline. `attempt` and `step` are 0 if it concerns the whole. `detail`: such as an action, or the
    SecretId and RequestId of a call."""

    at: float
    what: str
    attempt: int = 0
    step: int = 0
    frames: int = 0
    detail: str = ""


class VerificationView(msgspec.Struct, rename="pascal", frozen=True):
    """`measurement`: what was measured, layer by layer, as recorded; None if the evidence is no longer kept.

    `delivery`: the state of the delivery to the customer's bucket, for a judged token with UseCos.
    """

    id: int
    account_id: int
    state: str
    created_at: float
    expires_at: float
    compare_lib: str
    id_card: str
    name: str
    attempts: int
    counted: int
    ending: str | None
    result: str | None
    description: str | None
    similarity: float | None
    billed: bool | None
    liveness_tags: list[str]
    delivery: str | None
    timeline: list[TimelinePoint]
    measurement: dict[str, Any] | None


def line_of(listed: ListedSession) -> VerificationLine:
    return VerificationLine(*listed)


async def find(store: Store, given: str) -> SessionOutcome:
    """Find a verification by its token, or by its number in lists and logs. Raises NotFoundError."""
    session = None if given.isdecimal() else await store.sessions.find(given)
    number = int(given) if given.isdecimal() and len(given) < 19 else session.id if session else None
    outcome = None if number is None else await store.sessions.outcome(number)
    if outcome is None:
        raise NotFoundError("there is no such verification, or it is erased")
    return outcome


async def describe(store: Store, outcome: SessionOutcome, now: float) -> VerificationView:
    """Return everything known of one verification. The audit records that somebody looked."""
    session, verdict = outcome.session, outcome.verdict
    await store.audit.record("verification shown", f"session {session.id}")
    await store.calls.flush(now)
    measurement = await store.sessions.measurement(session.id)
    delivery = await store.deliveries.get(session.account_id, session.id) if session.to_bucket else None
    return VerificationView(
        id=session.id,
        account_id=session.account_id,
        state=str(session.state),
        created_at=session.created_at,
        expires_at=session.expires_at,
        compare_lib=str(session.details.compare_lib),
        id_card=mask_id_card(session.details.id_card),
        name=mask_name(session.details.name),
        attempts=session.attempt,
        counted=session.counted,
        ending=str(session.ending) if session.ending else None,
        result=verdict.result if verdict else None,
        description=verdict.description if verdict else None,
        similarity=verdict.similarity if verdict else None,
        billed=verdict.billed if verdict else None,
        liveness_tags=list(verdict.tags) if verdict else [],
        delivery=delivery.state.value if delivery else None,
        timeline=await _timeline(store, outcome),
        measurement=json.loads(measurement) if measurement else None,
    )


async def _timeline(store: Store, outcome: SessionOutcome) -> list[TimelinePoint]:
    session, verdict = outcome.session, outcome.verdict
    calls = await store.calls.of_session(session.id)
    issuing = next((call for call in calls if call.action == ISSUES), None)
    events = [TimelinePoint(session.created_at, "issued", detail=_caller(issuing) if issuing else "")]
    if (opened_at := await store.search.opened_at(session.id)) is not None:
        events.append(TimelinePoint(opened_at, "opened"))
    for number in range(1, session.attempt + 1):
        attempt = await store.sessions.attempt(session.id, number)
        if attempt is None:
            continue
        events.append(TimelinePoint(attempt.started_at, "attempt begun", number))
        frames = await store.search.frames_by_step(session.id, number)
        events += [
            TimelinePoint(step.revealed_at, "step shown", number, step.index, frames.get(step.index, 0), step.action)
            for step in attempt.steps
        ]
    events += [TimelinePoint(call.at, "fetched", detail=_caller(call)) for call in calls if call.action != ISSUES]
    if verdict is not None:
        events.append(TimelinePoint(verdict.judged_at, "judged", verdict.attempt, detail=verdict.result))
    return sorted(events, key=lambda event: event.at)


def _caller(call: CallNote) -> str:
    return f"{call.secret_id} {call.request_id}"
