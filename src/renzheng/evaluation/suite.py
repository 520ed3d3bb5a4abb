"""The attack suite: who takes part, every type rendered and judged by the engine as the server does, and the table.

The people are split in halves: thresholds are looked at on one, and the other is reported. A presentation is judged
once with all layers on; what would pass with one of them switched off follows from what the others said.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from statistics import median

import cv2
import msgspec
import numpy as np

from renzheng.base.defaults import CHALLENGE_LENGTH
from renzheng.engine.embedding import cosine
from renzheng.engine.judging import measure
from renzheng.engine.limits import JudgingLimits
from renzheng.engine.measurement import Frame
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Floats, Image
from renzheng.evaluation.attacks import ATTACKS, Attack, Stage, answered, mixed_challenge, present
from renzheng.evaluation.measures import causes, measures_of
from renzheng.evaluation.pairs import DataError
from renzheng.evaluation.portrait import VIEWS, Fitness, UnfitPhotoError, check_alone, models
from renzheng.evaluation.presentations import (
    FRAMES,
    REPLICATES,
    TRANSCRIPT,
    Judged,
    judge_key,
    measured_layers,
    packs_in_use,
    summarise,
    transcript_holds,
)
from renzheng.evaluation.puppet import Puppet, PuppetPose
from renzheng.evaluation.rates import CONFIDENCE, Rate, rate
from renzheng.evaluation.results import InSuite, Presentations, Run, Suite
from renzheng.evaluation.sequences import FORMAT, Recorded, SequenceTranscript, write_sequence
from renzheng.evaluation.thresholds import HEADS, confirm

HALVES = CHOOSE, REPORT = "choose", "report"
SIZE, FACE_SHARE = (640, 480), 0.36
STRANGERS = 0.35  # cosine from which two photos may show one person; the second one is then left out
MOVED = (
    *(PuppetPose(yaw=degrees) for degrees in (-35.0, -20.0, 20.0, 35.0)),
    *(PuppetPose(roll=degrees) for degrees in (-20.0, -10.0, 10.0, 20.0)),
)
"""Movements of a head in a challenge that may reveal another face."""

Progress = Callable[[str, int, int], None]


class SuitePlan(msgspec.Struct, frozen=True):
    """How large a run is. `people`: in each half; `heads`: complying heads of one person in the reported half, a
    quarter of them in the other; `only`: these types, all where it is empty; `skip`: so many fit people are passed
    over first, as they took part in an earlier run; `length`: actions of a challenge, as many as the server asks."""

    people: int = 13
    heads: int = 8
    seed: int = 0
    only: tuple[str, ...] = ()
    skip: int = 0
    length: int = CHALLENGE_LENGTH

    def attacks(self) -> list[Attack]:
        """Return the types of attack. Raises DataError for an unknown type."""
        known = {attack.name for attack in ATTACKS}
        if unknown := sorted(set(self.only) - known):
            raise DataError(f"unknown type {unknown[0]}; known are {', '.join(a.name for a in ATTACKS)}")
        return [attack for attack in ATTACKS if not self.only or attack.name in self.only]

    def times(self, attack: Attack, half: str) -> int:
        """Return the number of presentations of this type by one person."""
        if attack.name != HEADS:
            return 1
        return self.heads if half == REPORT else max(1, self.heads // 4)


class Taking(msgspec.Struct, frozen=True):
    """A person who takes part. `name` is a number, as results name nobody; `photo` is on this machine only."""

    name: str
    photo: str
    half: str


class ChosenPeople(msgspec.Struct, frozen=True):
    """The choice of people, made before the run by the rule for photos alone."""

    taking: list[Taking]
    examined: int
    unfit: dict[str, int]


class Trial(msgspec.Struct, frozen=True):
    """One presentation as it was judged. `holds`: which layers let it through; `values`: measures of thresholds."""

    attack: str
    person: str
    half: str
    number: int
    note: str
    holds: dict[str, bool]
    status: str
    values: dict[str, float]
    why: list[str]
    seconds: float

    @property
    def key(self) -> tuple[str, str, int]:
        return self.attack, self.person, self.number

    @property
    def stopped_by(self) -> list[str]:
        return [layer for layer, holds in self.holds.items() if not holds]

    def passes(self, without: str = "") -> bool:
        """Return whether no layer refused it, or none but `without`."""
        return not set(self.stopped_by) - {without}


# -- the people --------------------------------------------------------------------------------------------------


def find_photos(folders: Sequence[Path]) -> list[Path]:
    """Return photos in the order of their folders. Raises DataError if there is none."""
    endings = (".jpg", ".jpeg", ".png")
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in endings]
    if not found:
        raise DataError(f"no photo in {', '.join(str(folder) for folder in folders)}")
    return found


def choose_people(
    photos: Iterable[Path], count: int, engine: FaceModels, progress: Progress, skip: int = 0
) -> ChosenPeople:
    """The first `count` people in each half of whom there is a fit photo; each photo that is examined is counted.

    One photo a person: files named Name_0001 show Name, and a face like an earlier one is left out. The first `skip`
    people are chosen in the same way and take no part.
    """
    taking: list[Taking] = []
    unfit: Counter[str] = Counter()
    known: list[Floats] = []
    names: set[str] = set()
    examined = 0
    for path in photos:
        if len(taking) == 2 * count:
            break
        name = path.stem.rsplit("_", 1)[0]
        photo = None if name in names else cv2.imread(str(path))
        if photo is None:
            continue
        counts = len(known) >= skip
        examined += counts
        try:
            face = examine_photo(photo, known, engine)
        except UnfitPhotoError as reason:
            unfit[str(reason).split(":")[0].split("(")[0].strip()] += counts
            continue
        known.append(face)
        names.add(name)
        if counts:
            taking.append(Taking(f"p{skip + len(taking):03d}", str(path), HALVES[len(taking) % 2]))
            progress("people", len(taking), 2 * count)
    if len(taking) < 4:
        raise DataError(f"{len(taking)} of {examined} photos are fit; four people are the least")
    return ChosenPeople(taking, examined, dict(+unfit))


def examine_photo(photo: Image, known: Sequence[Floats], engine: FaceModels) -> Floats:
    """The embedding of a photo that a puppet can be made of. Raises UnfitPhotoError."""
    face = engine.embed(photo)
    if face is None:
        raise UnfitPhotoError("no face was found in the photo")
    if any(cosine(face, other) >= STRANGERS for other in known):
        raise UnfitPhotoError("somebody who takes part already")
    puppet = Puppet(photo, size=SIZE, face_share=FACE_SHARE, engine=engine)
    sides = (engine.limits.frame_side, engine.limits.frame_side_fine)
    for pose, scale in product(MOVED, VIEWS):
        check_alone(puppet.render(replace(pose, scale=scale)), sides, Fitness(), engine)
    return face


# -- the run -----------------------------------------------------------------------------------------------------


class Job(msgspec.Struct, frozen=True):
    """What is rendered of one person: (type, number) each. `index`: of the person in their half."""

    person: Taking
    other: Taking
    index: int
    wanted: tuple[tuple[str, int], ...]

    @property
    def keys(self) -> list[tuple[str, str, int]]:
        return [(name, self.person.name, number) for name, number in self.wanted]


def _jobs(people: ChosenPeople, plan: SuitePlan, attacks: Sequence[Attack]) -> Iterable[Job]:
    """Yield jobs from the halves in turn, so that an interrupted run says something about both."""
    members = {half: [person for person in people.taking if person.half == half] for half in HALVES}
    wanted = {
        half: tuple((attack.name, n) for attack in attacks for n in range(plan.times(attack, half))) for half in HALVES
    }
    for index in range(max(map(len, members.values()))):
        for half in HALVES:
            if index < len(members[half]):
                person, other = (members[half][k % len(members[half])] for k in (index, index + 1))
                yield Job(person, other, index, wanted[half])


def _carry_out(
    jobs: Sequence[Job], plan: SuitePlan, limits: JudgingLimits, engine: FaceModels, keep: Path | None, processes: int
) -> Iterable[Trial]:
    if processes == 1 or len(jobs) < 2:
        for job in jobs:
            yield from run_person(job, plan, limits, engine, keep)
        return
    # Spawned, as a forked child would share the runtimes' locks.
    with multiprocessing.get_context("spawn").Pool(min(processes, len(jobs))) as pool:
        for trials in pool.imap_unordered(partial(_alone, plan=plan, limits=limits, keep=keep), jobs):
            yield from trials


def _alone(job: Job, plan: SuitePlan, limits: JudgingLimits, keep: Path | None) -> list[Trial]:
    """Run one person in a process of its own."""
    return list(run_person(job, plan, limits, models(), keep))


def run_person(
    job: Job, plan: SuitePlan, limits: JudgingLimits, engine: FaceModels, keep: Path | None = None
) -> Iterable[Trial]:
    """Render and judge what is wanted of one person."""
    person = job.person
    known = {attack.name: attack for attack in ATTACKS}
    puppets = _puppet(person, engine), _puppet(job.other, engine)
    chance = np.random.default_rng(_seed(plan.seed, person.name))
    genuine = answered(puppets[0], mixed_challenge(chance.bytes, plan.length), int(chance.integers(2**31)))
    for name, number in job.wanted:
        seed = _seed(plan.seed, person.name, name, number)
        stage = Stage(*puppets, genuine, engine, seed, job.index + number, plan.length)
        transcript, jpegs = present(known[name], stage, person=person.name, half=person.half)
        if keep is not None:
            write_sequence(keep / name / f"{person.name}-{number}", transcript, jpegs)
        yield judge(transcript, jpegs, number, limits, engine)


def _puppet(person: Taking, engine: FaceModels) -> Puppet:
    image = cv2.imread(person.photo)
    if image is None:
        raise DataError(f"{person.photo} cannot be read")
    return Puppet(image, size=SIZE, face_share=FACE_SHARE, engine=engine)


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])


def judge(
    transcript: SequenceTranscript, jpegs: Sequence[bytes], number: int, limits: JudgingLimits, engine: FaceModels
) -> Trial:
    """Return the engine's measurement of one presentation, with the server's limits, as a trial."""
    actions = {step.index: step.action for step in transcript.steps}
    frames = [
        Frame(jpeg, frame.step, actions[frame.step], frame.received_at)
        for frame, jpeg in zip(transcript.frames, jpegs, strict=True)
    ]
    began = time.process_time()
    measured = measure(frames, None, engine, limits)
    seconds = time.process_time() - began
    holds = {TRANSCRIPT: transcript_holds(transcript), FRAMES: measured.frames_status == "usable"}
    return Trial(
        transcript.attack,
        transcript.person,
        transcript.half,
        number,
        transcript.note,
        {**holds, **measured_layers(measured)},
        measured.frames_status,
        measures_of(measured),
        causes(measured),
        round(seconds, 4),
    )


def run_suite(
    folders: Sequence[Path],
    out: Path,
    plan: SuitePlan,
    *,
    command: str,
    version: str,
    clock: Callable[[], float],
    keep: bool = False,
    limits: JudgingLimits | None = None,
    engine: FaceModels | None = None,
    processes: int = 1,
    progress: Progress = lambda stage, done, total: None,
) -> Presentations:
    """Run the whole suite. Results are kept in `out`, so that an interrupted run continues."""
    limits, engine = limits or JudgingLimits(), engine or models()
    began = time.monotonic()
    attacks = plan.attacks()
    out.mkdir(parents=True, exist_ok=True)
    people = _people(folders, out, plan, engine, progress)
    log = out / f"trials-{_key(plan, limits)}.jsonl"
    known = {trial.key: trial for trial in _lines(log)}
    trials: list[Trial] = []
    jobs = list(_jobs(people, plan, attacks))
    total = sum(len(job.wanted) for job in jobs)
    waiting = []
    for job in jobs:
        trials += [known[key] for key in job.keys if key in known]
        if left := tuple((name, n) for name, n in job.wanted if (name, job.person.name, n) not in known):
            waiting.append(msgspec.structs.replace(job, wanted=left))
    shelf = out / "sequences" if keep else None
    with log.open("ab") as file:
        for trial in _carry_out(waiting, plan, limits, engine, shelf, processes):
            file.write(msgspec.json.encode(trial) + b"\n")
            file.flush()
            trials.append(trial)
            progress("attack", len(trials), total)
    ids = packs_in_use()
    seconds = round(time.monotonic() - began, 1)
    run = Run(command, version, clock(), seconds, ids, REPLICATES, plan.seed, CONFIDENCE)
    return tabulate(trials, people, attacks, limits, run)


def _people(
    folders: Sequence[Path], out: Path, plan: SuitePlan, engine: FaceModels, progress: Progress
) -> ChosenPeople:
    """Return the choice that an earlier start of this run made, or a new one."""
    path = out / f"people-{plan.people}{f'-after-{plan.skip}' if plan.skip else ''}.json"
    if path.is_file():
        return msgspec.json.decode(path.read_bytes(), type=ChosenPeople)
    people = choose_people(find_photos(folders), plan.people, engine, progress, plan.skip)
    path.write_bytes(msgspec.json.encode(people))
    path.chmod(0o600)
    return people


def _key(plan: SuitePlan, limits: JudgingLimits) -> str:
    """Return a key of models, limits and seed, so that lines of other runs are not used."""
    return hashlib.sha256(f"{judge_key(limits)} {plan.seed} {plan.length} {SIZE}".encode()).hexdigest()[:16]


def _lines(path: Path) -> list[Trial]:
    """Return whole lines. The file is cut back to them, as the next line is appended."""
    if not path.is_file():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        path.write_bytes(whole)
    return [msgspec.json.decode(line, type=Trial) for line in whole.splitlines()]


# -- the table ---------------------------------------------------------------------------------------------------


def tabulate(
    trials: Sequence[Trial], people: ChosenPeople, attacks: Sequence[Attack], limits: JudgingLimits, run: Run
) -> Presentations:
    """Return the reported half by type, with what would pass without the target, and the thresholds on the other
    half."""
    reported = [trial for trial in trials if trial.half == REPORT]
    found = summarise("attacks", [_recorded(one) for one in reported], [_judged(one) for one in reported], run)
    by_name = {row.name: row for row in found.attacks}
    rows = [
        msgspec.structs.replace(by_name[attack.name], suite=_in_suite(attack, trials))
        for attack in attacks
        if attack.name in by_name
    ]
    halves = Counter(person.half for person in people.taking)
    chosen = [trial for trial in trials if trial.half == CHOOSE]
    suite = Suite(people.examined, people.unfit, (halves[CHOOSE], halves[REPORT]), confirm(chosen, limits))
    return msgspec.structs.replace(found, attacks=rows, suite=suite)


def _in_suite(attack: Attack, trials: Sequence[Trial]) -> InSuite:
    def passing(half: str, without: str = "") -> Rate:
        rows = [trial for trial in trials if (trial.attack, trial.half) == (attack.name, half)]
        return rate(sum(trial.passes(without) for trial in rows), len(rows))

    without = passing(REPORT, attack.target) if attack.target else None
    return InSuite(attack.nature, attack.target, without, passing(CHOOSE), _looks(attack, trials))


def _looks(attack: Attack, trials: Sequence[Trial]) -> dict[str, float]:
    """Return medians of the image scores in the reported half."""
    rows = [trial.values for trial in trials if (trial.attack, trial.half) == (attack.name, REPORT)]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if name.startswith("look.")]
    return {name[len("look.") :]: round(median(row[name] for row in rows if name in row), 4) for name in names}


def _recorded(trial: Trial) -> Recorded:
    """Return a trial's label and person, which is all that rates need."""
    return Recorded(
        Path(trial.person), SequenceTranscript(FORMAT, "attack", trial.person, [], [], trial.attack, trial.half)
    )


def _judged(trial: Trial) -> Judged:
    """Return the outcome. Frames that cannot be judged end a verification like any other refusal, so here they count as
    one."""
    return Judged("", True, trial.status, trial.stopped_by, trial.seconds)
