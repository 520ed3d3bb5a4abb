"""What a replica is asked, and what it answers, as one byte string each: a struct as JSON, and raw bytes behind it.

Only such bytes travel as arguments and results, sealed (``seal``). Importing this module loads no model and no Ray.
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
"""Why a replica answers nothing."""


class PresentAnswer(Answer, frozen=True):
    """The payload is the templates."""

    measurement: Measurement
    lengths: list[int]


class PresentQuestion(Question[PresentAnswer], frozen=True):
    """The payload is of each frame its JPEG and what was measured of it (length 0 where nothing was), and at the end
    the reference, where there is one."""

    frames: list[FrameOrigin]
    lengths: list[int]
    has_reference: bool


class CompareAnswer(Answer, frozen=True):
    comparison: Comparison


class CompareQuestion(Question[CompareAnswer], frozen=True):
    """The payload is the templates, and the reference at the end."""

    lengths: list[int]


class ExamineAnswer(Answer, frozen=True):
    report: PhotoReport


class ExamineQuestion(Question[ExamineAnswer], frozen=True):
    """The payload is the photo."""


class BusyAnswer(Answer, frozen=True):
    """Nothing was begun: no room, or nobody there. ``why``: a sentence."""

    why: str


class UnusableAnswer(Answer, frozen=True):
    """Of a courier that starts: the cluster cannot be used as it is set up. ``why``: a sentence."""

    why: str


Asked = PresentQuestion | CompareQuestion | ExamineQuestion


def pack(message: Answer | Question[R], payload: bytes = b"") -> bytes:
    head = msgspec.json.encode(message)
    return b"".join((HEAD.pack(len(head)), head, payload))


def read_question(content: bytes) -> tuple[Asked, bytes]:
    """Raises ``msgspec.MsgspecError`` for anything else."""
    head, payload = _parts(content)
    return _ASKED.decode(head), payload


def read_answer(content: bytes, kind: type[R]) -> tuple[R | RefusalAnswer | FailureAnswer | BusyAnswer, bytes]:
    """Raises ``msgspec.MsgspecError`` for anything else."""
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
