"""Head pose in degrees: the rotation that takes the person's own neutral mesh to the present one.

A least-squares fit of rotation and scale over the points that skull and nose carry (Kabsch 1976, doi
10.1107/S0567739476001873; scale after Umeyama 1991). Fitting against the person's own neutral face takes out the
shape of the face and how the camera stands; leaving out mouth, lids and jaw takes out what they do. Signs are as
in ``landmarks``: yaw > 0 to the person's own left, pitch > 0 chin down; roll > 0 clockwise in the image.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .landmarks import Mesh

RIGID = (
    *(1, 2, 4, 5, 6, 168, 195, 197),  # bridge and tip of the nose
    *(9, 10, 8, 151, 67, 69, 103, 104, 108, 109, 297, 299, 332, 333, 337, 338),  # forehead
    *(33, 133, 263, 362, 127, 356, 234, 454, 93, 323),  # corners of the eyes, temples, cheekbones
)


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees from the neutral pose; ``scale``: size beside the neutral one; ``misfit``: RMS distance of the
    points after the fit, in eye distances (a face that is really turned keeps its shape)."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    misfit: float


def fit_pose(neutral: Mesh, present: Mesh) -> Pose:
    """The pose of ``present`` beside ``neutral``. Good to a few degrees up to a yaw of about 45."""
    source = neutral.points[list(RIGID)].astype(np.float64)
    target = present.points[list(RIGID)].astype(np.float64)
    source, target = source - source.mean(axis=0), target - target.mean(axis=0)
    left, strengths, right = np.linalg.svd(target.T @ source)
    proper = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(left @ right)))])
    rotation = left @ proper @ right
    scale = float((strengths * np.diag(proper)).sum() / max(float((source**2).sum()), 1e-9))
    misfit = np.sqrt(((target - scale * source @ rotation.T) ** 2).sum(axis=1).mean())
    # The face's own forward axis is -z (towards the camera) and its down axis is y.
    forward, down = rotation @ np.array([0.0, 0.0, -1.0]), rotation @ np.array([0.0, 1.0, 0.0])
    return Pose(
        yaw=float(np.degrees(np.arctan2(forward[0], -forward[2]))),
        pitch=float(np.degrees(np.arctan2(forward[1], np.hypot(forward[0], forward[2])))),
        roll=float(np.degrees(np.arctan2(-down[0], down[1]))),
        scale=scale,
        misfit=float(misfit) / max(present.eye_distance, 1e-6),
    )


def smooth(values: Sequence[float], width: int = 3) -> list[float]:
    """Running median over ``width`` neighbours: one frame's slip does not make a turn."""
    half = width // 2
    return [float(np.median(values[max(0, n - half) : n + half + 1])) for n in range(len(values))]
