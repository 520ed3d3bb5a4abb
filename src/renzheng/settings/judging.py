"""How a judge leases a verification, and what it takes for a replay."""

from __future__ import annotations

from pydantic import BaseModel, Field


class JudgingSection(BaseModel):
    """Read by the judge."""

    judge_here: bool = Field(
        True,
        description="Whether renzheng serve judges too; off leaves judging to renzheng judge, and nobody is admitted "
        "while none of these runs.",
    )
    lease_seconds: float = Field(15, ge=1, description="Seconds that a judge keeps a session without a heartbeat.")
    lost_leases: int = Field(3, ge=1, description="Lost leases after which a session ends with Result 1001.")
    max_seen_frames: int = Field(
        2,
        ge=0,
        description="Maximum frames that a verification may have in common with earlier ones of its account; more is a "
        "replay.",
    )
