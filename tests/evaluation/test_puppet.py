"""What the puppet shows moves the engine's measures as a person would."""

import cv2
import numpy as np
import pytest

from renzheng.engine.landmarks import Mesh
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.portrait import Fitness, find_mesh
from renzheng.evaluation.puppet import HEAD, Flat, Puppet, PuppetPose, Surface, UnfitPhotoError

TURN = 0.66


def residual(still: Mesh, moved: Mesh) -> float:
    """RMS of the best homography over the 468 points, in eye distances."""
    source, target = (mesh.flat.astype(np.float64) for mesh in (still, moved))
    homography, _ = cv2.findHomography(source, target, 0)
    off = cv2.perspectiveTransform(source[None], homography)[0] - target
    return float(np.sqrt(np.mean(np.sum(off**2, axis=1)))) / still.eye_distance


def seen(puppet: Puppet, engine: FaceModels, pose: PuppetPose, surface: Surface = HEAD) -> Mesh:
    return find_mesh(puppet.render(pose, surface), engine)


def test_a_frame_is_as_large_as_asked_for_and_the_face_of_a_natural_size(portrait_photo: Image) -> None:
    for size in ((640, 480), (480, 640)):
        puppet = Puppet(portrait_photo, size=size)
        frame = puppet.render(PuppetPose())
        assert frame.shape == (size[1], size[0], 3)
        assert frame.dtype == np.uint8
        assert 0.3 < puppet.face_width / min(size) < 0.42


def test_a_head_turns_to_its_own_left_and_right_and_back(puppet: Puppet, engine: FaceModels) -> None:
    assert seen(puppet, engine, PuppetPose(yaw=puppet.yaw_for(TURN))).yaw > 0.5
    assert seen(puppet, engine, PuppetPose(yaw=puppet.yaw_for(-TURN))).yaw < -0.5
    assert abs(seen(puppet, engine, PuppetPose()).yaw) < 0.1


def test_a_head_that_nods_lowers_its_chin(puppet: Puppet, engine: FaceModels) -> None:
    rest = seen(puppet, engine, PuppetPose()).pitch
    assert seen(puppet, engine, PuppetPose(pitch=20)).pitch > rest + 0.15
    assert seen(puppet, engine, PuppetPose(pitch=-15)).pitch < rest - 0.1


@pytest.mark.parametrize("surface", [HEAD, Flat()], ids=["head", "flat"])
def test_shut_eyes_have_at_most_half_of_the_open_contour(puppet: Puppet, engine: FaceModels, surface: Surface) -> None:
    openings = []
    for closed in (0.0, 0.5, 1.0):
        frame = puppet.render(PuppetPose(eyes_closed=closed), surface)
        openings.append(engine.eye_model(frame, find_mesh(frame, engine)))
    for side in (0, 1):
        opened, half, shut = (opening[side] for opening in openings)
        assert shut < 0.5 * opened
        assert shut < half < opened


def test_the_mouth_opens(puppet: Puppet, engine: FaceModels) -> None:
    closed = seen(puppet, engine, PuppetPose()).mouth_opening
    assert seen(puppet, engine, PuppetPose(mouth_open=1.0)).mouth_opening > closed + 0.12


def test_a_head_has_depth_and_a_flat_picture_has_none(puppet: Puppet, engine: FaceModels) -> None:
    still = seen(puppet, engine, PuppetPose())
    for sign in (1, -1):
        head = seen(puppet, engine, PuppetPose(yaw=puppet.yaw_for(sign * TURN)))
        assert residual(still, head) > 0.056
        for degrees in (20, 30, 40):
            flat = seen(puppet, engine, PuppetPose(yaw=sign * degrees), Flat())
            assert residual(still, flat) < 0.035
            assert abs(flat.yaw) < 0.42
        bent = seen(puppet, engine, PuppetPose(yaw=sign * 30), Flat(bend_radius=3))
        assert residual(still, bent) < 0.045


def test_the_turned_and_the_frontal_head_are_one_person(puppet: Puppet, engine: FaceModels) -> None:
    front = engine.embed(puppet.render(PuppetPose()))
    turned = engine.embed(puppet.render(PuppetPose(yaw=puppet.yaw_for(TURN))))
    assert front is not None
    assert turned is not None
    assert float(front @ turned) > 0.45


def test_at_rest_head_and_flat_picture_show_the_same(puppet: Puppet) -> None:
    head, flat = puppet.render(PuppetPose(yaw=-puppet.rest_yaw)), puppet.render(PuppetPose(), Flat())
    assert float(np.abs(head.astype(int) - flat.astype(int)).mean()) < 1.0


@pytest.mark.parametrize(
    "pose",
    [
        PuppetPose(yaw=38),
        PuppetPose(yaw=-38),
        PuppetPose(pitch=22),
        PuppetPose(pitch=-18),
        PuppetPose(yaw=30, pitch=15, roll=12, mouth_open=1),
    ],
)
def test_a_moving_head_leaves_no_holes(puppet: Puppet, pose: PuppetPose) -> None:
    """Beside a hole the picture breaks off: no pixel may lie far from all the colours of the photo around it."""
    frame = puppet.render(pose)
    isolated = cv2.absdiff(frame, cv2.medianBlur(frame, 5)).max(axis=2) > 110
    still = puppet.render(PuppetPose())
    before = cv2.absdiff(still, cv2.medianBlur(still, 5)).max(axis=2) > 110
    assert isolated.sum() <= before.sum() + 40


def test_the_same_pose_gives_the_same_frame(portrait_photo: Image, puppet: Puppet) -> None:
    pose = PuppetPose(yaw=10, mouth_open=0.3, noise=3.0, grain=5, gain=(0.9, 1.0, 1.1))
    assert np.array_equal(puppet.render(pose), Puppet(portrait_photo).render(pose))
    assert not np.array_equal(
        puppet.render(pose), puppet.render(PuppetPose(yaw=10, mouth_open=0.3, noise=3.0, grain=6))
    )


def test_the_screen_lights_a_head_more_in_the_middle_than_its_background(puppet: Puppet) -> None:
    dark, lit = puppet.render(PuppetPose()).astype(float), puppet.render(PuppetPose(screen=(0, 0, 1))).astype(float)
    gain = lit[..., 2].clip(1) / dark[..., 2].clip(1)
    face, corner = gain[220:260, 300:340].mean(), gain[:60, :60].mean()
    assert face > corner + 0.1
    assert np.allclose(lit[..., 0], dark[..., 0], atol=1)


def test_photos_that_the_rule_excludes_are_refused_with_the_reason(puppet: Puppet, portrait_photo: Image) -> None:
    face = portrait_photo[20:200, 130:320]
    cases = {
        "no face": np.full((300, 300, 3), 128, np.uint8),
        "too small": cv2.resize(portrait_photo, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA),
        "turned too far": puppet.render(PuppetPose(yaw=puppet.yaw_for(0.5))),
        "eye is shut": puppet.render(PuppetPose(eyes_closed=1.0)),
        "mouth is open": puppet.render(PuppetPose(mouth_open=1.0)),
        "edge": face[:, 35:],
    }
    for reason, photo in cases.items():
        with pytest.raises(UnfitPhotoError, match=reason):
            Puppet(photo)


def test_a_face_that_comes_into_view_when_the_head_stands_farther_away_makes_a_photo_unfit(
    portrait_photo: Image,
) -> None:
    wide = cv2.copyMakeBorder(portrait_photo, 0, 0, 100, 0, cv2.BORDER_REPLICATE)
    Puppet(wide)
    small = cv2.resize(portrait_photo[40:240, 130:320], None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    wide[80:180, 74 : 74 + small.shape[1]] = small
    with pytest.raises(UnfitPhotoError, match="another face"):
        Puppet(wide)


def test_eyes_that_cannot_be_drawn_shut_make_a_photo_unfit(portrait_photo: Image) -> None:
    with pytest.raises(UnfitPhotoError, match="cannot be drawn shut"):
        Puppet(portrait_photo, fitness=Fitness(shut_eyes=0.05))


def test_holes_show_what_stands_behind_a_picture(puppet: Puppet) -> None:
    """The eyes and the mouth move against the paper when it is turned, and the chin does not follow the jaw."""
    turned = PuppetPose(yaw=25)
    whole, cut = puppet.render(turned, Flat()), puppet.render(turned, Flat(holes=0.1))
    changed = np.abs(whole.astype(int) - cut).max(axis=2) > 12
    assert 0.003 < changed.mean() < 0.15
    talking = PuppetPose(mouth_open=1.0)
    whole, cut = puppet.render(talking, Flat()), puppet.render(talking, Flat(holes=1e-6))
    changed = np.flatnonzero((np.abs(whole.astype(int) - cut).max(axis=2) > 12).any(axis=1))
    assert changed.min() > puppet.size[1] * 0.5  # the chin alone, below the lips


def test_a_cropped_picture_ends_where_the_room_begins(puppet: Puppet) -> None:
    frame = puppet.render(PuppetPose(), Flat(crop=0.75))
    side, middle = frame[:, :100], frame[200:280, 280:360]
    assert side.std(axis=(0, 1)).max() < 2
    assert middle.std() > 20
