"""The course of one attempt: measure the line, look straight, then action by action, each revealed in its turn.

Reads like the protocol page. The server's clock decides; the device is only shown what comes next.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from renzheng.capture.messages import Close, Closing, Pong
from renzheng.capture.ports import BadFrame, Clock, Lookout, Sessions, Skipped
from renzheng.capture.socket import ChannelLimits, DeviceSocket
from renzheng.verification import challenge
from renzheng.verification.challenge import Entropy
from renzheng.verification.session import Attempt, Session, StepRecord


@dataclass(frozen=True, slots=True)
class CoursePace:
    """Seconds: of looking straight, for one action, for all before the first action; of the warning before the colours
    of a light challenge, and of each colour."""

    neutral_seconds: float = 1.0
    step_seconds: float = 6.0
    ready_seconds: float = 60.0
    warning_seconds: float = 2.0
    colour_seconds: float = 0.5


LEAST_FRAMES = 3
"""Frames of a colour that must have come before the next is shown, however few come a second."""


class DayUsedUp(Exception):
    """Another token of the same ID number took the day's last attempt meanwhile."""


class End(enum.StrEnum):
    COMPLETED = "completed"
    TIMEOUT = "timeout"
    NOT_READY = "not_ready"


class Course:
    """Conducts one attempt over one socket. `day` names the day under which an attempt is counted."""

    def __init__(
        self,
        session: Session,
        attempt: Attempt,
        device: DeviceSocket,
        sessions: Sessions,
        lookout: Lookout,
        limits: ChannelLimits,
        pace: CoursePace,
        clock: Clock,
        entropy: Entropy,
        day: Callable[[float], str],
    ) -> None:
        self._session = session
        self._attempt = attempt
        self._device = device
        self._sessions = sessions
        self._lookout = lookout
        self._limits = limits
        self._pace = pace
        self._clock = clock
        self._entropy = entropy
        self._day = day
        self._hint: str | None = "unsaid"

    async def run(self) -> End:
        """From wherever the attempt stands to its end. Raises Closing and DeviceGone."""
        ready_by = min(self._clock() + self._pace.ready_seconds, self._session.expires_at)
        if self._attempt.steps:
            ready_by = min(ready_by, self._attempt.steps[0].deadline)
        if len(self._attempt.steps) <= 1:
            if not await self._measure_line(ready_by):
                return End.NOT_READY
            baseline = await self._look_straight(ready_by)
        else:
            baseline = await self._baseline_of_stored_frames()
        if baseline is None:
            return End.NOT_READY
        first = max(1, len(self._attempt.steps) - 1)
        for index in range(first, len(self._attempt.actions) + 1):
            action = self._attempt.actions[index - 1]
            if not await (
                self._shine(index, action) if challenge.is_light(action) else self._ask(index, action, baseline)
            ):
                return End.TIMEOUT
        self._device.expect_nothing()
        await self.store_pending()
        return End.COMPLETED

    # -- the line --

    async def _measure_line(self, ready_by: float) -> bool:
        """True once the round trip is short enough; tells the device where it is not."""
        told = False
        while self._clock() < ready_by:
            trips = sorted([await self._round_trip() for _ in range(3)])
            if trips[1] <= self._limits.round_trip_seconds:
                if told:
                    await self._device.send("network", ok=True)
                return True
            told = True
            await self._device.send("network", ok=False, reason="slow_round_trip")
        return False

    async def _round_trip(self) -> float:
        """Seconds from ping to pong; a pong that does not come counts as four times the limit."""
        ping = self._entropy(8).hex()
        sent = self._clock()
        await self._device.send("ping", id=ping)
        most = 4 * self._limits.round_trip_seconds
        while (left := sent + most - self._clock()) > 0:
            try:
                message = await self._device.message(left)
            except TimeoutError:
                break
            if isinstance(message, Pong) and message.id == ping:
                return self._clock() - sent
        return most

    # -- looking straight --

    async def _look_straight(self, ready_by: float) -> Any:
        """The person's baseline from a second of good frames, or None where that did not come in time.

        Frames are kept from the first good one on: what comes before counts for nothing.
        """
        await self._show(0, challenge.NEUTRAL, ready_by)
        shown_at = self._clock()
        good: list[tuple[float, Any]] = []
        slow = False
        async for frame in self._device.newest_frames(ready_by):
            slow = await self._tell_frame_rate(slow, shown_at)
            glance = None if frame is None else await self._look(frame.jpeg, challenge.NEUTRAL)
            if glance is None:
                continue
            if self._hint is not None or slow:
                good.clear()
                continue
            self._device.keeping = True
            assert frame is not None
            good.append((frame.at, glance))
            if len(good) >= 4 and good[-1][0] - good[0][0] >= self._pace.neutral_seconds:
                return self._lookout.baseline([glance for _, glance in good])
        return None

    async def _tell_frame_rate(self, slow: bool, shown_at: float) -> bool:
        """Whether frames come too rarely to go on; the device is told when that changes."""
        if self._clock() - shown_at < 1.5:
            return slow
        now_slow = self._device.frames_per_second() < self._limits.frames_per_second_least
        if now_slow and not slow:
            await self._device.send("network", ok=False, reason="too_few_frames")
        if slow and not now_slow:
            await self._device.send("network", ok=True)
        return now_slow

    async def _baseline_of_stored_frames(self) -> Any:
        """After a reconnect: the baseline again, from the neutral frames that were stored. None where too few are."""
        glances = []
        for _, jpeg in await self._sessions.newest_frames(self._session.id, self._attempt.number, step=0, most=12):
            try:
                glance = await self._lookout.look(jpeg, eyes=True)
            except (BadFrame, Skipped):
                continue
            if self._lookout.hint(glance, challenge.NEUTRAL) is None:
                glances.append(glance)
        self._device.keeping = True
        return self._lookout.baseline(glances) if len(glances) >= 3 else None

    # -- the actions --

    async def _ask(self, index: int, action: str, baseline: Any) -> bool:
        """Reveal one action and watch for it. False when its time is over."""
        step = await self._show(index, action, min(self._clock() + self._pace.step_seconds, self._session.expires_at))
        watcher = self._lookout.watcher(action, baseline)
        async for frame in self._device.newest_frames(step.deadline):
            if frame is None or (glance := await self._look(frame.jpeg, action)) is None:
                continue
            if watcher.feed(glance, frame.at):
                return True
        return False

    async def _shine(self, index: int, action: str) -> bool:
        """Show a colour, or the warning, until its frames have come for so long. False when its time is over.

        Time counts from the first frame that was taken of it, so on no line does a screen change faster than that.
        The warning stays until the face is seen well.
        """
        warns = action == challenge.LIGHT_WARNING
        seconds = self._pace.warning_seconds if warns else self._pace.colour_seconds
        deadline = min(self._clock() + self._pace.step_seconds + seconds, self._session.expires_at)
        step = await self._show(index, action, deadline)
        since, frames = 0.0, 0
        async for frame in self._device.newest_frames(step.deadline):
            if frame is None:
                continue
            since, frames = since if frames else frame.at, frames + 1
            await self._look(frame.jpeg, action)
            if warns and self._hint is not None:
                frames = 0
            elif frame.at - since >= seconds and frames >= LEAST_FRAMES:
                return True
        return False

    async def _show(self, index: int, action: str, deadline: float) -> StepRecord:
        """Reveal a step once; after a reconnect show it again, with its own nonce and the time that is left."""
        known = [step for step in self._attempt.steps if step.index == index]
        if known:
            step = known[0]
        else:
            self._device.expect_nothing()
            await self.store_pending()
            step = StepRecord(index, action, challenge.nonce(self._entropy), self._clock(), deadline)
            counts = index == 1
            day = self._day(step.revealed_at) if counts else None
            if not await self._sessions.reveal(self._session.id, self._attempt.number, step, counts, day):
                await self._refused(day)
            self._attempt = replace(self._attempt, steps=(*self._attempt.steps, step))
        self._device.expect(index, step.nonce)
        colour = challenge.COLOURS.get(action)
        await self._device.send(
            "step",
            index=index,
            of=sum(not challenge.is_light(one) for one in self._attempt.actions),
            action=action,
            nonce=step.nonce.hex(),
            seconds=round(max(0.0, step.deadline - self._clock()), 1),
            **({"colour": "#{:02x}{:02x}{:02x}".format(*colour)} if colour else {}),
        )
        return step

    async def _refused(self, day: str | None) -> NoReturn:
        """Say why a step could not be revealed: the token died, the day is used up, or another device has it."""
        session = self._session
        if not session.alive(self._clock()):
            raise Closing(Close.EXPIRED)
        if day is not None and session.id_hash is not None and session.policy.attempts_a_day:
            used = await self._sessions.attempts_today(session.account_id, session.id_hash, day)
            if used >= session.policy.attempts_a_day:
                raise DayUsedUp
        raise Closing(Close.TAKEN_OVER)

    async def _look(self, jpeg: bytes, action: str) -> Any:
        """The frame's numbers, and the hint to the device where it changed. None where there are none."""
        try:
            glance = await self._lookout.look(jpeg, eyes=action in (challenge.NEUTRAL, "blink"))
        except Skipped:
            return None
        except BadFrame as error:
            raise Closing(Close.MALFORMED, f"a frame that does not decode: {error}") from None
        hint = self._lookout.hint(glance, action)
        if hint != self._hint:
            self._hint = hint
            await self._device.send("hint", code=hint)
        return glance

    # -- storing --

    async def keep_storing(self) -> None:
        """Store frames as they come, as many at a time as came while the last were written, and acknowledge them."""
        while True:
            await self._device.stored.wait()
            self._device.stored.clear()
            await self.store_pending()

    async def store_pending(self) -> None:
        """Returns once every frame that came so far is durable. Raises Closing where the attempt is no longer ours."""
        async with self._device.store_lock:
            batch, self._device.pending = self._device.pending, []
            if not batch:
                return
            if not await self._sessions.store_frames(self._session.id, self._attempt.number, batch):
                raise Closing(Close.TAKEN_OVER if self._session.alive(self._clock()) else Close.EXPIRED)
            await self._device.send("ack", sequence=batch[-1][0].sequence)
