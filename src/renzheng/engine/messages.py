"""What a worker process is asked, and what it answers: a struct for each, so that both ends mean the same by it.

Each question names its answer. Bytes of pictures, templates and videos go beside a message as its payload, and pixels
through shared memory. Importing this module loads neither numpy nor OpenCV.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar, get_args

import msgspec

from .liveness import Glance
from .measurement import Comparison, Measurement, Quality


class Pixels(NamedTuple):
    """Where an image lies in a slot: its pixels, and the byte at which it begins."""

    height: int
    width: int
    offset: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.offset + 3 * self.height * self.width


class FrameOrigin(NamedTuple):
    """Of a frame: the step and action that it was taken for, and when it came (seconds)."""

    step: int
    action: str
    at: float


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What every answer is."""


R = TypeVar("R", bound=Answer)


class Question(msgspec.Struct, Generic[R], frozen=True, tag=True):
    """What every question is; ``R`` is its answer."""


class ReadyAnswer(Answer, frozen=True):
    """A process has started, and answers."""


class DoneAnswer(Answer, frozen=True):
    """There is nothing to tell."""


class RefusalAnswer(Answer, frozen=True):
    """An image is unfit: the kind and message of a ``MediaError``."""

    kind: str
    message: str


class FailureAnswer(Answer, frozen=True):
    """A fault of ours: the error's name, and nothing that was sent."""

    error: str


# -- decode


class FramesAnswer(Answer, frozen=True):
    """``places``: None for what is not a picture; ``seconds``: of CPU time."""

    places: list[Pixels | None]
    seconds: float


class FramesQuestion(Question[FramesAnswer], frozen=True):
    """JPEGs into a slot, from ``offset`` on. ``strict``: one that is not a picture is refused."""

    slot: int
    lengths: list[int]
    strict: bool = False
    offset: int = 0


class PhotoAnswer(Answer, frozen=True):
    """``scale``: of the pixels in the slot; ``width``, ``height``: of the photo, upright."""

    place: Pixels
    scale: float
    width: int
    height: int
    format: str


class PhotoQuestion(Question[PhotoAnswer], frozen=True):
    slot: int


# -- hint


class LookAnswer(Answer, frozen=True):
    """The payload is the measurement as ``frames.written`` gives it."""

    glance: Glance


class LookQuestion(Question[LookAnswer], frozen=True):
    slot: int
    place: Pixels
    action: str


# -- judge


class MakerAnswer(Answer, frozen=True):
    """``maker``: see ``frames.maker``."""

    maker: bytes


class BeginQuestion(Question[MakerAnswer], frozen=True):
    pass


class AddedAnswer(Answer, frozen=True):
    """``unread``: one of the measurements is none; then nothing was added."""

    unread: bool


class AddQuestion(Question[AddedAnswer], frozen=True):
    """Frames in order: of each its place in the slot, or its measurement, of length 0 where there is none."""

    slot: int
    frames: list[FrameOrigin]
    places: list[Pixels | None]
    lengths: list[int]


class ReferenceAnswer(Answer, frozen=True):
    """See ``PhotoReport``."""

    status: str
    faces: int
    quality: Quality | None


class ReferenceQuestion(Question[ReferenceAnswer], frozen=True):
    slot: int
    place: Pixels
    scale: float


class NoReferenceQuestion(Question[DoneAnswer], frozen=True):
    """The reference cannot be decoded."""


class ConclusionAnswer(Answer, frozen=True):
    """``wanted``: indices of frames whose pictures are needed first; else the measurement, with the templates of the
    compared frames as payload."""

    wanted: list[int] = []
    measurement: Measurement | None = None
    lengths: list[int] = []


class ConclusionQuestion(Question[ConclusionAnswer], frozen=True):
    pass


class PicturesQuestion(Question[ConclusionAnswer], frozen=True):
    """What was wanted: None for a frame that is not a picture."""

    slot: int
    places: list[Pixels | None]


class ComparisonAnswer(Answer, frozen=True):
    comparison: Comparison


class ComparisonQuestion(Question[ComparisonAnswer], frozen=True):
    lengths: list[int]


# -- mux


class BeginVideoQuestion(Question[DoneAnswer], frozen=True):
    pass


class AddToVideoQuestion(Question[DoneAnswer], frozen=True):
    """JPEGs, and when each came (seconds)."""

    times: list[float]
    lengths: list[int]


class FinishVideoQuestion(Question[DoneAnswer], frozen=True):
    """The payload of its answer is an MP4."""


AnyQuestion = (
    FramesQuestion
    | PhotoQuestion
    | LookQuestion
    | BeginQuestion
    | AddQuestion
    | ReferenceQuestion
    | NoReferenceQuestion
    | ConclusionQuestion
    | PicturesQuestion
    | ComparisonQuestion
    | BeginVideoQuestion
    | AddToVideoQuestion
    | FinishVideoQuestion
)


class SentQuestion(msgspec.Struct, frozen=True):
    """A question on its way. ``low``: at low priority."""

    question: AnyQuestion
    low: bool = False


def write_question(question: Question[R], *, low: bool) -> bytes:
    """As ``SentQuestion``."""
    return msgspec.json.encode({"question": question, "low": low})


def write_answer(answer: Answer) -> bytes:
    return msgspec.json.encode(answer)


def read_question(content: bytes | bytearray) -> SentQuestion:
    return _ASKED.decode(content)


def read_answer(content: bytes, kind: type[R]) -> R | RefusalAnswer | FailureAnswer:
    """Raises ``msgspec.MsgspecError`` for anything else."""
    found: R | RefusalAnswer | FailureAnswer = _decoder(kind).decode(content)
    return found


def answer_to(question: Question[R]) -> type[R]:
    """The answer that the question's class names."""
    kind: type[R] = get_args(type(question).__orig_bases__[0])[0]  # type: ignore[attr-defined]
    return kind


_ASKED = msgspec.json.Decoder(SentQuestion)


@cache
def _decoder(kind: type[Answer]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | RefusalAnswer | FailureAnswer)
