"""`renzheng evaluate` on a folder of clips of real people and real attacks: what the shipped judge says of them.

Counted are presentations that answer their challenge, each as it was filmed and mirrored. A mirrored face is that of
the same person, so the number of people does not double. Actions are counted by themselves as well, as most clips show
no turn, without which there is no whole presentation.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from renzheng.engine.depth import spread
from renzheng.engine.judging import decode_frame, measure
from renzheng.engine.limits import JudgingLimits, MediaLimits
from renzheng.engine.liveness import hint
from renzheng.engine.measurement import Frame, Measurement
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.labels import LabelledClip
from renzheng.evaluation.measures import causes, measures_of
from renzheng.evaluation.presentations import (
    REPLICATES,
    SEED,
    TRANSCRIPT,
    Judged,
    measured_layers,
    packs_in_use,
    summarise,
    transcript_holds,
)
from renzheng.evaluation.rates import CONFIDENCE, rate
from renzheng.evaluation.results import ActionFound, Filmed, Listed, Presentations, Run
from renzheng.evaluation.sequences import Recorded, SequenceTranscript
from renzheng.evaluation.takes import Take, compose, sample, single_actions, takes_of

MOMENTS = (0.0, 0.05)
"""Seconds of a clip at which its sampling begins: the second takes the frames between those of the first."""

LOOKS = 3
"""Frames of the neutral second that are checked for a covered face."""
COVERED = "face_covered"

Measure = Callable[[Sequence[Frame]], Measurement]
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Sent:
    """One presentation as it was sent, and what it is made of."""

    take: Take
    transcript: SequenceTranscript
    jpegs: Sequence[bytes]

    def frames(self) -> list[Frame]:
        actions = {step.index: step.action for step in self.transcript.steps}
        return [
            Frame(jpeg, entry.step, actions[entry.step], entry.received_at)
            for entry, jpeg in zip(self.transcript.frames, self.jpegs, strict=True)
        ]


def evaluate_people(
    name: str,
    clips: Sequence[LabelledClip],
    *,
    command: str,
    version: str,
    clock: Callable[[], float],
    limits: JudgingLimits | None = None,
    engine: FaceModels | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Presentations:
    """Compose and judge every presentation. Nothing that shows a person is written anywhere."""
    models, bounds = engine or FaceModels(), limits or JudgingLimits()
    began = time.monotonic()
    listed: list[Listed] = []
    judged: list[tuple[SequenceTranscript, Judged]] = []
    done: list[tuple[str, SequenceTranscript, bool]] = []

    def by_engine(frames: Sequence[Frame]) -> Measurement:
        return measure(frames, None, models, bounds)

    for number, clip in enumerate(clips):
        for sent, whole in presentations_of(clip):
            if reason := clip.reason_against(sent.take.used):
                if whole:
                    listed.append(_listed(sent, "left out", [], [reason], {}))
            elif whole:
                row, one = judge(sent, by_engine, is_covered(sent, models))
                listed.append(row)
                judged.append((sent.transcript, one))
            else:
                outcomes = by_engine(sent.frames()).actions
                done.append((sent.take.asked[0], sent.transcript, any(one.answered for one in outcomes)))
        progress("judge", number + 1, len(clips))
    seconds = round(time.monotonic() - began, 1)
    run = Run(command, version, clock(), seconds, packs_in_use(), REPLICATES, SEED, CONFIDENCE)
    sequences = [Recorded(Path(transcript.person), transcript) for transcript, _ in judged]
    results = summarise(name, sequences, [one for _, one in judged], run)
    distractors = sum(len(clip.distractors) for clip in clips)
    return msgspec.structs.replace(results, filmed=Filmed(listed, _found(done), distractors))


def presentations_of(clip: LabelledClip) -> Iterator[tuple[Sent, bool]]:
    """Yield everything that is composed of a clip, and whether it is a whole presentation or an action by itself."""
    for moment in MOMENTS:
        for mirrored in (False, True):
            shots = sample(clip.path, moment, mirrored)
            seconds = shots[-1].at
            takes = [(take, True) for take in takes_of(clip, seconds)]
            if not clip.attack:
                takes += [(take, False) for take in single_actions(clip, seconds)]
            for take, whole in takes:
                transcript, jpegs = compose(take, shots, clip, mirrored)
                note = f"{transcript.note}, from {moment:g} s"
                yield Sent(take, msgspec.structs.replace(transcript, note=note), jpegs), whole


def is_covered(sent: Sent, models: FaceModels) -> bool:
    """Return whether the server would have told this person to uncover their face before asking for anything."""
    jpegs = [jpeg for jpeg, frame in zip(sent.jpegs, sent.transcript.frames, strict=True) if frame.step == 0]
    images = [decode_frame(jpeg, MediaLimits()) for jpeg in spread(jpegs, LOOKS)]
    hints = [hint(models.observe(image, eyes=False, covered=True).glance) for image in images if image is not None]
    return hints.count(COVERED) > len(hints) / 2


def judge(sent: Sent, measure: Measure, covered: bool = False) -> tuple[Listed, Judged]:
    """Return the shipped judge's verdict of a presentation. `covered`: the server would not have begun it."""
    if covered:
        return _listed(sent, "no response", [], [COVERED], {}), Judged("", False, COVERED, [], 0.0)
    began = time.process_time()
    measured = measure(sent.frames())
    spent = time.process_time() - began
    usable = measured.frames_status == "usable"
    holds = {TRANSCRIPT: transcript_holds(sent.transcript), **measured_layers(measured)}
    stopped = [layer for layer, held in holds.items() if not held] if usable else []
    one = Judged("", usable, measured.frames_status, stopped, spent)
    verdict = "passed" if one.passed else "refused" if usable else "no response"
    why = causes(measured) if usable else [measured.frames_status]
    return _listed(sent, verdict, stopped, why, measures_of(measured)), one


def _listed(sent: Sent, verdict: str, stopped: list[str], why: list[str], values: dict[str, float]) -> Listed:
    transcript = sent.transcript
    return Listed(transcript.note, transcript.person, transcript.attack, verdict, stopped, why, values)


def _found(done: Sequence[tuple[str, SequenceTranscript, bool]]) -> list[ActionFound]:
    rows = []
    for action in sorted({name for name, _, _ in done}):
        of = [(transcript, found) for name, transcript, found in done if name == action]
        missed = [transcript.note for transcript, found in of if not found]
        people = len({transcript.person for transcript, _ in of})
        rows.append(ActionFound(action, people, rate(len(missed), len(of)), missed))
    return rows
