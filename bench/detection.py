"""How small a copy of a frame may be searched: faces missed, by the copy's longer side and the face's size.

    python -m bench.detection

Photos whose face is known from a search at full size are put into frames of 640 x 480, scaled so that the face has
the wanted number of pixels, sent as JPEG, and looked at as the server looks at a frame without a face to track. A face
counts as found where a mesh lies on it. For the second faces another person's photo, its face half as wide, lies beside
the first. Clips are searched frame by frame; there a frame counts as missed where nothing is found, though the widest
search finds a face.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from renzheng.engine.limits import JudgingLimits, MediaLimits, ObservationLimits
from renzheng.engine.media import decode
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image

DATA = Path(os.environ.get("RENZHENG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
SETS = ("lfw_fold1", "deepface")
CLIPS = ("blinking_4.mp4", "dinoman_example.mp4", "yinguobing_demo.gif", "yinguobing_demo1.gif")
SIDES = (96, 128, 160, 192, 224, 320)
WIDE = 640
SIZE = (640, 480)
MIN_FACE_PIXELS = JudgingLimits().face_pixels
FACES = (MIN_FACE_PIXELS, 85.0, 100.0, 150.0)
"""Pixels of the shorter side of a face: the least that is judged, up to a usual one."""
SECOND = 0.5
EVERY = 3
"""Each third photo: a few minutes, and enough to bound what is missed by one in a hundred."""

Box = tuple[float, float, float, float]


def known_face(image: Image, models: FaceModels) -> Box | None:
    """The box of the mesh on the largest face; None where there is none."""
    faces = models.detector(image, WIDE)
    return models.mesh_model(image, models.mesh_model(image, faces[0])).box if faces else None


def placed(photo: Image, face: Box, pixels: float, canvas: tuple[int, int]) -> tuple[Image, Box]:
    """The photo on a canvas (width, height), its face in the middle and ``pixels`` wide; and where the face is."""
    width, height = canvas
    factor = pixels / min(face[2:])
    middle = np.array([face[0] + face[2] / 2, face[1] + face[3] / 2])
    move = np.array([[factor, 0, width / 2 - factor * middle[0]], [0, factor, height / 2 - factor * middle[1]]])
    if factor < 1:  # shrunk without gaps between the pixels that are taken
        photo = cv2.GaussianBlur(photo, (0, 0), 0.4 / factor)
    image = cv2.warpAffine(photo, move, canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    across, down = factor * face[2], factor * face[3]
    return image, (width / 2 - across / 2, height / 2 - down / 2, across, down)


def sent(image: Image) -> Image:
    """Return the image as it comes out of the decoder."""
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 75])[1].tobytes()
    return decode(jpeg, MediaLimits(), frame=True).image


def on_it(found: Box | None, known: Box) -> bool:
    """Whether the middles lie within half a face, and the sizes within a factor of 1.5."""
    if found is None:
        return False
    away = max(abs(found[n] + found[n + 2] / 2 - known[n] - known[n + 2] / 2) for n in (0, 1))
    return away < 0.5 * min(known[2:]) and 1 / 1.5 < found[2] / known[2] < 1.5


class Count:
    """Errors and trials by (face, side); CPU seconds of the search by side."""

    def __init__(self) -> None:
        self.missed: Counter[tuple[object, int]] = Counter()
        self.trials: Counter[object] = Counter()
        self.seconds: dict[int, float] = dict.fromkeys(SIDES, 0.0)
        self.searches = 0

    def look(self, row: object, image: Image, known: Box, models: FaceModels) -> None:
        self.trials[row] += 1
        for side in SIDES:
            models.limits = replace(ObservationLimits(), frame_side=side, frame_side_fine=side)
            seen = models.observe(image, eyes=False)
            self.missed[row, side] += not on_it(seen.glance.box, known)
        self.searches += 1
        for side in SIDES:
            began = time.process_time()
            models.detector(image, side, quick=True)
            self.seconds[side] += time.process_time() - began

    def second(self, row: object, image: Image, known: Box, models: FaceModels) -> None:
        self.trials[row] += 1
        for side in SIDES:
            self.missed[row, side] += not any(
                on_it(face.box, known) for face in models.detector(image, side, quick=True)[1:]
            )


def photos(models: FaceModels) -> Iterator[tuple[Image, Box]]:
    paths = [path for name in SETS for path in sorted((DATA / name).rglob("*.jpg"))][::EVERY]
    for path in track(paths, "photos", transient=True):
        image = cv2.imread(str(path))
        face = None if image is None else known_face(image, models)
        if image is not None and face is not None:
            yield image, face


def frames(path: Path) -> Iterator[Image]:
    import av

    with av.open(str(path)) as clip:
        for frame in clip.decode(video=0):
            image: Image = frame.to_ndarray(format="bgr24").astype(np.uint8, copy=False)
            factor = min(1.0, SIZE[0] / max(image.shape[:2]))
            yield image if factor == 1 else cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def measure(models: FaceModels) -> Count:
    count, other = Count(), None
    half = (SIZE[0] // 2, SIZE[1])
    for image, face in photos(models):
        for pixels in FACES:
            frame, where = placed(image, face, pixels, SIZE)
            count.look(f"a face of {pixels:.0f}", sent(frame), where, models)
        if other is not None:
            first, _ = placed(image, face, FACES[-1], half)
            beside, there = placed(*other, SECOND * FACES[-1], half)
            there = (there[0] + half[0], *there[1:])
            count.second(f"a second one of {SECOND * FACES[-1]:.0f}", sent(np.hstack([first, beside])), there, models)
        other = image, face
    for name in CLIPS:
        for frame in frames(DATA / "video" / name):
            known = known_face(frame, models)
            if known is not None:
                count.look(name, sent(frame), known, models)
    return count


def main() -> None:
    console = Console(width=110)
    if not (DATA / SETS[0]).is_dir():
        console.print("skipped: detection (RENZHENG_TEST_DATA names no folder with the test data)")
        return
    count = measure(FaceModels())
    table = Table("missed, of", *(f"{side} px" for side in SIDES), title="Longer side of the copy that is searched")
    for row, trials in count.trials.items():
        table.add_row(f"{row}: {trials}", *(str(count.missed[row, side]) for side in SIDES))
    costs = (f"{1000 * count.seconds[side] / max(count.searches, 1):.1f}" for side in SIDES)
    table.add_row("CPU ms a search", *costs)
    console.print(table)


if __name__ == "__main__":
    main()
