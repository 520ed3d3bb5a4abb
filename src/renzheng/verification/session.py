"""A verification's life: its states, the one table of legal moves, attempts and expiry.

Only `MOVES` defines legal moves. The store makes each one with one compare-and-set statement, so that exactly one of
any number of concurrent callers wins.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from renzheng.verification.policy import Policy

TOKEN_SECONDS = 600
"""A token's life, seconds: ten minutes to begin and finish one verification (Tencent's documentation)."""

RESULT_SECONDS = 3 * 24 * 3600
"""How long a result can be fetched, seconds from the token's creation (Tencent's documentation)."""


DAY_SECONDS = 86400.0


class State(enum.StrEnum):
    ISSUED = "issued"
    CAPTURING = "capturing"
    JUDGING = "judging"
    PASSED = "passed"
    FAILED = "failed"
    EXPIRED = "expired"


FINISHED = frozenset({State.PASSED, State.FAILED, State.EXPIRED})


@dataclass(frozen=True, slots=True)
class Move:
    """One legal move. `while_alive`: only before the token expires. `new_attempt`: raises the attempt's number."""

    sources: frozenset[State]
    target: State
    while_alive: bool = False
    new_attempt: bool = False


MOVES: dict[str, Move] = {
    "begin": Move(frozenset({State.ISSUED}), State.CAPTURING, while_alive=True, new_attempt=True),
    "retry": Move(frozenset({State.CAPTURING}), State.CAPTURING, while_alive=True, new_attempt=True),
    "submit": Move(frozenset({State.CAPTURING}), State.JUDGING, while_alive=True),
    "again": Move(frozenset({State.JUDGING}), State.CAPTURING, while_alive=True, new_attempt=True),
    "accept": Move(frozenset({State.JUDGING}), State.PASSED),
    "reject": Move(frozenset({State.JUDGING}), State.FAILED),
    "lapse": Move(frozenset({State.CAPTURING}), State.FAILED),
    "expire": Move(frozenset({State.ISSUED, State.CAPTURING}), State.EXPIRED),
}


class CompareLib(enum.StrEnum):
    LOCAL = "LOCAL"
    BUSINESS = "BUSINESS"


class EndReason(enum.StrEnum):
    """Why a capture was handed over to judging."""

    COMPLETED = "completed"  # every step was answered
    ATTEMPTS_USED = "attempts_used"  # the last attempt ran out
    TOO_MANY_TODAY = "too_many_today"  # the ID number's daily attempts are used up; nothing was captured
    PHOTO_UNUSABLE = "photo_unusable"  # the token's photo cannot be compared with; nothing was captured
    SERVER_LOST = "server_lost"  # the server could not watch, more often than a token allows


@dataclass(frozen=True, slots=True, repr=False)
class Details:
    """What the merchant sent with the token. Personal data: the store seals it, and no repr shows it."""

    compare_lib: CompareLib
    id_card: str = ""
    name: str = ""
    extra: str = ""
    meta: str = ""
    meta_data: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """One token's verification, as the store knows it.

    Times are unix seconds. `attempt` counts entries into `capturing` (1 for the first); `counted` counts the attempts
    whose first action was revealed, and only those are limited. `evidence_until`: when its evidence is deleted, if its
    rule says so. `device_mismatch`: another device tried than the one that the token is bound to. `spared`: attempts
    left uncounted after their first action was revealed, because of the device or for the person's sake. `excused`:
    those left uncounted because the server could not watch them. `eased`: the action that the person asked to be
    spared, empty if they asked for time alone; None: nobody asked. `advice`: what a person who failed can do about it.
    `judged`: the newest attempt that was judged and left the token alive; 0 if there is none. `node`: where its device
    was last, and `device_seen` when; None: nowhere yet.

    `to_bucket`: its evidence is delivered to the account's bucket.
    """

    id: int
    account_id: int
    state: State
    created_at: float
    expires_at: float
    attempt: int
    counted: int
    details: Details
    has_photo: bool
    policy: Policy
    ending: EndReason | None = None
    device_hash: bytes | None = None
    id_hash: bytes | None = field(default=None, repr=False)
    evidence_until: float | None = None
    device_mismatch: bool = False
    to_bucket: bool = False
    spared: int = 0
    excused: int = 0
    eased: str | None = None
    advice: str = ""
    judged: int = 0
    node: int | None = None
    device_seen: float | None = None

    def alive(self, now: float) -> bool:
        """Return whether the token can still begin or submit a capture."""
        return now < self.expires_at

    def lapsed(self, now: float) -> bool:
        """Return whether the token's life ended after an attempt was judged, so that its verdict counts."""
        return self.state is State.CAPTURING and self.judged > 0 and not self.alive(now)

    @property
    def challenges_shown(self) -> int:
        """How many challenges were shown: one for each attempt that counted. An attempt that was given back asks its
        challenge again."""
        return max(self.counted, min(1, self.spared + self.excused))

    def attempts_left(self, most: int) -> int:
        """Return how many more attempts may reveal an action, of `most` per token."""
        return max(0, most - self.counted)


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step as it was shown to the device: `index` 0 is the neutral second, then one a challenge action or colour.

    `nonce`: 16 random bytes that were on the screen during the step. Times are the server's unix seconds.
    """

    index: int
    action: str
    nonce: bytes
    revealed_at: float
    deadline: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry into `capturing`: its challenge and the steps revealed so far, enough to continue on another node.

    `counts`: whether it is one of those that a token allows: its first action was revealed, and it was not given back.
    `unwatched`: the server stood still, or missed frames, while it was under way.
    """

    session_id: int
    number: int
    started_at: float
    actions: tuple[str, ...]
    steps: tuple[StepRecord, ...] = ()
    counts: bool = False
    unwatched: bool = False

    @property
    def current(self) -> StepRecord | None:
        return self.steps[-1] if self.steps else None

    @property
    def is_server_fault(self) -> bool:
        """Whether it counts but should not. It is given back within the token's budget."""
        return self.counts and self.unwatched

    @property
    def is_spared(self) -> bool:
        """Whether it ended uncounted, though an action of it was revealed."""
        return not self.counts and any(step.index >= 1 for step in self.steps)


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One line of the transcript: a frame that was stored before it counted.

    `sequence`: the device's own count. `received_at`: the server's unix seconds. `digest`: SHA-256 of the JPEG.
    """

    sequence: int
    step: int
    nonce: bytes
    received_at: float
    digest: bytes
