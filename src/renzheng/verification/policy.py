"""What a verification has to meet. Fixed when its token is issued, so a later change does not move a live one."""

from __future__ import annotations

from dataclasses import dataclass

from renzheng.verification.challenge import ACTIONS, OTHERS, TURNS


@dataclass(frozen=True, slots=True)
class Policy:
    """Raises ValueError with a sentence for the operator where a value is out of its range."""

    threshold: float = 70.0  # similarity at and above which two faces count as one person; 60 to 100
    challenge_length: int = 2  # actions a challenge asks for; 1 to 4
    challenge_kinds: tuple[str, ...] = ACTIONS  # at least one turn among them
    attempts: int = 3  # attempts a token; 1 to 10
    attempts_a_day: int = 30  # attempts a day for one ID number in one account; 0 is no limit
    light: bool = False  # whether the page also shows the colours of the light challenge

    def __post_init__(self) -> None:
        if not 60 <= self.threshold <= 100:
            raise ValueError(f"threshold must be 60 to 100, not {self.threshold:g}")
        unknown = sorted(set(self.challenge_kinds) - set(ACTIONS))
        if unknown:
            raise ValueError(f"unknown action {unknown[0]}; known are {', '.join(ACTIONS)}")
        if not set(self.challenge_kinds) & set(TURNS):
            raise ValueError(f"a challenge needs a turn: {' or '.join(TURNS)}")
        most = 1 + len(set(self.challenge_kinds) & set(OTHERS))
        if not 1 <= self.challenge_length <= most:
            raise ValueError(f"challenge length must be 1 to {most} with these kinds, not {self.challenge_length}")
        if not 1 <= self.attempts <= 10:
            raise ValueError(f"attempts must be 1 to 10, not {self.attempts}")
        if self.attempts_a_day < 0:
            raise ValueError("attempts a day cannot be negative; 0 means no limit")
