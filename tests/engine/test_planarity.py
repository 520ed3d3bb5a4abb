"""A flat picture is told from a head by its grey levels, also where a near camera shows a head's perspective."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from renzheng.engine.depth import brought_to_height, least_relief
from renzheng.engine.embedding import align
from renzheng.engine.landmarks import Mesh
from renzheng.engine.limits import DepthLimits
from renzheng.engine.observation import FaceModels
from renzheng.engine.planarity import plane_correlation
from renzheng.engine.runtimes import Image
from renzheng.evaluation.puppet import Flat, Pose, Puppet

LIMITS = DepthLimits()
View = tuple[Mesh, Image]


@pytest.fixture(scope="module")
def puppet(portrait: Image, models: FaceModels) -> Puppet:
    return Puppet(portrait, engine=models)


def view(models: FaceModels, image: Image) -> View:
    """The face as a judgement keeps it, from the picture as a device sends it."""
    sent = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)
    assert sent is not None
    mesh = models.mesh_model(sent, models.photo_faces(sent)[0])
    return mesh, align(sent, mesh.five_points)


@pytest.mark.parametrize("distance", [1.0, 0.3, 0.2])
@pytest.mark.parametrize("bend", [float("inf"), 3.0])
def test_a_plane_explains_a_flat_picture_from_near_and_far(
    puppet: Puppet, models: FaceModels, distance: float, bend: float
) -> None:
    surface = Flat(bend_radius=bend, distance=distance, crop=0.75)
    frontal = view(models, puppet.render(Pose(noise=3.0), surface))
    turned = view(models, puppet.render(Pose(yaw=30, noise=3.0, grain=5), surface))
    assert 1 - plane_correlation(frontal, turned) < LIMITS.relief


def test_no_plane_explains_a_head_that_turns(puppet: Puppet, models: FaceModels) -> None:
    frontal = view(models, puppet.render(Pose(noise=3.0)))
    for proxy in (0.55, 0.65, -0.55, -0.65):
        turned = view(models, puppet.render(Pose(yaw=puppet.yaw_for(proxy), noise=3.0, grain=5)))
        assert 1 - plane_correlation(frontal, turned) > 1.2 * LIMITS.relief


def test_light_alone_is_no_relief(puppet: Puppet, models: FaceModels) -> None:
    frontal = view(models, puppet.render(Pose(noise=2.0)))
    darker = view(models, puppet.render(Pose(noise=2.0, gain=(0.6, 0.6, 0.6), grain=3)))
    assert 1 - plane_correlation(frontal, darker) < 0.3 * LIMITS.relief


def test_one_good_match_is_enough_to_prove_a_plane(puppet: Puppet, models: FaceModels) -> None:
    frontal = view(models, puppet.render(Pose(noise=2.0)))
    turned = view(models, puppet.render(Pose(yaw=puppet.yaw_for(0.6), noise=2.0)))
    noise = np.random.default_rng(1).integers(0, 255, frontal[1].shape).astype(np.uint8)
    reliefs = [1 - plane_correlation(frontal, one) for one in (frontal, turned, (turned[0], noise))]
    assert reliefs[0] < 1e-6 < reliefs[1] < 0.5 < reliefs[2] <= 1.0
    assert brought_to_height([(30.0, relief) for relief in reliefs], LIMITS)[1] == pytest.approx(0.0, abs=1e-6)
    assert brought_to_height([], LIMITS) == (0.0, None)


def test_what_a_head_shows_of_relief_grows_with_its_turn_and_so_does_what_is_asked() -> None:
    asked = [least_relief(degrees, LIMITS) for degrees in (0, 10, 20, 30, 40, 50)]
    assert asked == sorted(asked)
    assert asked[0] == LIMITS.relief < asked[-1]
    most, relief = brought_to_height([(24.0, 0.08), (30.0, 0.11), (33.0, 0.13)], LIMITS)
    assert most == 33.0
    assert relief == pytest.approx(0.12, abs=0.015)


def test_a_view_in_which_the_search_went_astray_makes_no_depth_of_a_plane_that_others_prove() -> None:
    """As measured: a flat picture held close to the camera, of whose most turned views one was not found again."""
    most, relief = brought_to_height([(28.0, 0.016), (40.0, 0.023), (43.8, 0.232)], LIMITS)
    assert relief is not None
    assert relief < 0.5 * least_relief(most, LIMITS)
