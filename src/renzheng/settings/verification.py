"""The policy of a token without a RuleId, and its lifetime."""

from __future__ import annotations

from pydantic import BaseModel, Field

from renzheng.base import defaults
from renzheng.verification.policy import Policy


class VerificationSection(BaseModel):
    """Read when a token is issued. A rule replaces the policy for its tokens."""

    token_seconds: int = Field(600, ge=10, le=3600, description="Lifetime of a token, seconds.")
    threshold: float = Field(
        defaults.THRESHOLD, ge=60, le=100, description="Similarity at or above which two faces count as one person."
    )
    challenge_length: int = Field(
        defaults.CHALLENGE_LENGTH,
        ge=1,
        le=6,
        description="Actions in a token's first challenge; the second has 1 more, every further one 2 more.",
    )
    attempts: int = Field(defaults.ATTEMPTS, ge=1, le=10, description="Attempts per token.")
    attempts_a_day: int = Field(
        defaults.ATTEMPTS_A_DAY, ge=0, description="Attempts per day for one ID number in an account; 0: no limit."
    )
    day_utc_offset: float = Field(8, ge=-12, le=14, description="Time zone in which a day begins, hours from UTC.")

    @property
    def policy(self) -> Policy:
        """The policy of a token without a RuleId."""
        return Policy(
            threshold=self.threshold,
            challenge_length=self.challenge_length,
            attempts=self.attempts,
            attempts_a_day=self.attempts_a_day,
        )
