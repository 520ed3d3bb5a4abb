"""Pictures spoiled in one known way each, to measure what the advisory image scores are worth.

All of it is rendered from a photo and its face's mesh: no camera, no screen and no cloth was there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from renzheng.engine.landmarks import Mesh
from renzheng.engine.runtimes import Image

LOWER_FACE = (205, 187, 213, 192, 214, 136, 150, 149, 148, 152, 377, 378, 379, 365, 434, 416, 433, 411, 425, 5)
EYES = (70, 105, 107, 9, 336, 334, 300, 347, 277, 5, 47, 118)
HALF = (10, 109, 103, 54, 21, 162, 127, 234, 93, 132, 58, 172, 136, 152, 1)
"""Points of the mesh around which the face is covered."""

Chance = np.random.Generator
Spoil = Callable[[Image, Mesh, Chance], Image]


def out_of_focus(image: Image, mesh: Mesh, chance: Chance) -> Image:
    """Blur by 3 to 6 hundredths of the face's width."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), float(chance.uniform(0.03, 0.06)) * mesh.box[2]))


def badly_lit(image: Image, mesh: Mesh, chance: Chance) -> Image:
    """Reduce the light to a fifth, or triple it."""
    factor = 0.2 if chance.random() < 0.5 else 3.0
    return np.asarray(np.clip(image.astype(np.float32) * factor, 0, 255), np.uint8)


def _covered(image: Image, mesh: Mesh, places: Sequence[int], colour: Sequence[float], chance: Chance) -> Image:
    """Draw cloth of one colour, with a little light and grain, over the hull of these points."""
    hull = cv2.convexHull(np.round(mesh.flat[list(places)]).astype(np.int32))
    over = np.zeros(image.shape[:2], np.uint8)
    cv2.fillConvexPoly(over, hull, 255)
    share = cv2.GaussianBlur(over, (0, 0), 1.2)[..., None].astype(np.float32) / 255
    height, width = image.shape[:2]
    shade = np.linspace(1.1, 0.8, height, dtype=np.float32)[:, None, None]
    cloth = shade * np.array(colour, np.float32) + chance.normal(0, 3, (height, width, 1)).astype(np.float32)
    picture: Image = np.clip(image * (1 - share) + cloth * share, 0, 255).astype(np.uint8)
    return picture


def face_mask(image: Image, mesh: Mesh, chance: Chance) -> Image:
    """Draw a white, light blue or black mask over nose and mouth."""
    colours = ((225, 228, 230), (220, 190, 150), (35, 33, 32))
    return _covered(image, mesh, LOWER_FACE, colours[int(chance.integers(3))], chance)


def sunglasses(image: Image, mesh: Mesh, chance: Chance) -> Image:
    return _covered(image, mesh, EYES, (28, 25, 24), chance)


def half_covered(image: Image, mesh: Mesh, chance: Chance) -> Image:
    """Draw a sheet of paper, or dark hair, over one half of the face."""
    colours = ((235, 238, 240), (30, 28, 30))
    return _covered(image, mesh, HALF, colours[int(chance.integers(2))], chance)


def filmed_screen(image: Image, mesh: Mesh, chance: Chance) -> Image:
    """Render the picture on a screen's red, green and blue stripes, slightly rotated, as a camera's pixels see it.

    0.8 to 3 pixels of the screen fall on one of the camera's. Each camera pixel averages over its own area behind a
    lens that blurs by 0.3 of a pixel. No colour filter of the sensor is rendered.
    """
    fine = 4
    height, width = image.shape[:2]
    pitch, angle = float(chance.uniform(0.8, 3.0)), float(chance.uniform(-0.12, 0.12))
    x, y = np.meshgrid(np.arange(width * fine, dtype=np.float32), np.arange(height * fine, dtype=np.float32))
    along = (np.cos(angle) * x - np.sin(angle) * y) * pitch / fine
    down = (np.sin(angle) * x + np.cos(angle) * y) * pitch / fine
    shown = cv2.resize(image, None, fx=fine, fy=fine, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    rows = (np.mod(down, 1.0) < 0.8).astype(np.float32)
    for channel, start in ((2, 0.0), (1, 1 / 3), (0, 2 / 3)):
        shown[..., channel] *= rows * (np.mod(along - start, 1.0) < 0.27)
    taken = cv2.resize(cv2.GaussianBlur(shown, (0, 0), 0.3 * fine), (width, height), interpolation=cv2.INTER_AREA)
    taken = taken * (float(image.mean()) / max(float(taken.mean()), 1.0))
    picture: Image = np.clip(taken + chance.normal(0, 2, taken.shape), 0, 255).astype(np.uint8)
    return picture


def _held_up(image: Image, rim: tuple[float, float], colour: Sequence[int], chance: Chance) -> Image:
    """Draw the picture, slightly smaller and rotated, within a rim, before a dim and blurred room made of itself."""
    height, width = image.shape[:2]
    room = cv2.GaussianBlur(cv2.flip(image, 1), (0, 0), 0.05 * width)
    room = (0.7 * room).astype(np.uint8)
    edge = round(float(chance.uniform(*rim)) * width)
    sheet = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=tuple(colour))
    middle = (sheet.shape[1] / 2, sheet.shape[0] / 2)
    move = cv2.getRotationMatrix2D(middle, float(chance.uniform(-8, 8)), float(chance.uniform(0.62, 0.75)))
    move[:, 2] += (width / 2 - middle[0], height / 2 - middle[1])
    over = cv2.warpAffine(np.full(sheet.shape[:2], 255, np.uint8), move, (width, height), flags=cv2.INTER_AREA)
    drawn = cv2.warpAffine(sheet, move, (width, height), flags=cv2.INTER_LINEAR)
    share = over[..., None].astype(np.float32) / 255
    picture: Image = np.clip(room * (1 - share) + drawn * share, 0, 255).astype(np.uint8)
    return picture


def tablet(image: Image, mesh: Mesh, chance: Chance) -> Image:
    return _held_up(image, (0.04, 0.08), (18, 18, 20), chance)


def sheet(image: Image, mesh: Mesh, chance: Chance) -> Image:
    return _held_up(image, (0.01, 0.05), (240, 240, 240), chance)


SPOILS: tuple[tuple[str, str, Spoil], ...] = (
    ("blur", "out of focus", out_of_focus),
    ("exposure", "badly lit", badly_lit),
    ("occlusion", "face mask", face_mask),
    ("occlusion", "sunglasses", sunglasses),
    ("occlusion", "half covered", half_covered),
    ("moire", "filmed screen", filmed_screen),
    ("borders", "tablet held up", tablet),
    ("borders", "sheet held up", sheet),
)
"""The score, the name of what it is to show, and how that is rendered."""
