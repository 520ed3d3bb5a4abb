"""The challenge: which actions are asked, in which order, by when, and which colours are shown after them.

Drawn again for every attempt from randomness that only the composition root hands in. No setting, header or
address fixes, shows ahead or skips one.

A recording passes where it shows what is asked, in that order. So what counts is how many challenges there are, and
how few of them one recording answers (ADR `challenges-of-four`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from renzheng.base import defaults

NEUTRAL = "neutral"
TURNS = ("turn_left", "turn_right")
BLINK = "blink"
OTHERS = (BLINK, "open_mouth", "nod", "tilt_left", "tilt_right")
ACTIONS = OTHERS + TURNS

MAX_LENGTH = 6
"""Actions of a challenge, at most: nobody follows more, and their number is still counted in a moment."""

MAX_IN_A_ROW = 2
"""How often one action may be asked in a row."""

MAX_BLINKS = 1

BLINK_SHARE = 16
"""One challenge of so many asks for a blink: everybody blinks by themselves, so a recording answers one nearly
anywhere."""

MANY_KINDS = 4
"""Kinds beside the blink from which on it is asked for that rarely; with fewer, each is needed as often as another."""

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


def possible(length: int, kinds: Sequence[str] = ACTIONS) -> tuple[tuple[str, ...], ...]:
    """Every challenge of `length` actions out of `kinds`, in a fixed order; empty where there is none.

    At least one action is a turn, as depth is measured in a turn. No action comes three times in a row, and only one
    is a blink.
    """
    return _possible(length, tuple(dict.fromkeys(kinds)))


@lru_cache(maxsize=8)
def _possible(length: int, kinds: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(_all_of(length, kinds))


def _all_of(length: int, kinds: Sequence[str], begun: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not 1 <= length <= MAX_LENGTH:
        return
    if len(begun) == length:
        if set(begun) & set(TURNS):
            yield begun
        return
    for action in kinds:
        if _may_follow(begun, action):
            yield from _all_of(length, kinds, (*begun, action))


def _may_follow(begun: tuple[str, ...], action: str) -> bool:
    if action == BLINK:
        return begun.count(BLINK) < MAX_BLINKS
    return begun[-MAX_IN_A_ROW:] != (action,) * MAX_IN_A_ROW


@lru_cache(maxsize=64)
def is_possible(length: int, kinds: tuple[str, ...] = ACTIONS) -> bool:
    """Whether there is a challenge of that length and those kinds."""
    turns_first = sorted(kinds, key=lambda kind: kind not in TURNS)
    return next(_all_of(length, turns_first), None) is not None


def draw(
    entropy: Entropy, length: int = defaults.CHALLENGE_LENGTH, kinds: tuple[str, ...] = ACTIONS
) -> tuple[str, ...]:
    """One of the `possible` challenges; see `chances`. Raises ValueError where there is none.

    What may not be asked is drawn again, so all that may are equally likely.
    """
    kinds = tuple(dict.fromkeys(kinds))
    if not is_possible(length, kinds):
        raise ValueError(f"cannot draw {length} actions with a turn out of {', '.join(kinds)}")
    blinks = below(BLINK_SHARE, entropy) == 0 if _blinks_rarely(length, kinds) else None
    others = kinds if blinks is None else tuple(kind for kind in kinds if kind != BLINK)
    while True:
        actions = tuple(others[below(len(others), entropy)] for _ in range(length))
        if blinks:
            at = below(length, entropy)
            actions = (*actions[:at], BLINK, *actions[at + 1 :])
        if _may_be_asked(actions):
            return actions


def _may_be_asked(actions: tuple[str, ...]) -> bool:
    follows = (_may_follow(actions[:at], action) for at, action in enumerate(actions))
    return bool(set(actions) & set(TURNS)) and all(follows)


def _blinks_rarely(length: int, kinds: Sequence[str]) -> bool:
    """Not where the only action has to be a turn."""
    return length > 1 and BLINK in kinds and len(set(kinds)) > MANY_KINDS


def chances(length: int, kinds: tuple[str, ...] = ACTIONS) -> tuple[float, float]:
    """How likely each single challenge without a blink is to be drawn, and each one with it; 0 where there is none.

    All are equally likely, but where there are many kinds one challenge of `BLINK_SHARE` has a blink.
    """
    known = possible(length, kinds)
    with_blink = sum(BLINK in one for one in known)
    without = len(known) - with_blink
    if not _blinks_rarely(length, kinds):
        return (1 / len(known),) * 2 if known else (0.0, 0.0)
    return (1 - 1 / BLINK_SHARE) / without, 1 / BLINK_SHARE / with_blink


def spared(kinds: tuple[str, ...], length: int, action: str | None) -> tuple[str, ...]:
    """`kinds` without an action that somebody cannot do; all of them where no challenge of that length is left."""
    rest = tuple(kind for kind in kinds if kind != action)
    return rest if is_possible(length, rest) else kinds


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
