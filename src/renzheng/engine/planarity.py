"""Planarity of a turned face: how well the picture itself, not its mesh, is explained by a plane that was turned.

Two views of a flat picture differ by one homography, whatever the camera's distance; so the turned view, taken back
by the best one, is the frontal view again, and the two correlate. A head's does not: the nose covers a cheek, and
each part moves by its own depth. The mesh cannot tell this where a picture is held close to the camera: it sees a
head in the strong perspective, and returns a turned one. Here its points only start the search (ECC, Evangelidis
and Psarakis, 2008, doi 10.1109/TPAMI.2008.113), and grey levels decide.
"""

from __future__ import annotations

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
EDGE, MARGIN = 21, 4
"""Pixels across by which the outline of the face is drawn in, and by how many less where the search looks.

What lies near the outline is forehead and cheeks, which a plane explains on a head as well, and on a sheet that is bent
or cut out its own edge, which hides what is behind it. Drawn in by 21 instead of 5, two bent pictures fell from 0.08 -
0.30 of what no plane explains to 0.005 - 0.03, and the head with the least rose from 0.05 to 0.16.
"""
LEAST_AREA = 0.08  # of the aligned face, that both views must show
AROUND = 9  # pixels across, by which eyes and mouth are drawn larger before they are left out
RIGHT_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7)
LEFT_EYE = (263, 466, 388, 387, 386, 385, 384, 398, 362, 382, 381, 380, 374, 373, 390, 249)
LIPS = (61, 185, 40, 39, 37, 0, 267, 269, 270, 409, 291, 375, 321, 405, 314, 17, 84, 181, 91, 146)


def plane_correlation(frontal: tuple[Mesh, Image], turned: tuple[Mesh, Image]) -> float:
    """Correlation -1..1 of the frontal face with the turned one taken back by the best homography.

    Each view is its mesh and the face aligned by it, ``SIDE`` x ``SIDE`` BGR. Independent of brightness and contrast.
    With or without eyes and mouth, whichever correlates more: a picture may have holes there, with somebody behind.
    """
    ahead, aside = (_grey(face) for _, face in (frontal, turned))
    there, here = aligned_points(frontal[0]), aligned_points(turned[0])
    face, where = _inner(there, EDGE), _inner(here, EDGE - MARGIN)
    parts = (face, face & _skin(there))
    starts = _starts(there, here)
    best = max(_correlation(ahead, aside, start, parts) for start in starts)
    # On a plane the search has nearly arrived after a few rounds; on a head it wanders about to its last one.
    for rounds in (FIRST, ROUNDS - FIRST):
        moved = []
        for start in starts:
            found = _search(ahead, aside, start, where, rounds)
            if found is None:
                continue
            moved.append(found)
            best = max(best, _correlation(ahead, aside, found, parts))
            if best > SURE:
                return best
        if best < FAR:
            return best
        starts = moved
    return best


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


def _inner(points: Floats, across: int) -> Image:
    return cv2.erode(outline(points), np.ones((across, across), np.uint8))


def _skin(points: Floats) -> Image:
    """255 but for eyes and mouth."""
    holes = np.zeros((SIDE, SIDE), np.uint8)
    for part in (RIGHT_EYE, LEFT_EYE, LIPS):
        cv2.fillConvexPoly(holes, cv2.convexHull(np.round(points[list(part)]).astype(np.int32)), 255)
    return cv2.bitwise_not(cv2.dilate(holes, np.ones((AROUND, AROUND), np.uint8)))


def _correlation(ahead: Image, aside: Image, move: Floats, parts: tuple[Image, ...]) -> float:
    """The largest over these parts of the face, of what both views show of it."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    back = cv2.warpPerspective(aside, move, (SIDE, SIDE), flags=flags)
    seen = cv2.warpPerspective(
        np.full_like(aside, 255), move, (SIDE, SIDE), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    return max(_alike(ahead, back, (part > 0) & (seen > 0)) for part in parts)


def _alike(ahead: Image, back: Image, both: Image) -> float:
    if both.sum() < LEAST_AREA * SIDE * SIDE:
        return -1.0
    first, second = ahead[both].astype(np.float64), back[both].astype(np.float64)
    first, second = first - first.mean(), second - second.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / max(scale, 1e-9)
