"""Decides whether a sequence's frames can be judged: how many show one whole face that is large enough."""

from __future__ import annotations

from collections.abc import Sequence

from .frames import FrameMeasurement
from .limits import JudgingLimits
from .liveness import Glance
from .measurement import FrameCounts


def count_frames(seen: Sequence[FrameMeasurement], total: int, undecodable: int, limits: JudgingLimits) -> FrameCounts:
    """Count frames by fitness. ``seen``: the decoded frames. ``total``: all, with those that could not be decoded."""
    glances = [frame.glance for frame in seen]
    return FrameCounts(
        total=total,
        undecodable=undecodable,
        no_face=sum(glance.faces == 0 for glance in glances),
        searched=sum(not frame.is_tracked for frame in seen),
        several=sum(glance.faces > 1 for glance in glances),
        cut=sum(glance.cut for glance in glances),
        too_small=sum(_is_small(glance, limits) for glance in glances),
        usable=sum(glance.usable for glance in glances),
    )


def _is_small(glance: Glance, limits: JudgingLimits) -> bool:
    return glance.box is not None and min(glance.box[2:]) < limits.face_pixels


def status_of(counts: FrameCounts, limits: JudgingLimits) -> str:
    """Return the status; see ``Measurement.frames_status``."""
    with_face = counts.total - counts.undecodable - counts.no_face
    if counts.too_small > 0.5 * max(with_face, 1):
        return "too_few_pixels"
    if counts.several > limits.several_share * max(counts.searched, 1):
        return "several_faces"
    if counts.cut > limits.cut_share * max(with_face, 1):
        return "cut"
    gone = counts.no_face + counts.undecodable
    if counts.usable < limits.minimum_frames or gone > limits.no_face_share * counts.total:
        return "no_face"
    return "usable"
