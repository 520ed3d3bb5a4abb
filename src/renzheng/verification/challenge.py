"""The challenge: which actions are asked, in which order, and which colours are shown after them.

It is drawn again for every attempt, from randomness that only the composition root provides. No setting, header or
address fixes it, shows it in advance or skips it.

A recording passes if it shows what is asked, in that order. So the number of possible challenges counts, and how few of
them one recording answers (ADR `challenges-of-four`).
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
"""Most actions of a challenge. Nobody follows more, and all challenges can still be counted quickly."""

MAX_IN_A_ROW = 2
"""How often one action may be asked in a row."""

MAX_BLINKS = 1

BLINK_SHARE = 16
"""One challenge in this many asks for a blink. People blink spontaneously, so a recording answers one almost
anywhere."""

MANY_KINDS = 4
"""Number of kinds, without the blink, from which a blink is asked that rarely. With fewer, all kinds are equally
likely."""

LIGHT_WARNING = "light_warning"
"""The step before the first colour, which announces the flashing."""

COLOURS: dict[str, tuple[int, int, int]] = {
    "light_red": (255, 60, 60),
    "light_green": (60, 255, 90),
    "light_blue": (70, 100, 255),
    "light_yellow": (255, 235, 60),
    "light_cyan": (60, 240, 255),
    "light_magenta": (255, 80, 240),
}
"""The colours with which the page fills its screen in the light challenge: sRGB, 0-255."""

Entropy = Callable[[int], bytes]
"""Returns the given number of unpredictable bytes."""


def below(limit: int, entropy: Entropy) -> int:
    """Draw a number in [0, limit), each equally likely: bytes that would favour some are drawn again."""
    if not 1 <= limit <= 65536:
        raise ValueError(f"limit must be 1 to 65536, not {limit}")
    size = 1 if limit <= 256 else 2
    fair = 256**size - 256**size % limit
    while True:
        number = int.from_bytes(entropy(size))
        if number < fair:
            return number % limit


def possible(length: int, kinds: Sequence[str] = ACTIONS) -> tuple[tuple[str, ...], ...]:
    """Return every challenge of `length` actions out of `kinds`, in a fixed order; empty if there is none.

    At least one action is a turn, as depth is measured in a turn. No action comes three times in a row, and only one is
    a blink.
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
    """Return whether there is a challenge of that length and those kinds."""
    turns_first = sorted(kinds, key=lambda kind: kind not in TURNS)
    return next(_all_of(length, turns_first), None) is not None


def draw(
    entropy: Entropy, length: int = defaults.CHALLENGE_LENGTH, kinds: tuple[str, ...] = ACTIONS
) -> tuple[str, ...]:
    """Draw one of the `possible` challenges; see `chances`. Raises ValueError if there is none.

    A challenge that is not possible is drawn again, so all possible ones are equally likely.
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
    """Return whether blinks are asked rarely. Not if the only action has to be a turn."""
    return length > 1 and BLINK in kinds and len(set(kinds)) > MANY_KINDS


def chances(length: int, kinds: tuple[str, ...] = ACTIONS) -> tuple[float, float]:
    """Return the probability of each single challenge without a blink, and of each one with a blink; 0 if there is
    none.

    All are equally likely, but with many kinds, one challenge in `BLINK_SHARE` has a blink.
    """
    known = possible(length, kinds)
    with_blink = sum(BLINK in one for one in known)
    without = len(known) - with_blink
    if not _blinks_rarely(length, kinds):
        return (1 / len(known),) * 2 if known else (0.0, 0.0)
    return (1 - 1 / BLINK_SHARE) / without, 1 / BLINK_SHARE / with_blink


def spared(kinds: tuple[str, ...], length: int, action: str | None) -> tuple[str, ...]:
    """Return `kinds` without an action that the person cannot do; all of them if no challenge of that length would be
    left."""
    rest = tuple(kind for kind in kinds if kind != action)
    return rest if is_possible(length, rest) else kinds


def draw_light(entropy: Entropy, length: int) -> tuple[str, ...]:
    """Draw the steps of a light challenge: the warning, then `length` colours, none twice in a row, all equally
    likely."""
    names = list(COLOURS)
    chosen = [names[below(len(names), entropy)]]
    while len(chosen) < length:
        others = [name for name in names if name != chosen[-1]]
        chosen.append(others[below(len(others), entropy)])
    return (LIGHT_WARNING, *chosen)


def is_light(action: str) -> bool:
    """Return whether a step belongs to the light challenge, in which the person holds still."""
    return action == LIGHT_WARNING or action in COLOURS


def nonce(entropy: Entropy) -> bytes:
    """Draw 16 bytes that mark the frames taken while one step was on the screen."""
    return entropy(16)
