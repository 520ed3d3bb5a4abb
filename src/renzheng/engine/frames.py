"""One frame by itself -> its measurement: the only one, which the live hints, the verdict and a repetition all use.

It depends on the frame's picture and on the action that it was taken for, on the model packs and on this program; on
no other frame, no clock and no machine load. So it does not matter who measures a frame, and when: what was measured
while the person was acting is what the judge would have measured.

``written`` and ``read`` carry a measurement from process to process and over a restart. What is written names its
maker; a measurement of another maker (other packs, another version of these modules) is none.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from . import packs
from .continuity import Picture
from .landmarks import Mesh
from .light import COLOURS, ColourSample, sample
from .limits import ObservationLimits
from .liveness import NEUTRAL, Glance
from .measurement import Quality
from .observation import FaceModels
from .runtimes import Floats, Image

MAKER_BYTES = 16
WITH_EYES = frozenset({NEUTRAL, "blink"})
"""Actions for which the eye model runs, as the mesh's lids miss blinks of narrow eyes."""


@dataclass(frozen=True, slots=True)
class FrameMeasurement:
    """``picture``: recognises an identical picture. ``mesh``, ``quality``: None without a face. ``colours``: of a frame
    of the light challenge with one whole face. ``is_tracked``: whether the face was found only by the mesh of the frame
    before (see ``Judge``)."""

    glance: Glance
    picture: Picture
    mesh: Mesh | None = None
    quality: Quality | None = None
    colours: ColourSample | None = None
    is_tracked: bool = False


def measure_frame(image: Image, action: str, models: FaceModels, near: Mesh | None = None) -> FrameMeasurement:
    """Measure a frame that was taken for this action. With ``near``, search the face only at that mesh."""
    seen = models.observe(image, eyes=action in WITH_EYES, covered=action == NEUTRAL, near=near)
    lit = action in COLOURS and seen.mesh is not None and seen.glance.usable
    return FrameMeasurement(
        glance=seen.glance,
        picture=Picture.of(image),
        mesh=seen.mesh,
        quality=seen.quality,
        colours=sample(image, seen.mesh, 0.0) if lit and seen.mesh is not None else None,
        is_tracked=near is not None,
    )


class _Written(msgspec.Struct, array_like=True, frozen=True):
    """``points``: the mesh's, float32."""

    action: str
    glance: Glance
    picture: bytes
    points: bytes
    presence: float
    quality: Quality | None
    colours: ColourSample | None


def written(found: FrameMeasurement, action: str, made_by: bytes) -> bytes:
    """Return the measurement as bytes. ``made_by``: see ``maker``."""
    points, presence = (b"", 0.0) if found.mesh is None else (found.mesh.points.tobytes(), found.mesh.presence)
    fields = _Written(action, found.glance, found.picture.digest, points, presence, found.quality, found.colours)
    return made_by + msgspec.msgpack.encode(fields)


def read(content: bytes, action: str, made_by: bytes) -> FrameMeasurement | None:
    """Read what ``written`` returned; None if its maker or action differs, or it is damaged."""
    if content[:MAKER_BYTES] != made_by:
        return None
    try:
        fields = msgspec.msgpack.decode(content[MAKER_BYTES:], type=_Written)
        mesh = None
        if fields.points:
            points: Floats = np.frombuffer(fields.points, np.float32).reshape(468, 3).copy()
            mesh = Mesh(points, fields.presence)
    except (msgspec.MsgspecError, ValueError):
        return None
    if fields.action != action:
        return None
    return FrameMeasurement(fields.glance, Picture(fields.picture), mesh, fields.quality, fields.colours)


def maker(limits: ObservationLimits, frame_side: int) -> bytes:
    """Return a digest of everything but the frame that a measurement depends on: packs, limits, and the program
    itself."""
    parts = (_program(), tuple(pack.id for pack in packs.in_use()), limits, frame_side)
    return hashlib.sha256(repr(parts).encode()).digest()[:MAKER_BYTES]


@cache
def _program() -> str:
    """Return a digest of these modules, so that nobody has to raise a version when one of them changes."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def followed(found: FrameMeasurement, before: FrameMeasurement) -> FrameMeasurement:
    """Return a tracked measurement with the number of faces that the search had found."""
    faces = max(found.glance.faces, before.glance.faces)
    return replace(found, glance=replace(found.glance, faces=faces))
