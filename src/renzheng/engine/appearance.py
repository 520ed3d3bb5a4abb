"""How a picture looks: blur, exposure, occlusion, moire, borders. Advice; two of them raise doubts (``doubts``).

Each is a measurement of one frame with a unit of its own (see ``Appearance`` in ``measurement``); of a sequence it is
the best frame, the one that a person sees as evidence. None of them is sure: rooms have straight edges, beards differ
from skin, fine cloth and screens both show stripes. What they are worth on the data at hand stands in ``docs``.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .aligned import aligned_points, outline
from .embedding import SIDE, align
from .landmarks import Mesh
from .measurement import Appearance
from .runtimes import Image

Numbers = NDArray[Any]

DARK, BRIGHT = 20, 240
"""Luma 0-255 at and beyond which a pixel of the face carries hardly any information."""
SKIN = (
    *((69, 104, 108), (299, 333, 337)),  # forehead, right and left
    *((118, 119, 120, 222), (347, 348, 349, 442)),  # around the eyes
    *((50, 205, 187), (280, 425, 411)),  # cheeks
    (195, 5, 4),  # nose
    (164, 167, 393),  # above the lips
    *((204, 136, 169), (424, 365, 394), (199, 200, 175)),  # jaw and chin
)
"""Regions of bare skin, each given by some points of the mesh."""
UPPER = np.array([(69, 104, 108), (299, 333, 337), (118, 119, 120), (347, 348, 349), (6, 197, 195)])
"""Forehead, skin below the eyes and bridge of the nose: what stays bare above a mask."""
COVERED = np.array([(4, 5, 1), (199, 200, 175), (204, 136, 169), (424, 365, 394), (164, 167, 393)])
LIPS = np.array([(13, 14, 0, 17)])
"""Tip of the nose, chin, jaw right and left, and above the lips; and the lips. A beard leaves the first bare, and lips
red."""
PATCH = 7
"""Side of the square around such a point, in pixels of the aligned face."""
SPECTRUM_SIDES = (48, 128)
"""Smallest and largest side, in pixels, of the square from the middle of the face whose spectrum is computed."""
MIN_FREQUENCY, MAX_FREQUENCY = 0.06, 0.48
"""Range in cycles per pixel in which a peak counts: below is the face itself, above the limit of the pixels."""
BORDER_SIDE = 240
"""Longer side in pixels of the copy in which straight edges are searched."""
CONTRAST = (40, 100)
"""Grey differences 0-255 over some pixels at which a border continues, and begins."""
UPRIGHT = math.radians(12)
"""Largest rotation of a border against the face's own axes."""


def measure_appearance(image: Image, mesh: Mesh) -> Appearance:
    """Measure one frame, at its own size, with its face's mesh."""
    face = align(image, mesh.five_points)
    grey, luma = (cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY) for picture in (face, image))
    found = (
        blur_of(grey),
        exposure_of(grey, outline(aligned_points(mesh))),
        occlusion_of(face, mesh),
        moire_of(luma, mesh),
        borders_of(luma, mesh),
    )
    return Appearance(*(round(value, 4) for value in found))


def screen_signs(image: Image, mesh: Mesh) -> tuple[float, float]:
    """Return (borders, blur) of one frame: the two scores that are taken of several frames."""
    face = cv2.cvtColor(align(image, mesh.five_points), cv2.COLOR_BGR2GRAY)
    return borders_of(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), mesh), blur_of(face)


def blur_of(luma: Image) -> float:
    """Return 0 sharp .. 1: the share of the aligned face's grey differences that another blur leaves.

    After Crete and others, "The blur effect", 2007, doi 10.1117/12.702790: blurring a sharp picture removes the
    differences between its neighbours, blurring a blurred one hardly does.
    """
    grey = luma.astype(np.float32)
    left = []
    for axis, size in ((0, (1, 9)), (1, (9, 1))):
        before = np.abs(np.diff(grey, axis=axis))
        after = np.abs(np.diff(cv2.blur(grey, size), axis=axis))
        lost = np.maximum(0.0, before - after).sum()
        left.append(1.0 - float(lost) / max(float(before.sum()), 1.0))
    return max(left)


def exposure_of(luma: Image, within: Image) -> float:
    """Return the share 0-1 of the face's pixels that are nearly black or nearly white."""
    inside = luma[within > 0]
    return float(((inside <= DARK) | (inside >= BRIGHT)).mean()) if inside.size else 0.0


def occlusion_of(face: Image, mesh: Mesh) -> float:
    """Return how far the colour of the second most different region is from the face's own, in CIELAB units.

    Chroma only (a* and b*), as shadows change the lightness. The second one, as hair over half a forehead is no
    occlusion. The own colour is the median over ``SKIN``, so whatever covers more than half of a face is taken for
    skin.
    """
    lab = cv2.cvtColor(cv2.blur(face, (PATCH, PATCH)), cv2.COLOR_BGR2LAB)
    places = np.clip(np.round(aligned_points(mesh)).astype(int), 0, SIDE - 1)
    chroma = np.array([lab[places[list(r), 1], places[list(r), 0], 1:].mean(axis=0) for r in SKIN])
    away = np.linalg.norm(chroma - np.median(chroma, axis=0), axis=1)
    return float(np.sort(away)[-2])


def covered_of(face: Image, points: Numbers) -> float:
    """Return how far nose, lips and jaw all differ in colour from the upper face, in CIELAB units, as with a mask.

    Computed on the aligned face with the mesh's points in it. Chroma only, as in ``occlusion_of``. The second smallest
    value of the jaw's regions counts, as a mask ends somewhere.
    """
    lab = cv2.cvtColor(cv2.blur(face, (PATCH, PATCH)), cv2.COLOR_BGR2LAB)
    places = np.clip(np.round(points).astype(int), 0, SIDE - 1)
    upper, lips, lower = (
        np.median(lab[places[regions, 1], places[regions, 0], 1:].astype(np.float32), axis=1)
        for regions in (UPPER, LIPS, COVERED)
    )
    nose, *jaw, mouth = np.linalg.norm(np.concatenate([lower, lips]) - np.median(upper, axis=0), axis=1)
    return float(min(nose, mouth, sorted(jaw)[1]))


def moire_of(luma: Image, mesh: Mesh) -> float:
    """Return by how many decibels the strongest periodic pattern on the face exceeds its neighbourhood in the spectrum.

    It uses the image's own resolution, as a reduced copy has other patterns. Frequencies along the axes are left out:
    there are the blocks of JPEG and the edges of the square itself. 0 if the face is too small.
    """
    x, y, width, height = mesh.box
    side = int(min(0.8 * min(width, height), SPECTRUM_SIDES[1], *luma.shape)) & ~1
    if side < SPECTRUM_SIDES[0]:
        return 0.0
    left = int(np.clip(x + (width - side) / 2, 0, luma.shape[1] - side))
    top = int(np.clip(y + (height - side) / 2, 0, luma.shape[0] - side))
    square = luma[top : top + side, left : left + side].astype(np.float32)
    window, counts = _spectrum_parts(side)
    power = np.abs(np.fft.rfft2((square - cv2.GaussianBlur(square, (0, 0), 2.0)) * window)).astype(np.float32) ** 2
    decibels = 10 * np.log10(cv2.blur(np.fft.fftshift(power, axes=0), (3, 3)) + 1.0)
    above = decibels - cv2.blur(decibels, (17, 17))
    return float(max(0.0, above[counts].max()))


@lru_cache(maxsize=16)
def _spectrum_parts(side: int) -> tuple[Numbers, Numbers]:
    """Return, for squares of this side, the window that fades their edges out, and the frequencies that count."""
    down = np.abs(np.fft.fftshift(np.fft.fftfreq(side)))[:, None]
    across = np.fft.rfftfreq(side)[None]
    away = np.hypot(down, across)
    counts = (away >= MIN_FREQUENCY) & (away <= MAX_FREQUENCY) & (np.minimum(down, across) > 2.5 / side)
    return cv2.createHanningWindow((side, side), cv2.CV_32F), counts


def borders_of(luma: Image, mesh: Mesh) -> float:
    """Return 0-1 for straight edges around the face, in lengths of the face, where two lengths count as 1.

    It is the mean of two lengths: the shorter of the best two opposite sides, and the third longest of all four sides.
    A screen or a sheet that is held up has edges on three or four sides. Doors and shelves have them too, but seldom
    equally on both sides, and hardly ever on a third.
    """
    factor = math.ceil(max(luma.shape) / BORDER_SIDE)
    size = (luma.shape[1] // factor, luma.shape[0] // factor)
    small = cv2.resize(luma[: factor * size[1], : factor * size[0]], size, interpolation=cv2.INTER_AREA)
    x, y, width, height = (value / factor for value in mesh.box)
    face = max(width, height)
    edges = cv2.Canny(cv2.GaussianBlur(small, (5, 5), 0), *CONTRAST)
    edges[max(0, int(y)) : int(y + height), max(0, int(x)) : int(x + width)] = 0
    lines = cv2.HoughLinesP(edges, 1, np.pi / 90, 25, minLineLength=0.4 * face, maxLineGap=0.06 * face)
    if lines is None:
        return 0.0
    ends = _turned(lines.reshape(-1, 4).astype(np.float32), (x + width / 2, y + height / 2), -mesh.roll)
    left, right = _sides(ends, width / 2, face)
    top, bottom = _sides(ends[:, [1, 0, 3, 2]], height / 2, face)
    pair = max(min(left, right), min(top, bottom))
    return (pair + sorted((left, right, top, bottom))[1]) / 2


def _turned(ends: Numbers, centre: tuple[float, float], angle: float) -> Numbers:
    """Return the lines' ends relative to the face's centre, rotated by ``angle`` so that the face is upright."""
    points = ends.reshape(-1, 2) - np.array(centre, np.float32)
    cos, sin = math.cos(angle), math.sin(angle)
    return np.asarray((points @ np.array([[cos, sin], [-sin, cos]], np.float32)).reshape(-1, 4))


def _sides(ends: Numbers, half: float, face: float) -> tuple[float, float]:
    """Return the longest upright line left and right of the face, 0-1 of twice its size. ``half``: half of its
    width."""
    x1, y1, x2, y2 = ends.T
    upright = np.abs(np.arctan2(x2 - x1, np.where(y2 >= y1, y2 - y1, y1 - y2))) < UPRIGHT
    length = np.hypot(x2 - x1, y2 - y1) / (2 * face)
    middle = (x1 + x2) / 2
    found = []
    for side in (-1, 1):
        beside = upright & (side * middle > half) & (side * middle < 6 * half)
        found.append(min(1.0, float(length[beside].max())) if beside.any() else 0.0)
    return found[0], found[1]
