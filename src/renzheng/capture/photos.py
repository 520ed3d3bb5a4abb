"""Checks the merchant's photo before the person starts: if no face can be compared with, the session ends unbilled."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Protocol

from renzheng.verification.session import CompareLib, Session

REMEMBERED = 10_000
"""Sessions whose answer is kept, so that the photo is not checked again when a device reconnects."""

PAUSES = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Seconds before a photo is checked again, after the engine had no room for it or lost it."""


class Looking(Protocol):
    """The engine's check: whether a face in a photo can be compared with. None if it had no room or lost the photo."""

    async def is_usable(self, photo: bytes) -> bool | None: ...


class StoredPhotos(Protocol):
    async def photo(self, session_id: int) -> bytes | None: ...


class PhotoDesk:
    """Checks each session's photo until the answer is known, and only photos that came with the token.

    Before liveness is shown, nobody may learn anything about an enrolled photo. `wait_seconds`: the longest time that a
    start waits for the check.
    """

    def __init__(
        self,
        photos: StoredPhotos,
        looking: Looking,
        wait_seconds: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._sleep = sleep
        self._photos = photos
        self._looking = looking
        self._wait = wait_seconds
        self._known: dict[int, bool] = {}

    async def is_unusable(self, session: Session) -> bool:
        """Return whether the photo is unusable. False if the server could not tell after several tries."""
        if session.details.compare_lib is not CompareLib.LOCAL or not session.has_photo:
            return False
        for pause in PAUSES:
            if (is_usable := await self._is_usable(session.id)) is not None:
                return not is_usable
            await self._sleep(pause)
        return False

    async def _is_usable(self, session_id: int) -> bool | None:
        if session_id not in self._known:
            photo = await self._photos.photo(session_id)
            usable = None if photo is None else await self._looking.is_usable(photo)
            if usable is None:
                return None
            while len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[session_id] = usable
        return self._known[session_id]

    async def beside(self, session: Session, start: asyncio.Task[object]) -> bool:
        """Wait for a start, and return whether the photo is unusable: as soon as that is known, or when the start
        comes.

        Raises what the start raises.
        """
        look = asyncio.create_task(self.is_unusable(session))
        try:
            await asyncio.wait([start, look], return_when=asyncio.FIRST_COMPLETED)
            if look.done() and not look.exception() and look.result():
                return True
            await start
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._wait):
                    return await look
            return False
        finally:
            for task in (start, look):
                task.cancel()
            await asyncio.gather(start, look, return_exceptions=True)
