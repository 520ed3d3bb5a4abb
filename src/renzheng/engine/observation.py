"""Runs one image through the models and returns everything that later measures need."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from . import packs
from .aligned import aligned_points
from .appearance import covered_of
from .detection import Detector, Face
from .embedding import Embedder, align
from .landmarks import ABOVE_MESH, BESIDE_MESH, EyeModel, Mesh, MeshModel
from .limits import ObservationLimits
from .liveness import Glance
from .measurement import Quality
from .passive import PassiveNetwork, network
from .quality import aligned_luma, mean_and_deviation, missing_of, outside_of, second_face
from .quality import measure as measure_quality
from .runtimes import Floats, Image, quiet
from .uprightness import Levelling, Upright


@dataclass(frozen=True)
class Observation:
    """A glance with the mesh and its quality and, if it was searched for, the face that the detector found."""

    glance: Glance
    mesh: Mesh | None = None
    face: Face | None = None
    quality: Quality | None = None


class FaceModels:
    """All models of one process, each loaded when it is first needed. Not for use by several threads at a time."""

    def __init__(self, threads: int = 1, limits: ObservationLimits | None = None) -> None:
        quiet(threads)
        self._threads = threads
        self.limits = limits or ObservationLimits()

    @cached_property
    def detector(self) -> Detector:
        return Detector(packs.require("detection"), threads=self._threads)

    @cached_property
    def mesh_model(self) -> MeshModel:
        return MeshModel(packs.require("landmarks"), self._threads)

    @cached_property
    def eye_model(self) -> EyeModel:
        return EyeModel(packs.require("iris"), self._threads)

    @cached_property
    def embedder(self) -> Embedder:
        pack = packs.pack_for("embedding")
        return Embedder(packs.require("embedding"), pack.preprocessing, pack.runtime, self._threads)

    @cached_property
    def passive(self) -> PassiveNetwork | None:
        """The operator's network against attacks; None if none is in use."""
        return network(self._threads)

    def photo_faces(self, image: Image) -> list[Face]:
        """Return the faces of a photo, the largest first. If the first search finds none or small ones, a finer one
        follows."""
        limits, longer = self.limits, max(image.shape[:2])
        faces = self.detector(image, limits.photo_side)
        if faces and faces[0].size * min(1.0, limits.photo_side / longer) >= limits.photo_face:
            return faces
        return self.detector(image, limits.photo_side_fine)

    def stand_upright(self, image: Image) -> Upright:
        """Return a photo with its largest face upright, whatever its stored orientation."""
        return Levelling(self.photo_faces, self.mesh_model).stand_upright(image)

    def observe(self, image: Image, *, eyes: bool, covered: bool = False, near: Mesh | None = None) -> Observation:
        """Look at a frame: search it for faces or, with ``near``, a mesh, look only there.

        ``eyes``, ``covered``: whether to measure these, which take time and are not needed for every frame.
        """
        if near is not None:
            mesh = self._certain(image, near)
            return self._nothing(image) if mesh is None else self._look(image, mesh, 1, None, eyes, covered)
        limits = self.limits
        return (
            self._search(image, limits.frame_side, eyes, covered)
            or self._search(image, limits.frame_side_fine, eyes, covered)
            or self._nothing(image)
        )

    def _search(self, image: Image, side: int, eyes: bool, covered: bool) -> Observation | None:
        faces = self.detector(image, side, quick=True)
        for face in faces[: self.limits.candidates]:
            # The detector takes some backgrounds for faces; the mesh does not.
            if (mesh := self._certain(image, face)) is not None:
                others = [other for other in faces if other is not face and self._counts(image, other, face)]
                return self._look(image, mesh, 2 if others else 1, face, eyes, covered)
        return None

    def _nothing(self, image: Image) -> Observation:
        height, width = image.shape[:2]
        return Observation(Glance(width, height))

    def _certain(self, image: Image, where: Face | Mesh) -> Mesh | None:
        """Return the mesh there; None if there is no face."""
        mesh = self.mesh_model(image, where)
        if isinstance(where, Face) and outside_of(image, mesh) > 0:
            # At the image's edge, only a second look from the first mesh shows how much of the face is missing.
            mesh = self.mesh_model(image, mesh)
        return mesh if mesh.presence >= self.limits.lost else None

    def _counts(self, image: Image, other: Face, face: Face) -> bool:
        """Return whether there is another face that is large enough beside this one."""
        return second_face([face, other], self.limits.second_face) and self._certain(image, other) is not None

    def embed(self, image: Image, where: Face | Mesh | None = None) -> Floats | None:
        """The embedding of a face that the detector or the mesh has located; None where the detector knows none there.

        Without ``where`` the largest face is searched for. However it was located, the detector's five points at one
        size of the face align it, as the calibration was made: of 931 pairs of one person of LFW's first fold, each
        at 640 pixels, 15 fail a score of 70 where the detector located both faces and 16 where the mesh did; of
        324,290 pairs of strangers 49 and 44 pass.
        """
        if where is None:
            faces = self.detector(image, self.limits.frame_side_fine, quick=True)
            if not faces:
                return None
            where = faces[0]
        if isinstance(where, Face):
            return self.embedder(image, (self.detector.refine(image, where.centre, where.size) or where).points)
        x, y, width, height = where.box
        size = BESIDE_MESH * max(width, height)
        near = self.detector.refine(image, (x + width / 2, y + height / 2 - ABOVE_MESH * size), size)
        return None if near is None else self.embedder(image, near.points)

    def _look(self, image: Image, mesh: Mesh, faces: int, face: Face | None, eyes: bool, covered: bool) -> Observation:
        luma = aligned_luma(image, mesh)
        quality = measure_quality(image, mesh, luma=luma)
        brightness, contrast = mean_and_deviation(luma)
        left, right = self.eye_model(image, mesh) if eyes else (None, None)
        height, width = image.shape[:2]
        glance = Glance(
            width=width,
            height=height,
            faces=faces,
            box=mesh.box,
            cut=max(quality.outside, missing_of(image, face) if face else 0.0) > self.limits.cut,
            yaw=mesh.yaw,
            turn=mesh.turn,
            roll=math.degrees(mesh.roll),
            pitch=mesh.pitch,
            left_eye=left,
            right_eye=right,
            mouth=mesh.mouth_opening,
            sharpness=quality.sharpness,
            brightness=brightness,
            covered=covered_of(align(image, mesh.five_points), aligned_points(mesh)) if covered else 0.0,
            contrast=contrast,
            presence=mesh.presence,
        )
        return Observation(glance, mesh, face, quality)


def within(box: tuple[float, float, float, float], point: tuple[float, float]) -> bool:
    """Return whether a point is in the middle half of a box (x, y, width, height)."""
    x, y, width, height = box
    return abs(point[0] - x - width / 2) <= width / 4 and abs(point[1] - y - height / 2) <= height / 4
