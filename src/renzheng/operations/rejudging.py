"""Judges a verification's stored frames again: does its verdict stand?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from renzheng.capture.judging import Examiner, examine
from renzheng.operations.sessions import find
from renzheng.store.accounts import NotFoundError
from renzheng.store.open import Store


@dataclass(frozen=True, slots=True)
class Rejudgement:
    """`changed`: names of values that differ from the record; values that are measured only now are not in it.

    ``other_scale``: the recorded similarity uses another scale than today's, so the two cannot be compared.
    """

    before: str
    now: str
    changed: list[str]
    other_scale: bool = False

    @property
    def same_numbers(self) -> bool:
        return not self.changed

    @property
    def stands(self) -> bool:
        return self.before == self.now


async def rejudge(store: Store, given: str, examiner: Examiner, seen_frames: int) -> Rejudgement:
    """Judge again, by token or number. Nothing changes but the audit. NotFoundError without a verdict or evidence."""
    outcome = await find(store, given)
    session = outcome.session
    if outcome.verdict is None:
        raise NotFoundError("this verification has no verdict yet")
    recorded = await store.sessions.measurement(session.id)
    if recorded is None:
        raise NotFoundError("its evidence is no longer kept")
    await store.audit.record("frames judged again", f"session {session.id}")
    attempt = await store.sessions.attempt(session.id, outcome.verdict.attempt)
    judged = await examine(session, attempt, store.sessions, store.identities, examiner, seen_frames=seen_frames)
    before, now = json.loads(recorded), json.loads(judged.record)
    changed, other = changed_numbers(before, now), is_of_another_scale(before, now)
    return Rejudgement(outcome.verdict.result, judged.verdict.result.code, changed, other)


def changed_numbers(recorded: Any, now: Any, name: str = "") -> list[str]:
    """Return names of recorded values that differ now. A part that an older version did not record is left out."""
    if isinstance(recorded, dict) and isinstance(now, dict):
        parts = ((key, f"{name}.{key}" if name else key) for key in recorded)
        return [found for key, path in parts for found in changed_numbers(recorded[key], now.get(key), path)]
    return [] if recorded == now else [name]


def is_of_another_scale(recorded: Any, now: Any) -> bool:
    """Return whether both were compared, but on different scales. A record without a scale counts as different."""
    before, after = recorded.get("comparison") or {}, now.get("comparison") or {}
    if before.get("similarity") is None or after.get("similarity") is None:
        return False
    return bool(before.get("scale") != after.get("scale"))
