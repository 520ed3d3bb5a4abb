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
from numpy.typing import NDArray

from .landmarks import Mesh
from .measurement import Turn

Points = NDArray[np.float64]

RIGID = (
    *(1, 2, 4, 5, 6, 168, 195, 197),  # bridge and tip of the nose
    *(9, 10, 8, 151, 67, 69, 103, 104, 108, 109, 297, 299, 332, 333, 337, 338),  # forehead
    *(33, 133, 263, 362, 127, 356, 234, 454, 93, 323),  # corners of the eyes, temples, cheekbones
)

BETWEEN = (0.15, 0.85)
"""Shares of the largest turn between which a head is on its way."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees from the neutral pose; ``scale``: size beside the neutral one; ``misfit``: RMS distance of the
    points after the fit, in eye distances (a face that is really turned keeps its shape)."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    misfit: float


def mean_mesh(meshes: Sequence[Mesh]) -> Mesh | None:
    """One mesh out of several of one face in nearly one pose, each fitted to the first; None without any."""
    if not meshes:
        return None
    first = meshes[0].points[list(RIGID)].astype(np.float64)
    total = np.zeros_like(meshes[0].points, dtype=np.float64)
    for mesh in meshes:
        points = mesh.points.astype(np.float64)
        middle = points[list(RIGID)].mean(axis=0)
        rotation, scale = _fit(points[list(RIGID)] - middle, first - first.mean(axis=0))
        total += scale * (points - middle) @ rotation.T + first.mean(axis=0)
    return Mesh((total / len(meshes)).astype(np.float32), min(mesh.presence for mesh in meshes))


def _fit(source: Points, target: Points) -> tuple[Points, float]:
    """Rotation and scale that take centred points to others, by least squares."""
    left, strengths, right = np.linalg.svd(target.T @ source)
    proper = np.diag([1.0, 1.0, float(np.sign(np.linalg.det(left @ right)))])
    scale = float((strengths * np.diag(proper)).sum() / max(float((source**2).sum()), 1e-9))
    return left @ proper @ right, scale


def fit_pose(neutral: Mesh, present: Mesh) -> Pose:
    """The pose of ``present`` beside ``neutral``. Good to a few degrees up to a yaw of about 45."""
    source = neutral.points[list(RIGID)].astype(np.float64)
    target = present.points[list(RIGID)].astype(np.float64)
    source, target = source - source.mean(axis=0), target - target.mean(axis=0)
    rotation, scale = _fit(source, target)
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


def measure_turn(neutral: Sequence[Mesh], present: Sequence[Mesh], sign: int) -> Turn | None:
    """The course of an asked turn (``sign`` +1: to the person's left) from the neutral pose; None without either."""
    rest = mean_mesh(neutral)
    if rest is None or not present:
        return None
    poses = [fit_pose(rest, mesh) for mesh in present]
    seen = [sign * pose.yaw for pose in poses]
    course = smooth(seen)
    most = max(course)
    return Turn(
        degrees=most,
        jitter=float(np.sqrt(np.mean([(raw - calm) ** 2 for raw, calm in zip(seen, course, strict=True)]))),
        between=sum(BETWEEN[0] * most < yaw < BETWEEN[1] * most for yaw in seen),
        misfit=poses[course.index(most)].misfit,
    )
