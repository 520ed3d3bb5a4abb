"""One image through the models: what is seen in it, with everything that later measures need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2

from . import packs
from .detection import Detector, Face
from .embedding import Embedder, align
from .landmarks import ABOVE_MESH, BESIDE_MESH, EyeModel, Mesh, MeshModel
from .limits import ObservationLimits
from .liveness import Glance
from .passive import PassiveNetwork, network
from .quality import missing_of, outside_of, second_face, sharpness_of
from .runtimes import Floats, Image, quiet


@dataclass(frozen=True)
class Observation:
    """A glance with the mesh and, where the detector ran, the face that it found."""

    glance: Glance
    mesh: Mesh | None = None
    face: Face | None = None
    aligned: Image | None = None
    """The face at 112 x 112, aligned by the mesh; None after a lean look."""


class FaceModels:
    """All models of one process, each loaded when it is first needed. Not for several threads at a time."""

    def __init__(self, threads: int = 1, limits: ObservationLimits | None = None) -> None:
        quiet(threads)
        self._threads = threads
        self.limits = limits or ObservationLimits()

    @cached_property
    def detector(self) -> Detector:
        return Detector(packs.require("detection"))

    @cached_property
    def mesh_model(self) -> MeshModel:
        return MeshModel(packs.require("landmarks"), self._threads)

    @cached_property
    def eye_model(self) -> EyeModel:
        return EyeModel(packs.require("iris"), self._threads)

    @cached_property
    def embedder(self) -> Embedder:
        return Embedder(packs.require("embedding"), packs.pack_for("embedding").preprocessing)

    @cached_property
    def passive(self) -> PassiveNetwork | None:
        """The operator's network against attacks, None where none is in use."""
        return network(self._threads)

    def photo_faces(self, image: Image) -> list[Face]:
        """Faces of a photo, the largest first; a second, finer search where the first finds none or small ones."""
        limits, longer = self.limits, max(image.shape[:2])
        faces = self.detector(image, limits.photo_side)
        if faces and faces[0].size * min(1.0, limits.photo_side / longer) >= limits.photo_face:
            return faces
        return self.detector(image, limits.photo_side_fine)

    def observe(
        self, image: Image, *, eyes: bool, near: Mesh | None = None, search: bool = False, lean: bool = False
    ) -> Observation:
        """Look at a frame. With ``near``, the mesh of the frame before, the face is tracked without a search.

        ``search`` looks for faces all the same, and tracks only where none is found. ``lean`` leaves out the aligned
        face with its sharpness and brightness.
        """
        if near is not None and not search and (mesh := self._certain(image, near)) is not None:
            return self._look(image, mesh, 1, eyes, None, lean)
        side = self.limits.frame_side if near is None else self.limits.tracked_side
        faces = self.detector(image, side, quick=True)
        if near is not None:  # a tracked face stays the one that is meant, whoever comes nearer
            faces.sort(key=lambda face: not _tracked(near, face))
        for face in faces[: self.limits.candidates]:
            # The detector takes some backgrounds for faces; the mesh does not.
            # A face that is tracked is looked at where it was: another cut would move its mesh a little each time.
            where = near if near is not None and _tracked(near, face) else face
            if (mesh := self._certain(image, where)) is not None:
                others = [other for other in faces if other is not face and self._counts(image, other, face)]
                return self._look(image, mesh, 2 if others else 1, eyes, face, lean)
        if near is not None and search and (mesh := self._certain(image, near)) is not None:
            return self._look(image, mesh, 1, eyes, None, lean)
        height, width = image.shape[:2]
        return Observation(Glance(width, height))

    def _certain(self, image: Image, where: Face | Mesh) -> Mesh | None:
        """The mesh there, None where there is no face."""
        mesh = self.mesh_model(image, where)
        if isinstance(where, Face) and outside_of(image, mesh) > 0:
            # At the image's edge only a second look from the first mesh shows how much of the face is missing.
            mesh = self.mesh_model(image, mesh)
        return mesh if mesh.presence >= self.limits.lost else None

    def _counts(self, image: Image, other: Face, face: Face) -> bool:
        """Whether there is another face, large enough beside the one."""
        return second_face([face, other], self.limits.second_face) and self._certain(image, other) is not None

    def open_eyes(self, image: Image, seen: Observation) -> Observation:
        """The observation with its eye openings, where there is a face."""
        if seen.mesh is None:
            return seen
        left, right = self.eye_model(image, seen.mesh)
        return replace(seen, glance=replace(seen.glance, left_eye=left, right_eye=right))

    def embed(self, image: Image, where: Face | Mesh | None = None) -> Floats | None:
        """The embedding of a face that the detector or the mesh has located; None where the detector knows none there.

        Without ``where`` the largest face is searched for. However it was located, the detector's five points at one
        size of the face align it, as the calibration was made: of 931 pairs of one person of LFW's first fold, each
        at 640 pixels, 15 fail a score of 70 where the detector located both faces and 16 where the mesh did; of
        324,290 pairs of strangers 49 and 44 pass.
        """
        if where is None:
            faces = self.detector(image, self.limits.frame_side, quick=True)
            if not faces:
                return None
            where = faces[0]
        if isinstance(where, Face):
            return self.embedder(image, (self.detector.refine(image, where.centre, where.size) or where).points)
        x, y, width, height = where.box
        size = BESIDE_MESH * max(width, height)
        near = self.detector.refine(image, (x + width / 2, y + height / 2 - ABOVE_MESH * size), size)
        return None if near is None else self.embedder(image, near.points)

    def _look(self, image: Image, mesh: Mesh, faces: int, eyes: bool, face: Face | None, lean: bool) -> Observation:
        aligned = None if lean else align(image, mesh.five_points)
        luma = None if aligned is None else cv2.cvtColor(aligned, cv2.COLOR_BGR2GRAY)
        height, width = image.shape[:2]
        glance = Glance(
            width=width,
            height=height,
            faces=faces,
            box=mesh.box,
            cut=max(outside_of(image, mesh), missing_of(image, face) if face else 0.0) > self.limits.cut,
            yaw=mesh.yaw,
            turn=mesh.turn,
            pitch=mesh.pitch,
            mouth=mesh.mouth_opening,
            sharpness=0.0 if luma is None else sharpness_of(luma),
            brightness=0.0 if luma is None else float(luma.mean()),
            presence=mesh.presence,
        )
        seen = Observation(glance, mesh, face, aligned)
        return self.open_eyes(image, seen) if eyes else seen


def within(box: tuple[float, float, float, float], point: tuple[float, float]) -> bool:
    """Whether a point lies in the middle half of a box (x, y, width, height)."""
    x, y, width, height = box
    return abs(point[0] - x - width / 2) <= width / 4 and abs(point[1] - y - height / 2) <= height / 4


def _tracked(mesh: Mesh, face: Face) -> bool:
    """Whether a found face is the one of this mesh, of the frame before."""
    return within(mesh.box, face.centre) and _alike(mesh.box, face.size)


def _alike(box: tuple[float, float, float, float], size: float) -> bool:
    """Whether a tracked face and a found one have about the same size."""
    return 0.7 < size / max(box[2], box[3], 1.0) < 1.5
