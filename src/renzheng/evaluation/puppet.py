"""The puppet: one photo, rendered as a person who moves, or as a flat picture that is moved.

It stands in for a person in the demo, in tests and in the attack suite, and it proves the plumbing and the
geometry, not error rates on people. A head is the 468-point mesh with its depth and rings around it that
follow less and less; a flat picture is the same net without depth, turned as a plane or bent as a cylinder.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Floats, Image
from renzheng.evaluation import anatomy
from renzheng.evaluation.anatomy import Points
from renzheng.evaluation.portrait import LID_LEVELS, MARGIN, Fitness, UnfitPhotoError, find_mesh, models, portrait
from renzheng.evaluation.scene import INTERIOR, Map, Net, Rasteriser, atlas, lay_net

__all__ = ["HEAD", "Fitness", "Flat", "Head", "Puppet", "PuppetPose", "UnfitPhotoError"]

OWN_PROXY = 0.74  # the yaw proxy that a head's own mesh has to reach; some 0.1 of it is lost to the mesh model
NOISE_SEED = 1  # the same grain in every run: a sequence can be rendered again, bit for bit


@dataclass(frozen=True, slots=True)
class PuppetPose:
    """How the person, or the print, stands before the camera in one frame.

    Angles are in degrees: yaw above 0 turns to the person's own left (the nose moves to the image's right),
    pitch above 0 lowers the chin, roll above 0 turns the head clockwise in the image. `eyes_closed` and
    `mouth_open` are 0..1. `scale` is the size against the puppet's natural one; `shift` is (right, down) in parts
    of the frame's width. `gain` multiplies blue, green and red as a lamp of that colour would; `screen` is the
    light that the device's screen adds, 0..1 each, the more the more a point faces it. `noise` is the standard
    deviation of the sensor's grain in grey levels, `grain` picks one of many samples of it.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    eyes_closed: float = 0.0
    mouth_open: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    gain: tuple[float, float, float] = (1.0, 1.0, 1.0)
    screen: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    grain: int = 0


@dataclass(frozen=True, slots=True)
class Head:
    """A head with depth: `depth` scales the mesh's z, 1 is the measured one, 0 is a mask without any."""

    depth: float = 1.0


@dataclass(frozen=True, slots=True)
class Flat:
    """A print or a screen that shows the photo, its eyes and mouth animated in the picture's plane.

    `bend_radius`: radius in face widths of the vertical cylinder that it is bent to, bulging towards the camera;
    infinite is a plane. `distance`: of the camera, in parts of the natural one; nearer is stronger perspective.
    `holes`: the eyes and the mouth are cut out, and the live ones stand that many face widths behind the picture;
    0 is a picture without holes. `crop`: half of the picture's width in face widths, its height a third more; what
    lies beyond is the room. Near a camera a picture has to be small, or it would reach behind it when it is turned.
    """

    bend_radius: float = math.inf
    distance: float = 1.0
    holes: float = 0.0
    crop: float = math.inf


HEAD = Head()
Surface = Head | Flat


class Puppet:
    """A person made of one photo.

    `photo`: (H, W, 3) uint8 BGR, any size, one face looking into the camera; `size`: (width, height) of the frames;
    `face_share`: cheek to cheek, in parts of the frame's shorter side. Raises UnfitPhotoError with a reason where the
    rule `fitness` excludes the photo, PackError where the models are not installed.
    """

    def __init__(
        self,
        photo: Image,
        *,
        size: tuple[int, int] = (640, 480),
        face_share: float = 0.36,
        fitness: Fitness | None = None,
        engine: FaceModels | None = None,
    ) -> None:
        self._engine = engine or models()
        made = portrait(photo, size, face_share, fitness or Fitness(), self._engine)
        height, width = made.texture.shape[:2]
        self.size = size
        self._net = lay_net(made.mesh, (width, height))
        self._atlases = tuple(atlas(lid) for lid in made.lids)
        origin = (round(size[0] * MARGIN), round(size[1] * MARGIN))
        self._rasteriser = Rasteriser(size, origin, 1.25 * max(size), (INTERIOR + 16.0, height + 16.0))
        self._middle = (origin[0] + (size[0] - 1) / 2, origin[1] + (size[1] - 1) / 2)
        self._face_width = float(abs(made.mesh[anatomy.LEFT_CHEEK, 0] - made.mesh[anatomy.RIGHT_CHEEK, 0]))
        self._mouth_width = float(
            np.linalg.norm(made.mesh[anatomy.LEFT_MOUTH_CORNER] - made.mesh[anatomy.RIGHT_MOUTH_CORNER])
        )
        self._pivot = self._find_pivot(made.mesh)
        self._grain = np.random.default_rng(NOISE_SEED).normal(size=(size[1] + 64, size[0] + 64, 3))
        self._grain = self._grain.astype(np.float32)
        self._rest_yaw = self._straighten()
        self._net = self._deep_enough()
        self._facing = _facing(self._net)
        self._yaws: dict[float, float] = {}
        if abs(find_mesh(self.render(PuppetPose()), self._engine).yaw) > (fitness or Fitness()).straight:
            raise UnfitPhotoError("the face looks aside even at rest")

    @property
    def face_width(self) -> float:
        """Cheek to cheek, in pixels of the frame."""
        return self._face_width

    @property
    def rest_yaw(self) -> float:
        """Degrees by which a face that looks slightly aside in the photo is turned to the front at rest."""
        return self._rest_yaw

    def yaw_for(self, proxy: float) -> float:
        """Return the degrees of yaw at which the engine sees a yaw proxy of `proxy` in the rendered head, -0.8..0.8.

        The proxy rises until the nose hides the far cheek. A face that cannot show as much gets its best angle.
        """
        if proxy not in self._yaws:
            self._yaws[proxy] = self._measured_yaw(proxy)
        return self._yaws[proxy]

    def _measured_yaw(self, proxy: float) -> float:
        """Return the smallest angle that is seen to be enough, or the one that shows the most."""
        sign = 1.0 if proxy >= 0 else -1.0
        best, most = 0.0, -1.0
        for degrees in range(16, 46, 3):
            try:
                seen = sign * find_mesh(self.render(PuppetPose(yaw=sign * degrees)), self._engine).yaw
            except UnfitPhotoError:  # turned so far that no face is found
                break
            if seen > most:
                best, most = sign * degrees, seen
            if seen >= abs(proxy):
                break
        return best

    def render(self, pose: PuppetPose, surface: Surface = HEAD) -> Image:
        """Return one camera frame, (H, W, 3) uint8 BGR, unmirrored, of the puppet in this pose."""
        across, down, light = self._draw(pose, surface)
        level = round(np.clip(pose.eyes_closed, 0.0, 1.0) * LID_LEVELS)
        frame = cv2.remap(self._atlases[level], across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return self._expose(frame, light, pose)

    def _draw(self, pose: PuppetPose, surface: Surface) -> tuple[Map, Map, Map]:
        """Return where in the atlas each pixel of the frame is found, and how much it faces the screen."""
        net, canvas = self._net, self._rasteriser
        texture_at = net.texture_at
        cut_out = isinstance(surface, Flat) and surface.holes > 0
        shape = self._open_mouth(net.rest, pose.mouth_open, net.lips if cut_out else net.jaw)
        shift = (pose.shift[0] * self.size[0], pose.shift[1] * self.size[0])
        if isinstance(surface, Head):
            placed = self._turn_head(shape, pose, surface.depth)
            facing, triangles, over = self._facing, net.moving, canvas.ground(pose.scale, shift)
        else:
            placed = self._turn_print(self._crop(shape, surface), pose, surface)
            facing, triangles, over = np.ones(len(placed)), net.triangles, canvas.nothing()
            texture_at = self._crop(texture_at, surface)
        placed += np.array([*shift, canvas.camera / pose.scale - canvas.camera])
        return canvas.draw(placed, texture_at, facing, triangles, over)

    def _crop(self, points: Points, surface: Flat) -> Points:
        """Return the points with those beyond the picture's edge moved to it. The inside of the mouth stays."""
        if not math.isfinite(surface.crop):
            return points
        reach = surface.crop * self._face_width * np.array([1.0, 4 / 3])
        cropped, middle = points.copy(), np.array(self._middle)
        on_photo = slice(None, self._net.on_photo)
        cropped[on_photo, :2] = np.clip(points[on_photo, :2], middle - reach, middle + reach)
        return cropped

    def _open_mouth(self, rest: Points, opening: float, jaw: Points) -> Points:
        """Return the points with the jaw lowered by `opening`, 0..1: at 1 the gap is about half of the mouth's
        width."""
        moved = rest.copy()
        drop = 0.55 * self._mouth_width * np.clip(opening, 0.0, 1.0) * jaw
        moved[:, 1] += drop
        moved[:, 2] += 0.25 * drop  # the jaw turns about its joint, so the chin goes back as it goes down
        return moved

    def _turn_head(self, shape: Points, pose: PuppetPose, depth: float) -> Points:
        """Return the head turned about its pivot. The rest of the picture follows by its share."""
        deep = shape * np.array([1.0, 1.0, depth])
        pivot = self._pivot
        # What is drawn at rest is the photo: points with depth are moved along the ray of their pixel.
        camera = self._rasteriser.camera
        middle = np.array(self._middle)
        deep[:, :2] = middle + (deep[:, :2] - middle) * (1 + deep[:, 2:] / camera)
        angles = (pose.yaw + self._rest_yaw, pose.pitch, pose.roll)
        turned = (deep - pivot) @ rotation(*angles).T + pivot
        share = self._net.follow[:, None]
        return np.asarray(deep + (turned - deep) * share)

    def _turn_print(self, shape: Points, pose: PuppetPose, surface: Flat) -> Points:
        """Return the picture, bent and turned about its middle."""
        middle = np.array([*self._middle, 0.0])
        sheet = shape - middle
        sheet[:, 2] = surface.holes * self._face_width * self._net.cut_out
        if math.isfinite(surface.bend_radius):
            radius = surface.bend_radius * self._face_width
            around = sheet[:, 0] / radius
            sheet[:, 0] = radius * np.sin(around)
            sheet[:, 2] += radius * (1 - np.cos(around))
        turned = sheet @ rotation(pose.yaw, pose.pitch, pose.roll).T
        # A camera twice as near, and a picture half as large: only the depth counts for more.
        turned[:, 2] /= surface.distance
        return np.asarray(turned + middle)

    def _expose(self, frame: Image, light: Floats, pose: PuppetPose) -> Image:
        """Apply light and noise to the camera's picture."""
        if pose.gain != (1.0, 1.0, 1.0):
            frame = cv2.LUT(frame, _gain_table(pose.gain))
        if any(pose.screen):
            added = np.array(pose.screen, np.float32) * light[..., None]
            frame = cv2.convertScaleAbs(cv2.multiply(frame.astype(np.float32), 1 + 0.35 * added))
        if pose.noise > 0:
            down, across = (pose.grain * 37) % 64, (pose.grain * 23) % 64
            grain = self._grain[down : down + self.size[1], across : across + self.size[0]]
            frame = cv2.addWeighted(frame.astype(np.float32), 1.0, grain, pose.noise, 0.5)
            frame = cv2.convertScaleAbs(np.maximum(frame, 0.0))
        return frame

    def _find_pivot(self, mesh: Points) -> Points:
        """Return the point about which a head turns and nods: between the ears, a little below and behind them."""
        ears = mesh[[anatomy.RIGHT_CHEEK, anatomy.LEFT_CHEEK], :2].mean(axis=0)
        height = float(np.linalg.norm(mesh[anatomy.CHIN, :2] - mesh[anatomy.FOREHEAD, :2]))
        return np.array([ears[0], ears[1] + 0.25 * height, 0.1 * self._face_width])

    def _straighten(self) -> float:
        """Return the degrees that turn a face which looks slightly aside in the photo to the front; at most 12."""
        self._rest_yaw = 0.0
        angles = np.arange(-12.0, 12.5, 0.5)
        return float(angles[np.argmin([abs(self._own_proxy(yaw)) for yaw in angles])])

    def _deep_enough(self) -> Net:
        """Return the net with as much depth as lets the head's own mesh show a turn on both sides.

        The mesh model sees many faces flatter than heads are, and turned faces more frontal than they are.
        """
        net = self._net
        for depth in (1.0, 1.1, 1.2, 1.3, 1.4):
            self._net = replace(net, rest=net.rest * np.array([1.0, 1.0, depth]))
            reach = min(
                max(sign * self._own_proxy(sign * yaw) for yaw in np.arange(20.0, 44.0, 2.0)) for sign in (1, -1)
            )
            if reach >= OWN_PROXY:
                break
        return self._net

    def _own_proxy(self, yaw: float) -> float:
        return anatomy.yaw_proxy(self._project(self._turn_head(self._net.rest, PuppetPose(yaw=yaw), 1.0)))

    def _project(self, points: Points) -> Points:
        middle = np.array(self._middle)
        camera = self._rasteriser.camera
        return np.asarray(middle + (points[:, :2] - middle) * camera / (camera + points[:, 2:]))


def rotation(yaw: float, pitch: float, roll: float) -> Points:
    """Return the 3x3 matrix of a head rotated by these degrees: roll, then pitch, then yaw, like a neck."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(p), -np.sin(p)], [0, np.sin(p), np.cos(p)]])
    about_z = np.array([[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def _facing(net: Net) -> Points:
    """Return how much each point of the head faces the camera, 0..1. The background hardly gets any light."""
    depth = net.rest[:, 2]
    span = max(float(np.ptp(depth[: anatomy.MESH_POINTS])), 1.0)
    near = np.clip(1.0 - (depth - depth.min()) / (1.6 * span), 0.2, 1.0)
    return np.asarray(near * net.follow + 0.05 * (1 - net.follow))


def _gain_table(gain: tuple[float, float, float]) -> Image:
    levels = np.arange(256, dtype=np.float64)[:, None] * np.array(gain)
    return np.asarray(np.clip(levels + 0.5, 0, 255).astype(np.uint8).reshape(1, 256, 3))
