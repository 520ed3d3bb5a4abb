"""Planarity of a turned face: how well the picture itself, not its mesh, is explained by a plane that was turned.

Two views of a flat picture differ by one homography, whatever the camera's distance; so the turned view, taken back
by the best one, is the frontal view again, and the two correlate. A head's does not: the nose covers a cheek, and
each part moves by its own depth. The mesh cannot tell this where a picture is held close to the camera: it sees a
head in the strong perspective, and returns a turned one. Here its points only start the search (ECC, Evangelidis
and Psarakis, 2008, doi 10.1109/TPAMI.2008.113), and grey levels decide: how alike they are, and how far from where the
plane puts them they are found. And the other way round: does the head that the meshes show explain the grey levels
better than the plane? That asks the same of faces with much texture and with little, in good light and in bad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from .aligned import aligned_points, outline
from .embedding import SIDE
from .landmarks import Mesh
from .runtimes import Floats, Image

Flags = NDArray[np.bool_]

ROUNDS, ENOUGH = 10, 1e-5  # iterations of the search, and the gain in correlation below which it ends
SURE = 0.97  # correlation from which no second search is made
SKIN_QUANTILE = 0.8  # share of the skin
EYES = 35.24  # pixels between the eyes of an aligned face
SPREAD = 2.5  # pixels, standard deviation: how far a point of the mesh speaks for its neighbourhood
SMOOTHED = 1.2  # pixels, standard deviation: grain of the camera is not to count
EDGE, MARGIN = 21, 4
"""Pixels across by which the outline of the face is drawn in, and by how many less where the search looks.

What lies near the outline is forehead and cheeks, which a plane explains on a head as well, and on a sheet that is bent
or cut out its own edge, which hides what is behind it. Drawn in by 21 instead of 5, two bent pictures fell from 0.08 -
0.30 of what no plane explains to 0.005 - 0.03, and the head with the least rose from 0.05 to 0.16.
"""
MIN_AREA = 0.08  # of the aligned face, that both views must show
AROUND = 9  # pixels across, by which eyes and mouth are drawn larger before they are left out
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)


@dataclass(frozen=True, slots=True)
class Planarity:
    """How well a plane, and a head, explain the step from one view to another. ``plane``, ``head``: correlations -1..1
    of the frontal face with the turned one, mapped back by the best homography, and by the meshes' heads. ``parallax``:
    how far most of the skin is from where the homography puts it, in eye distances; None if too little is visible in
    both."""

    plane: float
    head: float
    parallax: float | None


View = tuple[Mesh, Image]
"""A mesh, and the face aligned by it, ``SIDE`` x ``SIDE`` BGR."""


def compare_views(frontal: View, turned: Sequence[View]) -> list[Planarity]:
    """Compare each view of one turn with the frontal one, in their order. Brightness and contrast do not matter.

    The least turned is compared first. Where a plane explains it, the search for those that are turned further starts
    from there as well: in one large step it goes astray, and a picture that is close to the camera looked like a head.
    """
    ahead, there = _grey(frontal[1]), aligned_points(frontal[0])
    face = _inner(there, EDGE)
    parts = (face, face & _skin(there))
    found: dict[int, Planarity] = {}
    known: list[Floats] = []
    for index in sorted(range(len(turned)), key=lambda index: abs(turned[index][0].turn - frontal[0].turn)):
        found[index], move = _compare(ahead, there, parts, turned[index], known)
        if found[index].plane > SURE:
            known = [move]
    return [found[index] for index in range(len(turned))]


def _compare(
    ahead: Image, there: Floats, parts: tuple[Image, Image], turned: View, known: Sequence[Floats]
) -> tuple[Planarity, Floats]:
    """Compare two views, and return the homography that explains most.

    ``ahead``, ``there``: the frontal view in grey, and its points; ``parts``: its inner face, and the skin of that;
    ``known``: where else the search starts. Correlations are with or without eyes and mouth, whichever is more: a
    picture may have holes there, with somebody behind. The parallax is of the skin alone.
    """
    aside, here = _grey(turned[1]), aligned_points(turned[0])
    where = _inner(here, EDGE - MARGIN)
    starts = _starts(there, here)
    back, shown = _as_head(aside, there, here, starts[0])
    head = max(_alike(ahead, back, (part > 0) & shown) for part in parts)
    starts += known
    plane, move = max(((_correlation(ahead, aside, one, parts), one) for one in starts), key=lambda one: one[0])
    # On a plane the search has nearly arrived after a few rounds; on a head it would wander about.
    for start in starts:
        found = _search(ahead, aside, start, where)
        if found is not None and (alike := _correlation(ahead, aside, found, parts)) > plane:
            plane, move = alike, found
        if plane > SURE:
            break
    return Planarity(plane, head, _parallax(ahead, aside, move, parts[1])), move


def _as_head(aside: Image, there: Floats, here: Floats, near: Floats) -> tuple[Image, Flags]:
    """The turned view as the frontal one would be if the meshes were right, and where it shows anything.

    ``near``: a homography that nearly takes the frontal points to the turned ones; what is left of each point is spread
    over its neighbourhood.
    """
    back = cv2.perspectiveTransform(here[None].astype(np.float64), np.linalg.inv(near.astype(np.float64)))[0]
    places = np.clip(np.round(there).astype(int), 0, SIDE - 1)
    sums = np.zeros((SIDE, SIDE, 3), np.float32)
    left = np.column_stack([back - there, np.ones(len(there))]).astype(np.float32)
    np.add.at(sums, (places[:, 1], places[:, 0]), left)
    spread = cv2.GaussianBlur(sums, (0, 0), SPREAD)
    moved = spread[..., :2] / np.maximum(spread[..., 2:], 1e-4)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    grid = (np.stack([columns, rows], axis=-1) + moved).reshape(1, -1, 2).astype(np.float64)
    where = cv2.perspectiveTransform(grid, near.astype(np.float64)).reshape(SIDE, SIDE, 2).astype(np.float32)
    shown = np.all((where > 0) & (where < SIDE - 1), axis=-1)
    return cv2.remap(aside, where[..., 0], where[..., 1], cv2.INTER_LINEAR), shown


def _parallax(ahead: Image, aside: Image, move: Floats, skin: Image) -> float | None:
    """What of the skin moves otherwise than the plane, by dense optical flow (DIS, Kroeger and others, 2016, doi
    10.1007/978-3-319-46493-0_29): the distance that ``SKIN_QUANTILE`` of it stays below, in eye distances."""
    back, seen = _taken_back(aside, move)
    both = (skin > 0) & (seen > 0)
    if both.sum() < MIN_AREA * SIDE * SIDE:
        return None
    level = back.astype(np.float32)
    level = (level - level[both].mean()) / max(float(level[both].std()), 1.0) * ahead[both].std() + ahead[both].mean()
    still = np.zeros((SIDE, SIDE, 2), np.float32)
    flow = _flow().calc(ahead, np.clip(level, 0, 255).astype(np.uint8), still)[both]
    away = np.linalg.norm(flow - np.median(flow, axis=0), axis=1)
    return float(np.quantile(away, SKIN_QUANTILE)) / EYES


@cache
def _flow() -> cv2.DISOpticalFlow:
    return cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def _starts(there: Floats, here: Floats) -> list[Floats]:
    """Return where the search begins: at the meshes' homography, and at the aligned faces as they are."""
    found, _ = cv2.findHomography(there, here, 0)
    starts = [] if found is None else [found.astype(np.float32)]
    return [*starts, np.eye(3, dtype=np.float32)]


def _search(ahead: Image, aside: Image, start: Floats, where: Image) -> Floats | None:
    """Return the best homography near ``start``; None if the search does not converge."""
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, ROUNDS, ENOUGH)
    try:
        return np.asarray(
            cv2.findTransformECC(ahead, aside, start.copy(), cv2.MOTION_HOMOGRAPHY, criteria, where, 3)[1]
        )
    except cv2.error:
        return None


def _grey(face: Image) -> Image:
    picture: Image = cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), (0, 0), SMOOTHED)
    return picture


def _inner(points: Floats, across: int) -> Image:
    picture: Image = cv2.erode(outline(points), np.ones((across, across), np.uint8))
    return picture


def _skin(points: Floats) -> Image:
    """Return a mask, 255 except for eyes and mouth."""
    holes = np.zeros((SIDE, SIDE), np.uint8)
    for part in (RIGHT_EYE, LEFT_EYE, LIPS):
        cv2.fillConvexPoly(holes, cv2.convexHull(np.round(points[list(part)]).astype(np.int32)), 255)
    picture: Image = cv2.bitwise_not(cv2.dilate(holes, np.ones((AROUND, AROUND), np.uint8)))
    return picture


def _taken_back(aside: Image, move: Floats) -> tuple[Image, Image]:
    """Return the turned view as the frontal one would be on a plane, and a mask of what the turned view shows."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpPerspective(aside, move, (SIDE, SIDE), flags=flags)
    whole = np.full_like(aside, 255)
    return back, cv2.warpPerspective(whole, move, (SIDE, SIDE), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)


def _correlation(ahead: Image, aside: Image, move: Floats, parts: tuple[Image, ...]) -> float:
    """Return the largest correlation over these parts of the face, of what both views show."""
    back, seen = _taken_back(aside, move)
    return max(_alike(ahead, back, (part > 0) & (seen > 0)) for part in parts)


def _alike(ahead: Image, back: Image, both: Flags) -> float:
    if both.sum() < MIN_AREA * SIDE * SIDE:
        return -1.0
    first, second = ahead[both].astype(np.float64), back[both].astype(np.float64)
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / max(scale, 1e-9)
