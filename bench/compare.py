"""What one face comparison and one judged verification cost, beside face_recognition (dlib), in one run.

    python -m bench.compare

Each side runs in a process of its own with one thread; they take turns, and CPU seconds are compared. The peer
is installed into a folder of its own inside the virtual environment; where it cannot be had it is skipped by name.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
from rich.console import Console
from rich.table import Table

from renzheng.engine import packs
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.verification.challenge import BLINK_SHARE

DATA = Path(os.environ.get("RENZHENG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
HERE = Path(__file__).parents[1]
PEERS = Path(sys.prefix) / "bench-peers"
ROUNDS = 12
SIZE = (640, 480)


def install_peer() -> bool:
    """face_recognition with dlib's wheel, into a folder of its own."""
    if (PEERS / "face_recognition").is_dir():
        return True
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps")
    wanted = ("dlib-bin", "face_recognition", "face_recognition_models", "pillow", "click", "setuptools<81")
    return subprocess.run([*pip, "--target", str(PEERS), *wanted], check=False).returncode == 0


def photos(folder: Path) -> tuple[Path, Path]:
    """Two photos of one person at 640 x 480: of the test data, else the astronaut at two sizes."""
    pair = [DATA / "deepface" / name for name in ("img1.jpg", "img2.jpg")]
    images = [cv2.imread(str(path)) for path in pair]
    if any(image is None for image in images):
        portrait = cv2.imread(str(packs.require("sample")))
        if portrait is None:
            raise SystemExit("the sample portrait is not installed")
        images = [portrait[:384], cv2.convertScaleAbs(portrait[40:340, 20:420], alpha=0.9, beta=10)]
    written = []
    for number, image in enumerate(images):
        if image is not None:
            written.append(folder / f"{number}.jpg")
            cv2.imwrite(str(written[-1]), framed(image))
    return written[0], written[1]


def framed(image: Image) -> Image:
    """Scaled to fit into 640 x 480 and padded to it."""
    factor = min(SIZE[0] / image.shape[1], SIZE[1] / image.shape[0])
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    down, across = SIZE[1] - image.shape[0], SIZE[0] - image.shape[1]
    half = (down // 2, down - down // 2, across // 2, across - across // 2)
    picture: Image = cv2.copyMakeBorder(image, *half, cv2.BORDER_REPLICATE)
    return picture


def recording(folder: Path, before: str) -> Path:
    """Six seconds at ten frames a second of a head that does something, and turns."""
    from renzheng.engine.measurement import Frame
    from renzheng.evaluation.performance import Performance
    from renzheng.evaluation.puppet import Puppet

    portrait = cv2.imread(str(packs.require("sample")))
    if portrait is None:
        raise SystemExit("the sample portrait is not installed")
    play = Performance(Puppet(portrait, size=SIZE), seed=3)
    frames, start = [], 0.0
    for step, (action, count) in enumerate((("neutral", 12), (before, 20), ("turn_left", 28))):
        for number in range(count):
            jpeg = cv2.imencode(".jpg", play.frame(action, number / 10), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()
            frames.append(Frame(jpeg, step, action, start + number / 10))
        start += count / 10
    path = folder / before
    path.write_bytes(pickle.dumps(frames))
    return path


def renzheng_side(first: Path, second: Path) -> Callable[[], object]:
    from renzheng.engine.embedding import likeness
    from renzheng.engine.limits import MediaLimits
    from renzheng.engine.media import decode
    from renzheng.engine.observation import FaceModels

    models, limits, table = FaceModels(), MediaLimits(), packs.pack_for("embedding").calibration

    def compare() -> float:
        images = [decode(path.read_bytes(), limits).image for path in (first, second)]
        a, b = (models.embed(image, models.photo_faces(image)[0]) for image in images)
        if a is None or b is None or table is None:
            raise SystemExit("no face in a benchmark photo")
        return likeness(a, b, table)

    return compare


def judging_side(frames: Path, photo: Path) -> Callable[[], object]:
    """Measure what a verdict costs after the last frame, from live measurements, with the comparison with the photo."""
    from renzheng.engine.comparison import read_reference
    from renzheng.engine.frames import maker, read
    from renzheng.engine.judging import SequenceJudge, decode_frame, run
    from renzheng.engine.limits import MediaLimits

    models, media, reference = FaceModels(), MediaLimits(), photo.read_bytes()
    sequence = pickle.loads(frames.read_bytes())
    measured = measured_live(frames, models)
    made_by = maker(models.limits, media.frame_side)

    def conclude() -> None:
        judge = SequenceJudge(models)
        for frame, content in zip(sequence, measured, strict=True):
            judge.add(read(content, frame.action, made_by), frame.step, frame.action, frame.at)
        compared = read_reference(reference, models, None, media)
        found = run(judge.conclude(compared), lambda index: decode_frame(sequence[index].jpeg, media))
        if found.similarity is None:
            raise SystemExit("the recording was not compared")

    return conclude


def again_side(frames: Path, photo: Path) -> Callable[[], object]:
    """Judge from the frames alone, like `renzheng rejudge`."""
    from renzheng.engine.judging import measure
    from renzheng.engine.observation import FaceModels

    models, sequence, reference = FaceModels(), pickle.loads(frames.read_bytes()), photo.read_bytes()
    return lambda: measure(sequence, reference, models)


def muxing_side(frames: Path, _: Path) -> Callable[[], object]:
    from renzheng.engine.video import mux

    sequence = [(frame.jpeg, frame.at) for frame in pickle.loads(frames.read_bytes())]
    return lambda: mux(sequence)


def measured_live(frames: Path, models: FaceModels) -> list[bytes]:
    """Every frame decoded and measured, as a hint process does it, and written for the judge."""
    from renzheng.engine.frames import maker, measure_frame, written
    from renzheng.engine.limits import MediaLimits
    from renzheng.engine.media import decode

    media = MediaLimits()
    made_by = maker(models.limits, media.frame_side)
    found = []
    for frame in pickle.loads(frames.read_bytes()):
        image = decode(frame.jpeg, media, frame=True).image
        found.append(written(measure_frame(image, frame.action, models), frame.action, made_by))
    return found


def hints_side(frames: Path, _: Path) -> Callable[[], object]:
    from renzheng.engine.observation import FaceModels

    models = FaceModels()
    return lambda: measured_live(frames, models)


def peer_side(first: Path, second: Path) -> Callable[[], object]:
    sys.path.insert(0, str(PEERS))
    import face_recognition

    def compare() -> float:
        a, b = (face_recognition.face_encodings(face_recognition.load_image_file(path))[0] for path in (first, second))
        return float(face_recognition.face_distance([a], b)[0])

    return compare


SIDES = {
    "1:1 compare, renzheng": renzheng_side,
    "1:1 compare, face_recognition": peer_side,
    "live hints for 6 s at 10 fps": hints_side,
    "judging and comparing the same": judging_side,
    "live hints, a nod for the blink": hints_side,
    "judging and comparing that": judging_side,
    "judging again from the frames alone": again_side,
    "muxing the same 60 frames": muxing_side,
}


WITH_BLINK = ("live hints for 6 s at 10 fps", "judging and comparing the same")
WITHOUT_BLINK = ("live hints, a nod for the blink", "judging and comparing that")


def child(side: str, first: str, second: str) -> None:
    """Run one side each time a line comes in; answer with its CPU seconds."""
    run = SIDES[side](Path(first), Path(second))
    run()
    print("ready", flush=True)
    for _ in sys.stdin:
        before = time.process_time()
        run()
        print(time.process_time() - before, flush=True)


class Child:
    """A process with a checkout's code and one thread: it says that it is ready, and then, for each line that comes in,
    the CPU seconds of a unit."""

    def __init__(self, name: str, command: list[str], checkout: Path = HERE, *, quiet: bool = False) -> None:
        self._name = name
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(checkout / "src"), str(checkout)])
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if quiet else None,
            env=environment,
            text=True,
            cwd=checkout,
        )

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def wait(self) -> None:
        """Wait until it is ready."""
        if (line := self._line()) != "ready":
            raise SystemExit(f"{self._name}: its process says {line} where it should be ready")

    def measure(self) -> float:
        """The CPU seconds of a unit."""
        if self._process.stdin is None:
            raise SystemExit(f"{self._name}: its process has no pipes")
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        return float(self._line())

    def _line(self) -> str:
        line = self._process.stdout.readline().strip() if self._process.stdout is not None else ""
        if not line:
            raise SystemExit(f"{self._name}: its process failed")
        return line


def measure(sides: dict[str, tuple[Path, Path]], rounds: int = ROUNDS) -> dict[str, list[float]]:
    """CPU seconds of every side, taking turns."""
    with contextlib.ExitStack() as stack:
        children = {}
        for side, inputs in sides.items():
            command = [sys.executable, "-m", "bench.compare", side, *map(str, inputs)]
            children[side] = stack.enter_context(Child(side, command, quiet=True))
        for one in children.values():
            one.wait()
        seconds: dict[str, list[float]] = {side: [] for side in children}
        for _ in range(rounds):
            for side, one in children.items():
                seconds[side].append(one.measure())
    return seconds


def main() -> None:
    console = Console(width=110)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair, portrait = photos(folder), packs.require("sample")
        blinks, nods = ((recording(folder, action), portrait) for action in ("blink", "nod"))
        sides = dict.fromkeys(SIDES, blinks) | dict.fromkeys(WITHOUT_BLINK, nods)
        sides |= {side: pair for side in SIDES if side.startswith("1:1")}
        if not install_peer():
            console.print("skipped: face_recognition (its packages cannot be installed)")
            del sides["1:1 compare, face_recognition"]
        found = measure(sides)
    table = Table("what", "CPU ms, median", "lowest", title=f"{ROUNDS} rounds, taking turns, one thread each")
    for side, values in found.items():
        table.add_row(side, f"{1000 * statistics.median(values):.0f}", f"{1000 * min(values):.0f}")
    console.print(table)
    if peer := found.get("1:1 compare, face_recognition"):
        ours = found["1:1 compare, renzheng"]
        ratio = statistics.median(p / o for p, o in zip(peer, ours, strict=True))
        console.print(f"face_recognition / renzheng, 1:1 compare: {ratio:.1f} (at least 7, goal 10)")
        share, usual = (whole(found, parts, peer) for parts in (WITH_BLINK, WITHOUT_BLINK))
        console.print(f"whole verification : face_recognition compare  {share:.2f} (goal 1.2)")
        console.print(f"the same without a blink, as {BLINK_SHARE - 1} of {BLINK_SHARE} are  {usual:.2f}")


def whole(found: dict[str, list[float]], parts: tuple[str, str], peer: list[float]) -> float:
    """Hints and judging over the peer's comparison, median of the rounds."""
    rows = zip(*(found[part] for part in parts), peer, strict=True)
    return float(statistics.median((hints + judging) / p for hints, judging, p in rows))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(*sys.argv[1:4])
    else:
        main()
