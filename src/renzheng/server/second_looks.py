"""Second looks at a verification for the management service: the merchant's own action, the judge, the evidence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from renzheng.actions.errors import BizTokenExpiredError
from renzheng.actions.get_face_id_result import GetFaceIdResult, Reply
from renzheng.actions.ports import Parts
from renzheng.capture.evidence import EvidenceShelf
from renzheng.capture.judging import Examiner, ExaminerLostError
from renzheng.engine import packs
from renzheng.gateway.errors import ServiceUnavailableError
from renzheng.operations import rejudging
from renzheng.operations.rejudging import Rejudgement
from renzheng.store.accounts import RefusedError
from renzheng.store.open import Store
from renzheng.store.sessions import Sessions
from renzheng.verification.records import SessionOutcome
from renzheng.verification.session import State


class SecondLooks:
    """`seen_frames`: the judge's limit. `faults`: of the models."""

    def __init__(
        self,
        sessions: Sessions,
        faceid: Parts,
        shelf: EvidenceShelf,
        examiner: Examiner,
        seen_frames: int,
        faults: Callable[[], list[str]] = packs.faults,
    ) -> None:
        self._sessions = sessions
        self._results = GetFaceIdResult(faceid)
        self._examiner = examiner
        self._seen_frames = seen_frames
        self._faults = faults
        self._one = asyncio.Lock()
        self.video = shelf.video

    async def answer(self, session_id: int, now: float) -> Reply:
        """Return what the merchant would get. An attempt that another may follow has no verdict yet. Raises
        ApiError."""
        found = await self._sessions.outcome(session_id)
        if found is not None and found.session.lapsed(now):
            await self._sessions.lapse(now, 1, session_id)
            found = await self._sessions.outcome(session_id)
        if found is None:
            raise BizTokenExpiredError
        is_decided = found.session.state in (State.PASSED, State.FAILED)
        return await self._results.would_answer(found if is_decided else SessionOutcome(found.session, None), now)

    async def rejudge(self, store: Store, session_id: int) -> Rejudgement:
        """Judge again, one at a time: an attempt's frames are many megabytes, and waiting people come first.

        Raises ServiceUnavailableError to try later, RefusedError, NotFoundError.
        """
        if self._one.locked():
            raise ServiceUnavailableError("another verification is being judged again")
        async with self._one:
            if self._faults():
                raise RefusedError("models are missing: run renzheng models install")
            try:
                return await rejudging.rejudge(store, str(session_id), self._examiner, self._seen_frames)
            except ExaminerLostError as error:
                raise ServiceUnavailableError(f"the frames cannot be judged now: {error}") from None
