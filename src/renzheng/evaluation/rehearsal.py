"""What a person does before the camera, rendered beforehand action by action and joined as a challenge asks for it.

Rendering a puppet takes most of a core for two of them; a rehearsal is rendered once, and a crowd that plays it costs
next to nothing. So what a server does under load can be measured on the machine that it runs on.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import simplejpeg

from renzheng.engine.runtimes import Image
from renzheng.evaluation.performance import FINISHING, Performance
from renzheng.evaluation.puppet import Puppet
from renzheng.verification.challenge import ACTIONS, NEUTRAL

FPS = 10
SECONDS = 5.0
"""Rendered seconds of each action. If a person is asked for longer, it begins again."""

TAKES = 4
"""Takes of each action: a challenge asks for one several times, and nobody does it twice in exactly the same way."""

COMMENT = b"\xff\xfe\x00\x12"


@dataclass(frozen=True)
class Rehearsal:
    """One person's takes of each action: JPEGs, `FPS` a second from the moment at which the action is asked for."""

    takes: Mapping[str, Sequence[Sequence[bytes]]]

    def at(self, action: str, take: int, seconds: float) -> bytes:
        """Return the frame so long after an action was asked for. At an unknown action, the person looks ahead."""
        takes = self.takes.get(action) or self.takes[NEUTRAL]
        frames = takes[take % len(takes)]
        return frames[int(seconds * FPS) % len(frames)]


def rehearse(
    puppet: Puppet, seed: int, quality: int = 80, actions: Sequence[str] = (NEUTRAL, *ACTIONS), takes: int = TAKES
) -> Rehearsal:
    """Render one person, each action from a face at rest. No two takes share a seed, and so a picture."""
    seeds = itertools.count(seed * len(actions) * takes)
    return Rehearsal(
        {action: [_take(puppet, action, next(seeds), quality) for _ in range(takes)] for action in actions}
    )


def _take(puppet: Puppet, action: str, seed: int, quality: int) -> tuple[bytes, ...]:
    performance = Performance(puppet, seed=seed)
    times = [n / FPS for n in range(int(SECONDS * FPS))]
    return tuple(_encode(performance.frame(action, at, SECONDS), quality) for at in times)


def _encode(image: Image, quality: int) -> bytes:
    return bytes(simplejpeg.encode_jpeg(image, quality=quality, colorspace="BGR"))


@dataclass
class Player:
    """One verification of a rehearsed person.

    The movement that is under way when the next instruction comes is finished first, as people do. Each frame is
    another file, as of a camera, though its picture was sent before.
    """

    rehearsal: Rehearsal
    entropy: Callable[[int], bytes] = os.urandom
    _asked: str = NEUTRAL
    _take: int = 0
    _before: tuple[str, int, float] = field(default=(NEUTRAL, 0, 0.0))
    _last: float = 0.0
    _times: Counter[str] = field(default_factory=Counter)

    def frame(self, action: str, seconds: float) -> bytes:
        """Return the JPEG `seconds` after `action` came up. Times must not decrease within one instruction."""
        if seconds < self._last or action != self._asked:
            self._before = (self._asked, self._take, self._last)
            self._asked, self._take = action, self._times[action]
            self._times[action] += 1
        self._last = seconds
        before, take, since = self._before
        if seconds < FINISHING and before != NEUTRAL:
            jpeg = self.rehearsal.at(before, take, since + seconds)
        else:
            jpeg = self.rehearsal.at(action, self._take, seconds)
        return jpeg[:2] + COMMENT + self.entropy(16) + jpeg[2:]
