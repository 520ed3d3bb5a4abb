"""What the advisory image scores are worth: photos as they are, and the same photos spoiled in one known way each.

What spoils a photo is rendered: a picture out of focus, one without light, a covered face, a screen that is filmed, a
sheet or a tablet that is held up. The area under the ROC curve says how well the score that is there for it tells the
spoiled photos from the plain ones. Pictures that people have labelled, where there are some, get the same figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from renzheng.engine import packs
from renzheng.engine.appearance import measure_appearance
from renzheng.engine.landmarks import Mesh
from renzheng.engine.measurement import Appearance
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.measures import SCORES
from renzheng.evaluation.pairs import DataError
from renzheng.evaluation.portrait import UnfitPhotoError, find_mesh
from renzheng.evaluation.spoiling import SPOILS
from renzheng.evaluation.texts import Language, Words

Numbers = npt.NDArray[np.float64]
FORMAT = "renzheng-appearance/1"
LABELLED = "labelled"
FRAME = 640  # pixels, longer side of a camera's frame
FACE = 70.0  # pixels, shorter side of the smallest face that is looked at
JPEG = 80
REPLICATES = 1000
NAMES: dict[str, tuple[str, str]] = {
    "out of focus": ("out of focus", "失焦"),
    "badly lit": ("a fifth or three times the light", "光线为五分之一或三倍"),
    "face mask": ("face mask", "口罩"),
    "sunglasses": ("sunglasses", "墨镜"),
    "half covered": ("one half covered", "遮住半张脸"),
    "filmed screen": ("filmed screen", "翻拍屏幕"),
    "tablet held up": ("tablet held up", "手持平板"),
    "sheet held up": ("sheet held up", "手持纸张"),
    LABELLED: ("real attacks, labelled", "真实攻击（有标注）"),
}
"""What stands in the tables, in English and Chinese."""


class Worth(msgspec.Struct, frozen=True):
    """How well `score` tells `spoiled` pictures from plain ones: area under the ROC curve (0.5 chance, 1 always).

    `range`: its 95 % interval; `caught`: share of the spoiled ones above `bound`, the plain pictures' 95th percentile;
    `pictures`: plain and spoiled ones."""

    score: str
    spoiled: str
    pictures: tuple[int, int]
    area: float
    range: tuple[float, float]
    caught: float
    bound: float


class Appearances(msgspec.Struct, frozen=True):
    """The table, with the command and the models behind it. `seconds`: CPU time of one frame's scores, median."""

    format: str
    command: str
    version: str
    made_at: float
    packs: list[str]
    seed: int
    seconds: float
    rows: list[Worth]


# -- the figures ----------------------------------------------------------------------------------------------------


def area_under(plain: Numbers, spoiled: Numbers) -> float:
    """Return the probability that a spoiled picture scores higher than a plain one; ties count half (Mann-Whitney)."""
    low, high = plain[:, None], spoiled[None]
    return float((high > low).mean() + 0.5 * (high == low).mean())


def as_frame(image: Image) -> Image:
    """Return the image as a camera would send it: 640 pixels at most, JPEG of quality 80."""
    scale = FRAME / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG])[1], cv2.IMREAD_COLOR))


def find(image: Image, models: FaceModels) -> Mesh | None:
    """Return the mesh of the largest face; None if there is none or it is small."""
    try:
        mesh = find_mesh(image, models)
    except UnfitPhotoError:
        return None
    return mesh if min(mesh.box[2:]) >= FACE and mesh.presence >= 0.5 else None


def look(image: Image, models: FaceModels) -> Appearance | None:
    """Return the scores of one picture as a frame."""
    frame = as_frame(image)
    mesh = find(frame, models)
    return None if mesh is None else measure_appearance(frame, mesh)


def worth(score: str, name: str, plain: Sequence[Appearance], spoiled: Sequence[Appearance]) -> Worth:
    low, high = (np.array([getattr(one, score) for one in rows], np.float64) for rows in (plain, spoiled))
    bound = float(np.percentile(low, 95))
    caught = float((high > bound).mean())
    range_ = interval(low, high)
    area = round(area_under(low, high), 3)
    return Worth(score, name, (len(low), len(high)), area, range_, round(caught, 3), round(bound, 4))


def interval(plain: Numbers, spoiled: Numbers, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of the area: pictures of both kinds are resampled. No end is nearer to 0 or 1 than 3 /
    pictures."""
    chance = np.random.default_rng(seed)
    sizes = len(plain), len(spoiled)
    drawn = [area_under(chance.choice(plain, sizes[0]), chance.choice(spoiled, sizes[1])) for _ in range(REPLICATES)]
    rule = min(1.0, 3 / min(sizes))
    ends = np.percentile(drawn, (2.5, 97.5))
    area = area_under(plain, spoiled)
    return round(min(float(ends[0]), max(1 - rule, 0.0), area), 3), round(max(float(ends[1]), rule, area), 3)


def evaluate_appearances(
    photos: Iterable[Path],
    labelled: tuple[Sequence[Path], Sequence[Path]],
    models: FaceModels,
    *,
    command: str,
    version: str,
    clock: Callable[[], float],
    seed: int = 0,
) -> Appearances:
    """Compute the table for these photos. `labelled`: (genuine, attack) pictures, may be empty.

    Raises DataError if no photo shows a face.
    """
    plain: list[Appearance] = []
    spoiled: dict[str, list[Appearance]] = {name: [] for _, name, _ in SPOILS}
    spent: list[float] = []
    for number, path in enumerate(photos):
        image = cv2.imread(str(path))
        if image is None:
            continue
        frame = as_frame(image)
        mesh = find(frame, models)
        if mesh is None:
            continue
        began = time.process_time()
        found = measure_appearance(frame, mesh)
        spent.append(time.process_time() - began)
        plain.append(found)
        for index, (_, name, spoil) in enumerate(SPOILS):
            made = look(spoil(frame, mesh, np.random.default_rng((seed, number, index))), models)
            if made is not None:
                spoiled[name].append(made)
    if not plain:
        raise DataError("no photo with a face that is large enough")
    rows = [worth(score, name, plain, spoiled[name]) for score, name, _ in SPOILS if spoiled[name]]
    rows += _labelled(labelled, models)
    ids = [packs.pack_for(part).id for part in ("detection", "landmarks")]
    return Appearances(FORMAT, command, version, clock(), ids, seed, round(float(np.median(spent)), 5), rows)


def _labelled(labelled: tuple[Sequence[Path], Sequence[Path]], models: FaceModels) -> list[Worth]:
    genuine, attack = ([found for path in paths if (found := _look_at(path, models))] for paths in labelled)
    if not genuine or not attack:
        return []
    return [worth(score, LABELLED, genuine, attack) for score in SCORES]


def _look_at(path: Path, models: FaceModels) -> Appearance | None:
    image = cv2.imread(str(path))
    return None if image is None else look(image, models)


def markdown(results: Appearances, language: Language = "en") -> str:
    """Return the table with the command that made it, ending in a line break."""
    column = ("en", "zh").index(language)
    heads = (
        "| Score | What it is to show | Plain / spoiled | AUC | 95 % interval | Above 95 % of the plain ones |",
        "| 评分 | 应能指出的画面 | 正常 / 受损 | AUC | 95% 区间 | 高于 95% 的正常画面 |",
    )
    day = datetime.fromtimestamp(results.made_at, UTC).strftime("%Y-%m-%d")
    lines = [f"`{results.command}` ({day}, renzheng {results.version}, {', '.join(results.packs)})", ""]
    lines += [heads[column], "|---|---|---|---|---|---|"]
    for row in results.rows:
        names = [Words(language).maybe("look", row.score), NAMES[row.spoiled][column]]
        low, high = row.range
        caught = f"{100 * row.caught:.0f}{' %' if language == 'en' else '%'}"
        cells = (*names, f"{row.pictures[0]} / {row.pictures[1]}", f"{row.area:.2f}", f"{low:.2f} – {high:.2f}", caught)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
