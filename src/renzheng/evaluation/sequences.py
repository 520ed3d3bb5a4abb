"""Recorded presentations on disk: one folder a sequence, with its frames and `transcript.json`.

    genuine-0001/
        transcript.json
        000000.jpg 000001.jpg ...     the frames, JPEG, as the server had them
        photo.jpg                     optional: the photo to compare with

The transcript says what was presented (a live person, or which type of attack), what was asked when, and when
each frame came. Folders may lie in folders; every one that holds a transcript is a sequence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from renzheng.engine.measurement import Frame
from renzheng.evaluation.pairs import DataError

FORMAT = "renzheng-sequence/1"
TRANSCRIPT = "transcript.json"


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instruction as it was shown. `nonce`: hexadecimal. Times in seconds, of any one clock."""

    index: int
    action: str
    nonce: str
    revealed_at: float
    deadline: float


class FrameEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A frame: its file's bare name, the step and nonce that it was sent with, and when it was received."""

    file: str
    step: int
    nonce: str
    received_at: float


class Shot(msgspec.Struct, frozen=True):
    """One frame of a clip that becomes a sequence: its JPEG, and when it arrives, in seconds of the clip."""

    at: float
    jpeg: bytes


class SequenceTranscript(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`label` is the truth; `attack` names the type of an attack, and is empty for a genuine presentation.

    `person` says who was presented; `half` is free for a split of the people; `note` is for people.
    """

    format: str
    label: Literal["genuine", "attack"]
    person: str
    steps: list[Step]
    frames: list[FrameEntry]
    attack: str = ""
    half: str = ""
    photo: str = ""
    note: str = ""


class Recorded(msgspec.Struct, frozen=True):
    """A sequence in its folder. Frames are read when they are asked for."""

    folder: Path
    transcript: SequenceTranscript

    def jpegs(self) -> Iterator[bytes]:
        for frame in self.transcript.frames:
            yield (self.folder / frame.file).read_bytes()

    def frames(self) -> Iterator[Frame]:
        """Yield the frames as the engine measures them."""
        actions = {step.index: step.action for step in self.transcript.steps}
        for entry, jpeg in zip(self.transcript.frames, self.jpegs(), strict=True):
            yield Frame(jpeg, entry.step, actions[entry.step], entry.received_at)

    def photo(self) -> bytes | None:
        return (self.folder / self.transcript.photo).read_bytes() if self.transcript.photo else None

    def digest(self) -> str:
        """Return the SHA-256 over the transcript and every frame."""
        total = hashlib.sha256(msgspec.json.encode(self.transcript))
        for jpeg in self.jpegs():
            total.update(hashlib.sha256(jpeg).digest())
        return total.hexdigest()


def holds_sequences(folder: Path) -> bool:
    return folder.is_dir() and next(folder.rglob(TRANSCRIPT), None) is not None


def read_sequences(folder: Path) -> list[Recorded]:
    """Read every sequence below a folder, by path. Raises DataError, which names the faulty transcript."""
    found = [read_sequence(path.parent) for path in sorted(folder.rglob(TRANSCRIPT))]
    if not found:
        raise DataError(f"{folder} holds no {TRANSCRIPT}")
    return found


def read_sequence(folder: Path) -> Recorded:
    """Read one sequence and check it: format, labels, existing steps, rising times, existing files."""
    path = folder / TRANSCRIPT
    try:
        transcript = msgspec.json.decode(path.read_bytes(), type=SequenceTranscript)
    except (OSError, msgspec.MsgspecError) as error:
        raise DataError(f"{path}: {error}") from error
    if fault := _fault(transcript, folder):
        raise DataError(f"{path}: {fault}")
    return Recorded(folder, transcript)


def _fault(transcript: SequenceTranscript, folder: Path) -> str | None:
    steps = {step.index for step in transcript.steps}
    times = [frame.received_at for frame in transcript.frames]
    files = [frame.file for frame in transcript.frames] + ([transcript.photo] if transcript.photo else [])
    if transcript.format != FORMAT:
        return f"the format is {transcript.format!r}, {FORMAT!r} is expected"
    if (transcript.label == "attack") != bool(transcript.attack):
        return "an attack names its type, a genuine presentation names none"
    if not transcript.frames:
        return "there is no frame"
    if len(steps) != len(transcript.steps):
        return "two steps have one index"
    if unknown := {frame.step for frame in transcript.frames} - steps:
        return f"frames name the step {min(unknown)}, which is not among the steps"
    if any(later < earlier for earlier, later in pairwise(times)):
        return "the times of the frames do not rise"
    for name in files:
        if Path(name).name != name or not (folder / name).is_file():
            return f"the file {name!r} is not in the folder"
    return None


def write_sequence(
    folder: Path, transcript: SequenceTranscript, jpegs: Sequence[bytes], photo: bytes | None = None
) -> Recorded:
    """Write a sequence; the transcript last, so that a folder without one is an unfinished write.

    `jpegs` in the order of `transcript.frames`, whose files they become. Raises DataError for what
    `read_sequence` would refuse.
    """
    if len(jpegs) != len(transcript.frames):
        raise DataError(f"{len(jpegs)} images for {len(transcript.frames)} frames")
    folder.mkdir(parents=True, exist_ok=True)
    for frame, jpeg in zip(transcript.frames, jpegs, strict=True):
        if Path(frame.file).name != frame.file:
            raise DataError(f"a frame's file is a bare name, not {frame.file!r}")
        (folder / frame.file).write_bytes(jpeg)
    if photo is not None:
        (folder / transcript.photo).write_bytes(photo)
    if fault := _fault(transcript, folder):
        raise DataError(f"{folder / TRANSCRIPT}: {fault}")
    unfinished = folder / f".{TRANSCRIPT}"
    unfinished.write_bytes(msgspec.json.format(msgspec.json.encode(transcript), indent=1) + b"\n")
    unfinished.replace(folder / TRANSCRIPT)
    return Recorded(folder, transcript)
