"""The evidence that a merchant may fetch with a result: the best frame, and a video of exactly the judged frames."""

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
    """The engine's video side. Raises NotMuxedError if it can make no video, for whatever reason."""

    async def mux(self, frames: Sequence[tuple[float, bytes]]) -> bytes: ...


class NotMuxedError(Exception):
    """The frames could not be made into a video: they took too long or too much memory, or cannot be encoded."""


class EvidenceShelf:
    """Reads evidence. The video is made when it is first asked for, and then kept.

    `at_once`: videos made at a time, since an attempt's frames may be many megabytes. `waiting`: how many more may
    wait. `wait_seconds`: the longest time that a caller waits.
    """

    def __init__(
        self, sessions: Sessions, muxer: Muxer, at_once: int = 2, waiting: int = 32, wait_seconds: float = 10.0
    ) -> None:
        self._sessions = sessions
        self._muxer = muxer
        self._places = asyncio.Semaphore(at_once)
        self._most = at_once + waiting
        self._wait = wait_seconds
        self._making: dict[tuple[int, int], asyncio.Task[bytes | None]] = {}

    async def best_frame(self, session_id: int, attempt: int, sequence: int) -> bytes | None:
        """Return a JPEG, or None if its retention is over."""
        return await self._sessions.frame(session_id, attempt, sequence)

    async def video(self, session_id: int, attempt: int) -> bytes | None:
        """Return an MP4 (H.264), or None if its retention is over, nothing was captured, or it is not available now.

        A caller waits only for a bounded time; the video is finished all the same, and a later call gets it or tries
        again. All callers that ask meanwhile wait for the same video.
        """
        if (kept := await self._sessions.video(session_id)) is not None:
            return kept
        making = self._making.get((session_id, attempt))
        if making is None:
            if len(self._making) >= self._most:
                log.warning("video_not_now", session=session_id, why=f"{len(self._making)} others are waiting")
                return None
            making = asyncio.create_task(self._make(session_id, attempt))
            self._making[session_id, attempt] = making
            making.add_done_callback(lambda _: self._making.pop((session_id, attempt)))
        await asyncio.wait([making], timeout=self._wait)
        if making.done():
            return making.result()
        log.warning("video_not_now", session=session_id, why=f"not made within {self._wait:g} s")
        return None

    async def stop(self) -> None:
        """Cancel the videos that are being made."""
        tasks = list(self._making.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, session_id: int, attempt: int) -> bytes | None:
        async with self._places:
            if (kept := await self._sessions.video(session_id)) is not None:
                return kept  # finished and kept since the caller last looked
            frames = await self._sessions.frames(session_id, attempt)
            if not frames:
                return None
            try:
                mp4 = await self._muxer.mux([(record.received_at, jpeg) for record, jpeg in frames])
            except NotMuxedError as error:
                log.warning("video_not_made", session=session_id, attempt=attempt, frames=len(frames), why=str(error))
                return None
            await self._sessions.keep_video(session_id, mp4)
            return mp4
