"""GetFaceIdResult: the outcome of a verification, for three days from its token's creation."""

from __future__ import annotations

from typing import Protocol

import msgspec
import pybase64

from renzheng.actions.common import Encryption, Standings, refuse
from renzheng.gateway.contract import Caller
from renzheng.gateway.errors import BizTokenExpired, BizTokenIllegal, InvalidParameter
from renzheng.verification.decision import EXPIRED, UNFINISHED
from renzheng.verification.records import Gone, Outcome
from renzheng.verification.session import RESULT_SECONDS, Session, State

SEALED = frozenset({"IdCard", "Name"})
"""Fields of the reply that are sealed where the caller sent a key."""


RISKY_OPERATION, MEDIUM_RISK = "04", "3"
"""DeviceInfoTag and DeviceInfoLevel where a device tried that is not the one the token is bound to."""


class Request(msgspec.Struct, forbid_unknown_fields=True, frozen=True, rename="pascal"):
    face_id_token: str
    is_need_video: bool | None = None
    is_need_best_frame: bool | None = None
    is_encrypt_response: bool | None = None
    encryption: Encryption | None = None


class Reply(msgspec.Struct, rename="pascal"):
    """In the order of the documentation. None where it says null."""

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


class Sessions(Protocol):
    async def result(self, account_id: int, token: str) -> Outcome | Gone | None: ...


class Shelf(Protocol):
    async def best_frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None: ...
    async def video(self, session_id: int, attempt: int) -> bytes | None: ...


class GetFaceIdResult:
    def __init__(self, sessions: Sessions, accounts: Standings, shelf: Shelf) -> None:
        self._sessions = sessions
        self._accounts = accounts
        self._shelf = shelf

    async def __call__(self, caller: Caller, request: Request) -> Reply:
        _check_key(request)
        if (why := self._accounts.standing(caller.account_id).to_fetch) is not None:
            refuse(why)
        found = await self._sessions.result(caller.account_id, request.face_id_token)
        if found is None:
            raise BizTokenIllegal
        if isinstance(found, Gone):
            raise BizTokenExpired
        return await self._answer(found, request, caller.now)

    async def _answer(self, found: Outcome, request: Request, now: float) -> Reply:
        session, verdict = found.session, found.verdict
        if now >= session.created_at + RESULT_SECONDS:
            raise BizTokenExpired
        if verdict is None:
            result = UNFINISHED if session.alive(now) or session.state is State.JUDGING else EXPIRED
            reply = _reply(session, result.code, result.description, 0.0)
        else:
            reply = _reply(session, verdict.result, verdict.description, verdict.similarity)
            reply.liveness_info_tag = ",".join(verdict.tags) or None
            if request.is_need_best_frame and verdict.best_frame is not None:
                frame = await self._shelf.best_frame(session.id, verdict.attempt, verdict.best_frame)
                reply.best_frame_base64 = _base64(frame)
            if request.is_need_video:
                reply.video_base64 = _base64(await self._shelf.video(session.id, verdict.attempt))
        return reply


def _check_key(request: Request) -> None:
    """Who asks for a sealed reply and sends no key must not get a plain one. InvalidParameter."""
    sent = request.encryption
    if sent is not None and sent.ciphertext_blob:
        return
    if request.is_encrypt_response or (sent is not None and sent.algorithm):
        raise InvalidParameter("a sealed reply without CiphertextBlob")


def _reply(session: Session, code: str, description: str, similarity: float) -> Reply:
    details = session.details
    reply = Reply(details.id_card, details.name, code, description, similarity, extra=details.extra, risk_info_tag="")
    if session.device_mismatch:
        reply.device_info_tag, reply.device_info_level = RISKY_OPERATION, MEDIUM_RISK
    return reply


def _base64(data: bytes | None) -> str | None:
    return None if data is None else pybase64.b64encode(data).decode()
