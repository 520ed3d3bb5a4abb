"""A flat picture is told from a head by its grey levels, also where a near camera shows a head's perspective."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from renzheng.engine.depth import brought_to_height, least_relief, solidity_of
from renzheng.engine.embedding import align
from renzheng.engine.landmarks import Mesh
from renzheng.engine.limits import DepthLimits
from renzheng.engine.observation import FaceModels
from renzheng.engine.planarity import Planarity, compare_views
from renzheng.engine.runtimes import Image
from renzheng.evaluation.puppet import Flat, Puppet, PuppetPose

LIMITS = DepthLimits()
View = tuple[Mesh, Image]


def view(models: FaceModels, image: Image) -> View:
    """The face as a judgement keeps it, from the picture as a device sends it."""
    sent = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1], cv2.IMREAD_COLOR)
    assert sent is not None
    mesh = models.mesh_model(sent, models.photo_faces(sent)[0])
    return mesh, align(sent, mesh.five_points)


@pytest.mark.parametrize("distance", [1.0, 0.3, 0.2])
@pytest.mark.parametrize("bend", [float("inf"), 3.0])
def test_a_plane_explains_a_flat_picture_from_near_and_far_better_than_a_head(
    puppet: Puppet, models: FaceModels, distance: float, bend: float
) -> None:
    surface = Flat(bend_radius=bend, distance=distance, crop=0.75)
    frontal = view(models, puppet.render(PuppetPose(noise=3.0), surface))
    turned = view(models, puppet.render(PuppetPose(yaw=30, noise=3.0, grain=5), surface))
    [found] = compare_views(frontal, [turned])
    assert 1 - found.plane < LIMITS.relief
    solid = solidity_of([(max(turned[0].turn - frontal[0].turn, 20.0), found)], LIMITS)
    assert solid is not None
    assert solid < LIMITS.solidity


def test_a_head_explains_its_turn_better_than_a_plane(puppet: Puppet, models: FaceModels) -> None:
    frontal = view(models, puppet.render(PuppetPose(noise=3.0)))
    for proxy in (0.55, 0.65, -0.55, -0.65):
        turned = view(models, puppet.render(PuppetPose(yaw=puppet.yaw_for(proxy), noise=3.0, grain=5)))
        [found] = compare_views(frontal, [turned])
        assert 1 - found.plane > 1.2 * LIMITS.relief
        assert found.head > found.plane
        solid = solidity_of([(abs(turned[0].turn - frontal[0].turn), found)], LIMITS)
        assert solid is not None
        assert solid > 0.3


def test_a_plane_is_followed_from_view_to_view_where_one_large_step_would_lose_it(
    puppet: Puppet, models: FaceModels
) -> None:
    mesh, face = view(models, puppet.render(PuppetPose()))
    shifts = [np.array([[1, 0, pixels], [0, 1, 0]], np.float32) for pixels in (6, 12, 18, 24)]
    views = [(mesh, cv2.warpAffine(face, one, face.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)) for one in shifts]
    [alone] = compare_views((mesh, face), views[-1:])
    followed = compare_views((mesh, face), views)
    assert alone.plane < 0.8
    assert all(found.plane > 0.97 for found in followed)


@pytest.mark.parametrize("spoilt", ["dark", "noise", "blur"])
def test_bad_light_makes_no_head_of_a_picture_and_no_picture_of_a_head(
    puppet: Puppet, models: FaceModels, spoilt: str
) -> None:
    chance = np.random.default_rng(1)

    def spoil(found: View) -> View:
        mesh, face = found
        if spoilt == "blur":
            return mesh, cv2.GaussianBlur(face, (0, 0), 1.2)
        gain, grain = (0.3, 4.0) if spoilt == "dark" else (1.0, 9.0)
        return mesh, np.clip(face * gain + chance.normal(0, grain, face.shape), 0, 255).astype(np.uint8)

    flat = Flat(distance=0.2, crop=0.75)
    rows = []
    for surface, yaw in ((None, puppet.yaw_for(0.6)), (flat, 30)):
        frontal, turned = (
            view(
                models,
                puppet.render(PuppetPose(yaw=degrees), surface) if surface else puppet.render(PuppetPose(yaw=degrees)),
            )
            for degrees in (0, yaw)
        )
        [found] = compare_views(spoil(frontal), [spoil(turned)])
        rows.append(solidity_of([(max(abs(turned[0].turn - frontal[0].turn), 15.0), found)], LIMITS) or 0.0)
    head, picture = rows
    assert picture < LIMITS.solidity < -0.2 < head


def test_light_alone_is_no_relief(puppet: Puppet, models: FaceModels) -> None:
    frontal = view(models, puppet.render(PuppetPose(noise=2.0)))
    darker = view(models, puppet.render(PuppetPose(noise=2.0, gain=(0.6, 0.6, 0.6), grain=3)))
    [found] = compare_views(frontal, [darker])
    assert 1 - found.plane < 0.3 * LIMITS.relief
    assert found.parallax is not None
    assert found.parallax < 0.02


def test_a_search_leaves_its_beginning_as_it_was(puppet: Puppet, models: FaceModels) -> None:
    """The search writes into the homography that it is given: a worse result must not replace a better beginning."""
    frontal = view(models, puppet.render(PuppetPose(noise=2.0)))
    turned = view(models, puppet.render(PuppetPose(yaw=puppet.yaw_for(0.6), noise=2.0)))
    assert compare_views(frontal, [turned]) == compare_views(frontal, [turned])
    assert compare_views(frontal, [frontal])[0].plane == pytest.approx(1.0, abs=1e-6)


def test_what_a_head_shows_of_relief_grows_with_its_turn_and_so_does_what_is_asked() -> None:
    asked = [least_relief(degrees, LIMITS) for degrees in (0, 10, 20, 30, 40, 50)]
    assert asked == sorted(asked)
    assert asked[0] == LIMITS.relief < asked[-1]
    most, relief = brought_to_height([(24.0, 0.08), (30.0, 0.11), (33.0, 0.13)], LIMITS)
    assert most == 33.0
    assert relief == pytest.approx(0.126, abs=0.015)
    assert brought_to_height([], LIMITS) == (0.0, None)


def test_one_view_in_which_the_search_went_astray_decides_nothing() -> None:
    """A flat picture with one view that was not found again, and a head with one in which it hardly is turned."""
    flat = [
        (28.0, Planarity(0.984, 0.9, 0.02)),
        (40.0, Planarity(0.977, 0.85, 0.03)),
        (43.8, Planarity(0.77, 0.8, 0.3)),
    ]
    head = [(20.0, Planarity(0.97, 0.95, 0.03)), (35.0, Planarity(0.88, 0.93, 0.1)), (45.0, Planarity(0.8, 0.93, 0.2))]
    for views, passes in ((flat, False), (head, True)):
        solid = solidity_of(views, LIMITS)
        assert solid is not None
        assert (solid >= LIMITS.solidity) is passes
        assert (solid > 0) is passes
    assert solidity_of([], LIMITS) is None


def test_more_depth_in_any_measure_never_lowers_solidity() -> None:
    base = Planarity(0.9, 0.92, 0.08)
    least = solidity_of([(30.0, base)], LIMITS)
    assert least is not None
    for better in (Planarity(0.85, 0.92, 0.08), Planarity(0.9, 0.95, 0.08), Planarity(0.9, 0.92, 0.12)):
        more = solidity_of([(30.0, better)], LIMITS)
        assert more is not None
        assert more > least
    assert solidity_of([(30.0, Planarity(0.9, 0.92, None))], LIMITS) is not None
