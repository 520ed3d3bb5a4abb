"""A flat picture, however it is turned, neither reaches the turn nor keeps a head's residual together with it."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from renzheng.engine.depth import homography_residual, measure_depth, reach
from renzheng.engine.landmarks import Mesh
from renzheng.engine.limits import DepthLimits
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image

from .test_landmarks import mesh_of, turned

LIMITS = DepthLimits()


def tilted(image: Image, degrees: float, axis: str, centre: tuple[float, float], distance: float) -> Image:
    """The picture as a plane, turned about its face and photographed from ``distance`` pixels."""
    a = np.radians(degrees)
    about = {
        "y": np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]]),
        "x": np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]]),
    }[axis]
    height, width = image.shape[:2]
    corners = np.array([[0, 0, 0], [width, 0, 0], [width, height, 0], [0, height, 0]]) - [*centre, 0]
    seen = corners @ about.T
    flat = seen[:, :2] * (distance / (distance + seen[:, 2:])) + centre
    move = cv2.getPerspectiveTransform((corners[:, :2] + centre).astype(np.float32), flat.astype(np.float32))
    picture: Image = cv2.warpPerspective(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return picture


@pytest.fixture(scope="module")
def frontal(models: FaceModels, portrait: Image) -> Mesh:
    return mesh_of(models, portrait)


def test_one_homography_explains_a_plane_and_not_a_head(frontal: Mesh) -> None:
    plane = Mesh(frontal.points * np.array([1, 1, 0], np.float32), 1.0)
    assert homography_residual(frontal, turned(plane, yaw=35)) < 1e-3
    assert homography_residual(frontal, turned(frontal, yaw=35)) > 3 * LIMITS.residual
    assert homography_residual(frontal, frontal) < 1e-6


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize("degrees", [-40, -25, 25, 40])
def test_a_flat_photo_turned_does_not_reach_the_turn(
    models: FaceModels, portrait: Image, frontal: Mesh, axis: str, degrees: float
) -> None:
    mesh = mesh_of(models, tilted(portrait, degrees, axis, (224, 118), 500))
    assert abs(reach(mesh, frontal.turn, LIMITS)) < LIMITS.nearly
    for sign in (1, -1):
        depth = measure_depth([frontal] * 3, [mesh] * 3, sign, LIMITS)
        assert (depth.turned, depth.passed) == (0, False)


@pytest.mark.parametrize("degrees", [31, 35, 45, 60])
def test_a_plane_that_reaches_the_turn_has_no_depth_where_a_head_has(frontal: Mesh, degrees: float) -> None:
    """What is compared is turned enough in both, so that only the residual tells them apart."""
    plane = Mesh(frontal.points * np.array([1, 1, 0], np.float32), 1.0)
    flat = measure_depth([plane] * 3, [turned(plane, yaw=degrees)] * 3, 1, LIMITS)
    head = measure_depth([frontal] * 3, [turned(frontal, yaw=degrees)] * 3, 1, LIMITS)
    assert (flat.turned, head.turned) == (3, 3)
    assert flat.residual is not None
    assert flat.residual < LIMITS.residual / 10
    assert (flat.passed, head.passed) == (False, True)


def test_a_head_that_turns_passes_to_the_asked_side_only(frontal: Mesh) -> None:
    turn = [turned(frontal, yaw=degrees) for degrees in (10, 20, 28, 32, 35)]
    depth = measure_depth([frontal] * 3, turn, 1, LIMITS)
    assert depth.passed
    assert depth.residual is not None
    assert depth.residual >= LIMITS.residual
    assert not measure_depth([frontal] * 3, turn, -1, LIMITS).passed


def test_a_frame_is_turned_enough_by_its_proportions_or_by_its_degrees(frontal: Mesh) -> None:
    by_proxy = turned(frontal, yaw=28)
    assert by_proxy.yaw / LIMITS.turn > (by_proxy.turn - frontal.turn) / LIMITS.degrees
    assert reach(by_proxy, frontal.turn, LIMITS) == pytest.approx(by_proxy.yaw / LIMITS.turn)
    strict = replace(LIMITS, turn=0.9)
    assert abs(reach(turned(frontal, yaw=-31), frontal.turn, strict)) > 1.0
    turn = [turned(frontal, yaw=degrees) for degrees in (10, 20, 28, 32, 35)]
    assert measure_depth([frontal] * 3, turn, 1, strict).turned == 2
    assert measure_depth([frontal] * 3, turn, -1, strict).turned == 0


def test_a_single_turned_frame_is_not_enough(frontal: Mesh) -> None:
    assert not measure_depth([frontal] * 3, [turned(frontal, yaw=35)], 1, LIMITS).passed


def test_without_a_frontal_view_nothing_passes(frontal: Mesh) -> None:
    aside = [turned(frontal, yaw=35)] * 3
    assert not measure_depth([], aside, 1, LIMITS).passed
    assert not measure_depth(aside, aside, 1, LIMITS).passed
