"""Evidence -> verdict. The only place that chooses a `Result`.

`RULES` is read from the top; the first row whose condition is true gives the result. Liveness comes before identity, so
that nobody learns from a photo who is enrolled.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from renzheng.verification.session import EndReason


class Result(NamedTuple):
    """A business result of Tencent's App SDK list: its code, its text, and whether it is billed."""

    code: str
    description: str
    billed: bool


PASSED = Result("0", "成功", True)
EXPIRED = Result("15", "token 过期", False)
UNFINISHED = Result("17", "本次流程未完成", False)
ENGINE_LOST = Result("1001", "引擎超时，请稍后重试", False)
NO_USABLE_FRAME = Result("1004", "人脸检测失败，无法提取比对照", False)
NOT_LIVE = Result("1005", "人脸验证失败", False)
POOR_LIGHT = Result("1202", "光线不佳，建议在光源充足的室内环境验证", False)
NOT_ENROLLED = Result("2005", "未查询到身份信息", False)
WRONG_NAME = Result("2006", "姓名和身份证号不匹配，请核实身份后重试", True)
NO_PHOTO = Result("2007", "未查询到照片信息", True)
POOR_REFERENCE = Result("2009", "查询到照片分辨率过低", False)
SEVERAL_FACES = Result("2012", "检测到多张人脸", True)
CUT_FACE = Result("2013", "脸部未完整露出", True)
TOO_FEW_PIXELS = Result("2014", "视频像素太低", True)
NOT_COMPARED = Result("2015", "无法判断为同一人", True)
BELOW_THRESHOLD = Result("2016", "无法判断为同一人", True)
TOO_MANY_TODAY = Result("2018", "操作过于频繁", False)

SEVERAL_FACES_IN_PHOTO = SEVERAL_FACES._replace(billed=False)
CUT_FACE_IN_PHOTO = CUT_FACE._replace(billed=False)
"""A faulty photo is never billed, whenever the fault is found: it says nothing about the person."""

ACTION_NOT_DONE = "02"
"""The LivenessInfoTag value of attempts that ran out before every action was answered."""
NOT_CONTINUOUS = "05"
"""The LivenessInfoTag value of frames that are not a continuous recording of their own attempt."""


class IdentityMatch(enum.StrEnum):
    """What the identity library says about the ID number and name."""

    NOT_ASKED = "not_asked"  # LOCAL, or liveness had failed
    UNKNOWN = "unknown"
    WRONG_NAME = "wrong_name"
    NO_PHOTO = "no_photo"
    FOUND = "found"


class ReferenceFitness(enum.StrEnum):
    """Whether the photo to compare with is usable, and why not."""

    NONE = "none"
    OK = "ok"
    UNDECODABLE = "undecodable"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    CUT = "cut"
    TOO_SMALL = "too_small"
    POOR = "poor"


class FrameFitness(enum.StrEnum):
    """Whether the captured frames are usable, taken together, and why not."""

    USABLE = "usable"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    CUT = "cut"
    TOO_FEW_PIXELS = "too_few_pixels"


class Advice(enum.StrEnum):
    """What the page tells a person who failed: what they could see for themselves, and what is not their fault.

    An attacker with a picture or a mask must not learn which check failed. So all liveness failures after the last
    action share one advice, and whether a person is enrolled has none.
    """

    ACTION = "action"  # an action was not seen in time, as the person saw
    FACE = "face"  # no frame shows a face well
    FACE_CUT = "face_cut"
    ALONE = "alone"  # several faces
    CLOSER = "closer"  # too few pixels
    LIGHT = "light"  # liveness failed: even light, nothing before the face, a still phone
    PHOTO = "photo"  # the photo to compare with cannot be used: the merchant's problem
    LATER = "later"  # the server lost it


_OF_FRAMES = {
    FrameFitness.NO_FACE: Advice.FACE,
    FrameFitness.CUT: Advice.FACE_CUT,
    FrameFitness.SEVERAL_FACES: Advice.ALONE,
    FrameFitness.TOO_FEW_PIXELS: Advice.CLOSER,
}


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything that a verdict depends on. `similarity`: 0 to 100; None if nothing could be compared.

    `network_refuses`: an operator's passive network that may decide has decided against the person. `is_doubted`:
    several measures, none certain alone, together speak against a live person. `answered_light`: whether the face
    answered the shown colours; None if none were shown. `is_unwatched`: the server stood still during the attempt, so a
    liveness failure may be its own fault. `transcript_holds`: each frame came under its step's nonce, in its time and
    in order (`transcript.faults`).
    """

    ending: EndReason
    leases_lost: bool = False
    frames: FrameFitness = FrameFitness.NO_FACE
    challenge_answered: bool = False
    has_depth: bool = False
    is_continuous: bool = False
    enrolment: IdentityMatch = IdentityMatch.NOT_ASKED
    reference: ReferenceFitness = ReferenceFitness.NONE
    similarity: float | None = None
    tags: tuple[str, ...] = ()
    network_refuses: bool = False
    answered_light: bool | None = None
    is_doubted: bool = False
    transcript_holds: bool = False
    is_unwatched: bool = False

    @property
    def is_server_fault(self) -> bool:
        """Whether the server could not do its part, so that nothing is known about the person."""
        lost = self.leases_lost or self.ending is EndReason.SERVER_LOST
        return lost or (self.is_unwatched and self.is_liveness_failure)

    @property
    def is_photo_unusable(self) -> bool:
        """Whether the token's photo was found unusable before the person began."""
        return self.ending is EndReason.PHOTO_UNUSABLE

    @property
    def is_live(self) -> bool:
        return self.is_live_but_for_light and self.answered_light is not False

    @property
    def is_liveness_failure(self) -> bool:
        """Whether everything that failed could be better in another attempt."""
        judged = self.ending is EndReason.COMPLETED and not self.leases_lost
        return judged and not (self.is_live and self.frames is FrameFitness.USABLE)

    @property
    def is_live_but_for_light(self) -> bool:
        completed = self.ending is EndReason.COMPLETED and self.transcript_holds
        if self.network_refuses or self.is_doubted:
            return False
        return completed and self.challenge_answered and self.has_depth and self.is_continuous


@dataclass(frozen=True, slots=True)
class Verdict:
    """`similarity`: 0 to 100; 0 if nothing was compared. `tags`: LivenessInfoTag values, sorted. `advice`: what a
    person who failed can do about it, one of `Advice`, or empty. `may_retry`: only liveness failed."""

    result: Result
    similarity: float
    tags: tuple[str, ...] = ()
    advice: str = ""
    may_retry: bool = False

    @property
    def passed(self) -> bool:
        return self.result is PASSED


Rule = tuple[Callable[[Evidence, float], bool], Result]

RULES: tuple[Rule, ...] = (
    (lambda e, _: e.is_server_fault, ENGINE_LOST),
    (lambda e, _: e.ending is EndReason.TOO_MANY_TODAY, TOO_MANY_TODAY),
    (lambda e, _: e.is_photo_unusable and e.reference is ReferenceFitness.SEVERAL_FACES, SEVERAL_FACES_IN_PHOTO),
    (lambda e, _: e.is_photo_unusable and e.reference is ReferenceFitness.CUT, CUT_FACE_IN_PHOTO),
    (lambda e, _: e.is_photo_unusable, POOR_REFERENCE),
    (lambda e, _: e.frames is FrameFitness.TOO_FEW_PIXELS, TOO_FEW_PIXELS),
    (lambda e, _: e.frames is FrameFitness.SEVERAL_FACES, SEVERAL_FACES),
    (lambda e, _: e.frames is FrameFitness.CUT, CUT_FACE),
    (lambda e, _: e.frames is FrameFitness.NO_FACE, NO_USABLE_FRAME),
    (lambda e, _: not e.is_live_but_for_light, NOT_LIVE),
    (lambda e, _: not e.is_live, POOR_LIGHT),
    (lambda e, _: e.enrolment is IdentityMatch.UNKNOWN, NOT_ENROLLED),
    (lambda e, _: e.enrolment is IdentityMatch.WRONG_NAME, WRONG_NAME),
    (lambda e, _: e.enrolment is IdentityMatch.NO_PHOTO, NO_PHOTO),
    (lambda e, _: e.reference is ReferenceFitness.SEVERAL_FACES, SEVERAL_FACES_IN_PHOTO),
    (lambda e, _: e.reference is ReferenceFitness.CUT, CUT_FACE_IN_PHOTO),
    (lambda e, _: e.reference not in (ReferenceFitness.OK, ReferenceFitness.NONE), POOR_REFERENCE),
    (lambda e, _: e.similarity is None, NOT_COMPARED),
    (lambda e, threshold: e.similarity is not None and e.similarity < threshold, BELOW_THRESHOLD),
)


def decide(evidence: Evidence, threshold: float) -> Verdict:
    """Return the verdict of the first rule that applies; `PASSED` if none does. `threshold`: 60 to 100."""
    result = next((result for holds, result in RULES if holds(evidence, threshold)), PASSED)
    similarity = evidence.similarity if evidence.is_live and evidence.similarity is not None else 0.0
    return Verdict(result, round(similarity, 2), _tags(evidence), _advice(evidence), evidence.is_liveness_failure)


def _advice(evidence: Evidence) -> str:
    """Return what helps the next time; empty if there is nothing that the person could do or should know."""
    if evidence.is_server_fault:
        return Advice.LATER
    if evidence.ending is EndReason.TOO_MANY_TODAY:
        return ""
    if evidence.ending is EndReason.PHOTO_UNUSABLE:
        return Advice.PHOTO
    if evidence.ending is EndReason.ATTEMPTS_USED:
        return Advice.ACTION
    if (of_frames := _OF_FRAMES.get(evidence.frames)) is not None:
        return of_frames
    if not evidence.is_live:
        return Advice.LIGHT
    if evidence.enrolment is IdentityMatch.NO_PHOTO or evidence.reference not in (
        ReferenceFitness.OK,
        ReferenceFitness.NONE,
    ):
        return Advice.PHOTO
    return ""


def _tags(evidence: Evidence) -> tuple[str, ...]:
    """Return why liveness failed; empty if it did not, or if nothing was judged."""
    if evidence.is_server_fault or evidence.ending in (EndReason.TOO_MANY_TODAY, EndReason.PHOTO_UNUSABLE):
        return ()
    if evidence.is_live and evidence.frames is FrameFitness.USABLE:
        return ()
    unfinished = {ACTION_NOT_DONE} if evidence.ending is EndReason.ATTEMPTS_USED else set()
    return tuple(sorted(unfinished.union(evidence.tags)))
