"""Measures how fit a face is for comparison: its size, sharpness, exposure, pose, and whether it is cut off.

All are measurements with a unit. ``Quality.fault`` decides which of them are good enough.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from .detection import Face
from .embedding import align, surroundings
from .landmarks import Mesh
from .measurement import Quality
from .runtimes import Image

INNER = (slice(24, 104), slice(20, 92))
"""The part of an aligned face without background."""
BLACK, WHITE = 2, 253
ROUNDING = 0.29
NOISE_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)


def aligned_luma(image: Image, mesh: Mesh) -> Image:
    """Return the aligned face in grey, 112 x 112."""
    near, corner = surroundings(image, mesh.five_points)
    return align(cv2.cvtColor(near, cv2.COLOR_BGR2GRAY), mesh.five_points - corner)


def measure(image: Image, mesh: Mesh, scale: float = 1.0, luma: Image | None = None) -> Quality:
    """Return the quality of one face. ``scale``: pixels of ``image`` per pixel of the original. ``luma``: its
    ``aligned_luma``, if that exists already."""
    luma = aligned_luma(image, mesh) if luma is None else luma
    inner = luma[INNER]
    brightness, contrast = mean_and_deviation(inner)
    return Quality(
        face_pixels=min(mesh.box[2], mesh.box[3]) / scale,
        sharpness=sharpness_of(luma),
        brightness=brightness,
        contrast=contrast,
        outside=outside_of(image, mesh),
        yaw=mesh.yaw,
        pitch=mesh.pitch,
        presence=mesh.presence,
        clipped=clipped_of(inner),
        noise=noise_of(inner),
    )


def clipped_of(luma: Image) -> float:
    """Return the share 0-1 of pixels so near to black or white that they have no detail."""
    lost = luma.size - cv2.countNonZero(cv2.inRange(luma, BLACK + 1, WHITE - 1))
    return float(lost / luma.size)


def noise_of(luma: Image) -> float:
    """Return the standard deviation of the noise, 0-255, at least that of rounding.

    It uses a mask that ignores slopes and curves (Immerkaer 1996), and its median, as contours are few.
    """
    answers, half = np.abs(cv2.filter2D(luma, cv2.CV_16S, NOISE_MASK)), luma.size // 2
    # They are whole numbers, so that counting finds the median of an even number, the mean of the two in the middle.
    low, high = np.searchsorted(np.cumsum(np.bincount(answers.ravel())), (half, half + 1)).tolist()
    return max(float(low + high) / 2 / (6 * 0.6745), ROUNDING)


def sharpness_of(luma: Image) -> float:
    """Return the energy of the Laplacian over the energy of the picture (both variances) of an aligned face.

    Without unit. The division makes it equal for a pale and a contrasty photo.
    """
    detail = cv2.Laplacian(luma, cv2.CV_32F, ksize=1)
    return mean_and_deviation(detail)[1] ** 2 / (16 * max(mean_and_deviation(luma)[1] ** 2, 1.0))


def mean_and_deviation(channel: Image) -> tuple[float, float]:
    """Return mean and standard deviation of an image of one channel."""
    mean, deviation = cv2.meanStdDev(channel)
    return float(mean[0, 0]), float(deviation[0, 0])


def outside_of(image: Image, mesh: Mesh) -> float:
    """Return the share 0-1 of the mesh's points outside of the image."""
    height, width = image.shape[:2]
    x, y, across, down = mesh.box
    if x >= 0 and y >= 0 and x + across <= width - 1 and y + down <= height - 1:
        return 0.0
    inside = ((mesh.flat >= 0) & (mesh.flat <= (width - 1, height - 1))).all(axis=1)
    return 1.0 - float(inside.mean())


def missing_of(image: Image, face: Face) -> float:
    """Return the share 0-1 of a face that seems to be beyond the image's edge, by the shape of its box.

    The mesh squeezes a half face into a whole one; the detector's box does not. Boxes of whole faces are 1.1 to 1.3
    times as high as wide, and turned ones are narrower.
    """
    height, width = image.shape[:2]
    x, y, across, down = face.box
    edge = 0.06 * face.size
    missing = 0.0
    if y < edge or y + down > height - edge:
        missing = max(missing, 1 - down / max(across, 1.0))
    if x < edge or x + across > width - edge:
        missing = max(missing, 1 - across / max(0.62 * down, 1.0))
    return missing


def second_face(faces: Sequence[Face], share: float = 0.4) -> bool:
    """Return whether a second face is large enough beside the largest to count as another person."""
    return len(faces) > 1 and faces[1].size >= share * faces[0].size
