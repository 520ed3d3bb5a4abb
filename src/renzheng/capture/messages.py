"""The capture protocol's messages and close codes: `docs/capture-protocol.md` in code."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Literal

import msgspec

PROTOCOL = 1
FRAME_VERSION = 1
FRAME_HEAD = 1 + 16 + 4


class Close(enum.IntEnum):
    """Close codes, each with its sentence."""

    sentence: str

    def __new__(cls, code: int, sentence: str) -> Close:
        member = int.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    DONE = 1000, "finished"
    RESTART = 1012, "the server restarts; connect again"
    MALFORMED = 4400, "a message that is not of this protocol"
    UNKNOWN_TOKEN = 4401, "the token is unknown"
    ORIGIN = 4403, "this Origin is not allowed"
    PROTOCOL = 4406, "this version of the protocol is not spoken here"
    SILENT = 4408, "nothing was heard for too long"
    OTHER_DEVICE = 4409, "another device holds this verification"
    EXPIRED = 4410, "the token has expired"
    USED = 4411, "the token was used"
    TAKEN_OVER = 4412, "another device has taken over"
    TOO_LARGE = 4413, "a frame with more bytes or pixels than allowed"
    BOUND = 4414, "the token is bound to another device"
    UNKNOWN_NONCE = 4422, "a frame with a nonce that was never given out"
    FLOOD = 4429, "too many messages a second"
    FULL = 4503, "no room for another capture; try again in a few seconds"
    NO_TIME = 4504, "so many people wait that the token would expire; ask for another one later"


class ClosingError(Exception):
    """Ends a socket with a close code. `detail` helps the developer of a device, and contains no personal data."""

    def __init__(self, code: Close, detail: str = "") -> None:
        super().__init__(detail or code.sentence)
        self.code = code


class Hello(msgspec.Struct, tag_field="type", tag="hello", frozen=True):
    protocol: int
    token: str
    device: str | None = None
    handover: str | None = None
    language: str | None = None
    embedder: str | None = None


class Identity(msgspec.Struct, tag_field="type", tag="identity", frozen=True):
    signature: str


class Start(msgspec.Struct, tag_field="type", tag="start", frozen=True):
    pass


class Pong(msgspec.Struct, tag_field="type", tag="pong", frozen=True):
    id: str


class Handover(msgspec.Struct, tag_field="type", tag="handover", frozen=True):
    pass


class Cancel(msgspec.Struct, tag_field="type", tag="cancel", frozen=True):
    """The person cancels. `reason`: "light" if they do not want the flashing colours; used in the funnel alone."""

    reason: Literal["light"] | None = None


class Note(msgspec.Struct, tag_field="type", tag="note", frozen=True):
    """Tells what became of the camera; used in the funnel alone."""

    camera: Literal["granted", "refused", "policy", "none", "busy", "silent", "dark", "blank", "lost"]


class Restart(msgspec.Struct, tag_field="type", tag="restart", frozen=True):
    """This attempt cannot go on, through no fault of the person."""

    reason: Literal["turned", "camera"]


class Ease(msgspec.Struct, tag_field="type", tag="ease", frozen=True):
    """The person needs more time or another action."""


Message = Note | Hello | Identity | Start | Pong | Handover | Cancel | Restart | Ease
_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_encoder = msgspec.json.Encoder()
_GIVEN_VALUE = re.compile(r"value .* - at ", re.DOTALL)


@dataclass(frozen=True, slots=True)
class FrameMessage:
    """`nonce`: 16 bytes. `sequence`: 0 to 2**32 - 1. `jpeg`: begins with the JPEG marker, otherwise unchecked."""

    nonce: bytes
    sequence: int
    jpeg: bytes


def read_text(text: str, most: int = 16 * 1024) -> Message:
    """Decode a device's text message. Raises ClosingError(MALFORMED), which names the wrong field."""
    if len(text) > most:
        raise ClosingError(Close.MALFORMED, f"a text message of more than {most} characters")
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        # Without what was sent, as the sentence goes into the log.
        reason = _GIVEN_VALUE.sub("value at ", str(error))
        raise ClosingError(Close.MALFORMED, f"not a message of this protocol: {reason}") from None


def read_frame(data: bytes, most: int) -> FrameMessage:
    """Decode a device's binary message. Raises ClosingError(MALFORMED or TOO_LARGE)."""
    if len(data) < FRAME_HEAD + 4 or data[0] != FRAME_VERSION:
        raise ClosingError(Close.MALFORMED, "a frame begins with 0x01, 16 bytes of nonce and 4 bytes of sequence")
    if len(data) - FRAME_HEAD > most:
        raise ClosingError(Close.TOO_LARGE, f"a frame of {len(data) - FRAME_HEAD} bytes; at most {most} are allowed")
    jpeg = data[FRAME_HEAD:]
    if jpeg[:2] != b"\xff\xd8":
        raise ClosingError(Close.MALFORMED, "a frame that is not a JPEG")
    return FrameMessage(data[1:17], int.from_bytes(data[17:21], "big"), jpeg)


def write(kind: str, **fields: object) -> str:
    """Encode a server's text message."""
    return _encoder.encode({"type": kind, **fields}).decode()
