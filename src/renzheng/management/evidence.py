"""A verification's frames and video, for people who may see faces and give a reason. The audit keeps both."""

from __future__ import annotations

import msgspec
import pybase64

from renzheng.gateway.errors import InvalidParameterValueError
from renzheng.gateway.manifest import Parameter
from renzheng.management.desk import REVIEWERS, WORKERS, Desk, Request
from renzheng.management.texts import action
from renzheng.operations import sessions
from renzheng.verification.session import State

MAX_FRAMES, MIN_REASON, MAX_REASON = 24, 4, 200


class ReasonedRequest(Request, frozen=True, kw_only=True):
    verification_id: str
    reason: str

    def check(self) -> None:
        reason = self.reason.strip()
        if not MIN_REASON <= len(reason) <= MAX_REASON or not reason.isprintable():
            raise InvalidParameterValueError(name="Reason", value=self.reason[:MAX_REASON])


class EvidenceRequest(ReasonedRequest, frozen=True, kw_only=True):
    attempt: int | None = None
    limit: int | None = None

    def check(self) -> None:
        ReasonedRequest.check(self)
        if self.limit is not None and not 1 <= self.limit <= MAX_FRAMES:
            raise InvalidParameterValueError(name="Limit", value=self.limit)


class FrameView(msgspec.Struct, rename="pascal", frozen=True):
    """`received_at`: unix seconds. `image`: a JPEG."""

    sequence: int
    step: int
    received_at: float
    image: str = msgspec.field(name="ImageBase64")


class EvidenceReply(msgspec.Struct, rename="pascal"):
    """`total_count`: frames of the attempt. `frames`: as many as were asked for, spread evenly over the attempt."""

    attempt: int
    total_count: int
    frames: list[FrameView]


async def describe(desk: Desk, request: EvidenceRequest) -> EvidenceReply:
    session = (await sessions.find(desk.store, request.verification_id)).session
    await desk.store.audit.record("frames seen", f"session {session.id}: {request.reason.strip()}")
    attempt = session.attempt if request.attempt is None else request.attempt
    kept = await desk.store.sessions.frames(session.id, attempt)
    most = request.limit or 12
    step = max(1.0, len(kept) / most)
    chosen = [kept[int(number * step)] for number in range(min(most, len(kept)))]
    shown = [
        FrameView(frame.sequence, frame.step, frame.received_at, pybase64.b64encode(jpeg).decode())
        for frame, jpeg in chosen
    ]
    return EvidenceReply(attempt, len(kept), shown)


class VideoReply(msgspec.Struct, rename="pascal"):
    """`video`: an MP4 of the judged attempt; empty if there is none, or none now."""

    attempt: int
    video: str = msgspec.field(name="VideoBase64")


async def describe_video(desk: Desk, request: ReasonedRequest) -> VideoReply:
    outcome = await sessions.find(desk.store, request.verification_id)
    session, verdict = outcome.session, outcome.verdict
    await desk.store.audit.record("video seen", f"session {session.id}: {request.reason.strip()}")
    # The first video is kept as the verification's own, so none is made of an attempt that another may follow.
    is_decided = verdict is not None and session.state in (State.PASSED, State.FAILED)
    attempt = verdict.attempt if verdict else session.attempt
    video = await desk.parts.video(session.id, attempt) if is_decided else None
    return VideoReply(attempt, pybase64.b64encode(video).decode() if video else "")


_NAMED = {
    "VerificationId": Parameter("核身编号，或 FaceIdToken。", "Its number, or the FaceIdToken."),
    "Reason": Parameter("查看原因，4 到 200 个字符。", "Why you look, 4 to 200 characters."),
}
MANIFESTS = (
    action(
        "DescribeEvidence",
        describe,
        EvidenceRequest,
        EvidenceReply,
        WORKERS | REVIEWERS,
        (
            "查看一次核身的若干帧画面，须写明原因；查看人与原因记入审计。",
            "Shows frames of one verification. A reason is required; the audit log keeps it with the person's name.",
        ),
        {
            **_NAMED,
            "Attempt": Parameter("第几次尝试，默认最后一次。", "Which attempt; the last one by default."),
            "Limit": Parameter("返回的帧数，默认 12，最大 24。", "How many frames: 12 by default, at most 24."),
        },
        order=183,
    ),
    action(
        "DescribeEvidenceVideo",
        describe_video,
        ReasonedRequest,
        VideoReply,
        WORKERS | REVIEWERS,
        (
            "查看一次核身的视频，须写明原因；查看人与原因记入审计。首次查看需一两秒生成。",
            "Shows the video of one verification. A reason has to be given; the audit keeps it with who looked.",
        ),
        _NAMED,
        order=187,
    ),
)
