"""The challenge: which actions are asked, in which order, by when.

Drawn anew for every attempt from randomness that only the composition root hands in. No setting, header or
address fixes, shows ahead or skips one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

NEUTRAL = "neutral"
TURNS = ("turn_left", "turn_right")
OTHERS = ("blink", "open_mouth", "nod")
ACTIONS = OTHERS + TURNS

Entropy = Callable[[int], bytes]
"""Gives that many unpredictable bytes."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long each step may take, in seconds, counted by the server from the moment of its revealing."""

    neutral_seconds: float = 1.0
    neutral_deadline: float = 15.0
    step_deadline: float = 6.0


def below(limit: int, entropy: Entropy) -> int:
    """A number in [0, limit), each equally likely: bytes that would favour some are drawn again."""
    if not 1 <= limit <= 256:
        raise ValueError(f"limit must be 1 to 256, not {limit}")
    fair = 256 - 256 % limit
    while True:
        byte = entropy(1)[0]
        if byte < fair:
            return byte % limit


def draw(entropy: Entropy, length: int = 2, kinds: tuple[str, ...] = ACTIONS) -> tuple[str, ...]:
    """`length` different actions out of `kinds`; one is always a turn, at a random place, and no more than one.

    The turn gives the depth measure its second view; one is enough, and the others stay harder to foresee.
    Raises ValueError where `kinds` has no turn, or too few actions for the length.
    """
    turns = [kind for kind in kinds if kind in TURNS]
    others = [kind for kind in kinds if kind in OTHERS]
    if not turns or length < 1 or length - 1 > len(others):
        raise ValueError(f"cannot draw {length} actions with one turn out of {', '.join(kinds)}")
    chosen = [others.pop(below(len(others), entropy)) for _ in range(length - 1)]
    chosen.insert(below(length, entropy), turns[below(len(turns), entropy)])
    return tuple(chosen)


def nonce(entropy: Entropy) -> bytes:
    """16 bytes that mark the frames taken while one step was on the screen."""
    return entropy(16)
