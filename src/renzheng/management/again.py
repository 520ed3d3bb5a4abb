"""Second looks at a verification: what its merchant would get now, its delivery again, its judging again."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from renzheng.actions.get_face_id_result import Reply as GivenResult
from renzheng.gateway.errors import ApiError
from renzheng.management.desk import EVERYBODY, REVIEWERS, TENANTS, WORKERS, Desk
from renzheng.management.texts import action
from renzheng.management.verifications import ONE, OneRequest, found
from renzheng.operations import deliveries
from renzheng.verification.identity import mask_id_card, mask_name

MAX_CHANGED = 50


class PieceView(msgspec.Struct, rename="pascal", frozen=True):
    """A video or a best frame in a result. `kind`: nothing, content or address. `size`: characters of the content's
    Base64.

    `host`: of the address; the address itself would let the reader see a face.
    """

    kind: str
    size: int = 0
    host: str = ""


class ResultView(msgspec.Struct, rename="pascal", frozen=True):
    """`code`, `message`: of the error that the merchant would get; empty if it would get a result."""

    verification_id: int
    code: str = ""
    message: str = ""
    result: str = ""
    description: str = ""
    similarity: float = 0.0
    id_card: str = ""
    name: str = ""
    liveness_info_tag: str | None = None
    device_info_tag: str | None = None
    device_info_level: str | None = None
    video: PieceView = PieceView("nothing")
    best_frame: PieceView = PieceView("nothing")


class ResultReply(msgspec.Struct, rename="pascal"):
    given: ResultView


async def result(desk: Desk, request: OneRequest) -> ResultReply:
    session = (await found(desk, request)).session
    await desk.store.audit.record("result shown", f"session {session.id}")
    try:
        given = await desk.parts.answer(session.id, desk.now)
    except ApiError as refused:
        return ResultReply(ResultView(session.id, refused.code, refused.message(desk.language)))
    return ResultReply(_view(session.id, given, session.to_bucket))


def _view(number: int, given: GivenResult, to_bucket: bool) -> ResultView:
    return ResultView(
        verification_id=number,
        result=given.result,
        description=given.description,
        similarity=given.similarity,
        id_card=mask_id_card(given.id_card),
        name=mask_name(given.name),
        liveness_info_tag=given.liveness_info_tag,
        device_info_tag=given.device_info_tag,
        device_info_level=given.device_info_level,
        video=_piece(given.video_base64, to_bucket),
        best_frame=_piece(given.best_frame_base64, to_bucket),
    )


def _piece(text: str | None, is_address: bool) -> PieceView:
    if not text:
        return PieceView("nothing")
    return PieceView("address", host=urlsplit(text).netloc) if is_address else PieceView("content", size=len(text))


class DeliveryReply(msgspec.Struct, rename="pascal"):
    """`state`: of the delivery now. `due_at`: when it is tried, in unix seconds."""

    verification_id: int
    state: str
    due_at: float


async def deliver(desk: Desk, request: OneRequest) -> DeliveryReply:
    due = await deliveries.deliver_again(desk.store, (await found(desk, request)).session, desk.now)
    return DeliveryReply(due.session_id, due.state.value, due.due_at)


class RejudgementView(msgspec.Struct, rename="pascal", frozen=True):
    """`before`: the Result that was recorded. `now`: what it would be now. `changed`: names of values that differ now,
    the first 50. `other_scale`: the recorded similarity uses another scale, so the two cannot be compared."""

    verification_id: int
    before: str
    now: str
    stands: bool
    changed: list[str]
    other_scale: bool


class RejudgementReply(msgspec.Struct, rename="pascal"):
    rejudgement: RejudgementView


async def rejudge(desk: Desk, request: OneRequest) -> RejudgementReply:
    number = (await found(desk, request)).session.id
    made = await desk.parts.rejudge(desk.store, number)
    return RejudgementReply(
        RejudgementView(number, made.before, made.now, made.stands, made.changed[:MAX_CHANGED], made.other_scale)
    )


MANIFESTS = (
    action(
        "DescribeResult",
        result,
        OneRequest,
        ResultReply,
        EVERYBODY,
        (
            "查看商户此刻查询该核身会得到什么，号码和姓名已脱敏，不含画面；此操作记入审计。",
            "Shows what the merchant would get now, masked and without pictures. The audit log notes it.",
        ),
        ONE,
        order=184,
    ),
    action(
        "DeliverVerification",
        deliver,
        OneRequest,
        DeliveryReply,
        TENANTS,
        (
            "使用 UseCos 的核身：把视频和最佳帧再次投递到客户的存储桶。",
            "Delivers video and best frame of a token with UseCos to the customer’s bucket again.",
        ),
        ONE,
        order=185,
    ),
    action(
        "RejudgeVerification",
        rejudge,
        OneRequest,
        RejudgementReply,
        WORKERS | REVIEWERS,
        (
            "用保存的画面重新判定，说明原结论是否仍然成立；不改变任何结果，需数秒。",
            "Judges the stored frames again and says whether the verdict stands. Changes nothing; takes a few seconds.",
        ),
        ONE,
        order=186,
    ),
)
