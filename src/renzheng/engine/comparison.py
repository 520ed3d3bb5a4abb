"""Examines the reference photo, and compares the frames of a sequence with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from . import packs
from .embedding import centred, cosine, similarity
from .limits import JudgingLimits, MediaLimits, QualityLimits
from .measurement import Comparison, Quality
from .media import MediaError, decode
from .observation import FaceModels
from .quality import measure as measure_quality
from .quality import missing_of, second_face
from .runtimes import Floats, Image


@dataclass(frozen=True)
class Reference:
    """The photo to compare with: its status (see ``Measurement.reference``) and, if ok, its embedding. ``faces``: how
    many the detector found."""

    status: str
    quality: Quality | None = None
    embedding: Floats | None = None
    faces: int = 0


NO_REFERENCE = Reference("none")


def examine_reference(image: Image, scale: float, models: FaceModels, limits: QualityLimits | None = None) -> Reference:
    """Examine a decoded reference photo, in whatever orientation. ``scale``: its pixels per pixel of the original."""
    seen = models.stand_upright(image)
    if seen.mesh is None:
        return Reference("no_face")
    image, faces, mesh = seen.image, seen.faces, seen.mesh
    quality = measure_quality(image, mesh, scale)
    # After levelling, the photo's edges are not the image's.
    missing = seen.outside(mesh.flat) if seen.tilt else missing_of(image, faces[0])
    quality = replace(quality, outside=max(quality.outside, missing))
    if second_face(faces, models.limits.second_face):
        return Reference("several_faces", quality, faces=len(faces))
    if fault := quality.fault(limits or QualityLimits()):
        return Reference(fault, quality, faces=len(faces))
    return Reference("ok", quality, models.embed(image, faces[0]), len(faces))


def compare(embeddings: Sequence[Floats], reference: Reference) -> Comparison:
    """Return the median of the frames' scores against the reference.

    ``embeddings``: of the frames that a judge has chosen, aligned by the detector's five points as for the calibration
    table.
    """
    calibration = packs.pack_for("embedding").calibration
    if reference.embedding is None or not embeddings or calibration is None:
        return Comparison(reference.status, reference.quality, None, ())
    photo = centred(reference.embedding, calibration)
    found = tuple(cosine(centred(one, calibration), photo) for one in embeddings)
    score = median(similarity(value, calibration) for value in found)
    return Comparison(reference.status, reference.quality, score, found, calibration.id)


def read_reference(
    photo: bytes | None, models: FaceModels, limits: JudgingLimits | None, media: MediaLimits
) -> Reference:
    """Read the reference from photo bytes. Every fault becomes a status; nothing is raised."""
    if photo is None:
        return NO_REFERENCE
    try:
        decoded = decode(photo, media)
    except MediaError:
        return Reference("undecodable")
    return examine_reference(decoded.image, decoded.scale, models, limits.quality if limits else None)
