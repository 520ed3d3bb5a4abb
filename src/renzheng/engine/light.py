"""The light challenge: a page shows colours in a random order, and a face before it takes them on.

The face's mean colour is followed over the frames, each channel beside the whole light, so that a lamp that
flickers or a camera that adjusts its exposure moves all and counts for nothing. What the shown colours explain of
it (the squared correlation after the best delay) is the response. A live face answers within the delay of screen
and camera, and more than the background, which stands further from the screen; a replay shows the colours of
another sequence, or none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .landmarks import Mesh
from .limits import LightLimits
from .runtimes import Image

Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Flash:
    """From ``at`` (seconds) on the page showed this colour: red, green, blue, each 0-1."""

    at: float
    colour: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """One frame: mean colour (red, green, blue, 0-255) of the face and of what surrounds it."""

    at: float
    face: tuple[float, float, float]
    background: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Light:
    """``face``, ``background``: share 0-1 of their change of colour that the shown colours explain; ``gain``:
    the size of the face's response, in parts of its colour; ``delay``: seconds by which it comes later."""

    face: float
    background: float
    gain: float
    delay: float
    threshold: float
    passed: bool


def sample(image: Image, mesh: Mesh, at: float) -> Sample:
    """Mean colours within the face and beside it (the outer sixth of the picture, left and right)."""
    height, width = image.shape[:2]
    x, y, across, down = mesh.box
    left, right = (int(np.clip(x + share * across, 0, width - 1)) for share in (0.25, 0.75))
    top, bottom = (int(np.clip(y + share * down, 0, height - 1)) for share in (0.15, 0.75))
    face = image[top : bottom + 1, left : right + 1].reshape(-1, 3).mean(axis=0)
    edge = max(1, width // 6)
    beside = np.concatenate([image[:, :edge].reshape(-1, 3), image[:, -edge:].reshape(-1, 3)]).mean(axis=0)
    return Sample(at, _rgb(face), _rgb(beside))


def _rgb(bgr: Numbers) -> tuple[float, float, float]:
    return (float(bgr[2]), float(bgr[1]), float(bgr[0]))


def measure_light(samples: Sequence[Sample], flashes: Sequence[Flash], limits: LightLimits) -> Light:
    """How well the frames answer the shown colours; needs as many frames as ``limits.minimum``."""
    if len(samples) < limits.minimum or len(flashes) < 3:
        return Light(0.0, 0.0, 0.0, 0.0, limits.response, passed=False)
    times = np.array([one.at for one in samples])
    face = _tint(np.array([one.face for one in samples]))
    background = _tint(np.array([one.background for one in samples]))
    delays = np.arange(0.0, limits.latest + 1e-9, limits.step)
    response, earliest = max((_explained(face, _shown(times - delay, flashes))[0], -delay) for delay in delays)
    delay = -earliest
    shown = _shown(times - delay, flashes)
    gain = _explained(face, shown)[1]
    behind, behind_gain = _explained(background, shown)
    passed = response >= limits.response and gain >= limits.gain and gain >= limits.nearer * behind_gain
    return Light(response, behind, gain, float(delay), limits.response, bool(passed))


def _tint(colours: Numbers) -> Numbers:
    """Each channel's logarithm beside the mean of the three, without its slow drift: what is left is tint."""
    tint = np.log(np.maximum(colours, 1.0))
    tint = tint - tint.mean(axis=1, keepdims=True)
    steps = np.linspace(-1, 1, len(tint))
    design = np.column_stack([np.ones_like(steps), steps])
    return np.asarray(tint - design @ np.linalg.lstsq(design, tint, rcond=None)[0])


def _shown(times: Numbers, flashes: Sequence[Flash]) -> Numbers:
    """The tint that was on the screen at these times; before the first flash its colour."""
    starts = np.array([flash.at for flash in flashes])
    rows = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(flashes) - 1)
    colours = np.array([flash.colour for flash in flashes])[rows]
    tint = colours - colours.mean(axis=1, keepdims=True)
    return np.asarray(tint - tint.mean(axis=0))


def _explained(tint: Numbers, shown: Numbers) -> tuple[float, float]:
    """(share of the change that one common gain explains, that gain); a negative gain explains nothing."""
    power = float((shown**2).sum())
    total = float((tint**2).sum())
    if power < 1e-9 or total < 1e-12:
        return 0.0, 0.0
    together = float((tint * shown).sum())
    return (together * together / (power * total) if together > 0 else 0.0), max(0.0, together / power)
