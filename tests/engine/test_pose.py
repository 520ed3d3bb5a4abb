"""Degrees of a pose are those by which the mesh was turned."""

from __future__ import annotations

import numpy as np
import pytest

from renzheng.engine.landmarks import Mesh
from renzheng.engine.observation import FaceModels
from renzheng.engine.pose import Pose, fit_poses, mean_mesh, measure_turn, smooth
from renzheng.engine.runtimes import Image
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.puppet import PuppetPose as PuppetPose

from .test_landmarks import mesh_of, turned


@pytest.fixture(scope="module")
def neutral(models: FaceModels, portrait: Image) -> Mesh:
    return mesh_of(models, portrait)


def fit_pose(rest: Mesh, present: Mesh) -> Pose:
    return fit_poses(rest, [present])[0]


@pytest.mark.parametrize("degrees", [-35.0, -10.0, 0.0, 10.0, 35.0])
def test_yaw_and_pitch_are_found_with_their_signs(neutral: Mesh, degrees: float) -> None:
    pose = fit_pose(neutral, turned(neutral, yaw=degrees))
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((degrees, 0.0, 0.0), abs=1e-3)
    pose = fit_pose(neutral, turned(neutral, pitch=degrees))
    assert (pose.yaw, pose.pitch) == pytest.approx((0.0, degrees), abs=1e-3)
    assert pose.misfit < 1e-5


def test_each_of_several_poses_is_that_of_its_own_mesh(neutral: Mesh) -> None:
    degrees = (-30.0, 0.0, 12.0)
    found = fit_poses(neutral, [turned(neutral, yaw=one) for one in degrees])
    assert [pose.yaw for pose in found] == pytest.approx(degrees, abs=1e-3)
    assert fit_poses(neutral, []) == []


def test_roll_size_and_place_are_no_turn(neutral: Mesh) -> None:
    a = np.radians(15)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    moved = Mesh((1.4 * neutral.points @ about_z.T + [50, 20, 9]).astype(np.float32), 1.0)
    pose = fit_pose(neutral, moved)
    assert (pose.yaw, pose.pitch, pose.roll) == pytest.approx((0.0, 0.0, 15.0), abs=1e-2)
    assert pose.scale == pytest.approx(1.4, abs=1e-3)


def test_a_head_that_turns_is_measured_and_an_open_mouth_is_no_turn(
    models: FaceModels,
    puppet: Puppet,
) -> None:
    rest = mesh_of(models, puppet.render(PuppetPose()))
    left = fit_pose(rest, mesh_of(models, puppet.render(PuppetPose(yaw=25))))
    assert 12 < left.yaw < 38
    nod = fit_pose(rest, mesh_of(models, puppet.render(PuppetPose(pitch=15))))
    assert nod.pitch > 6
    mouth = fit_pose(rest, mesh_of(models, puppet.render(PuppetPose(mouth_open=1.0))))
    assert max(abs(mouth.yaw), abs(mouth.pitch), abs(mouth.roll)) < 6


def test_one_slip_is_smoothed_away() -> None:
    assert smooth([0, 0, 40, 0, 0]) == [0, 0, 0, 0, 0]
    assert smooth([0, 10, 20, 30]) == [5, 10, 20, 25]


def test_neutral_meshes_of_other_sizes_and_places_have_one_mean(neutral: Mesh) -> None:
    noise = np.random.default_rng(4)
    seen = [
        Mesh((size * neutral.points + noise.normal(0, 0.5, neutral.points.shape) + [30, 5, 0]).astype(np.float32), 1.0)
        for size in (1.0, 1.1, 0.9, 1.05) * 4
    ]
    mean = mean_mesh(seen)
    assert mean is not None
    assert fit_pose(neutral, mean).misfit < 0.5 * fit_pose(neutral, seen[0]).misfit
    assert mean_mesh([]) is None


COURSE = (0, 0, 8, 20, 30, 34, 34, 30, 20, 8, 0, 0)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_course_of_a_turn_is_measured_in_degrees(neutral: Mesh, sign: int) -> None:
    meshes = [turned(neutral, yaw=sign * degrees) for degrees in COURSE]
    found = measure_turn([neutral] * 3, meshes, sign)
    assert found is not None
    assert found.degrees == pytest.approx(34, abs=0.1)
    assert found.between == 4
    assert found.misfit < 1e-4
    other = measure_turn([neutral] * 3, meshes, -sign)
    assert other is not None
    assert other.degrees == pytest.approx(0, abs=0.1)


def test_one_slip_is_jitter_and_no_turn(neutral: Mesh) -> None:
    slip = [turned(neutral, yaw=degrees) for degrees in (0, 0, 0, 40, 0, 0, 0, 0)]
    found = measure_turn([neutral], slip, 1)
    assert found is not None
    assert found.degrees == pytest.approx(0, abs=0.1)
    assert found.jitter == pytest.approx(40 / 8**0.5, abs=0.1)


def test_two_photos_that_are_exchanged_show_nothing_between(neutral: Mesh) -> None:
    jump = [turned(neutral, yaw=degrees) for degrees in (0, 1, 0, 35, 34, 35, 0, 1)]
    found = measure_turn([neutral], jump, 1)
    assert found is not None
    assert found.degrees == pytest.approx(35, abs=0.1)
    assert found.between == 0
    assert measure_turn([], jump, 1) is None
    assert measure_turn([neutral], [], 1) is None
