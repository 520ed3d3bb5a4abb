"""Drives the conversation of one attempt over one socket: carries out its effects and reports what happened."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence

from renzheng.capture.bounds import ChannelSettings
from renzheng.capture.conversation import Conversation
from renzheng.capture.effects import Effect, End, Look, Recall, Reveal, Send, StoreFrames
from renzheng.capture.intake import HeldFrame, ReadHead
from renzheng.capture.measured import FrameMeasurements
from renzheng.capture.messages import Close, ClosingError, FrameMessage
from renzheng.capture.parts import ChannelParts
from renzheng.capture.sight import BadFrameError, Glance, SkippedError
from renzheng.capture.socket import DeviceSocket
from renzheng.verification.challenge import NEUTRAL
from renzheng.verification.session import Attempt, Session, StepRecord

RECALLED_FRAMES = 12
"""How many stored neutral frames, the newest ones, are looked at again after a reconnect."""


class DayUsedUpError(Exception):
    """Another token of the same ID number has taken the day's last attempt."""


class AttemptRunner:
    """Conducts one attempt over one socket. Frames, pongs and interruptions come from the socket's reader."""

    def __init__(
        self,
        session: Session,
        attempt: Attempt,
        device: DeviceSocket,
        parts: ChannelParts,
        settings: ChannelSettings,
        socket: int,
        crowded: Callable[[], bool] = lambda: False,
    ) -> None:
        """`socket`: the number under which this socket holds the session. `crowded()`: whether others wait for a
        place."""
        self._socket = socket
        self._session = session
        self._number = attempt.number
        self._device = device
        self._parts = parts
        self._clock = parts.clock
        self.conversation = Conversation(
            session,
            attempt,
            device.intake,
            parts.lookout,
            settings.limits,
            settings.pace,
            parts.entropy,
            crowded,
            parts.pulse.stalled_seconds,
        )
        self._measured = FrameMeasurements(settings.limits.frames_per_attempt)
        self._todo: list[Effect] = []
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    # -- from the socket --

    def pong(self, ping: str) -> None:
        self._take(self.conversation.pong(ping, self._clock()))

    def frame(self, frame: FrameMessage, read_head: ReadHead) -> None:
        """Hand a frame to the conversation. Raises ClosingError for what the protocol forbids."""
        self._take(self.conversation.frame(frame, read_head, self._clock()))

    def interrupt(self, end: End) -> None:
        self._take(self.conversation.interrupt(end, self._clock()))

    # -- the attempt --

    async def run(self) -> End:
        """Run the attempt to its end. Raises ClosingError, DeviceGoneError and DayUsedUpError."""
        self._device.listener = self
        try:
            self._take(self.conversation.begin(self._clock()))
            while True:
                await self._do()
                if self.conversation.end is not None:
                    if self.conversation.end is End.COMPLETED:
                        await self._measured.keep(self._parts.sessions, self._session.id, self._number)
                    return self.conversation.end
                await self._wait()
        finally:
            self._device.listener = None
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self.conversation.give_up()

    async def _wait(self) -> None:
        """Wait until something happens or the conversation's deadline comes. Raises what a finished task raised."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_clamp(self.conversation.deadline - self._clock())):
                await self._news.wait()
        self._news.clear()
        for task in [task for task in self._tasks if task.done()]:
            self._tasks.discard(task)
            task.result()
        if self._clock() >= self.conversation.deadline:
            self._take(self.conversation.wake(self._clock()))

    def _take(self, effects: Sequence[Effect]) -> None:
        """Start looks and stores at once. Queue the other effects, which must run in order."""
        for effect in effects:
            if isinstance(effect, Look):
                self._start(self._look(effect))
            elif isinstance(effect, StoreFrames):
                self._start(self._store(effect.frames))
            else:
                self._todo.append(effect)
        self._news.set()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda _: self._news.set())

    async def _do(self) -> None:
        while self._todo:
            effect = self._todo.pop(0)
            if isinstance(effect, Send):
                await self._device.send(effect.kind, **effect.fields)
            elif isinstance(effect, Reveal):
                await self._reveal(effect.step, effect.counts)
            elif isinstance(effect, Recall):
                await self._recall()

    async def _look(self, effect: Look) -> None:
        glance: Glance | None = None
        try:
            with self._parts.capacity.looks.piece(self._clock):
                glance, measured = await self._parts.lookout.look(effect.frame.jpeg, effect.action)
            self._measured.note(effect.frame.jpeg, measured)
        except SkippedError:
            pass
        except BadFrameError as error:
            raise ClosingError(Close.MALFORMED, f"a frame that does not decode: {error}") from None
        self._take(self.conversation.looked(effect.frame, glance, self._clock()))

    async def _store(self, frames: Sequence[HeldFrame]) -> None:
        """Store frames and tell the conversation. Raises ClosingError if this socket no longer has the attempt."""
        if not await self._parts.sessions.store_frames(self._session.id, self._number, frames, self._socket):
            raise ClosingError(Close.TAKEN_OVER if self._session.alive(self._clock()) else Close.EXPIRED)
        self._take(self.conversation.stored(self._clock()))

    async def _recall(self) -> None:
        glances, lost = list[Glance](), 0
        stored = await self._parts.sessions.newest_frames(self._session.id, self._number, 0, RECALLED_FRAMES)
        for _, jpeg in stored:
            try:
                glance, measured = await self._parts.lookout.look(jpeg, NEUTRAL)
                glances.append(glance)
                self._measured.note(jpeg, measured)
            except BadFrameError:
                continue
            except SkippedError:
                lost += 1
        self._take(self.conversation.recalled(glances, lost, self._clock()))

    async def _reveal(self, step: StepRecord, counts: bool) -> None:
        day = self._parts.day(step.revealed_at) if counts else None
        if not await self._parts.sessions.reveal(*(self._session.id, self._number, step, counts, day), self._socket):
            raise await self._refusal(day)
        self._take(self.conversation.revealed(self._clock()))

    async def _refusal(self, day: str | None) -> Exception:
        """Explain why a step could not be revealed: the token died, the day is used up, or another device has it."""
        session = self._session
        if not session.alive(self._clock()):
            return ClosingError(Close.EXPIRED)
        if day is not None and session.id_hash is not None and session.policy.attempts_a_day:
            used = await self._parts.sessions.attempts_today(session.account_id, session.id_hash, day)
            if used >= session.policy.attempts_a_day:
                return DayUsedUpError()
        return ClosingError(Close.TAKEN_OVER)


def _clamp(seconds: float) -> float | None:
    """Clamp a delay for `asyncio.timeout`: at least 0, and None for no deadline."""
    return None if seconds > 1e9 else max(0.0, seconds)
