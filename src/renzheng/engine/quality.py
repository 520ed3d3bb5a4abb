"""How fit a face is for comparison: its size, sharpness, exposure, pose, and whether it is cut off.

All are measurements with a unit; which of them are good enough is decided by ``QualityLimits``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from .detection import Face
from .embedding import align
from .landmarks import Mesh
from .runtimes import Image


@dataclass(frozen=True)
class QualityLimits:
    """Bounds for a reference photo and for the frame that is compared."""

    face_pixels: float = 60.0
    """Shorter side of the box around the mesh in pixels of the original image."""
    sharpness: float = 0.0008
    brightness: tuple[float, float] = (35.0, 235.0)
    contrast: float = 10.0
    yaw: float = 0.65
    pitch: float = 0.45
    outside: float = 0.05
    """Share of the mesh that may lie outside of the image before the face counts as cut."""
    presence: float = 0.5


@dataclass(frozen=True)
class Quality:
    """``face_pixels``: shorter side of the box in the original; ``sharpness``: see ``sharpness_of``;
    ``brightness`` and ``contrast``: mean and standard deviation of the luma, 0-255; ``outside``: share of the
    mesh outside of the image; ``yaw`` and ``pitch``: see ``landmarks``; ``presence``: 0-1."""

    face_pixels: float
    sharpness: float
    brightness: float
    contrast: float
    outside: float
    yaw: float
    pitch: float
    presence: float

    def fault(self, limits: QualityLimits) -> str | None:
        """``too_small``, ``cut`` or ``poor``; None where the face is fit for comparison."""
        if self.face_pixels < limits.face_pixels:
            return "too_small"
        if self.outside > limits.outside:
            return "cut"
        low, high = limits.brightness
        fit = (
            self.sharpness >= limits.sharpness
            and low <= self.brightness <= high
            and self.contrast >= limits.contrast
            and abs(self.yaw) <= limits.yaw
            and abs(self.pitch) <= limits.pitch
            and self.presence >= limits.presence
        )
        return None if fit else "poor"

    @property
    def score(self) -> float:
        """0-1, higher is better: to choose among frames, not to refuse one."""
        size = min(1.0, self.face_pixels / 160)
        sharp = min(1.0, self.sharpness / 0.015)
        light = float(np.exp(-(((self.brightness - 130) / 80) ** 2)))
        frontal = float(np.exp(-((self.yaw / 0.25) ** 2)))
        return float(size * sharp**0.5 * light * frontal * self.presence)


def measure(image: Image, mesh: Mesh, scale: float = 1.0) -> Quality:
    """The quality of one face; ``scale``: pixels of ``image`` a pixel of the original."""
    luma = cv2.cvtColor(align(image, mesh.five_points), cv2.COLOR_BGR2GRAY)
    return Quality(
        face_pixels=min(mesh.box[2], mesh.box[3]) / scale,
        sharpness=sharpness_of(luma),
        brightness=float(luma.mean()),
        contrast=float(luma.std()),
        outside=outside_of(image, mesh),
        yaw=mesh.yaw,
        pitch=mesh.pitch,
        presence=mesh.presence,
    )


def sharpness_of(luma: Image) -> float:
    """Energy of the Laplacian over the energy of the picture (both variances) of an aligned face.

    Without unit; the division makes it the same for a pale and a contrasty photo.
    """
    detail = cv2.Laplacian(luma, cv2.CV_32F, ksize=1)
    return float(detail.var() / (16 * max(float(luma.var()), 1.0)))


def outside_of(image: Image, mesh: Mesh) -> float:
    """Share 0-1 of the mesh's points that lie outside of the image."""
    height, width = image.shape[:2]
    inside = ((mesh.flat >= 0) & (mesh.flat <= (width - 1, height - 1))).all(axis=1)
    return 1.0 - float(inside.mean())


def second_face(faces: Sequence[Face], share: float = 0.4) -> bool:
    """Whether a second face is large enough beside the largest to count as another person."""
    return len(faces) > 1 and faces[1].size >= share * faces[0].size
