"""The manifest of a model pack: the file, its licence and source, its input, and what its numbers mean."""

from __future__ import annotations

import hashlib
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

PARTS = ("detection", "embedding", "landmarks", "iris", "passive", "sample")
PASSIVE = "passive"
"""A single-frame network against attacks: an operator's own or none, as renzheng ships none."""
DETECTS = ("recapture", "synthetic", "template", "watermark", "adversarial")
"""What a passive network may detect. Each has a LivenessInfoTag value of its own (see ``reasons``)."""
T = TypeVar("T")


class PackError(Exception):
    """A model pack is missing or is not what the manifest says. The text names the file."""


@dataclass(frozen=True)
class Calibration:
    """Cosine -> score 0-100 (both rising), with the size of the data that the table rests on.

    ``centre``: as many numbers as an embedding has, taken off each before two are compared; none where nothing is.
    """

    data: str
    images: int
    genuine_pairs: int
    impostor_pairs: int
    cosines: tuple[float, ...]
    scores: tuple[float, ...]
    centre: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if len(self.cosines) != len(self.scores) or len(self.cosines) < 2:
            raise PackError("calibration: cosines and scores must be two lists of one length, two or more")
        for name, row in (("cosines", self.cosines), ("scores", self.scores)):
            if any(a >= b for a, b in pairwise(row)):
                raise PackError(f"calibration: {name} must rise strictly")
        if self.scores[0] != 0.0 or self.scores[-1] != 100.0:
            raise PackError("calibration: scores must begin at 0 and end at 100")
        if not all(map(math.isfinite, self.centre)) or math.hypot(*self.centre) >= 1:
            raise PackError("calibration: centre must be a mean of embeddings, which is shorter than 1")

    @property
    def id(self) -> str:
        """The first digits of a digest of its numbers. Two scores are on one scale if these are equal."""
        return hashlib.sha256(repr((self.cosines, self.scores, self.centre)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class ErrorRates:
    """What a passive network was measured to do: ``data`` says on what, ``genuine`` and ``attacks`` how many
    presentations; ``apcer``, ``bpcer``: 0-1, at ``threshold``, the score 0-1 from which a face counts as live.
    ``detects``: one of ``DETECTS``, whose attacks the network is there to find."""

    detects: str
    threshold: float
    data: str
    genuine: int
    attacks: int
    apcer: float
    bpcer: float

    def __post_init__(self) -> None:
        if self.detects not in DETECTS:
            raise PackError(f"rates: detects is {self.detects!r}, which is not one of {', '.join(DETECTS)}")
        if not 0 < self.threshold < 1:
            raise PackError("rates: threshold must lie between 0 and 1")
        if not (0 <= self.apcer <= 1 and 0 <= self.bpcer <= 1):
            raise PackError("rates: apcer and bpcer are shares, 0 to 1")
        if self.genuine < 1 or self.attacks < 1 or not self.data.strip():
            raise PackError("rates: say on what data, and on how many genuine and attack presentations")


@dataclass(frozen=True)
class Pack:
    """One file that the engine needs: what it is, where it comes from, how its input is prepared."""

    name: str
    part: str
    title: str
    package: str
    version: str
    member: str
    sha256: str
    bytes: int
    licence: str
    source: str
    runtime: str
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    calibration: Calibration | None = None
    rates: ErrorRates | None = None

    def __post_init__(self) -> None:
        if not self.licence.strip():
            raise PackError("licence is empty: say under which licence the file may be used")
        if self.part not in PARTS:
            raise PackError(f"part {self.part!r} is not one of {', '.join(PARTS)}")
        if self.part == PASSIVE and self.rates is None:
            raise PackError("a passive network needs [pack.rates]: its threshold and the error rates measured at it")

    @property
    def filename(self) -> str:
        return PurePosixPath(self.member).name

    @property
    def id(self) -> str:
        """Name and the first digits of the digest: a measurement records these of each pack."""
        return f"{self.name}@{self.sha256[:12]}"

    def path(self, folder: Path | None = None) -> Path:
        """Return where the file is once it is installed."""
        return (folder or models_folder()) / self.name / self.filename


def models_folder() -> Path:
    """Return the cache folder: RENZHENG_MODELS_DIR, else a folder of the user's cache."""
    if configured := os.environ.get("RENZHENG_MODELS_DIR"):
        return Path(configured)
    root = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(root) if root else Path.home() / ".cache") / "renzheng" / "models"
    except RuntimeError:  # a user without a home
        return Path("/nonexistent/.cache/renzheng/models")


def parse_manifest(text: str) -> tuple[Pack, ...]:
    """Read a manifest. Raises PackError, which names the pack and the wrong field."""
    packs = []
    try:
        rows = tomllib.loads(text).get("pack", [])
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise PackError("a manifest has a [[pack]] for each file")
    except tomllib.TOMLDecodeError as error:
        raise PackError(f"a manifest is TOML with a [[pack]] for each file: {error}") from error
    for row in rows:
        try:
            packs.append(_parse(row))
        except (TypeError, KeyError, ValueError, PackError) as error:
            raise PackError(f"pack {row.get('name', 'without a name')}: {error}") from error
    return tuple(packs)


def _parse(row: dict[str, Any]) -> Pack:
    given = dict(row)
    calibration, rates = given.pop("calibration", None), given.pop("rates", None)
    if calibration is not None:
        rows = ("cosines", "scores", "centre")
        numbers = {key: tuple(map(float, calibration[key])) for key in rows if key in calibration}
        calibration = _build(Calibration, {**calibration, **numbers}, "calibration")
    if rates is not None:
        rates = _build(ErrorRates, rates, "rates")
    return _build(Pack, {**given, "calibration": calibration, "rates": rates})


def _build(kind: type[T], given: dict[str, Any], table: str = "") -> T:
    """Make the dataclass from a table. Raises PackError, which names what the table lacks."""
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]  # type: ignore[arg-type]
    if missing := [name for name in needed if name not in given]:
        raise PackError(f"{table or 'the manifest'} does not say: {', '.join(missing)}")
    return kind(**given)
