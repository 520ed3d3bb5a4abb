"""Recognition on labelled pairs: how often two photos of one person fail, and two people match.

    python -m bench.accuracy

Accuracy at a fold's own best threshold is the number that papers print; it is optimistic, as the threshold was
chosen on the same pairs. The rates at score 70 use the shipped calibration and nothing of these pairs. Intervals
are Wilson's at 95 %; where no error was seen the upper end is the rule of three's neighbour, not zero.
"""

from __future__ import annotations

import csv
import math
import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from renzheng.engine import packs
from renzheng.engine.embedding import centred, cosine, similarity
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import MediaError, decode
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Floats

DATA = Path(os.environ.get("RENZHENG_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
SCORE = 70.0


@dataclass(frozen=True)
class Set:
    """A folder with a CSV of pairs: file, file, and the word that says that they show one person."""

    name: str
    table: str
    same: str
    central: bool
    """The labelled person stands in the middle; otherwise the largest face is taken, as the server does."""


SETS = (Set("lfw_fold1", "pairs.csv", "1", central=True), Set("deepface", "master.csv", "Yes", central=False))


@dataclass(frozen=True)
class Rate:
    """Errors of so many trials, with Wilson's 95 % interval."""

    errors: int
    trials: int

    def __str__(self) -> str:
        low, high = wilson(self.errors, self.trials)
        share = 100 * self.errors / max(self.trials, 1)
        return f"{share:.2f} %  ({self.errors} of {self.trials}; 95 %: {100 * low:.2f} to {100 * high:.2f})"


def wilson(errors: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927)."""
    if trials == 0:
        return 0.0, 1.0
    share, square = errors / trials, z * z
    middle = (share + square / (2 * trials)) / (1 + square / trials)
    half = z * math.sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    return max(0.0, middle - half), min(1.0, middle + half)


class Embeddings:
    """Embeddings of a folder's photos, each computed once; None where no face was acquired."""

    def __init__(self, folder: Path, models: FaceModels, central: bool) -> None:
        self._folder, self._models, self._central = folder, models, central
        self._known: dict[str, Floats | None] = {}

    def __getitem__(self, name: str) -> Floats | None:
        if name not in self._known:
            self._known[name] = self._embed(name)
        return self._known[name]

    @property
    def failed(self) -> list[str]:
        return sorted(name for name, found in self._known.items() if found is None)

    def __len__(self) -> int:
        return len(self._known)

    def _embed(self, name: str) -> Floats | None:
        try:
            image = decode((self._folder / name).read_bytes(), MediaLimits()).image
        except MediaError:
            return None
        faces = self._models.photo_faces(image)
        if not faces:
            return None
        height, width = image.shape[:2]
        face = faces[0]
        if self._central:
            face = min(faces, key=lambda one: math.hypot(one.centre[0] - width / 2, one.centre[1] - height / 2))
        return self._models.embed(image, face)


def best_accuracy(same: list[float], different: list[float]) -> tuple[float, float]:
    """(accuracy, threshold) at the threshold that is best for these very pairs."""
    total = len(same) + len(different)

    def right(threshold: float) -> float:
        hits = sum(value >= threshold for value in same) + sum(value < threshold for value in different)
        return hits / total

    return max((right(threshold), threshold) for threshold in [*same, *different])


def measure(one: Set, models: FaceModels, console: Console) -> None:
    """Print one set's table."""
    calibration = packs.pack_for("embedding").calibration
    if calibration is None:
        raise SystemExit("the embedding pack has no calibration")
    folder = DATA / one.name
    with (folder / one.table).open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    photos = Embeddings(folder, models, one.central)
    same: list[float] = []
    different: list[float] = []
    skipped = 0
    for first, second, label in track(rows, description=one.name, console=console, transient=True):
        a, b = photos[first], photos[second]
        if a is None or b is None:
            skipped += 1
            continue
        (same if label == one.same else different).append(cosine(centred(a, calibration), centred(b, calibration)))
    accuracy, threshold = best_accuracy(same, different)
    error = math.sqrt(accuracy * (1 - accuracy) / (len(same) + len(different)))
    misses = sum(similarity(value, calibration) < SCORE for value in same)
    matches = sum(similarity(value, calibration) >= SCORE for value in different)
    table = Table("figure", "value", title=f"{one.name}: {len(same)} same, {len(different)} different")
    table.add_row("photos; not acquired", f"{len(photos)}; {len(photos.failed)} {' '.join(photos.failed)}")
    table.add_row("pairs left out for that", str(skipped))
    table.add_row(
        "accuracy at its own best threshold (optimistic)",
        f"{100 * accuracy:.2f} % ± {100 * error:.2f}, cosine {threshold:.3f}",
    )
    table.add_row(f"FNMR at score {SCORE:.0f}", str(Rate(misses, len(same))))
    table.add_row(f"FMR at score {SCORE:.0f}", str(Rate(matches, len(different))))
    console.print(table)


def main() -> None:
    console = Console(width=110)
    models = FaceModels()
    for one in SETS:
        if (DATA / one.name / one.table).is_file():
            measure(one, models, console)
        else:
            console.print(f"skipped: {one.name} (set RENZHENG_TEST_DATA)")


if __name__ == "__main__":
    main()
