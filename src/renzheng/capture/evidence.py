"""What a merchant may fetch with a result: the best frame, and a video of exactly the frames that were judged."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog

from renzheng.verification.session import FrameRecord

log = structlog.get_logger("renzheng.evidence")


class Sessions(Protocol):
    async def frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None: ...
    async def frames(self, session_id: int, attempt: int) -> list[tuple[FrameRecord, bytes]]: ...
    async def video(self, session_id: int) -> bytes | None: ...
    async def keep_video(self, session_id: int, mp4: bytes) -> None: ...


class Muxer(Protocol):
    """The engine's video side. Raises NotMuxed where there is no video, for whatever reason."""

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes: ...


class NotMuxed(Exception):
    """The frames could not be made a video: in its time, in its process's memory, or at all."""


class EvidenceShelf:
    """Reads evidence; the video is made when it is first asked for, and then kept."""

    def __init__(self, sessions: Sessions, muxer: Muxer) -> None:
        self._sessions = sessions
        self._muxer = muxer
        self._making = asyncio.Lock()

    async def best_frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None:
        """A JPEG, or None where its days of keeping are over."""
        return await self._sessions.frame(session_id, attempt, sequence)

    async def video(self, session_id: int, attempt: int) -> bytes | None:
        """An MP4 (H.264), or None where its days of keeping are over, nothing was captured, or it cannot be made now.

        The verdict does not wait for a video. Who asks again has it tried again.
        """
        if (kept := await self._sessions.video(session_id)) is not None:
            return kept
        async with self._making:  # an attempt's frames may be hundreds of megabytes: held once, whoever asks meanwhile
            if (kept := await self._sessions.video(session_id)) is not None:
                return kept
            return await self._make_video(session_id, attempt)

    async def _make_video(self, session_id: int, attempt: int) -> bytes | None:
        frames = await self._sessions.frames(session_id, attempt)
        if not frames:
            return None
        try:
            mp4 = await self._muxer.mux([(record.received_at, jpeg) for record, jpeg in frames])
        except NotMuxed as error:
            log.warning("video_not_made", session=session_id, attempt=attempt, frames=len(frames), why=str(error))
            return None
        await self._sessions.keep_video(session_id, mp4)
        return mp4
