"""The photo as a net of triangles in space: how it is laid out, moved, and drawn.

Coordinates are the texture's pixels, x to the right, y down, z away from the camera, 0 at the photo's plane.
The camera stands at z = -`camera` and a point at z = 0 is drawn at its own pixel, so that a scene at rest draws
the photo itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from renzheng.engine.runtimes import Image
from renzheng.evaluation import anatomy
from renzheng.evaluation.anatomy import Points

Triangles = npt.NDArray[np.int32]
Map = npt.NDArray[np.float32]

# Rings around the outline of the face: how far out, in parts of the distance from the middle, and how far they
# follow the head. The first still belong to it (ears, hair), the last hardly move.
RINGS = ((1.1, 1.0), (1.25, 0.95), (1.42, 0.75), (1.62, 0.45), (1.85, 0.18), (2.15, 0.0))
STEEPEST = 2.0  # depth over distance in the picture
GRID = 13  # points along each side of the net that carries the background
INTERIOR = 24  # pixels, side of the patch that shows the inside of the mouth
BACKDROP = 32  # pixels, side of the patch that shows what stands behind a flat picture


@dataclass(frozen=True)
class Net:
    """A layout of points and triangles over one texture.

    `rest`: (N, 3) at rest as seen, z relative to the ears; `texture_at`: (N, 2) pixels of the atlas;
    `follow`: (N,) how far a point follows the head; `jaw`: (N,) how far it follows the jaw; `moving`: which
    triangles a head moves, the others being the background at rest.
    """

    rest: Points
    texture_at: Points
    follow: Points
    jaw: Points
    triangles: Triangles

    @cached_property
    def moving(self) -> Triangles:
        moves = (self.follow > 0) | (self.jaw > 0)
        return np.ascontiguousarray(self.triangles[moves[self.triangles].any(axis=1)])

    @property
    def on_photo(self) -> int:
        """How many of the points, from the first, show the photo; the others show the inside of the mouth."""
        return len(self.rest) - 3 * len(anatomy.INNER_LOWER_LIP)

    @cached_property
    def around_mouth(self) -> Points:
        """(N,) 1 in the hole through which a mouth is shown, 0 outside of it, with a narrow edge."""
        corners = self.rest[[anatomy.RIGHT_MOUTH_CORNER, anatomy.LEFT_MOUTH_CORNER], :2]
        away = np.linalg.norm(self.rest[:, :2] - corners.mean(axis=0), axis=1) / np.linalg.norm(corners[1] - corners[0])
        return np.asarray(1.0 - anatomy.smoothstep((away - 0.75) / 0.25))

    @cached_property
    def cut_out(self) -> Points:
        """(N,) how far a point lies in a hole for an eye or for the mouth, 0..1."""
        hole = self.around_mouth.copy()
        for lids in (anatomy.RIGHT_UPPER_LID, anatomy.RIGHT_LOWER_LID, anatomy.LEFT_UPPER_LID, anatomy.LEFT_LOWER_LID):
            hole[list(lids)] = 1.0
        return hole

    @cached_property
    def lips(self) -> Points:
        """(N,) how far a point follows the jaw where only the mouth is alive, and the chin is paper."""
        return np.asarray(self.jaw * self.around_mouth)


def lay_net(mesh: Points, size: tuple[int, int]) -> Net:
    """Return the net for a texture of `size` (width, height) with the face's mesh, (468, 3), on it."""
    depth = mesh[:, 2] - mesh[[anatomy.RIGHT_CHEEK, anatomy.LEFT_CHEEK], 2].mean()
    face = np.column_stack([mesh[:, :2], _no_steeper(mesh[:, :2], depth, size)])
    jaw = anatomy.jaw_weights(mesh)
    rings, ring_follow, ring_jaw = _rings(face, jaw)
    ground = _ground(size, rings[-len(anatomy.FACE_OVAL) :, :2])
    rest = np.vstack([face, rings, ground])
    follow = np.concatenate([np.ones(len(face)), ring_follow, np.zeros(len(ground))])
    jaw = np.concatenate([jaw, ring_jaw, np.zeros(len(ground))])
    triangles = _delaunay(rest[:, :2], size)
    triangles = triangles[~_between_lips(triangles)]
    return _with_mouth(Net(rest, rest[:, :2].copy(), follow, jaw, triangles), size)


def _no_steeper(flat: Points, depth: Points, size: tuple[int, int]) -> Points:
    """Return the depth with its sides no steeper than `STEEPEST`.

    The mesh's outline is far behind the cheeks but hardly beside them: the few pixels between, where skin and hair
    meet, would be stretched to a jagged strip when the head turns.
    """
    triangles = _delaunay(flat, size)
    edges = np.unique(np.sort(np.vstack([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [0, 2]]])), axis=0)
    reach = STEEPEST * np.linalg.norm(flat[edges[:, 0]] - flat[edges[:, 1]], axis=1)
    limited = depth.copy()
    for _ in range(40):  # a step reaches one edge further; the mesh is less than forty edges wide
        np.minimum.at(limited, edges[:, 0], limited[edges[:, 1]] + reach)
        np.minimum.at(limited, edges[:, 1], limited[edges[:, 0]] + reach)
    return limited


def _rings(face: Points, jaw: Points) -> tuple[Points, Points, Points]:
    outline = face[list(anatomy.FACE_OVAL)]
    middle = np.array([outline[:, 0].mean(), outline[:, 1].mean()])
    points, follow, hang = [], [], []
    width = float(np.ptp(outline[:, 0]))
    down = (outline[:, 1] - middle[1]) / float(np.ptp(outline[:, 1]))
    slope = 0.8 - 0.9 * anatomy.smoothstep((down + 0.1) / 0.35)
    for reach, share in RINGS:
        ring = outline.copy()
        ring[:, :2] = middle + (outline[:, :2] - middle) * reach
        # Hair and ears go on backwards from the outline as a skull does; a step in depth would show as a smear.
        # Beside the jaw is no head but the background, which must not come out from behind it.
        ring[:, 2] = (outline[:, 2] + (reach - 1.0) * slope * width) * share
        points.append(ring)
        follow.append(np.full(len(ring), share))
        hang.append(jaw[list(anatomy.FACE_OVAL)] * share**2)
    return np.vstack(points), np.concatenate(follow), np.concatenate(hang)


def _ground(size: tuple[int, int], outer_ring: Points) -> Points:
    """Return a grid over the whole texture without the points inside the outer ring, all at the photo's plane."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, width - 1, GRID), np.linspace(0, height - 1, GRID))
    grid = np.column_stack([x.ravel(), y.ravel()])
    hull = cv2.convexHull(outer_ring.astype(np.float32))
    keep = [cv2.pointPolygonTest(hull, (float(px), float(py)), True) < -8.0 for px, py in grid]
    kept = grid[np.array(keep)]
    return np.column_stack([kept, np.zeros(len(kept))])


def _delaunay(points: Points, size: tuple[int, int]) -> Triangles:
    """Return Delaunay triangles of the points that are on the texture, (M, 3)."""
    width, height = size
    # Rings may reach beyond the texture, so the subdivision gets room around it.
    division = cv2.Subdiv2D((-2 * width, -2 * height, 5 * width, 5 * height))
    rounded = points.astype(np.float32)
    index = {(float(x), float(y)): i for i, (x, y) in enumerate(rounded)}
    division.insert([(float(x), float(y)) for x, y in rounded])
    triangles = []
    for x0, y0, x1, y1, x2, y2 in division.getTriangleList():
        corners = [index.get((float(x), float(y))) for x, y in ((x0, y0), (x1, y1), (x2, y2))]
        if None not in corners:
            triangles.append(corners)
    return np.array(triangles, dtype=np.int32)


def _between_lips(triangles: Triangles) -> npt.NDArray[np.bool_]:
    """Return which triangles span the gap between the lips: those that touch both lips elsewhere than in a corner."""
    upper = np.isin(triangles, anatomy.UPPER_LIP).any(axis=1)
    lower = np.isin(triangles, anatomy.LOWER_LIP).any(axis=1)
    corners = np.isin(triangles, (*anatomy.INNER_UPPER_LIP, *anatomy.INNER_LOWER_LIP)).all(axis=1)
    return np.asarray((upper & lower) | corners)


def _with_mouth(net: Net, size: tuple[int, int]) -> Net:
    """Add what is visible between the lips: the teeth of the photo, which stay up, and the dark below them."""
    upper, lower = list(anatomy.INNER_UPPER_LIP), list(anatomy.INNER_LOWER_LIP)
    count, first = len(upper), len(net.rest)
    teeth = net.rest[lower].copy()
    dark = teeth.copy()
    parts = np.linspace(0.0, 1.0, count)
    top = np.column_stack([1 + parts * (INTERIOR - 3), np.full(count, size[1] + 1.0)])
    bottom = np.column_stack([top[:, 0], np.full(count, size[1] + INTERIOR - 2.0)])
    # Four rows of points: the upper lip, the lower edge of the teeth as photo and as dark, the lower lip as dark.
    rows = [upper, range(first, first + count), range(first + count, first + 2 * count)]
    last = range(first + 2 * count, first + 3 * count)
    quads = [*_strip(rows[0], rows[1]), *_strip(rows[2], last)]
    return Net(
        np.vstack([net.rest, teeth, dark, net.rest[lower]]),
        np.vstack([net.texture_at, net.texture_at[lower], top, bottom]),
        np.concatenate([net.follow, np.ones(3 * count)]),
        np.concatenate([net.jaw, np.zeros(2 * count), net.jaw[lower]]),
        np.vstack([net.triangles, np.array(quads, dtype=np.int32)]),
    )


def _strip(above: Sequence[int], below: Sequence[int]) -> list[tuple[int, int, int]]:
    quads = []
    for i in range(len(above) - 1):
        quads += [(above[i], above[i + 1], below[i]), (above[i + 1], below[i + 1], below[i])]
    return quads


def atlas(texture: Image) -> Image:
    """Return the texture with two patches below it: the inside of a mouth, and a dim room behind flat pictures."""
    width = texture.shape[1]
    strip = np.zeros((max(INTERIOR, BACKDROP), width, 3), np.uint8)
    down = np.linspace(0.0, 1.0, INTERIOR)[:, None, None]
    strip[:INTERIOR, :INTERIOR] = (1 - down) * np.array([18, 14, 26]) + down * np.array([46, 38, 92])
    mean = texture.reshape(-1, 3).mean(axis=0)
    strip[:BACKDROP, INTERIOR : INTERIOR + BACKDROP] = (0.4 * mean + 40).astype(np.uint8)
    return np.vstack([texture, strip])


@dataclass
class Rasteriser:
    """Draws nets into a map of texture coordinates, one for each pixel of the frame.

    `size` (width, height) of the frame; `origin`: the texture's pixel at the frame's upper left corner;
    `camera`: distance of the camera in pixels; `empty`: texture coordinates shown where a flat picture ends.
    """

    size: tuple[int, int]
    origin: tuple[float, float]
    camera: float
    empty: tuple[float, float]
    _settings: cv2.TriangleRasterizeSettings = field(init=False, repr=False)
    _depth: Map = field(init=False, repr=False)

    def __post_init__(self) -> None:
        width, height = self.size
        self._settings = cv2.TriangleRasterizeSettings()
        self._settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)
        self._settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
        self._depth = np.full((height, width), self._far, np.float32)

    @property
    def _far(self) -> float:
        return 20 * self.camera

    def nothing(self) -> Map:
        """Return the picture before a flat is drawn: the room behind it."""
        width, height = self.size
        image = np.empty((height, width, 3), np.float32)
        image[:] = (*self.empty, 0.0)
        return image

    def ground(self, scale: float, shift: tuple[float, float]) -> Map:
        """Return the picture before a head is drawn: the texture itself, scaled about its middle and shifted by pixels.

        Only `Net.moving` has to be drawn over it, as the plane of the photo is drawn to this very map.
        """
        width, height = self.size
        middle = (np.array(self.size) - 1) / 2
        image = np.empty((height, width, 3), np.float32)
        for axis, count in enumerate((width, height)):
            line = (np.arange(count) - middle[axis] - shift[axis] * scale) / scale + middle[axis] + self.origin[axis]
            image[..., axis] = line if axis == 0 else line[:, None]
        image[..., 2] = 0.05
        return image

    def draw(
        self, points: Points, texture_at: Points, facing: Points, triangles: Triangles, over: Map
    ) -> tuple[Map, Map, Map]:
        """Return map x, map y and the interpolated `facing`, each (H, W) float32, of triangles drawn over a picture.

        `points`: (N, 3) in space. `facing`: (N,) 0..1, how much a point faces the screen. Nearer points cover farther
        ones.
        """
        width, height = self.size
        space = np.empty((len(points), 3), np.float32)
        # Pixels count from the centre of the first one; the rasteriser counts from its edge.
        space[:, 0] = points[:, 0] - self.origin[0] + 0.5 - width / 2
        space[:, 1] = -(points[:, 1] - self.origin[1] + 0.5 - height / 2)
        space[:, 2] = -(points[:, 2] + self.camera)
        colours = np.column_stack([texture_at, facing]).astype(np.float32)
        image, _ = cv2.triangleRasterize(
            space, triangles, colours, over, self._depth.copy(), np.eye(4, dtype=np.float32),
            2 * np.arctan(height / 2 / self.camera), 1.0, self._far, self._settings,
        )  # fmt: skip
        across, down, light = (np.asarray(channel, np.float32) for channel in cv2.split(image))
        return across, down, light
