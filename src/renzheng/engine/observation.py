"""One image through the models: what is seen in it, with everything that later measures need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import cv2

from . import packs
from .detection import Detector, Face
from .embedding import Embedder, align
from .landmarks import EyeModel, Mesh, MeshModel
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

    def observe(self, image: Image, *, eyes: bool, near: Mesh | None = None, lean: bool = False) -> Observation:
        """Look at a frame. With ``near``, the mesh of the frame before, the face is tracked without a search.

        ``lean`` leaves out the aligned face with its sharpness and brightness.
        """
        height, width = image.shape[:2]
        if near is not None:
            mesh = self.mesh_model(image, near)
            if mesh.presence >= self.limits.lost:
                return self._look(image, mesh, 1, eyes, None, lean)
        faces = self.detector(image, self.limits.frame_side)
        if not faces:
            return Observation(Glance(width, height))
        mesh = self.mesh_model(image, faces[0])
        if outside_of(image, mesh) > 0:
            # At the image's edge only a second look from the first mesh shows how much of the face is missing.
            mesh = self.mesh_model(image, mesh)
        if mesh.presence < self.limits.lost:
            return Observation(Glance(width, height))
        count = 2 if second_face(faces, self.limits.second_face) else 1
        return self._look(image, mesh, count, eyes, faces[0], lean)

    def open_eyes(self, image: Image, seen: Observation) -> Observation:
        """The observation with its eye openings, where there is a face."""
        if seen.mesh is None:
            return seen
        left, right = self.eye_model(image, seen.mesh)
        return replace(seen, glance=replace(seen.glance, left_eye=left, right_eye=right))

    def embed(self, image: Image, face: Face | None = None) -> Floats | None:
        """The embedding of a face, searched for where none is handed in; None where there is none."""
        if face is None:
            faces = self.detector(image, self.limits.frame_side)
            if not faces:
                return None
            face = faces[0]
        return self.embedder(image, self.detector.refine(image, face).points)

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
            pitch=mesh.pitch,
            mouth=mesh.mouth_opening,
            sharpness=0.0 if luma is None else sharpness_of(luma),
            brightness=0.0 if luma is None else float(luma.mean()),
            presence=mesh.presence,
        )
        seen = Observation(glance, mesh, face, aligned)
        return self.open_eyes(image, seen) if eyes else seen
