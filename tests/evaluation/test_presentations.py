"""Recorded presentations: their format on disk, the layers, and the rates of ISO/IEC 30107-3."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import msgspec
import pytest

from renzheng.engine.measurement import Doubt
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.evaluation.pairs import DataError
from renzheng.evaluation.presentations import (
    CHALLENGE,
    CONTINUITY,
    DEPTH,
    DOUBT,
    EngineJudge,
    Judged,
    evaluate_presentations,
    measured_layers,
    transcript_holds,
)
from renzheng.evaluation.sequences import (
    FORMAT,
    FrameEntry,
    Recorded,
    SequenceTranscript,
    Step,
    holds_sequences,
    read_sequences,
    write_sequence,
)
from tests.support.measured import continuity, depth, live

STEPS = [Step(0, "neutral", "aa", 0.0, 2.0), Step(1, "blink", "bb", 2.0, 6.0), Step(2, "turn_left", "cc", 6.0, 11.0)]


def transcript(label: str = "genuine", attack: str = "", person: str = "ada", frames: int = 12) -> SequenceTranscript:
    entries = []
    for k in range(frames):
        step = STEPS[min(k * 3 // frames, 2)]
        entries.append(FrameEntry(f"{k:06d}.jpg", step.index, step.nonce, step.revealed_at + 0.1 + 0.1 * k))
    return SequenceTranscript(FORMAT, label, person, STEPS, entries, attack)  # type: ignore[arg-type]


def write(folder: Path, found: SequenceTranscript, jpeg: bytes = b"jpeg") -> Recorded:
    return write_sequence(folder, found, [jpeg] * len(found.frames))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = write(tmp_path / "a" / "genuine-1", transcript())
    write(tmp_path / "b" / "still-1", transcript("attack", "still_photo"))
    found = read_sequences(tmp_path)
    assert [one.transcript.attack for one in found] == ["", "still_photo"]
    assert found[0].transcript == written.transcript
    assert found[0].digest() == written.digest() != found[1].digest()
    assert [(frame.step, frame.action) for frame in found[0].frames()][::4] == [
        (0, "neutral"),
        (1, "blink"),
        (2, "turn_left"),
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": "other/1"}, "the format is 'other/1'"),
        ({"label": "attack"}, "an attack names its type"),
        ({"frames": []}, "there is no frame"),
        ({"frames": [FrameEntry("000000.jpg", 9, "aa", 0.0)]}, "step 9"),
        ({"frames": [FrameEntry("../x.jpg", 0, "aa", 0.0)]}, "'../x.jpg' is not in the folder"),
        ({"frames": [FrameEntry("000000.jpg", 0, "aa", 1.0), FrameEntry("000001.jpg", 0, "aa", 0.5)]}, "do not rise"),
        ({"steps": [STEPS[0], STEPS[0]]}, "two steps have one index"),
    ],
)
def test_a_wrong_transcript_is_named_with_its_fault(tmp_path: Path, change: dict[str, object], sentence: str) -> None:
    write(tmp_path, transcript())
    wrong = msgspec.structs.replace(transcript(), **change)
    (tmp_path / "transcript.json").write_bytes(msgspec.json.encode(wrong))
    with pytest.raises(DataError, match=r"transcript\.json: .*" + sentence.replace(".", r"\.")):
        read_sequences(tmp_path)


def test_a_sequence_that_would_not_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names its type"):
        write(tmp_path, transcript("attack"))
    assert not holds_sequences(tmp_path)


def test_frames_of_another_nonce_time_or_order_break_the_transcript() -> None:
    good = transcript()
    assert transcript_holds(good)
    frames = good.frames
    for k, change in (
        (0, {"nonce": "bb"}),
        (1, {"received_at": 0.05, "step": 1}),
        (5, {"received_at": 7.0}),
        (11, {"step": 0, "nonce": "aa", "received_at": 1.9}),
    ):
        changed = [*frames[:k], msgspec.structs.replace(frames[k], **change), *frames[k + 1 :]]
        assert not transcript_holds(msgspec.structs.replace(good, frames=changed))
    skipped = [frame for frame in frames if frame.step != 1]
    assert not transcript_holds(msgspec.structs.replace(good, frames=skipped))


def test_rates_are_by_type_and_without_those_that_gave_no_response(tmp_path: Path) -> None:
    plan = {
        "genuine-1": ("genuine", "", True, []),
        "genuine-2": ("genuine", "", True, ["challenge"]),
        "genuine-3": ("genuine", "", False, []),
        "still-1": ("attack", "still", True, ["challenge", "depth"]),
        "still-2": ("attack", "still", True, ["challenge"]),
        "bent-1": ("attack", "bent", True, []),
        "bent-2": ("attack", "bent", True, ["depth"]),
        "bent-3": ("attack", "bent", False, []),
    }
    for name, (label, attack, _, _) in plan.items():
        write(tmp_path / "data" / name, transcript(label, attack, person=name[-1]), jpeg=name.encode())
    asked: list[str] = []

    def judge(recorded: Recorded) -> Judged:
        asked.append(recorded.folder.name)
        _, _, usable, layers = plan[recorded.folder.name]
        return Judged(recorded.digest(), usable, "usable" if usable else "no_face", list(layers), 0.5)

    def run() -> None:
        sequences = read_sequences(tmp_path / "data")
        found = evaluate_presentations(
            "data", sequences, tmp_path, command="c", version="v", clock=lambda: 0.0, judge=judge
        )
        assert (found.bpcer.errors, found.bpcer.trials) == (1, 2)
        assert (found.no_response.errors, found.no_response.trials) == (1, 3)
        assert found.refused_by == {"challenge": 1, "no_face": 1}
        bent, still = found.attacks
        assert (bent.name, bent.apcer.errors, bent.apcer.trials, bent.no_response.errors) == ("bent", 1, 2, 1)
        assert (still.name, still.apcer.errors, still.apcer.trials) == ("still", 0, 2)
        assert still.stopped_by == {"challenge": 2, "depth": 1}
        assert still.people == 2

    run()
    assert len(asked) == len(plan)
    lines = tmp_path / "judged-handed-in.jsonl"
    lines.write_bytes(lines.read_bytes()[:-10])  # a crash cut the last line off
    run()
    assert len(asked) == len(plan) + 1


def test_the_engine_stops_a_still_photo(tmp_path: Path, portrait_photo: Image, engine: FaceModels) -> None:
    selfie = cv2.resize(portrait_photo[30:270, 65:385], (640, 480), interpolation=cv2.INTER_CUBIC)
    jpeg = cv2.imencode(".jpg", selfie)[1].tobytes()
    judged = EngineJudge(engine)(write(tmp_path, transcript("attack", "still_photo"), jpeg))
    assert judged.usable
    assert {CHALLENGE, DEPTH} <= set(judged.stopped_by)
    assert not judged.passed


@pytest.mark.parametrize(
    ("parts", "holds"),
    [
        ({"turned": 0.9, "frontal": 0.9}, True),  # another person: continuity alone refuses
        ({"turned": 0.9, "frontal": 0.9, "solidity": 0.9}, True),  # and depth alone
        ({"turned": 0.9, "borders": 0.9, "blur": 0.5}, False),  # a screen beside it
    ],
)
def test_what_one_layer_alone_refuses_counts_as_no_second_one(parts: dict[str, float], holds: bool) -> None:
    found = live(
        depth=depth(False),
        continuity=replace(continuity(False), faults=("turned", "frontal")),
        doubt=Doubt(parts, sum(parts.values()), 1.25, passed=False),
    )
    layers = measured_layers(found)
    assert (layers[DEPTH], layers[CONTINUITY], layers[DOUBT]) == (False, False, holds)
