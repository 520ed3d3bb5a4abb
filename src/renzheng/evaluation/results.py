"""The results of an evaluation, as written to `results.json` and read back: the only input of the report."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec

from renzheng.evaluation.calibration import CalibrationTable
from renzheng.evaluation.rates import Rate

FORMAT = "renzheng-evaluation/1"


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds of one stage: `count` measurements, their median and 95th percentile."""

    count: int
    median: float
    p95: float


class Run(msgspec.Struct, frozen=True):
    """How the numbers were made. `made_at`: unix seconds. `packs`: names and digests of the models used."""

    command: str
    version: str
    made_at: float
    seconds: float
    packs: list[str]
    replicates: int
    seed: int
    confidence: float


class Data(msgspec.Struct, frozen=True):
    """What was compared. `mode`: `pairs` (a list) or `all-pairs`. People take part in a completed comparison."""

    name: str
    mode: str
    images: int
    people: int
    genuine: int
    impostor: int
    genuine_lost: int
    impostor_lost: int
    face_rule: str
    several_faces: int
    contradictions: int


class Point(msgspec.Struct, frozen=True):
    """The rates at a score. `promised`: the FMR that the scale stands for; None where it makes no promise.

    `agreement`: `consistent`, `worse`, `better`, or `too_small` (the data could not tell).
    """

    score: float
    cosine: float
    fmr: Rate
    fnmr: Rate
    far: float | None
    frr: float | None
    promised: float | None
    agreement: str


class Curve(msgspec.Struct, frozen=True):
    """Rates with their intervals at rising thresholds; all lists have one length."""

    cosines: list[float]
    scores: list[float]
    fmr: list[float]
    fmr_low: list[float]
    fmr_high: list[float]
    fnmr: list[float]
    fnmr_low: list[float]
    fnmr_high: list[float]


class Histogram(msgspec.Struct, frozen=True):
    """How many comparisons fell between neighbouring edges (cosines; one more than there are counts)."""

    edges: list[float]
    genuine: list[int]
    impostor: list[int]


class EqualError(msgspec.Struct, frozen=True):
    """The equal error rate with its interval over people, None where that could not be drawn."""

    value: float
    low: float | None
    high: float | None
    cosine: float
    score: float


class BestThreshold(msgspec.Struct, frozen=True):
    """Accuracy at the threshold that suits this data best: optimistic, as it was chosen on the data."""

    accuracy: Rate
    cosine: float
    score: float


class Refused(msgspec.Struct, frozen=True):
    """Reference photos examined in one way. `kind`: `light` or `turn`; `group`: `dark`, `medium` or `bright` faces,
    empty for all; `name`: the part of the light, 1 for the photos as they are, or degrees counter-clockwise.

    `refused`: not taken as a reference; `unlike`: of those taken, below the default score against the same photo as it
    was.
    """

    kind: str
    group: str
    name: str
    refused: Rate
    unlike: Rate


class Recognition(msgspec.Struct, frozen=True, tag="recognition", tag_field="kind"):
    """An evaluation of face comparison."""

    format: str
    run: Run
    data: Data
    acquire: Rate
    enrol: Rate
    failures: dict[str, int]
    timings: dict[str, Timing]
    points: list[Point]
    equal_error: EqualError | None
    best: BestThreshold | None
    area: float | None
    curve: Curve
    histogram: Histogram
    scale: str
    scale_cosines: list[float]
    scale_scores: list[float]
    calibration: CalibrationTable | None = None
    refusals: list[Refused] = []


class InSuite(msgspec.Struct, frozen=True):
    """A type of the attack suite. `nature`: `targeted`, `exempt` (several layers stop it) or `uncaught`.

    `target`: the layer that it is built to meet; `without`: how many pass with that layer switched off, which says
    whether the attack is strong enough to count; `chosen`: how many pass in the half that thresholds were chosen on;
    `looks`: medians of the image scores, by name.
    """

    nature: str
    target: str
    without: Rate | None
    chosen: Rate | None
    looks: dict[str, float] = {}


class AttackType(msgspec.Struct, frozen=True):
    """One type of presentation attack (a PAI species of ISO/IEC 30107-3).

    `apcer`: classified as a live person, of those classified. `no_response`: not classified at all. `stopped_by`:
    how many each layer stopped; a presentation may be stopped by several.
    """

    name: str
    presentations: int
    people: int
    apcer: Rate
    no_response: Rate
    stopped_by: dict[str, int]
    suite: InSuite | None = None


class Threshold(msgspec.Struct, frozen=True):
    """How a threshold stands to the half on which thresholds are chosen. `name`: of the measure; larger passes.

    `attacks`: the largest value of the attacks that it is meant for; `heads`: the value that 98 of 100 complying
    heads reach; `shipped`: the engine's; `chosen`: the shipped one where it lies between the two, else the middle
    between them, None where they overlap.
    """

    name: str
    attacks: float | None
    heads: float | None
    shipped: float
    chosen: float | None


class Suite(msgspec.Struct, frozen=True):
    """How an attack suite was made. `examined`: photos looked at; `unfit`: how many the rule excluded, by reason;
    `people`: in the half that thresholds were chosen on, and in the reported one."""

    examined: int
    unfit: dict[str, int]
    people: tuple[int, int]
    thresholds: list[Threshold]


class Listed(msgspec.Struct, frozen=True):
    """One presentation of a clip. `attack`: its type, empty for a real person; `verdict`: passed, refused, no response
    or left out; `stopped_by`: the layers that refused it; `causes`: in words; `values`: measures that have a threshold.
    """

    name: str
    person: str
    attack: str
    verdict: str
    stopped_by: list[str]
    causes: list[str]
    values: dict[str, float]


class ActionFound(msgspec.Struct, frozen=True):
    """How often an action that real people did was not found. `names`: of the presentations in which it was not."""

    action: str
    people: int
    missed: Rate
    names: list[str]


class Filmed(msgspec.Struct, frozen=True):
    """What belongs to clips of real people: every presentation, the actions by themselves, and how many items of the
    labels were distractors."""

    listed: list[Listed]
    actions: list[ActionFound]
    distractors: int


class Presentations(msgspec.Struct, frozen=True, tag="presentations", tag_field="kind"):
    """An evaluation of presentation attack detection over recorded sequences."""

    format: str
    run: Run
    name: str
    genuine: int
    genuine_people: int
    bpcer: Rate
    no_response: Rate
    refused_by: dict[str, int]
    attacks: list[AttackType]
    timings: dict[str, Timing]
    suite: Suite | None = None
    filmed: Filmed | None = None


Results = Recognition | Presentations


def write_json(results: Results, path: Path) -> None:
    """Write readable JSON in a stable order, so that two runs can be compared."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def read_json(path: Path) -> Results:
    """Read results. Raises ValueError if the file is not an evaluation, or has another format."""
    try:
        results: Results = msgspec.json.decode(path.read_bytes(), type=Recognition | Presentations)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path.name} is not a results.json of an evaluation: {error}") from error
    if results.format != FORMAT:
        raise ValueError(f"{path.name} has the format {results.format!r}; this version reads {FORMAT!r}")
    return results


def significant(value: float, digits: int = 6) -> float:
    """Round a number for the file: further digits are noise."""
    return (
        value
        if not value or not math.isfinite(value)
        else round(value, digits - 1 - math.floor(math.log10(abs(value))))
    )
