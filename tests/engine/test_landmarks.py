"""Signs, proportions and independence of size and roll of what the mesh tells."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from renzheng.engine.landmarks import Mesh
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image


def mesh_of(models: FaceModels, image: Image) -> Mesh:
    return models.mesh_model(image, models.photo_faces(image)[0])


def turned(mesh: Mesh, yaw: float = 0.0, pitch: float = 0.0) -> Mesh:
    """The same points turned in space; degrees, yaw to the person's left, pitch downwards.

    The image's y axis points down and z away from the camera.
    """
    centre = mesh.points.mean(axis=0)
    a, b = np.radians(-yaw), np.radians(pitch)
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return Mesh(((mesh.points - centre) @ (about_x @ about_y).T + centre).astype(np.float32), mesh.presence)


def test_one_face_is_found_where_it_is(models: FaceModels, portrait: Image) -> None:
    faces = models.photo_faces(portrait)
    assert len(faces) == 1
    assert np.hypot(faces[0].centre[0] - 224, faces[0].centre[1] - 118) < 15
    mesh = mesh_of(models, portrait)
    assert mesh.presence > 0.99
    assert np.hypot(*(mesh.flat.mean(axis=0) - (224, 122))) < 15


def test_the_persons_left_eye_is_on_the_images_right(models: FaceModels, portrait: Image) -> None:
    right, left = models.photo_faces(portrait)[0].points[:2]
    assert left[0] > right[0]
    assert mesh_of(models, portrait).five_points[1][0] > mesh_of(models, portrait).five_points[0][0]


def test_yaw_is_positive_when_the_nose_moves_to_the_images_right(models: FaceModels, portrait: Image) -> None:
    mesh = mesh_of(models, portrait)
    left, right = turned(mesh, yaw=30), turned(mesh, yaw=-30)
    middle = mesh.flat[[234, 454]].mean(axis=0)
    assert left.flat[1][0] - middle[0] > right.flat[1][0] - middle[0]
    assert left.yaw > 0.4
    assert right.yaw < -0.4
    assert abs(mesh.yaw) < 0.1


@pytest.mark.parametrize("degrees", [-40.0, -15.0, 15.0, 40.0])
def test_a_turn_is_told_in_degrees_whatever_the_tilt(models: FaceModels, portrait: Image, degrees: float) -> None:
    mesh = mesh_of(models, portrait)
    assert turned(mesh, yaw=degrees).turn - mesh.turn == pytest.approx(degrees, abs=1.0)
    assert turned(mesh, pitch=degrees).turn - mesh.turn == pytest.approx(0.0, abs=2.5)


def test_a_mirrored_image_has_the_opposite_yaw(models: FaceModels, portrait: Image) -> None:
    # Perspective: moving the left half away is what a turn to the person's left does to the picture.
    height, width = portrait.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = np.array([[0, 0], [width, 80], [width, height - 80], [0, height]], np.float32)
    slanted = cv2.warpPerspective(portrait, cv2.getPerspectiveTransform(corners, moved), (width, height))
    plain, mirrored = mesh_of(models, slanted).yaw, mesh_of(models, np.ascontiguousarray(slanted[:, ::-1])).yaw
    assert plain == pytest.approx(-mirrored, abs=0.08)


def test_pitch_grows_when_the_chin_goes_down(models: FaceModels, portrait: Image) -> None:
    mesh = mesh_of(models, portrait)
    assert turned(mesh, pitch=15).pitch > mesh.pitch + 0.08
    assert turned(mesh, pitch=-15).pitch < mesh.pitch - 0.08


def test_openings_do_not_depend_on_size_and_roll(models: FaceModels, portrait: Image) -> None:
    large = cv2.resize(portrait, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    rolled = cv2.warpAffine(large, cv2.getRotationMatrix2D((448, 240), 20, 1), (1024, 1024))
    plain, turned_mesh = mesh_of(models, large), mesh_of(models, rolled)
    assert abs(turned_mesh.roll - plain.roll) == pytest.approx(np.radians(20), abs=0.05)
    for first, second in zip(models.eye_model(large, plain), models.eye_model(rolled, turned_mesh), strict=True):
        assert first == pytest.approx(second, abs=0.06)
    assert plain.mouth_opening == pytest.approx(turned_mesh.mouth_opening, abs=0.06)


def test_tracking_stays_on_the_face(models: FaceModels, portrait: Image) -> None:
    first = mesh_of(models, portrait)
    second = models.mesh_model(portrait, first)
    third = models.mesh_model(portrait, second)
    assert float(np.abs(third.flat - first.flat).mean()) < 0.03 * first.eye_distance * 2
    assert third.presence > 0.99


def test_nothing_is_found_where_there_is_no_face(models: FaceModels, portrait: Image) -> None:
    rocket = np.ascontiguousarray(portrait[256:, 300:])
    assert models.photo_faces(rocket) == []
    glance = models.observe(rocket, eyes=True).glance
    assert (glance.faces, glance.box) == (0, None)


def test_two_faces_are_counted_and_a_small_bystander_is_not(models: FaceModels, selfie: Image, portrait: Image) -> None:
    two = np.hstack([selfie, selfie])
    assert models.observe(two, eyes=False).glance.faces == 2
    small = cv2.resize(portrait[30:230, 120:320], (90, 90), interpolation=cv2.INTER_AREA)
    beside = selfie.copy()
    beside[:90, -90:] = small
    assert models.observe(beside, eyes=False).glance.faces == 1


def test_a_face_that_leaves_the_frame_is_cut(models: FaceModels, selfie: Image) -> None:
    assert not models.observe(selfie, eyes=False).glance.cut
    for lost in (130, 140, 150, 160, 170):
        assert models.observe(np.ascontiguousarray(selfie[lost:]), eyes=False).glance.cut
