"""What the store hands to the actions and to judging, so that neither has to know the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from renzheng.verification.session import Attempt, Session


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A verdict as it was recorded. `similarity`: 0 to 100. `best_frame`: a sequence of the judged `attempt`."""

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
    """A session as its merchant asks for it; `verdict` is None until it was judged."""

    session: Session
    verdict: StoredVerdict | None


@dataclass(frozen=True, slots=True)
class Gone:
    """All that is left of a session whose data was erased: that this account once had it."""

    account_id: int
    gone_at: float


@dataclass(frozen=True, slots=True)
class Job:
    """A session claimed for judging. `epoch` goes with every later statement; `lost_leases` are earlier claims."""

    session: Session
    attempt: Attempt | None
    epoch: int
    lost_leases: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A person of an account's identity library, opened."""

    id: int
    name: str = field(repr=False)
    photo: bytes | None = field(repr=False)
