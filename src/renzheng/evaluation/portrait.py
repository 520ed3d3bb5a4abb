"""Makes a texture from a photo: the face upright, in the middle, of a natural size, its eyes open to shut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

from renzheng.engine.landmarks import Mesh
from renzheng.engine.observation import FaceModels
from renzheng.engine.quality import second_face
from renzheng.engine.runtimes import Image
from renzheng.evaluation import anatomy
from renzheng.evaluation.anatomy import Points

MARGIN = 0.3  # how far the texture reaches beyond the frame on each side, in parts of the frame
VIEWS = (1.0, 0.85, 0.72)  # sizes of the head, in parts of that at rest, at which no other face may be seen
LID_LEVELS = 8  # steps between an open and a shut eye
UPSAMPLING = 4  # eyes are painted this much larger and reduced again, as they are only some 40 pixels wide


@dataclass(frozen=True, slots=True)
class Fitness:
    """The rule for photos that a puppet can be made of. A photo beyond any bound is unfit.

    The proportions are those of `Mesh`: yaw and pitch without unit, the eye opening over the eye's width.
    """

    face_pixels: float = 90.0  # cheek to cheek, smallest
    largest_yaw: float = 0.25
    largest_pitch: float = 0.30
    largest_roll_degrees: float = 30.0
    smallest_eye_opening: float = 0.20
    largest_mouth_opening: float = 0.30
    smallest_presence: float = 0.9  # the mesh model's certainty that this is a face
    second_face: float = 0.3  # size beside the first from which another face counts
    shut_eyes: float = 0.5  # opening that is left when the lids are drawn down, in parts of the open eye's
    straight: float = 0.19  # yaw that may be left at rest, where the server asks for a look into the camera
    room: float = 0.25  # face widths of photo that must be there beyond the outline of the face


class UnfitPhotoError(ValueError):
    """The rule of `Fitness` excludes this photo. The text says why and names no person."""


@cache
def models() -> FaceModels:
    """Return the installed models, loaded once per process. Raises PackError if they are not installed."""
    return FaceModels()


def find_mesh(image: Image, engine: FaceModels) -> Mesh:
    """Return the mesh of the largest face. Raises UnfitPhotoError if there is none."""
    faces = engine.photo_faces(image)
    if not faces:
        raise UnfitPhotoError("no face was found in the photo")
    # A second look from the first mesh, as the engine does when it tracks: the crop is better centred.
    return engine.mesh_model(image, engine.mesh_model(image, faces[0]))


@dataclass(frozen=True)
class Portrait:
    """A texture and the mesh on it.

    `texture`: (H, W, 3) uint8 BGR, the frame with `MARGIN` of it on each side; `mesh`: (468, 3) pixels of the
    texture, z smaller is nearer; `lids`: one texture for each level from open to shut.
    """

    texture: Image
    mesh: Points
    lids: tuple[Image, ...]


def portrait(photo: Image, size: tuple[int, int], face_share: float, fitness: Fitness, engine: FaceModels) -> Portrait:
    """Make the texture for frames of `size` (width, height) in which the face has `face_share` of the shorter side.

    Raises UnfitPhotoError if the rule excludes the photo.
    """
    texture, points = examine(photo, size, face_share, fitness, engine)
    lids = tuple(shut_eyes(texture, points, level / LID_LEVELS) for level in range(LID_LEVELS + 1))
    return Portrait(texture, points, lids)


def examine(
    photo: Image, size: tuple[int, int], face_share: float, fitness: Fitness, engine: FaceModels
) -> tuple[Image, Points]:
    """Apply the whole rule: raise UnfitPhotoError, or return the upright texture and its mesh, (468, 3) pixels."""
    mesh = find_mesh(photo, engine)
    judge(photo, mesh, engine.eye_model(photo, mesh), fitness)
    texture = _extend(*_upright(photo, mesh, size, face_share))
    # A head that stands farther away shows more of the photo than at rest; what is blurred there may look like a face.
    sides = (engine.limits.frame_side, engine.limits.frame_side_fine, engine.limits.photo_side)
    for zoom in VIEWS:
        check_alone(_framed(texture, size, zoom), sides, fitness, engine)
    found = find_mesh(texture, engine)
    points = np.asarray(found.points, dtype=np.float64)
    opened, shut = (sum(engine.eye_model(image, found)) for image in (texture, shut_eyes(texture, points, 1.0)))
    if shut > fitness.shut_eyes * opened:
        raise UnfitPhotoError(f"the eyes cannot be drawn shut: {shut / opened:.2f}")
    return texture, points


def check_alone(picture: Image, sides: Sequence[int], fitness: Fitness, engine: FaceModels) -> None:
    """Search the picture at these sides, in pixels. Raises UnfitPhotoError if it shows another face."""
    if any(second_face(engine.detector(picture, side), fitness.second_face) for side in sides):
        raise UnfitPhotoError("another face is in the picture")


def _framed(texture: Image, size: tuple[int, int], zoom: float) -> Image:
    """Return the middle of the texture that fills a frame of `size` when the person is drawn `zoom` times as large."""
    height, width = texture.shape[:2]
    across, down = min(width, round(size[0] / zoom)), min(height, round(size[1] / zoom))
    left, top = (width - across) // 2, (height - down) // 2
    return texture[top : top + down, left : left + across]


def judge(photo: Image, mesh: Mesh, eyes: tuple[float, float], rule: Fitness) -> None:
    """Raise UnfitPhotoError with the first reason why no puppet can be made of this photo."""
    width = float(np.linalg.norm(mesh.points[anatomy.LEFT_CHEEK] - mesh.points[anatomy.RIGHT_CHEEK]))
    x, y, w, h = mesh.box
    room = min(x, photo.shape[1] - x - w, y, photo.shape[0] - y - h) / width
    checks: tuple[tuple[bool, str], ...] = (
        (mesh.presence >= rule.smallest_presence, f"the mesh model is not sure of a face ({mesh.presence:.2f})"),
        (width >= rule.face_pixels, f"the face is too small: {width:.0f} pixels of {rule.face_pixels:.0f}"),
        (abs(mesh.yaw) <= rule.largest_yaw, f"the face is turned too far: {mesh.yaw:+.2f}"),
        (abs(mesh.pitch) <= rule.largest_pitch, f"the face looks too far up or down: {mesh.pitch:+.2f}"),
        (abs(np.degrees(mesh.roll)) <= rule.largest_roll_degrees, "the head is tilted too far"),
        (min(eyes) >= rule.smallest_eye_opening, f"an eye is shut or narrow: {min(eyes):.2f}"),
        (mesh.mouth_opening <= rule.largest_mouth_opening, f"the mouth is open: {mesh.mouth_opening:.2f}"),
        (room >= rule.room, "the face touches the photo's edge"),
    )
    for fits, reason in checks:
        if not fits:
            raise UnfitPhotoError(reason)


def _upright(photo: Image, mesh: Mesh, size: tuple[int, int], face_share: float) -> tuple[Image, Image]:
    """Rotate and scale the photo around the face. Returns it, and where it is valid (0 or 255)."""
    width, height = (round(side * (1 + 2 * MARGIN)) for side in size)
    flat = np.asarray(mesh.flat, dtype=np.float64)
    centre = (flat.min(axis=0) + flat.max(axis=0)) / 2
    cheeks = float(np.linalg.norm(mesh.points[anatomy.LEFT_CHEEK] - mesh.points[anatomy.RIGHT_CHEEK]))
    scale = face_share * min(size) / cheeks
    if scale < 0.5:  # reduce by area first: a linear warp alone would alias
        factor = 2 * scale
        photo = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        centre, scale = centre * factor, 0.5
    turn = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(np.degrees(mesh.roll)), scale)
    turn[:, 2] += np.array([width / 2, height * 0.51]) - centre
    kernel = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_LINEAR
    texture = cv2.warpAffine(photo, turn, (width, height), flags=kernel, borderMode=cv2.BORDER_REPLICATE)
    inside = np.full(photo.shape[:2], 255, np.uint8)
    return texture, cv2.warpAffine(inside, turn, (width, height), flags=cv2.INTER_NEAREST)


def _extend(texture: Image, valid: Image) -> Image:
    """Blur what is beyond the photo's edge, so that its repeated last row does not make stripes."""
    if valid.min() == 255:
        return texture
    side = max(texture.shape[:2]) / 40
    blurred = texture
    for _ in range(2):
        blurred = cv2.GaussianBlur(blurred, (0, 0), side)
    reach = cv2.distanceTransform(255 - valid, cv2.DIST_L2, 5)
    weight = np.clip(reach / (1.5 * side), 0, 1)[..., None]
    return np.asarray(texture * (1 - weight) + blurred * weight + 0.5).astype(np.uint8)


def shut_eyes(texture: Image, mesh: Points, level: float) -> Image:
    """Return a copy of the texture with the lids drawn down: `level` 0 is open, 1 shut."""
    if level <= 0:
        return texture
    painted = texture.copy()
    for upper, lower in (
        (anatomy.RIGHT_UPPER_LID, anatomy.RIGHT_LOWER_LID),
        (anatomy.LEFT_UPPER_LID, anatomy.LEFT_LOWER_LID),
    ):
        _draw_lid(painted, mesh[list(upper), :2], mesh[list(lower), :2], level)
    return painted


def _draw_lid(texture: Image, upper: Points, lower: Points, level: float) -> None:
    """Draw one upper lid down over the eye, in place.

    Stretching the skin above the eye would draw lashes, shadow and brow down with it, so the lid is painted in
    the colour of the skin above and below the eye; where it was folded stays a crease, and the lashes come to
    lie along its new edge.
    """
    width = float(np.linalg.norm(upper[-1] - upper[0]))
    left, top = np.floor([upper[0, 0] - 0.25 * width, upper[:, 1].min() - 0.5 * width]).astype(int)
    right, bottom = np.ceil([upper[-1, 0] + 0.25 * width, lower[:, 1].max() + 0.4 * width]).astype(int)
    if left < 0 or top < 0 or right > texture.shape[1] or bottom > texture.shape[0] or width < 4:
        return
    size = (int(right - left), int(bottom - top))
    large = (size[0] * UPSAMPLING, size[1] * UPSAMPLING)
    patch = cv2.resize(texture[top:bottom, left:right], large, interpolation=cv2.INTER_CUBIC)
    corner = np.array([left, top], dtype=np.float64)
    edges = [(line - corner + 0.5) * UPSAMPLING - 0.5 for line in (upper, lower)]
    painted = _lid(patch, edges[0], edges[1], width * UPSAMPLING, level)
    texture[top:bottom, left:right] = cv2.resize(painted, size, interpolation=cv2.INTER_AREA)


def _lid(patch: Image, upper: Points, lower: Points, width: float, level: float) -> Image:
    """Return the painted patch. `upper` and `lower` are the lids' edges from left to right, `width` the eye's."""
    height, across = patch.shape[:2]
    columns = np.arange(across, dtype=np.float64)
    rows = np.arange(height, dtype=np.float64)[:, None]
    top, bottom = _curve(upper, columns), _curve(lower, columns)
    gap = np.maximum(bottom - top, 0.0)
    present = anatomy.smoothstep(gap / (0.08 * width))  # 0 outside the eye's corners
    drawn = min(1.0, 2 * level)  # the old lashes and the new edge fade into each other
    edge = top + level * 1.04 * gap
    skin = _skin(patch, top, bottom, width)
    above = anatomy.smoothstep((rows - top + 0.26 * width) / (0.14 * width))
    below = anatomy.smoothstep((edge - rows) / (0.03 * width) + 0.5)
    cover = (above * below * present * drawn)[..., None]
    result = patch * (1 - cover) + skin * (1 - _shade(rows, top, edge, width)[..., None]) * cover
    lashes = (0.8 * np.exp(-(((rows - edge) / (0.045 * width)) ** 2)) * present * drawn)[..., None]
    dark = np.percentile(patch.reshape(-1, 3), 3, axis=0)
    return np.clip(result * (1 - lashes) + dark * lashes + 0.5, 0, 255).astype(np.uint8)


def _skin(patch: Image, top: Points, bottom: Points, width: float) -> Points:
    """Return the colour of the skin around the eye, (1, columns, 3), mainly from below it, where there is no shadow."""
    columns = np.arange(patch.shape[1])

    def along(line: Points) -> Points:
        rows = np.clip(np.round(line), 0, patch.shape[0] - 1).astype(int)
        return np.asarray(patch[rows, columns], dtype=np.float64)

    above = np.mean([along(top - part * width) for part in (0.18, 0.22, 0.26)], axis=0)
    below = np.mean([along(bottom + part * width) for part in (0.15, 0.2, 0.25)], axis=0)
    colour = (0.25 * above + 0.75 * below)[None]
    return np.asarray(cv2.GaussianBlur(colour, (0, 0), 0.2 * width, borderType=cv2.BORDER_REPLICATE))


def _shade(rows: Points, top: Points, edge: Points, width: float) -> Points:
    """Return the darkness of the crease where the lid was folded, and of the lid as it curves away below, 0..1."""
    crease = 0.12 * np.exp(-(((rows - top + 0.08 * width) / (0.05 * width)) ** 2))
    depth = np.clip((rows - top) / np.maximum(edge - top, 1.0), 0.0, 1.0)
    return crease + np.where(rows < edge, 0.10 * depth**2, 0.0)


def _curve(points: Points, columns: Points) -> Points:
    """Return a smooth line through the points, one value per column; beyond the ends it stays level."""
    ordered = points[np.argsort(points[:, 0])]
    line = np.interp(columns, ordered[:, 0], ordered[:, 1])
    kernel = max(3, int(len(columns) * 0.06) | 1)
    smooth = cv2.GaussianBlur(line.reshape(1, -1), (kernel, 1), 0, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(smooth, np.float64).ravel()
