"""Rules: the business scenarios that a RuleId names, each with its own policy, approved before they are used."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from renzheng.verification.policy import Policy

MOST_RETENTION_DAYS = 3650


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
"""The only legal moves: name -> (states it starts from, state it leads to)."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an approved rule fixes into a session when its token is issued.

    `evidence_days`: how long frames, photos and videos are kept, 0 to 3650; None: as the server's setting says.
    Raises ValueError with a sentence for the operator where a value is out of its range.
    """

    policy: Policy
    evidence_days: float | None = None

    def __post_init__(self) -> None:
        if self.evidence_days is not None and not 0 <= self.evidence_days <= MOST_RETENTION_DAYS:
            raise ValueError(f"evidence days must be 0 to {MOST_RETENTION_DAYS}, not {self.evidence_days:g}")


@dataclass(frozen=True, slots=True)
class Rule:
    """One business scenario of one account; `id` is its RuleId on the wire. Times are unix seconds.

    `note`: what its reviewer said, such as why it was rejected.
    """

    id: int
    account_id: int
    name: str
    state: RuleState
    terms: Terms
    created_at: float
    changed_at: float
    note: str = ""

    @property
    def rule_id(self) -> str:
        """As merchants send it."""
        return str(self.id)
