"""Rules: drafted, submitted, reviewed by somebody else, and used by RuleId. Every version is kept."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import msgspec

from renzheng.accounts.operators import Role
from renzheng.accounts.rules import DECISIONS, Rule, RuleTerms, RuleVersion
from renzheng.store.accounts import RefusedError
from renzheng.store.open import Store
from renzheng.verification.policy import Policy


class PolicyView(msgspec.Struct, rename="pascal", frozen=True):
    """What a rule asks of a person. `step_seconds`: None: the server's setting."""

    threshold: float
    challenge_length: int
    challenge_kinds: list[str]
    attempts: int
    attempts_a_day: int
    light: bool
    step_seconds: float | None


class RuleView(msgspec.Struct, rename="pascal", frozen=True):
    rule_id: str
    account_id: int
    name: str
    state: str
    policy: PolicyView
    evidence_days: float | None
    created_at: float
    changed_at: float
    note: str


class VersionView(msgspec.Struct, rename="pascal", frozen=True):
    """`author`: who wrote it. `decided_by`, `decision`, `note`, `decided_at`: its review; None before it."""

    version: int
    author: str
    name: str
    policy: PolicyView
    evidence_days: float | None
    created_at: float
    decided_by: str | None
    decision: str | None
    note: str | None
    decided_at: float | None


def policy_view(policy: Policy) -> PolicyView:
    return PolicyView(**(asdict(policy) | {"challenge_kinds": list(policy.challenge_kinds)}))


def view_of(rule: Rule) -> RuleView:
    return RuleView(
        rule.rule_id,
        rule.account_id,
        rule.name,
        rule.state.value,
        policy_view(rule.terms.policy),
        rule.terms.evidence_days,
        rule.created_at,
        rule.changed_at,
        rule.note,
    )


def version_view(version: RuleVersion) -> VersionView:
    return VersionView(
        version.version,
        version.author,
        version.name,
        policy_view(version.terms.policy),
        version.terms.evidence_days,
        version.created_at,
        version.decided_by,
        version.decision,
        version.note,
        version.decided_at,
    )


def changed_terms(terms: RuleTerms, given: dict[str, Any]) -> RuleTerms:
    """Return `terms` with the given values that are not None. Raises ValueError with a sentence."""
    chosen = {name: value for name, value in given.items() if value is not None}
    days = chosen.pop("evidence_days", terms.evidence_days)
    if "challenge_kinds" in chosen:
        chosen["challenge_kinds"] = tuple(chosen["challenge_kinds"])
    return RuleTerms(replace(terms.policy, **chosen), days)


async def move(store: Store, account_id: int, rule_id: int, name: str, now: float, note: str = "") -> Rule:
    """Carry out a move of `RULE_MOVES` for somebody on this machine. Raises NotFoundError, RefusedError."""
    return await store.rules.move(account_id, rule_id, name, now, note)


async def review(
    store: Store, account_id: int, rule_id: int, name: str, now: float, note: str = "", seen: float | None = None
) -> Rule:
    """Approve or reject as somebody other than the author; the author may do it only if nobody else could.

    `seen`: the rule's `changed_at` as the reviewer saw it; None: the current one. Raises NotFoundError; RefusedError,
    also for a rule that has changed meanwhile.
    """
    assert name in DECISIONS
    looked_at = (await store.rules.get(account_id, rule_id)).changed_at if seen is None else seen
    versions = await store.rules.versions(account_id, rule_id)
    if versions and versions[0].author == store.audit.actor and await _reviewers(store) > 1:
        raise RefusedError(f"rule {rule_id} is yours: another person has to review it")
    # The decision applies only to the form that the reviewer saw, even if others changed it meanwhile.
    return await store.rules.move(account_id, rule_id, name, now, note, looked_at)


async def _reviewers(store: Store) -> int:
    """Return how many people could review."""
    return sum(one.role in (Role.OWNER, Role.REVIEWER) and not one.disabled for one in await store.operators.all())
