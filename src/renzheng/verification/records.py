"""What the store hands to the actions and to judging, so that neither has to know the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from renzheng.base.unavailable import UnavailableError
from renzheng.verification.session import Attempt, Session


class NoRoomError(UnavailableError):
    """The store has no room for what was to be kept; the text says where and why, for the log."""


class EvidenceLimitError(NoRoomError):
    """An account has as many bytes of evidence as its limit says."""


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
class SessionOutcome:
    """A session as its merchant asks for it; `verdict` is None until it was judged."""

    session: Session
    verdict: StoredVerdict | None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """All that is left of a session whose data was erased: that this account once had it."""

    account_id: int
    gone_at: float


@dataclass(frozen=True, slots=True)
class JudgingJob:
    """A session claimed for judging. `epoch` goes with every later statement; `lost_leases` are earlier claims."""

    session: Session
    attempt: Attempt | None
    epoch: int
    lost_leases: int


@dataclass(frozen=True, slots=True)
class EnrolledPerson:
    """A person of an account's identity library, opened."""

    id: int
    name: str = field(repr=False)
    photo: bytes | None = field(repr=False)
