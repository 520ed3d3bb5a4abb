"""Evidence -> verdict. The only place that chooses a `Result`.

`RULES` is read from the top; the first row whose condition holds gives the result. Liveness stands above
identity, so that nobody learns by a photo who is enrolled.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from renzheng.verification.session import Ending


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
POOR_REFERENCE = Result("2009", "查询到照片分辨率过低", True)
SEVERAL_FACES = Result("2012", "检测到多张人脸", True)
CUT_FACE = Result("2013", "脸部未完整露出", True)
TOO_FEW_PIXELS = Result("2014", "视频像素太低", True)
NOT_COMPARED = Result("2015", "无法判断为同一人", True)
BELOW_THRESHOLD = Result("2016", "无法判断为同一人", True)
TOO_MANY_TODAY = Result("2018", "操作过于频繁", False)

ACTION_NOT_DONE = "02"
"""The LivenessInfoTag value of attempts that ran out before every action was answered."""


class Enrolment(enum.StrEnum):
    """What the identity library knows of the ID number and name."""

    NOT_ASKED = "not_asked"  # LOCAL, or liveness failed before
    UNKNOWN = "unknown"
    WRONG_NAME = "wrong_name"
    NO_PHOTO = "no_photo"
    FOUND = "found"


class Reference(enum.StrEnum):
    """What the photo to compare with turned out to be."""

    NONE = "none"
    OK = "ok"
    UNDECODABLE = "undecodable"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    CUT = "cut"
    TOO_SMALL = "too_small"
    POOR = "poor"


class Frames(enum.StrEnum):
    """What the captured frames are fit for, taken together."""

    USABLE = "usable"
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    CUT = "cut"
    TOO_FEW_PIXELS = "too_few_pixels"


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a verdict rests on. `similarity`: 0 to 100, None where no comparison could be made.

    `network_refuses`: an operator's passive network, where one is in use and may decide, decided against the person.
    `answered_light`: whether the face answered the shown colours; None where none were asked for.
    """

    ending: Ending
    leases_lost: bool = False
    frames: Frames = Frames.NO_FACE
    challenge_answered: bool = False
    has_depth: bool = False
    is_continuous: bool = False
    enrolment: Enrolment = Enrolment.NOT_ASKED
    reference: Reference = Reference.NONE
    similarity: float | None = None
    tags: tuple[str, ...] = ()
    network_refuses: bool = False
    answered_light: bool | None = None

    @property
    def is_live(self) -> bool:
        return self.is_live_but_for_light and self.answered_light is not False

    @property
    def is_live_but_for_light(self) -> bool:
        completed = self.ending is Ending.COMPLETED and not self.network_refuses
        return completed and self.challenge_answered and self.has_depth and self.is_continuous


@dataclass(frozen=True, slots=True)
class Verdict:
    """`similarity`: 0 to 100, 0 where nothing was compared. `tags`: LivenessInfoTag values, sorted."""

    result: Result
    similarity: float
    tags: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return self.result is PASSED


Rule = tuple[Callable[[Evidence, float], bool], Result]

RULES: tuple[Rule, ...] = (
    (lambda e, _: e.leases_lost, ENGINE_LOST),
    (lambda e, _: e.ending is Ending.TOO_MANY_TODAY, TOO_MANY_TODAY),
    (lambda e, _: e.frames is Frames.TOO_FEW_PIXELS, TOO_FEW_PIXELS),
    (lambda e, _: e.frames is Frames.SEVERAL_FACES, SEVERAL_FACES),
    (lambda e, _: e.frames is Frames.CUT, CUT_FACE),
    (lambda e, _: e.frames is Frames.NO_FACE, NO_USABLE_FRAME),
    (lambda e, _: not e.is_live_but_for_light, NOT_LIVE),
    (lambda e, _: not e.is_live, POOR_LIGHT),
    (lambda e, _: e.enrolment is Enrolment.UNKNOWN, NOT_ENROLLED),
    (lambda e, _: e.enrolment is Enrolment.WRONG_NAME, WRONG_NAME),
    (lambda e, _: e.enrolment is Enrolment.NO_PHOTO, NO_PHOTO),
    (lambda e, _: e.reference is Reference.SEVERAL_FACES, SEVERAL_FACES),
    (lambda e, _: e.reference is Reference.CUT, CUT_FACE),
    (lambda e, _: e.reference not in (Reference.OK, Reference.NONE), POOR_REFERENCE),
    (lambda e, _: e.similarity is None, NOT_COMPARED),
    (lambda e, threshold: e.similarity is not None and e.similarity < threshold, BELOW_THRESHOLD),
)


def decide(evidence: Evidence, threshold: float) -> Verdict:
    """The verdict by the first rule that holds; `PASSED` where none does. `threshold`: 60 to 100."""
    result = next((result for holds, result in RULES if holds(evidence, threshold)), PASSED)
    similarity = evidence.similarity if evidence.is_live and evidence.similarity is not None else 0.0
    return Verdict(result, round(similarity, 2), _tags(evidence))


def _tags(evidence: Evidence) -> tuple[str, ...]:
    """Why liveness failed; none where it did not, or where nothing was judged."""
    if evidence.leases_lost or evidence.ending is Ending.TOO_MANY_TODAY:
        return ()
    if evidence.is_live and evidence.frames is Frames.USABLE:
        return ()
    unfinished = {ACTION_NOT_DONE} if evidence.ending is Ending.ATTEMPTS_USED else set()
    return tuple(sorted(unfinished.union(evidence.tags)))
