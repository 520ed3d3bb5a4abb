"""Rules: the business scenarios behind RuleIds, each with its own policy, approved before use."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from renzheng.verification.policy import Policy

MAX_RETENTION_DAYS = 3650


class RuleState(enum.StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    REJECTED = "rejected"
    DISABLED = "disabled"


RULE_MOVES: dict[str, tuple[frozenset[RuleState], RuleState]] = {
    "submit": (frozenset({RuleState.DRAFT, RuleState.REJECTED, RuleState.DISABLED}), RuleState.SUBMITTED),
    "approve": (frozenset({RuleState.SUBMITTED}), RuleState.APPROVED),
    "reject": (frozenset({RuleState.SUBMITTED}), RuleState.REJECTED),
    "disable": (frozenset({RuleState.DRAFT, RuleState.SUBMITTED, RuleState.APPROVED}), RuleState.DISABLED),
}
"""The only legal moves: name -> (start states, end state)."""


DECISIONS = frozenset({"approve", "reject"})
"""The moves that a reviewer makes."""
MODIFIABLE = frozenset({RuleState.DRAFT, RuleState.REJECTED, RuleState.DISABLED})
"""States in which a rule may get a new version: no tokens are issued with it, and nobody is reviewing it."""


@dataclass(frozen=True, slots=True)
class RuleTerms:
    """What an approved rule sets for a session when its token is issued.

    `evidence_days`: how long frames, photos and videos are kept, 0 to 3650; None: the server's setting. Raises
    ValueError with a sentence for the operator if a value is out of its range.
    """

    policy: Policy
    evidence_days: float | None = None

    def __post_init__(self) -> None:
        if self.evidence_days is not None and not 0 <= self.evidence_days <= MAX_RETENTION_DAYS:
            raise ValueError(f"evidence days must be 0 to {MAX_RETENTION_DAYS}, not {self.evidence_days:g}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One business scenario of one account; `id` is its RuleId on the wire. Times are unix seconds.

    `note`: the reviewer's comment, such as why it was rejected.
    """

    id: int
    account_id: int
    name: str
    state: RuleState
    terms: RuleTerms
    created_at: float
    changed_at: float
    note: str = ""

    @property
    def rule_id(self) -> str:
        """The RuleId as merchants send it."""
        return str(self.id)


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """An earlier form of a rule. `author`: who wrote it, as the audit names them. `decision`: approved or rejected;
    None before its review."""

    version: int
    author: str
    name: str
    terms: RuleTerms
    created_at: float
    decided_by: str | None = None
    decision: str | None = None
    note: str | None = None
    decided_at: float | None = None
