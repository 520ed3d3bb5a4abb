"""What can be told of a verification afterwards: its verdict as it was recorded, or that it is gone."""

from __future__ import annotations

from dataclasses import dataclass

from renzheng.verification.session import Session


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict as it was recorded. `best_frame`: that frame's sequence in attempt `attempt`.

    `similarity`: 0 to 100. `judged_at`: unix seconds.
    """

    result: str
    description: str
    similarity: float
    tags: tuple[str, ...]
    best_frame: int | None
    attempt: int
    judged_at: float
    billed: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """A session, and its verdict once there is one."""

    session: Session
    verdict: StoredVerdict | None


@dataclass(frozen=True, slots=True)
class Gone:
    """What is left of an erased session: that it was there."""

    erased_at: float
