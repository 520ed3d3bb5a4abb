"""Planarity of a turned face: how well the picture itself, not its mesh, is explained by a plane that was turned.

Two views of a flat picture differ by one homography, whatever the camera's distance; so the turned view, taken back
by the best one, is the frontal view again, and the two correlate. A head's does not: the nose covers a cheek, and
each part moves by its own depth. The mesh cannot tell this where a picture is held close to the camera: it sees a
head in the strong perspective, and returns a turned one. Here its points only start the search (ECC, Evangelidis
and Psarakis, 2008, doi 10.1109/TPAMI.2008.113), and grey levels decide.
"""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np

from .aligned import aligned_points, outline
from .embedding import SIDE
from .landmarks import Mesh
from .runtimes import Floats, Image

ROUNDS, ENOUGH = 40, 1e-5  # iterations of the search, and the gain in correlation below which it ends
SURE = 0.97  # correlation from which no second search is made
FIRST, FAR = 10, 0.85  # iterations after which a search that found no more correlation than this is not gone on with
SMOOTHED = 1.2  # pixels, standard deviation: grain of the camera is not to count
EDGE = 5  # pixels by which the outline of the face is drawn in


def plane_correlation(frontal: tuple[Mesh, Image], turned: tuple[Mesh, Image]) -> float:
    """Correlation -1..1 of the frontal face with the turned one taken back by the best homography.

    Each view is its mesh and the face aligned by it, ``SIDE`` x ``SIDE`` BGR. Independent of brightness and contrast.
    """
    ahead, aside = (_grey(face) for _, face in (frontal, turned))
    there, here = aligned_points(frontal[0]), aligned_points(turned[0])
    face, where = cv2.erode(outline(there), np.ones((EDGE, EDGE), np.uint8)), outline(here)
    starts = _starts(there, here)
    best = max(_correlation(ahead, aside, start, face) for start in starts)
    # On a plane the search has nearly arrived after a few rounds; on a head it wanders about to its last one.
    for rounds in (FIRST, ROUNDS - FIRST):
        moved = []
        for start in starts:
            found = _search(ahead, aside, start, where, rounds)
            if found is None:
                continue
            moved.append(found)
            best = max(best, _correlation(ahead, aside, found, face))
            if best > SURE:
                return best
        if best < FAR:
            return best
        starts = moved
    return best


def relief(frontal: tuple[Mesh, Image], turned: Iterable[tuple[Mesh, Image]]) -> float | None:
    """The least share, 0..1, that no plane explains, over the turned views; None without any.

    The least, as one good match proves a plane, while a bad one may be a search that went astray.
    """
    return min((1.0 - max(0.0, plane_correlation(frontal, view)) for view in turned), default=None)


def _starts(there: Floats, here: Floats) -> list[Floats]:
    """Where the search begins: at the meshes' homography, and at the aligned faces as they lie."""
    found, _ = cv2.findHomography(there, here, 0)
    starts = [] if found is None else [found.astype(np.float32)]
    return [*starts, np.eye(3, dtype=np.float32)]


def _search(ahead: Image, aside: Image, start: Floats, where: Image, rounds: int) -> Floats | None:
    """The best homography near ``start``; None where the search does not converge."""
    criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, rounds, ENOUGH)
    try:
        return np.asarray(cv2.findTransformECC(ahead, aside, start, cv2.MOTION_HOMOGRAPHY, criteria, where, 3)[1])
    except cv2.error:
        return None


def _grey(face: Image) -> Image:
    return cv2.GaussianBlur(cv2.cvtColor(face, cv2.COLOR_BGR2GRAY), (0, 0), SMOOTHED)


def _correlation(ahead: Image, aside: Image, move: Floats, face: Image) -> float:
    """Over the part of the face that both views show."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpPerspective(aside, move, (SIDE, SIDE), flags=flags)
    seen = cv2.warpPerspective(
        np.full_like(aside, 255), move, (SIDE, SIDE), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    both = (face > 0) & (seen > 0)
    if both.sum() < 0.2 * SIDE * SIDE:
        return -1.0
    first, second = ahead[both].astype(np.float64), back[both].astype(np.float64)
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / max(scale, 1e-9)
