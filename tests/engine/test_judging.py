"""Whole sequences: what a recording of a complying head, a flat picture and bad frames measure."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import cv2
import msgspec
import numpy as np
import pytest

from renzheng.engine import packs
from renzheng.engine.detection import Face
from renzheng.engine.embedding import similarity
from renzheng.engine.frames import measure_frame
from renzheng.engine.judging import Asking, SequenceJudge, decode_frame, measure, run
from renzheng.engine.limits import MediaLimits
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.puppet import Puppet
from tests.support.photos import cmyk, with_exif

from .conftest import jpeg, png
from .test_depth import tilted


def test_a_head_that_complies_is_measured_as_one(measured: Measurement) -> None:
    assert measured.frames_status == "usable"
    assert measured.challenge_passed
    assert [(outcome.action, outcome.answered) for outcome in measured.actions] == [
        ("blink", True),
        ("turn_left", True),
    ]
    assert measured.depth is not None
    assert measured.depth.passed
    assert measured.turn is not None
    assert measured.turn.degrees > 20
    assert measured.turn.between >= 2
    assert measured.turn.jitter < 2
    assert measured.continuity is not None
    assert measured.continuity.passed
    assert measured.reference == "ok"
    assert measured.similarity is not None
    assert measured.similarity > 80


def test_the_same_input_gives_the_same_numbers(
    models: FaceModels, recording: list[Frame], portrait_bytes: bytes, measured: Measurement
) -> None:
    assert measure(recording, portrait_bytes, models) == measured
    assert measure(recording, portrait_bytes, FaceModels()) == measured


def test_a_measurement_survives_json(measured: Measurement) -> None:
    assert msgspec.convert(json.loads(json.dumps(measured.as_dict())), Measurement) == measured


def test_the_similarity_is_the_median_of_three_frames_never_the_highest(measured: Measurement) -> None:
    assert len(measured.compared) == len(measured.cosines) == 3
    calibration = packs.pack_for("embedding").calibration
    assert calibration is not None
    lowest, middle, highest = (similarity(value, calibration) for value in sorted(measured.cosines))
    assert lowest < middle < highest
    assert measured.similarity == middle
    assert measured.best is not None
    assert measured.best.index in measured.compared


def test_the_other_order_is_not_an_answer(models: FaceModels, recording: list[Frame]) -> None:
    other = {"blink": "turn_left", "turn_left": "blink", "neutral": "neutral"}
    swapped = [replace(frame, action=other[frame.action]) for frame in recording]
    found = measure(swapped, None, models)
    assert not found.challenge_passed
    assert found.reference == "none"
    assert found.similarity is None


def test_a_flat_picture_that_is_turned_has_no_depth(models: FaceModels, selfie: Image) -> None:
    flat = []
    for number in range(40):
        angle = 0.0 if number < 12 else 38 * float(np.sin((number - 12) / 27 * np.pi))
        image = tilted(selfie, angle, "y", (318, 177), 900)
        action = "neutral" if number < 12 else "turn_left"
        flat.append(Frame(jpeg(image), int(number >= 12), action, number / 10))
    found = measure(flat, None, models)
    assert found.frames_status == "usable"
    assert not found.challenge_passed
    assert found.depth is not None
    assert not found.depth.passed


def test_frames_without_a_face_are_no_face(models: FaceModels, portrait: Image) -> None:
    rocket = jpeg(cv2.resize(portrait[256:, 300:], (640, 480)))
    found = measure([Frame(rocket, 0, "neutral", n / 10) for n in range(12)], None, models)
    assert (found.frames_status, found.counts.no_face, found.best) == ("no_face", 12, None)


def test_frames_that_do_not_decode_are_counted_and_end_nothing(
    models: FaceModels, recording: list[Frame], measured: Measurement
) -> None:
    broken = replace(recording[3], jpeg=recording[3].jpeg[:900])
    found = measure([*recording[:3], broken, *recording[4:]], None, models)
    assert found.counts.undecodable == 1
    assert found.challenge_passed
    assert measure([], None, models).frames_status == "no_face"


def test_a_second_face_through_the_sequence_is_several_faces(models: FaceModels, selfie: Image) -> None:
    two = jpeg(cv2.resize(np.hstack([selfie, selfie]), (960, 360)))
    found = measure([Frame(two, 0, "neutral", n / 10) for n in range(12)], None, models)
    assert found.frames_status == "several_faces"


def test_a_cut_face_is_cut(models: FaceModels, selfie: Image) -> None:
    cut = jpeg(np.ascontiguousarray(selfie[140:]))
    found = measure([Frame(cut, 0, "neutral", n / 10) for n in range(12)], None, models)
    assert found.frames_status == "cut"


def test_a_tiny_face_is_too_few_pixels(models: FaceModels, selfie: Image) -> None:
    small = jpeg(cv2.resize(selfie, (200, 150), interpolation=cv2.INTER_AREA))
    found = measure([Frame(small, 0, "neutral", n / 10) for n in range(12)], None, models)
    assert found.frames_status == "too_few_pixels"


def test_a_jump_of_the_face_breaks_continuity(models: FaceModels, recording: list[Frame], selfie: Image) -> None:
    moved = jpeg(np.ascontiguousarray(np.roll(selfie, 250, axis=1)))
    jumped = [replace(frame, jpeg=moved) if n == 30 else frame for n, frame in enumerate(recording)]
    found = measure(jumped, None, models)
    assert found.continuity is not None
    assert not found.continuity.passed


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ("garbage", "undecodable"),
        ("truncated", "undecodable"),
        ("rocket", "no_face"),
        ("two", "several_faces"),
        ("cut", "cut"),
        ("small", "too_small"),
        ("dark", "poor"),
        ("blurred", "poor"),
    ],
)
def test_every_fault_of_a_reference_photo_has_its_name(
    models: FaceModels, recording: list[Frame], portrait: Image, selfie: Image, fault: str, status: str
) -> None:
    photo = {
        "garbage": b"garbage",
        "truncated": jpeg(portrait)[:5_000],
        "rocket": jpeg(portrait[256:, 300:]),
        "two": jpeg(np.hstack([selfie, selfie])),
        "cut": jpeg(np.ascontiguousarray(selfie[140:])),
        "small": jpeg(cv2.resize(portrait, (200, 200), interpolation=cv2.INTER_AREA)),
        "dark": jpeg((portrait * 0.05).astype(np.uint8)),
        "blurred": jpeg(cv2.GaussianBlur(portrait, (0, 0), 5)),
    }[fault]
    found = measure(recording[:10], photo, models)
    assert (found.reference, found.similarity) == (status, None)


@pytest.mark.parametrize("kind", ["on its side", "CMYK", "grey", "16 bits", "progressive"])
def test_an_unusual_photo_of_the_same_person_compares_as_any_other(
    models: FaceModels, recording: list[Frame], portrait: Image, kind: str
) -> None:
    photo = {
        "on its side": with_exif(jpeg(np.ascontiguousarray(np.rot90(portrait, 1)), 95), 6),
        "CMYK": cmyk(portrait),
        "grey": jpeg(cv2.cvtColor(portrait, cv2.COLOR_BGR2GRAY)),
        "16 bits": png(portrait.astype(np.uint16) * 257),
        "progressive": bytes(cv2.imencode(".jpg", portrait, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1]),
    }[kind]
    found = measure(recording[:10], photo, models)
    assert found.reference == "ok"
    assert found.similarity is not None
    assert found.similarity >= 70


def test_a_live_answer_has_no_tags_and_each_failure_its_own(
    models: FaceModels, recording: list[Frame], measured: Measurement, puppet: Puppet
) -> None:
    assert measured.tags == ()
    other = {"blink": "turn_left", "turn_left": "blink", "neutral": "neutral"}
    swapped = measure([replace(frame, action=other[frame.action]) for frame in recording], None, models)
    assert "02" in swapped.tags
    looped = measure([*recording[:9], recording[2], *recording[10:]], None, models)
    assert looped.tags == ("05",)
    assert measure([], None, models).tags == ("02", "10", "11")


def test_what_is_kept_of_a_frame_outlives_its_memory(models: FaceModels, recording: list[Frame]) -> None:
    """Workers write the next frames to where the last ones were."""
    images = [decode_frame(frame.jpeg, MediaLimits()) for frame in recording]
    memory = np.zeros((480, 640, 3), np.uint8)

    def in_memory(index: int) -> Image | None:
        image = images[index]
        assert image is not None
        memory[:] = image
        return memory

    fresh, reused = SequenceJudge(models), SequenceJudge(models)
    for frame, image in zip(recording, images, strict=True):
        assert image is not None
        for judge, at in ((fresh, image), (reused, memory)):
            memory[:] = image
            judge.add(measure_frame(at, frame.action, models), frame.step, frame.action, frame.at)
    memory[:] = 0
    # One picture after another lies in the same memory, and none outlives the next.
    found = answered(reused.conclude(), lambda wanted: Overwritten([in_memory] * len(wanted), wanted))
    assert found == run(fresh.conclude(), images.__getitem__)


def answered(asking: Asking, pictures: Callable[[list[int]], Sequence[Image | None]]) -> Measurement:
    wanted = next(asking)
    while True:
        try:
            wanted = asking.send(pictures(wanted))
        except StopIteration as done:
            found: Measurement = done.value
            return found


class Overwritten(Sequence[Image | None]):
    """Pictures that are in the one memory only while they are looked at."""

    def __init__(self, memory: Sequence[Callable[[int], Image | None]], indices: Sequence[int]) -> None:
        self._memory, self._indices = memory, indices

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, number: Any) -> Any:
        return self._memory[number](self._indices[number])


class Losing:
    """The real detector, which finds nothing in some of a sequence's frames, or another face there."""

    def __init__(self, models: FaceModels, lost: Sequence[Image], instead: Sequence[Face] = ()) -> None:
        self._real, self._lost, self._instead = models.detector, lost, list(instead)
        self.refine = models.detector.refine

    def __call__(self, image: Image, side: int = 320, *, quick: bool = False) -> list[Face]:
        if any(image is one for one in self._lost):
            return self._instead
        return self._real(image, side, quick=quick)


def test_a_face_that_the_detector_loses_is_followed(recording: list[Frame]) -> None:
    """As in a profile. What comes after somebody was gone is not looked for where they had been."""
    models = FaceModels()
    images = [decode_frame(frame.jpeg, MediaLimits()) for frame in recording]
    assert all(image is not None for image in images)
    lost = [image for image in images[28:31] if image is not None]
    models.detector = Losing(models, lost)  # type: ignore[assignment]
    judge = SequenceJudge(models)
    asked: list[int] = []

    def picture(index: int) -> Image | None:
        asked.append(index)
        return images[index]

    for image, frame in zip(images, recording, strict=True):
        assert image is not None
        judge.add(measure_frame(image, frame.action, models), frame.step, frame.action, frame.at)
    found = run(judge.conclude(), picture)
    assert asked[:3] == [28, 29, 30]
    assert (found.counts.no_face, found.counts.searched) == (0, len(recording) - 3)
    assert found.continuity is not None
    assert found.continuity.gap < 0.2


def test_a_bystander_who_comes_nearer_is_not_taken_for_the_person(models: FaceModels, selfie: Image) -> None:
    beside = np.hstack([selfie, cv2.resize(selfie, None, fx=1.3, fy=1.3)[:480]])
    alone = np.hstack([selfie, np.full_like(beside[:, 640:], 128)])
    frames = [alone] * 12 + [beside] * 2 + [alone] * 6
    judge = SequenceJudge(models)
    for number, image in enumerate(frames):
        judge.add(measure_frame(image, "neutral", models), 0, "neutral", number / 10)
    found = run(judge.conclude(), frames.__getitem__)
    assert found.counts.several == 2
    assert found.continuity is not None
    assert "speed" not in found.continuity.faults
