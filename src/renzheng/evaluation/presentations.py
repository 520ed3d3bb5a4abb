"""`renzheng evaluate` on recorded presentations: APCER by type of attack, BPCER, and by which layer others fell.

Definitions by ISO/IEC 30107-3: a presentation is classified as a live person (bona fide) or as an attack, or there
is not a response. APCER is the share of one type's classified attacks that passed; it is never averaged over types,
as the worst one counts. BPCER is the share of classified genuine presentations that were refused.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
import numpy as np

from renzheng.engine import packs
from renzheng.engine.judging import measure
from renzheng.engine.limits import JudgingLimits
from renzheng.engine.measurement import Measurement
from renzheng.engine.observation import FaceModels
from renzheng.evaluation import bootstrap
from renzheng.evaluation.rates import CONFIDENCE, Rate, rate
from renzheng.evaluation.recognition import timing
from renzheng.evaluation.results import FORMAT, AttackType, Presentations, Run
from renzheng.evaluation.sequences import Recorded, SequenceTranscript
from renzheng.verification import transcript
from renzheng.verification.session import FrameRecord, StepRecord

TRANSCRIPT, CHALLENGE, DEPTH, CONTINUITY = "transcript", "challenge", "depth", "continuity"
PASSIVE = "passive"  # only where an operator's network is in use and decides
LIGHT = "light"  # only where colours were shown
DOUBT = "doubt"  # weak measures together
LAYERS = (TRANSCRIPT, CHALLENGE, DEPTH, CONTINUITY, DOUBT, PASSIVE, LIGHT)
OF_DEPTH = ("solidity", "residual")  # doubts by which depth refuses too, from their full height on
FRAMES = "frames"  # frames that cannot be judged: no face, several, a cut or a small one
SEED = 0
REPLICATES = 1000  # draws of people for the intervals


class Judged(msgspec.Struct, frozen=True):
    """The outcome of a presentation. `usable`: the frames could be classified; if not, `status` says why.

    `stopped_by`: the layers that refused it. A presentation passes if it is usable and no layer refused it.
    """

    digest: str
    usable: bool
    status: str
    stopped_by: list[str]
    seconds: float

    @property
    def passed(self) -> bool:
        return self.usable and not self.stopped_by


class Classifier(Protocol):
    """Classifies one recorded presentation."""

    def __call__(self, recorded: Recorded) -> Judged: ...


def transcript_holds(recorded: SequenceTranscript) -> bool:
    """Return whether the server's own check of nonces, times and order accepts a recorded presentation."""
    steps = [
        StepRecord(step.index, step.action, step.nonce.encode(), step.revealed_at, step.deadline)
        for step in recorded.steps
    ]
    frames = [
        FrameRecord(number, frame.step, frame.nonce.encode(), frame.received_at, b"")
        for number, frame in enumerate(recorded.frames)
    ]
    return not transcript.faults([step.action for step in steps[1:]], steps, frames)


def measured_layers(measurement: Measurement) -> dict[str, bool]:
    """Return which of the engine's layers accept a presentation. A layer that could not measure refuses."""
    found = {
        CHALLENGE: measurement.challenge_passed,
        DEPTH: measurement.has_depth,
        CONTINUITY: measurement.is_continuous,
        DOUBT: _undoubted(measurement),
    }
    if measurement.passive is not None and measurement.passive.decides:
        found[PASSIVE] = not measurement.passive.refuses
    if measurement.light is not None:
        found[LIGHT] = measurement.light.passed
    return found


def _undoubted(measurement: Measurement) -> bool:
    """Return whether weak measures accept it. What depth or continuity alone refuses is not counted here too."""
    doubt, depth, continuity = measurement.doubt, measurement.depth, measurement.continuity
    if doubt is None or doubt.passed:
        return True
    alone = {*(OF_DEPTH if depth is not None and not depth.passed else ()), *(continuity.faults if continuity else ())}
    return doubt.total - sum(doubt.parts.get(name, 0.0) for name in alone) < doubt.limit


def stopped_by(recorded: SequenceTranscript, measurement: Measurement) -> list[str]:
    """Return the layers that refuse a measured presentation."""
    holds = {TRANSCRIPT: transcript_holds(recorded), **measured_layers(measurement)}
    return [layer for layer in LAYERS if not holds.get(layer, True)]


class EngineJudge:
    """The engine in this process, with the limits that the server uses."""

    def __init__(self, models: FaceModels | None = None, limits: JudgingLimits | None = None) -> None:
        self._models = models or FaceModels()
        self._limits = limits or JudgingLimits()

    def __call__(self, recorded: Recorded) -> Judged:
        began = time.perf_counter()
        measurement = measure(recorded.frames(), None, self._models, self._limits)
        seconds = time.perf_counter() - began
        usable = measurement.frames_status == "usable"
        layers = stopped_by(recorded.transcript, measurement) if usable else []
        return Judged(recorded.digest(), usable, measurement.frames_status, layers, seconds)


def judge_all(
    sequences: Sequence[Recorded],
    judge: Classifier,
    folder: Path,
    *,
    key: str,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Judged]:
    """Judge every sequence. Results are kept in `folder`, so that an interrupted run continues.

    `key` names the judge (its models and limits): another judge's lines are not used.
    """
    path = folder / f"judged-{key}.jsonl"
    known = {judged.digest: judged for judged in _lines(path)}
    found: list[Judged] = []
    with path.open("ab") as file:
        for recorded in sequences:
            judged = known.get(recorded.digest())
            if judged is None:
                judged = judge(recorded)
                file.write(msgspec.json.encode(judged) + b"\n")
                file.flush()
            found.append(judged)
            progress(len(found), len(sequences))
    return found


def _lines(path: Path) -> Iterable[Judged]:
    """Yield whole lines. The file is cut back to them, as the next line is appended."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    return [msgspec.json.decode(line, type=Judged) for line in whole.splitlines()]


def summarise(name: str, sequences: Sequence[Recorded], judged: Sequence[Judged], run: Run) -> Presentations:
    """Return the rates of all judged presentations."""
    genuine = [(r, j) for r, j in zip(sequences, judged, strict=True) if r.transcript.label == "genuine"]
    types: dict[str, list[tuple[Recorded, Judged]]] = {}
    for recorded, one in zip(sequences, judged, strict=True):
        if recorded.transcript.label == "attack":
            types.setdefault(recorded.transcript.attack, []).append((recorded, one))
    refused, silent = _rates(genuine, lambda one: not one.passed)
    spent = np.array([1000 * one.seconds for one in judged])
    return Presentations(
        format=FORMAT,
        run=run,
        name=name,
        genuine=len(genuine),
        genuine_people=_people(genuine),
        bpcer=refused,
        no_response=silent,
        refused_by=_layers(genuine),
        attacks=[_attack(kind, rows) for kind, rows in sorted(types.items())],
        timings={"judge": timing(spent)} if len(spent) else {},
    )


def _attack(name: str, rows: list[tuple[Recorded, Judged]]) -> AttackType:
    apcer, silent = _rates(rows, lambda one: one.passed)
    return AttackType(name, len(rows), _people(rows), apcer, silent, _layers(rows))


def _rates(rows: list[tuple[Recorded, Judged]], error: Callable[[Judged], bool]) -> tuple[Rate, Rate]:
    """Return (errors among the classified, no response among all)."""
    numbers = {person: k for k, person in enumerate(sorted({row.transcript.person for row, _ in rows}))}
    people = np.array([numbers[recorded.transcript.person] for recorded, _ in rows], dtype=np.int64)
    usable = np.array([one.usable for _, one in rows], dtype=bool)
    wrong = np.array([one.usable and error(one) for _, one in rows], dtype=np.int64)
    found = rate(
        int(wrong.sum()),
        int(usable.sum()),
        bootstrap.share(wrong[usable], people[usable], replicates=REPLICATES, seed=SEED),
    )
    silent = (~usable).astype(np.int64)
    return found, rate(int(silent.sum()), len(rows), bootstrap.share(silent, people, replicates=REPLICATES, seed=SEED))


def _people(rows: list[tuple[Recorded, Judged]]) -> int:
    return len({recorded.transcript.person for recorded, _ in rows})


def _layers(rows: list[tuple[Recorded, Judged]]) -> dict[str, int]:
    """Count by layer, and by the status of frames that could not be classified."""
    return dict(Counter(layer for _, one in rows for layer in (one.stopped_by if one.usable else [one.status])))


def packs_in_use() -> list[str]:
    """Return the ids of the model files that a judgement uses. A passive network that decides is marked."""
    chosen = packs.passive()
    return [pack.id + (" (decides)" if chosen == (pack, True) else "") for pack in packs.in_use()]


def judge_key(limits: JudgingLimits) -> str:
    """Return sixteen digits that identify the models and thresholds of `EngineJudge`."""
    text = "+".join([*packs_in_use(), repr(limits)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def evaluate_presentations(
    name: str,
    sequences: Sequence[Recorded],
    folder: Path,
    *,
    command: str,
    version: str,
    clock: Callable[[], float],
    judge: Classifier | None = None,
    limits: JudgingLimits | None = None,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Presentations:
    """Judge and summarise. Without `judge` the engine's own, with `limits` (the server's defaults)."""
    limits = limits or JudgingLimits()
    began = time.monotonic()
    judged = judge_all(
        sequences,
        judge or EngineJudge(limits=limits),
        folder,
        key=judge_key(limits) if judge is None else "handed-in",
        progress=lambda done, total: progress("judge", done, total),
    )
    ids = packs_in_use()
    run = Run(command, version, clock(), round(time.monotonic() - began, 1), ids, REPLICATES, SEED, CONFIDENCE)
    return summarise(name, sequences, judged, run)
