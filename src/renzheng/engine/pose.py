"""Head pose in degrees: the rotation that takes the person's own neutral mesh to the present one.

A least-squares fit of rotation and scale over the points that skull and nose carry (Kabsch 1976, doi
10.1107/S0567739476001873; scale after Umeyama 1991). Fitting against the person's own neutral face takes out the
shape of the face and how the camera stands; leaving out mouth, lids and jaw takes out what they do. Signs are as
in ``landmarks``: yaw > 0 to the person's own left, pitch > 0 chin down; roll > 0 clockwise in the image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

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
    """Degrees from the neutral pose. ``scale``: size relative to the neutral one. ``misfit``: RMS distance of the
    points after the fit, in eye distances (a face that really turns keeps its shape)."""

    yaw: float
    pitch: float
    roll: float
    scale: float
    misfit: float


def mean_mesh(meshes: Sequence[Mesh]) -> Mesh | None:
    """Average several meshes of one face in nearly one pose, each fitted to the first; None without any."""
    if not meshes:
        return None
    points = np.stack([mesh.points for mesh in meshes]).astype(np.float64)
    rigid = points[:, RIGID]
    middles = rigid.mean(axis=1, keepdims=True)
    turns, scales = _fit(rigid - middles, (rigid - middles)[0])
    fitted = scales[:, None, None] * (points - middles) @ np.swapaxes(turns, -1, -2) + middles[0]
    return Mesh(fitted.mean(axis=0).astype(np.float32), min(mesh.presence for mesh in meshes))


def _fit(source: Points, target: Points) -> tuple[Points, Points]:
    """Return rotations (n x 3 x 3) and scales (n) that map centred points to others, by least squares.

    One side has n sets of k points (n x k x 3); the other one may be a single set, for all.
    """
    left, strengths, right = np.linalg.svd(np.swapaxes(target, -1, -2) @ source)
    strengths[..., 2] *= (proper := np.sign(np.linalg.det(left @ right)))
    left[..., 2] *= proper[..., None]
    return left @ right, strengths.sum(axis=-1) / np.maximum((source**2).sum(axis=(-1, -2)), 1e-9)


def fit_poses(neutral: Mesh, present: Sequence[Mesh]) -> list[Pose]:
    """Return the pose of each mesh relative to ``neutral``. Accurate to a few degrees up to a yaw of about 45."""
    if not present:
        return []
    source = neutral.points[list(RIGID)].astype(np.float64)
    target = np.stack([mesh.points for mesh in present])[:, RIGID].astype(np.float64)
    source, target = source - source.mean(axis=0), target - target.mean(axis=1, keepdims=True)
    turns, scales = _fit(source, target)
    there = scales[:, None, None] * source @ np.swapaxes(turns, -1, -2)
    misfits = np.sqrt(((target - there) ** 2).sum(axis=-1).mean(axis=-1))
    return [
        _pose(turn, float(scale), float(misfit) / max(mesh.eye_distance, 1e-6))
        for turn, scale, misfit, mesh in zip(turns, scales, misfits, present, strict=True)
    ]


def _pose(rotation: Points, scale: float, misfit: float) -> Pose:
    # The face's own forward axis is -z (towards the camera) and its down axis is y.
    forward, down = (-rotation[:, 2]).tolist(), rotation[:, 1].tolist()
    return Pose(
        yaw=math.degrees(math.atan2(forward[0], -forward[2])),
        pitch=math.degrees(math.atan2(forward[1], math.hypot(forward[0], forward[2]))),
        roll=math.degrees(math.atan2(-down[0], down[1])),
        scale=scale,
        misfit=misfit,
    )


def smooth(values: Sequence[float], width: int = 3) -> list[float]:
    """Return the running median over ``width`` neighbours, so that one frame's error does not make a turn."""
    half = width // 2
    return [float(median(values[max(0, n - half) : n + half + 1])) for n in range(len(values))]


def measure_turn(neutral: Sequence[Mesh], present: Sequence[Mesh], sign: int) -> Turn | None:
    """Return the course of an asked turn (``sign`` +1: to the person's left) from the neutral pose; None if either is
    missing."""
    rest = mean_mesh(neutral)
    if rest is None or not present:
        return None
    poses = fit_poses(rest, present)
    seen = [sign * pose.yaw for pose in poses]
    course = smooth(seen)
    most = max(course)
    return Turn(
        degrees=most,
        jitter=float(np.sqrt(np.mean([(raw - calm) ** 2 for raw, calm in zip(seen, course, strict=True)]))),
        between=sum(BETWEEN[0] * most < yaw < BETWEEN[1] * most for yaw in seen),
        misfit=poses[course.index(most)].misfit,
    )
