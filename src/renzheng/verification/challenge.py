"""The challenge: which actions are asked, in which order, by when, and which colours are shown after them.

Drawn again for every attempt from randomness that only the composition root hands in. No setting, header or
address fixes, shows ahead or skips one.

A recording passes where it shows what is asked, in that order. So what counts is how many challenges there are, and
how few of them one recording answers (ADR `challenges-of-four`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product

from renzheng.base import defaults

NEUTRAL = "neutral"
TURNS = ("turn_left", "turn_right")
OTHERS = ("blink", "open_mouth", "nod")
ACTIONS = OTHERS + TURNS

MAX_LENGTH = 6
"""Actions of a challenge, at most: nobody follows more, and their number is still counted in a moment."""

MAX_IN_A_ROW = 2
"""How often one action may be asked in a row."""

MAX_BLINKS = 1

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


def below(limit: int, entropy: Entropy) -> int:
    """A number in [0, limit), each equally likely: bytes that would favour some are drawn again."""
    if not 1 <= limit <= 65536:
        raise ValueError(f"limit must be 1 to 65536, not {limit}")
    size = 1 if limit <= 256 else 2
    fair = 256**size - 256**size % limit
    while True:
        number = int.from_bytes(entropy(size))
        if number < fair:
            return number % limit


@lru_cache(maxsize=64)
def possible(length: int, kinds: tuple[str, ...] = ACTIONS) -> tuple[tuple[str, ...], ...]:
    """Every challenge of `length` actions out of `kinds`, in a fixed order; empty where there is none.

    At least one action is a turn, as depth is measured in a turn. No action comes three times in a row, and only one
    is a blink: everybody blinks by themselves, so a recording answers that action at almost any time.
    """
    if not 1 <= length <= MAX_LENGTH:
        return ()
    return tuple(actions for actions in product(dict.fromkeys(kinds), repeat=length) if _may_be_asked(actions))


def _may_be_asked(actions: tuple[str, ...]) -> bool:
    runs = zip(*(actions[start:] for start in range(MAX_IN_A_ROW + 1)), strict=False)
    return (
        any(action in TURNS for action in actions)
        and actions.count("blink") <= MAX_BLINKS
        and all(len(set(run)) > 1 for run in runs)
    )


def draw(
    entropy: Entropy, length: int = defaults.CHALLENGE_LENGTH, kinds: tuple[str, ...] = ACTIONS
) -> tuple[str, ...]:
    """One of the `possible` challenges, each equally likely. Raises ValueError where there is none."""
    known = possible(length, kinds)
    if not known:
        raise ValueError(f"cannot draw {length} actions with a turn out of {', '.join(kinds)}")
    return known[below(len(known), entropy)]


def spared(kinds: tuple[str, ...], length: int, action: str | None) -> tuple[str, ...]:
    """`kinds` without an action that somebody cannot do; all of them where no challenge of that length is left."""
    rest = tuple(kind for kind in kinds if kind != action)
    return rest if possible(length, rest) else kinds


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
