"""The light challenge: a page shows colours in a random order, and a face before it takes them on.

The face's mean colour is followed over the frames, each channel beside the whole light, so that a lamp that
flickers or a camera that adjusts its exposure moves all and counts for nothing. What the shown colours explain of
it (the squared correlation after the best delay) is the response. A live face answers within the delay of screen
and camera, more than the background, which stands further from the screen, and not evenly: the nose is nearer to
the screen than the cheeks, and faces it. A replay shows the colours of another sequence, or none; a print takes
them on evenly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .landmarks import Mesh
from .limits import LightLimits
from .measurement import Light
from .runtimes import Image

Numbers = NDArray[Any]
Colour = tuple[float, float, float]

WARNING = "light_warning"
"""The step before the colours. Its frames are kept, and say nothing about light."""

COLOURS: dict[str, Colour] = {
    "light_red": (1.0, 0.045, 0.045),
    "light_green": (0.045, 1.0, 0.102),
    "light_blue": (0.061, 0.127, 1.0),
    "light_yellow": (1.0, 0.831, 0.045),
    "light_cyan": (0.045, 0.871, 1.0),
    "light_magenta": (1.0, 0.080, 0.871),
}
"""The light of each colour step: red, green, blue, 0-1, linear (the screen's sRGB values by IEC 61966-2-1)."""

REGIONS: tuple[tuple[int, ...], ...] = ((151, 9), (50, 123), (280, 352), (1, 4), (199, 175))
"""Forehead, right and left cheek, nose and chin: points of the mesh in the middle of each."""
RIGHT, LEFT, NOSE = 1, 2, 3
PATCH = 0.11
"""Side of the square that stands for a region, in parts of the face's width."""


def is_light(action: str) -> bool:
    """Return whether a step belongs to the light challenge, in which the person holds still."""
    return action == WARNING or action in COLOURS


@dataclass(frozen=True, slots=True)
class Flash:
    """From ``at`` (seconds) on, the page showed this colour: red, green, blue, each 0-1."""

    at: float
    colour: Colour


@dataclass(frozen=True, slots=True)
class ColourSample:
    """One frame: mean colour (red, green, blue, 0-255) of the face, of its ``REGIONS`` and of its surroundings."""

    at: float
    face: Colour
    background: Colour
    regions: tuple[Colour, ...] = ()


def sample(image: Image, mesh: Mesh, at: float) -> ColourSample:
    """Return mean colours in the face, in its regions, and beside it (the outer sixth of the picture, left and
    right)."""
    width = image.shape[1]
    x, y, across, down = mesh.box
    face = _mean(image, (x + 0.25 * across, x + 0.75 * across), (y + 0.15 * down, y + 0.75 * down))
    half = PATCH * across / 2
    centres = [mesh.flat[list(points)].mean(axis=0) for points in REGIONS]
    regions = [_mean(image, (cx - half, cx + half), (cy - half, cy + half)) for cx, cy in centres]
    edge = max(1, width // 6)
    beside = np.concatenate([image[:, :edge].reshape(-1, 3), image[:, -edge:].reshape(-1, 3)]).mean(axis=0)
    return ColourSample(at, face, _rgb(beside), tuple(regions))


def _mean(image: Image, across: tuple[float, float], down: tuple[float, float]) -> Colour:
    """Return the mean colour of the pixels between these columns and rows, within the picture and at least one."""
    height, width = image.shape[:2]
    left, right = (int(np.clip(edge, 0, width - 1)) for edge in across)
    top, bottom = (int(np.clip(edge, 0, height - 1)) for edge in down)
    return _rgb(image[top : bottom + 1, left : right + 1].reshape(-1, 3).mean(axis=0))


def _rgb(bgr: Numbers) -> Colour:
    return (float(bgr[2]), float(bgr[1]), float(bgr[0]))


def measure_light(
    samples: Sequence[ColourSample], flashes: Sequence[Flash], limits: LightLimits, wait: float = 0.0
) -> Light:
    """Measure how well the frames answer the shown colours. Needs ``limits.minimum`` frames and three colours.

    ``wait``: see ``Light``.
    """
    if len(samples) < limits.minimum or len(flashes) < 3:
        counts = (len(flashes), len(samples))
        return Light(0.0, 0.0, 0.0, 0.0, (), 0.0, 0.0, wait, *counts, limits.response, ("few",), passed=False)
    times = np.array([one.at for one in samples])
    face = _tint([one.face for one in samples])
    delays = np.arange(0.0, limits.latest + 1e-9, limits.step)
    response, earliest = max((_explained(face, _shown(times - delay, flashes))[0], -delay) for delay in delays)
    shown = _shown(times + earliest, flashes)
    gain = _explained(face, shown)[1]
    background, behind = _explained(_tint([one.background for one in samples]), shown)
    each = zip(*(one.regions for one in samples), strict=True)
    regions = tuple(_explained(_tint(list(region)), shown)[1] for region in each)
    # If hardly anything answers, a quotient of traces would say nothing.
    nose = 2 * regions[NOSE] / max(regions[RIGHT] + regions[LEFT], 2 * limits.gain) if regions else 0.0
    faults = {
        "response": response < limits.response,
        "gain": gain < limits.gain,
        "background": gain < limits.nearer * behind,
        "even": nose < limits.nose,
        "wait": wait > limits.wait,
    }
    return Light(
        face=response,
        background=background,
        gain=gain,
        behind=behind,
        regions=regions,
        nose=nose,
        delay=float(-earliest),
        wait=wait,
        colours=len(flashes),
        frames=len(samples),
        threshold=limits.response,
        faults=tuple(name for name, wrong in faults.items() if wrong),
        passed=not any(faults.values()),
    )


def flashes_of(frames: Sequence[tuple[int, str, float]]) -> list[Flash]:
    """Return the colours of frames (step, action, seconds) in order. Each was on the screen from its first frame on."""
    first = {step: Flash(at, COLOURS[action]) for step, action, at in reversed(frames)}
    return sorted(first.values(), key=lambda flash: flash.at)


def waiting(frames: Sequence[tuple[int, str, float]]) -> float:
    """Return the median time between one colour's last frame and the next one's first, of the same frames."""
    gaps = [later - earlier for (before, _, earlier), (step, _, later) in pairwise(frames) if step != before]
    return median(gaps) if gaps else 0.0


def _tint(colours: Sequence[Colour]) -> Numbers:
    """Return each channel's logarithm relative to the mean of the three, without slow drift: the tint."""
    tint = np.log(np.maximum(np.array(colours), 1.0))
    return _steady(tint - tint.mean(axis=1, keepdims=True))


def _shown(times: Numbers, flashes: Sequence[Flash]) -> Numbers:
    """Return the tint on the screen at these times, without drift; before the first flash, its colour."""
    starts = np.array([flash.at for flash in flashes])
    rows = np.clip(np.searchsorted(starts, times, side="right") - 1, 0, len(flashes) - 1)
    colours = np.array([flash.colour for flash in flashes])[rows]
    return _steady(colours - colours.mean(axis=1, keepdims=True))


def _steady(tint: Numbers) -> Numbers:
    """Remove mean and linear drift, on both sides, or a sequence that itself drifts would not be found again."""
    steps = np.linspace(-1, 1, len(tint))
    design = np.column_stack([np.ones_like(steps), steps])
    return np.asarray(tint - design @ np.linalg.lstsq(design, tint, rcond=None)[0])


def _explained(tint: Numbers, shown: Numbers) -> tuple[float, float]:
    """Return (share of the change that one common gain explains, that gain). A negative gain explains nothing."""
    power = float((shown**2).sum())
    total = float((tint**2).sum())
    if power < 1e-9 or total < 1e-12:
        return 0.0, 0.0
    together = float((tint * shown).sum())
    return (together * together / (power * total) if together > 0 else 0.0), max(0.0, together / power)
