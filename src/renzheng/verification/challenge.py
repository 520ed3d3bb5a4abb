"""The challenge: which actions are asked, in which order, by when, and which colours are shown after them.

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

LIGHT_WARNING = "light_warning"
"""The step before the first colour: what is about to come is said, so that nobody meets it unwarned."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "light_red": (255, 60, 60),
    "light_green": (60, 255, 90),
    "light_blue": (70, 100, 255),
    "light_yellow": (255, 235, 60),
    "light_cyan": (60, 240, 255),
    "light_magenta": (255, 80, 240),
}
"""The colours of the light challenge as the page fills its screen with them: sRGB, 0-255."""

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


def draw_light(entropy: Entropy, length: int) -> tuple[str, ...]:
    """The steps of a light challenge: the warning, then `length` colours, none twice in a row, all equally likely."""
    names = list(COLOURS)
    chosen = [names[below(len(names), entropy)]]
    while len(chosen) < length:
        others = [name for name in names if name != chosen[-1]]
        chosen.append(others[below(len(others), entropy)])
    return (LIGHT_WARNING, *chosen)


def is_light(action: str) -> bool:
    """Whether a step is of the light challenge: the person holds still."""
    return action == LIGHT_WARNING or action in COLOURS


def nonce(entropy: Entropy) -> bytes:
    """16 bytes that mark the frames taken while one step was on the screen."""
    return entropy(16)
