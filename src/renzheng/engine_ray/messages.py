"""The questions to a replica and their answers, as one byte string each: a struct as JSON, followed by raw bytes.

Only such bytes are sent as arguments and results, sealed (``seal``). Importing this module loads no model and no Ray.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any, TypeVar

import msgspec

from renzheng.engine.measurement import Comparison, Measurement, PhotoReport
from renzheng.engine.messages import (
    Answer,
    FailureAnswer,
    FrameOrigin,
    Question,
    RefusalAnswer,
)

R = TypeVar("R", bound=Answer)
HEAD = struct.Struct(">I")
OTHER_ENGINE = (
    "the cluster has another version of renzheng, other models or other bounds of pictures: run renzheng engine deploy"
)
"""The reason of a replica that answers nothing because its engine is another."""


class PresentAnswer(Answer, frozen=True):
    """Its payload is the templates."""

    measurement: Measurement
    lengths: list[int]


class PresentQuestion(Question[PresentAnswer], frozen=True):
    """Its payload is, for each frame, its JPEG and its live measurement (length 0 without one), then the reference, if
    there is one."""

    frames: list[FrameOrigin]
    lengths: list[int]
    has_reference: bool


class CompareAnswer(Answer, frozen=True):
    comparison: Comparison


class CompareQuestion(Question[CompareAnswer], frozen=True):
    """Its payload is the templates, then the reference."""

    lengths: list[int]


class ExamineAnswer(Answer, frozen=True):
    report: PhotoReport


class ExamineQuestion(Question[ExamineAnswer], frozen=True):
    """Its payload is the photo."""


class BusyAnswer(Answer, frozen=True):
    """Nothing was begun: there was no room or no replica. ``why``: a sentence."""

    why: str


class UnusableAnswer(Answer, frozen=True):
    """A starting courier's answer: the cluster cannot be used as it is set up. ``why``: a sentence."""

    why: str


Asked = PresentQuestion | CompareQuestion | ExamineQuestion


def pack(message: Answer | Question[R], payload: bytes = b"") -> bytes:
    head = msgspec.json.encode(message)
    return b"".join((HEAD.pack(len(head)), head, payload))


def read_question(content: bytes) -> tuple[Asked, bytes]:
    """Decode a question. Raises ``msgspec.MsgspecError`` for anything else."""
    head, payload = _parts(content)
    return _ASKED.decode(head), payload


def read_answer(content: bytes, kind: type[R]) -> tuple[R | RefusalAnswer | FailureAnswer | BusyAnswer, bytes]:
    """Decode an answer. Raises ``msgspec.MsgspecError`` for anything else."""
    head, payload = _parts(content)
    found: R | RefusalAnswer | FailureAnswer | BusyAnswer = _decoder(kind).decode(head)
    return found, payload


def _parts(content: bytes) -> tuple[bytes, bytes]:
    if len(content) < HEAD.size:
        raise msgspec.DecodeError("a message without a head")
    end = HEAD.size + int(HEAD.unpack_from(content)[0])
    return content[HEAD.size : end], content[end:]


@cache
def _decoder(kind: type[Answer]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind | RefusalAnswer | FailureAnswer | BusyAnswer)


_ASKED = msgspec.json.Decoder(Asked)
