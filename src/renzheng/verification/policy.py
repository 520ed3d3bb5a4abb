"""What a verification has to meet. It is fixed when the token is issued, so later changes do not affect it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from renzheng.base import defaults
from renzheng.verification.challenge import ACTIONS, MAX_LENGTH, TURNS, chances, is_possible, spared

MAX_LUCK = 0.01
"""Share of tokens above which an operator is warned that a recording may pass; see `Policy.luck`."""

MAX_ACTION_SECONDS = 60.0
"""Most seconds for all actions of a challenge together: frames are kept for about that long."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Raises ValueError with a sentence for the operator if a value is out of its range."""

    threshold: float = defaults.THRESHOLD  # similarity at and above which two faces count as one person; 60 to 100
    challenge_length: int = defaults.CHALLENGE_LENGTH  # actions of a token's first challenge; 1 to 6
    challenge_kinds: tuple[str, ...] = ACTIONS  # at least one turn among them
    attempts: int = defaults.ATTEMPTS  # attempts a token; 1 to 10
    attempts_a_day: int = defaults.ATTEMPTS_A_DAY  # attempts a day for one ID number in one account; 0 is no limit
    light: bool = False  # whether the page also shows the colours of the light challenge
    step_seconds: float | None = None  # seconds for one action, 2 to 30; None: the server's setting

    def __post_init__(self) -> None:
        if not 60 <= self.threshold <= 100:
            raise ValueError(f"threshold must be 60 to 100, not {self.threshold:g}")
        unknown = sorted(set(self.challenge_kinds) - set(ACTIONS))
        if unknown:
            raise ValueError(f"unknown action {unknown[0]}; known are {', '.join(ACTIONS)}")
        if not set(self.challenge_kinds) & set(TURNS):
            raise ValueError(f"a challenge needs a turn: {' or '.join(TURNS)}")
        if not is_possible(self.challenge_length, self.challenge_kinds):
            most = max(length for length in range(1, MAX_LENGTH + 1) if is_possible(length, self.challenge_kinds))
            raise ValueError(f"challenge length must be 1 to {most} with these kinds, not {self.challenge_length}")
        if not 1 <= self.attempts <= 10:
            raise ValueError(f"attempts must be 1 to 10, not {self.attempts}")
        if self.attempts_a_day < 0:
            raise ValueError("attempts a day cannot be negative; 0 means no limit")
        if self.step_seconds is not None:
            if not 2 <= self.step_seconds <= 30:
                raise ValueError(f"step seconds must be 2 to 30, not {self.step_seconds:g}")
            if self.step_seconds * self.challenge_length > MAX_ACTION_SECONDS:
                actions = f"{self.challenge_length} actions of {self.step_seconds:g} s"
                raise ValueError(f"{actions} are more than the {MAX_ACTION_SECONDS:g} s of which frames are kept")

    def next_challenge(self, shown: int, eased: str | None = None) -> tuple[int, tuple[str, ...]]:
        """Return length and kinds of the next challenge, after `shown` different ones for this token.

        The second has one more action, and every further one two more, as each is another chance for a recording. If a
        kind is spared (`eased`), it also has two more, as fewer kinds make fewer challenges. It has no more actions
        than there are kinds and time for.
        """
        kinds = spared(self.challenge_kinds, self.challenge_length, eased)
        more = min(shown, 2) if kinds == self.challenge_kinds or not shown else 2
        lengths = range(self.challenge_length + 1, self.challenge_length + more + 1)
        return max((length for length in lengths if self._can_ask(length, kinds)), default=self.challenge_length), kinds

    @property
    def luck(self) -> float:
        """The share of tokens, 0 to 1, that a recording passes by luck: one that answers the most likely challenge of
        each length."""
        asked = [self.next_challenge(shown) for shown in range(self.attempts)]
        return 1 - math.prod(1 - max(chances(*one)) for one in asked)

    def _can_ask(self, length: int, kinds: tuple[str, ...]) -> bool:
        return (self.step_seconds or 0) * length <= MAX_ACTION_SECONDS and is_possible(length, kinds)
