"""One image through the models: what is seen in it, with everything that later measures need."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2

from . import packs
from .detection import Detector, Face
from .embedding import Embedder, align
from .landmarks import EyeModel, Mesh, MeshModel
from .limits import ObservationLimits
from .liveness import Glance
from .quality import outside_of, second_face, sharpness_of
from .runtimes import Floats, Image, quiet


@dataclass(frozen=True)
class Observation:
    """A glance with the mesh and, where the detector ran, the face that it found."""

    glance: Glance
    mesh: Mesh | None = None
    face: Face | None = None


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
        return Embedder(packs.require("embedding"))

    def photo_faces(self, image: Image) -> list[Face]:
        """Faces of a photo, the largest first; a second, finer search where the first finds none."""
        return self.detector(image, self.limits.photo_side) or self.detector(image, self.limits.photo_side_fine)

    def observe(self, image: Image, *, eyes: bool, near: Mesh | None = None) -> Observation:
        """Look at a frame. With ``near``, the mesh of the frame before, the face is tracked without a search."""
        height, width = image.shape[:2]
        if near is not None:
            mesh = self.mesh_model(image, near)
            if mesh.presence >= self.limits.lost:
                return Observation(self._glance(image, mesh, 1, eyes), mesh)
        faces = self.detector(image, self.limits.frame_side)
        if not faces:
            return Observation(Glance(width, height))
        mesh = self.mesh_model(image, faces[0])
        if mesh.presence < self.limits.lost:
            return Observation(Glance(width, height))
        count = 2 if second_face(faces, self.limits.second_face) else 1
        return Observation(self._glance(image, mesh, count, eyes), mesh, faces[0])

    def embed(self, image: Image, face: Face | None = None) -> Floats | None:
        """The embedding of a face, searched for where none is handed in; None where there is none."""
        if face is None:
            faces = self.detector(image, self.limits.frame_side)
            if not faces:
                return None
            face = faces[0]
        return self.embedder(image, face.points)

    def _glance(self, image: Image, mesh: Mesh, faces: int, eyes: bool) -> Glance:
        left, right = self.eye_model(image, mesh) if eyes else (None, None)
        luma = cv2.cvtColor(align(image, mesh.five_points), cv2.COLOR_BGR2GRAY)
        height, width = image.shape[:2]
        return Glance(
            width=width,
            height=height,
            faces=faces,
            box=mesh.box,
            cut=outside_of(image, mesh) > self.limits.cut,
            yaw=mesh.yaw,
            pitch=mesh.pitch,
            left_eye=left,
            right_eye=right,
            mouth=mesh.mouth_opening,
            sharpness=sharpness_of(luma),
            brightness=float(luma.mean()),
            presence=mesh.presence,
        )
