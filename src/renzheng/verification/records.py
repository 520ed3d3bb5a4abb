"""What the store returns to the actions and to judging, so that neither has to know the store."""

from __future__ import annotations

from dataclasses import dataclass, field

from renzheng.base.unavailable import UnavailableError
from renzheng.verification.session import Attempt, Session


class NoRoomError(UnavailableError):
    """The store has no room for new content. The text says where and why, for the log."""


class EvidenceLimitError(NoRoomError):
    """The account has as many bytes of evidence as its limit allows."""


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """A recorded verdict. `similarity`: 0 to 100. `best_frame`: a frame's sequence in the judged `attempt`."""

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
    """A session as its merchant asks for it. `verdict`: None until it was judged."""

    session: Session
    verdict: StoredVerdict | None


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What remains of a session whose data was erased: that this account had it."""

    account_id: int
    gone_at: float


@dataclass(frozen=True, slots=True)
class JudgingJob:
    """A session claimed for judging. `epoch` is part of every later statement; `lost_leases` are earlier claims."""

    session: Session
    attempt: Attempt | None
    epoch: int
    lost_leases: int


@dataclass(frozen=True, slots=True)
class EnrolledPerson:
    """A person of an account's identity library, unsealed."""

    id: int
    name: str = field(repr=False)
    photo: bytes | None = field(repr=False)
