"""Questions to a worker process and its answers: a struct for each, so that both ends agree.

Each question names its answer. Bytes of pictures, templates and videos are a message's payload, and pixels are in
shared memory. Importing this module loads neither numpy nor OpenCV.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar, get_args

import msgspec

from .liveness import Glance
from .measurement import Comparison, Measurement, Quality


class Pixels(NamedTuple):
    """Where an image is in a slot: its shape, and the byte at which it begins."""

    height: int
    width: int
    offset: int

    @property
    def end(self) -> int:
        """The first byte after it."""
        return self.offset + 3 * self.height * self.width


class FrameOrigin(NamedTuple):
    """A frame's step and action, and when it came (seconds)."""

    step: int
    action: str
    at: float


class Answer(msgspec.Struct, frozen=True, tag=True):
    """The base class of answers."""


R = TypeVar("R", bound=Answer)


class Question(msgspec.Struct, Generic[R], frozen=True, tag=True):
    """The base class of questions; ``R`` is the answer's type."""


class ReadyAnswer(Answer, frozen=True):
    """A process has started, and answers."""


class DoneAnswer(Answer, frozen=True):
    """The work is done, and there is no result."""


class RefusalAnswer(Answer, frozen=True):
    """An image is unfit: the kind and message of a ``MediaError``."""

    kind: str
    message: str


class FailureAnswer(Answer, frozen=True):
    """A fault of ours: the error's name, without anything that was sent."""

    error: str


# -- decode


class FramesAnswer(Answer, frozen=True):
    """``places``: None for an input that is not a picture. ``seconds``: CPU time."""

    places: list[Pixels | None]
    seconds: float


class FramesQuestion(Question[FramesAnswer], frozen=True):
    """Decode JPEGs into a slot, from ``offset`` on. ``strict``: an input that is not a picture is refused."""

    slot: int
    lengths: list[int]
    strict: bool = False
    offset: int = 0


class PhotoAnswer(Answer, frozen=True):
    """``scale``: of the pixels in the slot. ``width``, ``height``: of the photo, upright."""

    place: Pixels
    scale: float
    width: int
    height: int
    format: str


class PhotoQuestion(Question[PhotoAnswer], frozen=True):
    slot: int


# -- hint


class LookAnswer(Answer, frozen=True):
    """Its payload is the measurement from ``frames.written``."""

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
    """``unread``: one of the measurements is invalid; then nothing was added."""

    unread: bool


class AddQuestion(Question[AddedAnswer], frozen=True):
    """Frames in order: for each its place in the slot, or its measurement, of length 0 if there is none."""

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
    """The reference could not be decoded."""


class ConclusionAnswer(Answer, frozen=True):
    """``wanted``: indices of frames whose pictures are needed first; otherwise the measurement, with the templates of
    the compared frames as payload."""

    wanted: list[int] = []
    measurement: Measurement | None = None
    lengths: list[int] = []


class ConclusionQuestion(Question[ConclusionAnswer], frozen=True):
    pass


class PicturesQuestion(Question[ConclusionAnswer], frozen=True):
    """The requested pictures; None for a frame that is not a picture."""

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
    """Its answer's payload is an MP4."""


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
    """A question as it is sent. ``low``: at low priority."""

    question: AnyQuestion
    low: bool = False


def write_question(question: Question[R], *, low: bool) -> bytes:
    """Encode a question as ``SentQuestion``."""
    return msgspec.json.encode({"question": question, "low": low})


def write_answer(answer: Answer) -> bytes:
    return msgspec.json.encode(answer)


def read_question(content: bytes | bytearray) -> SentQuestion:
    return _ASKED.decode(content)


def read_answer(content: bytes, kind: type[R]) -> R | RefusalAnswer | FailureAnswer:
    """Decode an answer. Raises ``msgspec.MsgspecError`` for anything else."""
    found: R | RefusalAnswer | FailureAnswer = _decoder(kind).decode(content)
    return found


def answer_to(question: Question[R]) -> type[R]:
    """Return the answer's type of a question."""
    kind: type[R] = get_args(type(question).__orig_bases__[0])[0]  # type: ignore[attr-defined]
    return kind


_ASKED = msgspec.json.Decoder(SentQuestion)


@cache
def _decoder(kind: type[Answer]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | RefusalAnswer | FailureAnswer)
