"""GetFaceIdResult: the outcome of a verification, for three days from its token's creation."""

from __future__ import annotations

import msgspec
import pybase64

from renzheng.actions.common import ENCRYPTION_FIELDS, Encryption, refuse
from renzheng.actions.errors import BizTokenExpiredError, BizTokenIllegalError
from renzheng.actions.ports import BillingStatuses, Parts
from renzheng.gateway.contract import Caller
from renzheng.gateway.errors import InvalidParameterError
from renzheng.gateway.manifest import Manifest, Message, Parameter
from renzheng.verification.decision import EXPIRED, UNFINISHED
from renzheng.verification.records import SessionOutcome, StoredVerdict, Tombstone
from renzheng.verification.session import RESULT_SECONDS, Session, State

RISKY_OPERATION, MEDIUM_RISK = "04", "3"
"""DeviceInfoTag and DeviceInfoLevel if another device tried than the one that the token is bound to."""


class Request(Message, forbid_unknown_fields=True, frozen=True, rename="pascal"):
    face_id_token: str
    is_need_video: bool | None = None
    is_need_best_frame: bool | None = None
    is_encrypt_response: bool | None = None
    encryption: Encryption | None = None

    def check(self) -> None:
        """Refuse a request for a sealed reply without a key. Raises InvalidParameterError."""
        sent = self.encryption
        if sent is not None and sent.ciphertext_blob:
            return
        if self.is_encrypt_response or (sent is not None and sent.algorithm):
            raise InvalidParameterError(
                "a sealed reply without CiphertextBlob",
                why=(
                    "A sealed result was asked for without a key to seal it with: send Encryption.CiphertextBlob.",
                    "要求加密返回结果，但没有提供密钥：请传 Encryption.CiphertextBlob。",
                ),
            )


class Reply(msgspec.Struct, rename="pascal"):
    """The fields in the order of the documentation. None becomes null."""

    id_card: str
    name: str
    result: str
    description: str
    similarity: float
    video_base64: str | None = msgspec.field(default=None, name="VideoBase64")
    best_frame_base64: str | None = msgspec.field(default=None, name="BestFrameBase64")
    extra: str | None = None
    device_info_tag: str | None = None
    risk_info_tag: str | None = None
    liveness_info_tag: str | None = None
    device_info_level: str | None = None
    encryption: Encryption | None = None
    encrypted_body: str | None = None


class GetFaceIdResult:
    def __init__(self, parts: Parts) -> None:
        self._sessions = parts.sessions
        self._accounts: BillingStatuses = parts.accounts
        self._shelf = parts.shelf
        self._deliveries = parts.deliveries
        self._calls = parts.calls
        self._delivery_seconds = parts.delivery_seconds

    async def __call__(self, caller: Caller, request: Request) -> Reply:
        if (why := self._accounts.standing(caller.account_id).to_fetch) is not None:
            refuse(why)
        found = await self._find_outcome(caller, request.face_id_token)
        if found is None:
            raise BizTokenIllegalError
        if isinstance(found, Tombstone):
            raise BizTokenExpiredError
        if found.verdict is not None:  # a waiting merchant asks many times
            self._calls.note(found.session.id, caller.now, MANIFEST.name, caller.secret_id, caller.request_id)
        return await self._answer(found, request, caller.now)

    async def would_answer(self, found: SessionOutcome, now: float) -> Reply:
        """Return what the account would get at `now` if it asked for everything, for an operator. Raises ApiError as
        for it."""
        if (why := self._accounts.standing(found.session.account_id).to_fetch) is not None:
            refuse(why)
        return await self._answer(found, Request(face_id_token="", is_need_video=True, is_need_best_frame=True), now)

    async def _find_outcome(self, caller: Caller, token: str) -> SessionOutcome | Tombstone | None:
        """Return what the store knows. A token that died after a judged attempt has that attempt's verdict."""
        found = await self._sessions.result(caller.account_id, token)
        if isinstance(found, SessionOutcome) and found.session.lapsed(caller.now):
            await self._sessions.lapse(caller.now, 1, found.session.id)
            found = await self._sessions.result(caller.account_id, token)
        return found

    async def _answer(self, found: SessionOutcome, request: Request, now: float) -> Reply:
        session, verdict = found.session, found.verdict
        if now >= session.created_at + RESULT_SECONDS:
            raise BizTokenExpiredError
        if verdict is None:
            result = UNFINISHED if session.alive(now) or session.state is State.JUDGING else EXPIRED
            reply = _reply(session, result.code, result.description, 0.0)
        else:
            reply = _reply(session, verdict.result, verdict.description, verdict.similarity)
            reply.liveness_info_tag = ",".join(verdict.tags) or None
            if session.to_bucket:
                await self._add_addresses(reply, session, request)
            else:
                await self._add_evidence(reply, session, verdict, request)
        return reply

    async def _add_evidence(self, reply: Reply, session: Session, verdict: StoredVerdict, request: Request) -> None:
        if request.is_need_best_frame and verdict.best_frame is not None:
            frame = await self._shelf.best_frame(session.id, verdict.attempt, verdict.best_frame)
            reply.best_frame_base64 = _base64(frame)
        if request.is_need_video:
            reply.video_base64 = _base64(await self._shelf.video(session.id, verdict.attempt))

    async def _add_addresses(self, reply: Reply, session: Session, request: Request) -> None:
        """Put addresses in the account's bucket into the fields; null while the objects are not there, and never
        Base64."""
        if not (request.is_need_video or request.is_need_best_frame):
            return
        found = await self._deliveries.addresses(session.account_id, session.id, self._delivery_seconds)
        if request.is_need_best_frame:
            reply.best_frame_base64 = found.best_frame
        if request.is_need_video:
            reply.video_base64 = found.video


def _reply(session: Session, code: str, description: str, similarity: float) -> Reply:
    details = session.details
    reply = Reply(details.id_card, details.name, code, description, similarity, extra=details.extra, risk_info_tag="")
    if session.device_mismatch:
        reply.device_info_tag, reply.device_info_level = RISKY_OPERATION, MEDIUM_RISK
    return reply


def _base64(data: bytes | None) -> str | None:
    return None if data is None else pybase64.b64encode(data).decode()


MANIFEST = Manifest(
    name="GetFaceIdResult",
    request=Request,
    reply=Reply,
    make=GetFaceIdResult,
    text=(
        "凭 Token 查询核身结果，三天内可以反复查询。",
        "Fetches the outcome of a token’s verification, as often as you like for three days.",
    ),
    parameters={
        "FaceIdToken": Parameter(
            "GetFaceIdToken 返回的 Token。",
            "The token that GetFaceIdToken gave.",
        ),
        "IsNeedVideo": Parameter(
            "是否返回核身视频（VideoBase64）。首次查询需要一两秒。",
            "Whether to return the video as VideoBase64. The first time takes a second or two.",
        ),
        "IsNeedBestFrame": Parameter(
            "是否返回最佳帧（BestFrameBase64）。",
            "Whether to return the best frame as BestFrameBase64.",
        ),
        "IsEncryptResponse": Parameter(
            "是否把整个结果加密返回；为 true 时 Encryption 必填。",
            "Whether to encrypt the whole reply; true needs Encryption.",
        ),
        "Encryption": Parameter(
            "传入您的密钥，结果中的姓名和身份证号将加密返回。",
            "Your key: name and ID number come back encrypted with it.",
        ),
        **ENCRYPTION_FIELDS,
    },
    errors=(BizTokenIllegalError, BizTokenExpiredError),
    order=2,
    sealed_reply=frozenset({"IdCard", "Name"}),
)
