"""The conversation of one attempt: measure the round trip, record a neutral second, then ask action by action.

The code follows the protocol page and is pure: it receives events with their times, and returns effects and the next
deadline. It has no socket, no clock and no task; `attempt.py` drives it. Only the server's time decides; the device
learns of a step when it is revealed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace

from renzheng.capture.bounds import AttemptPace, ChannelLimits
from renzheng.capture.effects import (
    Effect,
    End,
    Event,
    Look,
    LookResult,
    PongEvent,
    Recall,
    RecallResult,
    Reveal,
    Send,
    Signal,
    StoreFrames,
)
from renzheng.capture.intake import HeldFrame, Intake, Newest, ReadHead
from renzheng.capture.messages import FrameMessage
from renzheng.capture.sight import Baseline, Glance, Sight
from renzheng.capture.watching import Watch
from renzheng.verification import challenge
from renzheng.verification.challenge import Entropy
from renzheng.verification.session import Attempt, Session, StepRecord

MIN_FRAMES = 3
"""Frames of a colour that must arrive before the next colour is shown, however low the frame rate is."""

MIN_GOOD_LOOKS = 4
"""Good looks that the neutral second needs. After a reconnect, one less is enough."""

SLOW_SHARE = 1 / 3
"""Share of an action's time. If frames were too rare for longer than that, the slow line missed the action."""

SETTLING_SECONDS = 1.5
"""Seconds after a step is shown in which the device is not told that frames are too rare."""

TICK_SECONDS = 0.5
"""Seconds without a new frame after which a step checks its state."""


class _TimeOverError(Exception):
    """The step's time is over."""


class Conversation:
    """One attempt over one socket. Every method takes the time in unix seconds and returns the effects to carry out."""

    def __init__(
        self,
        session: Session,
        attempt: Attempt,
        intake: Intake,
        sight: Sight,
        limits: ChannelLimits,
        pace: AttemptPace,
        entropy: Entropy,
        crowded: Callable[[], bool] = lambda: False,
        stalled: Callable[[float], float] = lambda since: 0.0,
    ) -> None:
        """`crowded()`: whether others wait for a place, so that an attempt without a face must end sooner.
        `stalled(since)`: for how many seconds after `since` the server stood still."""
        self.end: End | None = None
        self.deadline = math.inf
        """When `wake` must be called, in unix seconds."""
        self._session = session
        self._attempt = attempt
        self._intake = intake
        self._sight = sight
        self._limits = limits
        self._pace = pace
        self._entropy = entropy
        self._crowded = crowded
        self._stalled = stalled
        self._now = 0.0
        self._out: list[Effect] = []
        self._course = self._run()
        self._hint: str | None = "unsaid"
        self._looking = False
        self._storing: Sequence[HeldFrame] = ()
        self._watch = Watch()
        self._unwatched = attempt.unwatched

    @property
    def asked(self) -> str:
        """The last action that was asked for; empty before the first."""
        step = self._attempt.current
        return step.action if step is not None and step.index >= 1 else ""

    @property
    def was_unwatched(self) -> bool:
        """Whether the server stood still, or missed frames, at any time of this attempt."""
        return self._unwatched or self._is_unwatched()

    # -- events --

    def begin(self, now: float) -> list[Effect]:
        """Start, or go on where the attempt stands after a reconnect."""
        self._now = now
        self._watch = Watch(now, now)
        return self._go_on(None)

    def wake(self, now: float) -> list[Effect]:
        """Report that the deadline may have passed. Calling this early is harmless."""
        return self._happen(Signal.TIME, now)

    def pong(self, ping: str, now: float) -> list[Effect]:
        """Report that the device answered a ping."""
        return self._happen(PongEvent(ping), now)

    def frame(self, frame: FrameMessage, read_head: ReadHead, now: float) -> list[Effect]:
        """Report that the device sent a frame. Raises ClosingError for what the protocol forbids."""
        if self._intake.take(frame, read_head, now):
            return self.interrupt(End.TURNED, now)
        return self._happen(Signal.TIME, now)

    def looked(self, frame: Newest, glance: Glance | None, now: float) -> list[Effect]:
        """Report a finished look. `glance` is None if the engine had no room for the frame, or lost it."""
        self._looking = False
        return self._happen(LookResult(frame, glance), now)

    def recalled(self, glances: Sequence[Glance], lost: int, now: float) -> list[Effect]:
        """Report what the stored neutral frames show. `lost`: how many could not be looked at."""
        self._watch.recalled(len(glances), lost)
        return self._happen(RecallResult(glances), now)

    def stored(self, now: float) -> list[Effect]:
        """Report that the batch of frames is durable."""
        batch, self._storing = self._storing, ()
        self._intake.let_go(batch)
        self._send("ack", sequence=batch[-1][0].sequence)
        return self._happen(Signal.STORED, now)

    def revealed(self, now: float) -> list[Effect]:
        """Report that the step is stored and may be shown."""
        return self._happen(Signal.REVEALED, now)

    def interrupt(self, end: End, now: float) -> list[Effect]:
        """End this attempt for a reason that comes from outside."""
        if self.end is None:
            self._now = now
            self._finish(end)
        return self._take_effects()

    def give_up(self) -> None:
        """Release frames that are not stored, when nobody drives this conversation any more."""
        self._intake.expect_nothing()
        self._intake.let_go(self._storing)
        self._intake.let_go(self._intake.take_pending())
        self._storing = ()

    # -- running the course --

    def _happen(self, event: Event, now: float) -> list[Effect]:
        self._now = max(now, self._now)
        return self._go_on(event)

    def _go_on(self, event: Event | None) -> list[Effect]:
        if self.end is None:
            try:
                self.deadline = next(self._course) if event is None else self._course.send(event)
            except StopIteration as over:
                self._finish(over.value)
        if self._intake.pending and not self._storing and self.end is None:
            self._storing = self._intake.take_pending()
            self._out.append(StoreFrames(self._storing))
        return self._take_effects()

    def _finish(self, end: End) -> None:
        self.end, self.deadline = end, math.inf
        self._unwatched = self.was_unwatched
        self._intake.expect_nothing()
        self._course.close()

    def _take_effects(self) -> list[Effect]:
        out, self._out = self._out, []
        return out

    def _send(self, kind: str, **fields: object) -> None:
        self._out.append(Send(kind, fields))

    # -- the course: each part yields its next deadline and receives an event --

    def _run(self) -> Generator[float, Event, End]:
        ready_by = min(self._now + self._pace.ready_seconds, self._session.expires_at)
        if self._attempt.steps:
            ready_by = min(ready_by, self._attempt.steps[0].deadline)
        if len(self._attempt.steps) <= 1:
            if not (yield from self._measure_line(ready_by)):
                return End.NOT_READY
            baseline = yield from self._look_straight(ready_by)
        else:
            baseline = yield from self._recall()
        if baseline is None:
            return End.SERVER if self._is_unwatched() else End.NOT_READY
        for index in range(max(1, len(self._attempt.steps) - 1), len(self._attempt.actions) + 1):
            action = self._attempt.actions[index - 1]
            if challenge.is_light(action):
                end = yield from self._shine(index, action)
            else:
                end = yield from self._ask(index, action, baseline)
            if end is not None:
                return end
        self._intake.expect_nothing()
        yield from self._flush()
        return End.COMPLETED

    def _measure_line(self, ready_by: float) -> Generator[float, Event, bool]:
        """Measure the round trip until it is short enough: True then, False if that does not happen in time.

        The device is told while the round trip is too long.
        """
        told, crowded_by = False, self._now + self._pace.crowded_ready_seconds
        while self._now < (min(ready_by, crowded_by) if self._crowded() else ready_by):
            trips = [0.0, 0.0, 0.0]
            for number in range(len(trips)):
                trips[number] = yield from self._round_trip()
            if sorted(trips)[1] <= self._limits.round_trip_seconds:
                if told:
                    self._send("network", ok=True)
                return True
            told = True
            self._send("network", ok=False, reason="slow_round_trip")
        return False

    def _round_trip(self) -> Generator[float, Event, float]:
        """Return the seconds from ping to pong. A missing pong counts as four times the limit."""
        ping, sent = self._entropy(8).hex(), self._now
        most = 4 * self._limits.round_trip_seconds
        self._send("ping", id=ping)
        while self._now < sent + most:
            event = yield sent + most
            if isinstance(event, PongEvent) and event.ping == ping:
                return self._now - sent
        return most

    def _look_straight(self, ready_by: float) -> Generator[float, Event, Baseline | None]:
        """Return the person's baseline from a second of good frames, or None if that does not come in time.

        The judge uses the same second. Its frames are kept from the first good one on. The limits are the times at
        which frames arrived, not those at which they were looked at, and no frame before the last bad one is kept.
        """
        yield from self._show(0, challenge.NEUTRAL, math.inf, ready_by)
        shown_at, slow = self._now, False
        good: list[tuple[float, Glance]] = []
        while True:
            try:
                looked = yield from self._next_look(challenge.NEUTRAL, ready_by)
            except _TimeOverError:
                return None
            slow = self._tell_frame_rate(slow)
            if self._crowded() and self._now - shown_at > self._pace.crowded_ready_seconds:
                return None
            if looked is None or looked.glance is None:
                continue
            at = looked.frame.at
            if self._hint is not None or slow:
                good.clear()
                self._intake.drop_early(at, itself=True)
                continue
            if not good:
                self._intake.drop_early(at)
            good.append((at, looked.glance))
            if len(good) >= MIN_GOOD_LOOKS and at - good[0][0] >= self._pace.neutral_seconds:
                self._intake.keep_early()
                return self._sight.baseline([glance for _, glance in good])

    def _recall(self) -> Generator[float, Event, Baseline | None]:
        """After a reconnect, compute the baseline again from the stored neutral frames. None if too few are usable."""
        self._out.append(Recall())
        while not isinstance(event := (yield math.inf), RecallResult):
            pass
        glances = [glance for glance in event.glances if self._sight.hint(glance, challenge.NEUTRAL) is None]
        self._intake.keep_early()
        return self._sight.baseline(glances) if len(glances) >= MIN_GOOD_LOOKS - 1 else None

    def _ask(self, index: int, action: str, baseline: Baseline) -> Generator[float, Event, End | None]:
        """Reveal one action and watch for it. Returns None once it was seen, else why the attempt is over."""
        seconds = self._pace.for_one_action(self._session, self._of)
        step = yield from self._show(index, action, seconds, self._session.expires_at)
        watcher = self._sight.watcher(action, baseline)
        slow, slow_for, before = False, 0.0, self._now
        while True:
            try:
                looked = yield from self._next_look(action, step.deadline)
            except _TimeOverError:
                break
            slow_for, before = slow_for + (self._now - before if slow else 0.0), self._now
            slow = self._tell_frame_rate(slow)
            if looked is not None and looked.glance is not None and watcher.feed(looked.glance, looked.frame.at):
                return None
        slow_for += self._now - before if slow else 0.0
        if self._is_unwatched():
            return End.SERVER
        return End.SLOW_LINE if slow_for > seconds * SLOW_SHARE else End.TIMEOUT

    def _shine(self, index: int, action: str) -> Generator[float, Event, End | None]:
        """Show a colour, or the warning, until frames of it have arrived for long enough. Returns None then.

        The time counts from the first frame of the colour, so that the screen never changes faster, even on a slow
        line. The warning stays until the face is seen well.
        """
        warns = action == challenge.LIGHT_WARNING
        seconds = self._pace.warning_seconds if warns else self._pace.colour_seconds
        step = yield from self._show(index, action, self._pace.step_seconds + seconds, self._session.expires_at)
        since, frames = 0.0, 0
        while True:
            try:
                looked = yield from self._next_look(action, step.deadline)
            except _TimeOverError:
                return End.SERVER if self._is_unwatched() else End.TIMEOUT
            if looked is None:
                continue
            at = looked.frame.at
            since, frames = since if frames else at, frames + 1
            if warns and self._hint is not None:
                frames = 0
            elif at - since >= seconds and frames >= MIN_FRAMES:
                return None

    # -- the parts of a step --

    @property
    def _of(self) -> int:
        """The number of actions in the challenge, without the steps of a light challenge."""
        return sum(not challenge.is_light(one) for one in self._attempt.actions)

    def _show(self, index: int, action: str, seconds: float, until: float) -> Generator[float, Event, StepRecord]:
        """Reveal a step for `seconds`. After a reconnect, show it again with its original nonce and deadline.

        Its time begins once all frames of the previous step are stored, however long that takes.
        """
        known = [step for step in self._attempt.steps if step.index == index]
        if known:
            step = known[0]
        else:
            self._unwatched = self.was_unwatched
            self._intake.expect_nothing()
            yield from self._flush()
            deadline = min(self._now + seconds, until)
            step = StepRecord(index, action, challenge.nonce(self._entropy), self._now, deadline)
            self._out.append(Reveal(step, counts=index == 1))
            while (yield math.inf) is not Signal.REVEALED:
                pass
            self._attempt = replace(self._attempt, steps=(*self._attempt.steps, step))
        self._watch = Watch(self._now if known else step.revealed_at, self._now)
        self._intake.expect(index, step.nonce, step.deadline)
        colour = challenge.COLOURS.get(action)
        self._send(
            "step",
            index=index,
            of=self._of,
            action=action,
            nonce=step.nonce.hex(),
            seconds=round(max(0.0, step.deadline - self._now), 1),
            **({"again": True} if index > 1 and action == self._attempt.actions[index - 2] else {}),
            **({"colour": "#{:02x}{:02x}{:02x}".format(*colour)} if colour else {}),
        )
        return step

    def _flush(self) -> Generator[float, Event, None]:
        """Wait until all frames that have arrived are durable."""
        while self._storing or self._intake.pending:
            yield math.inf

    def _next_look(self, action: str, until: float) -> Generator[float, Event, LookResult | None]:
        """Look at the newest frame and return the result. None if half a second brings no new frame.

        Raises _TimeOverError at `until`, but waits for a look that has begun.
        """
        tick = min(self._now + TICK_SECONDS, until)
        while True:
            if not self._looking:
                if self._now >= until:
                    raise _TimeOverError
                if (newest := self._intake.take_newest()) is not None:
                    self._looking = True
                    self._out.append(Look(newest, action))
            event = yield math.inf if self._looking else tick
            if isinstance(event, LookResult):
                self._note(event, action)
                return event
            if not self._looking and tick <= self._now < until and not self._intake.waiting.frames:
                return None

    def _note(self, looked: LookResult, action: str) -> None:
        """Count a look, and send the device its hint if that changed."""
        frame = looked.frame
        if looked.glance is None:
            self._watch.lost(frame.at, frame.missed)
            return
        self._watch.looked(frame.at, frame.missed)
        hint = self._sight.hint(looked.glance, action)
        if hint != self._hint:
            self._hint = hint
            self._send("hint", code=hint)

    def _tell_frame_rate(self, slow: bool) -> bool:
        """Return whether frames are too rare to go on. The device is told when this changes."""
        if self._now - self._watch.shown_at < SETTLING_SECONDS:
            return slow
        now_slow = self._intake.frames_per_second(self._now) < self._limits.min_frames_per_second
        if now_slow and not slow:
            self._send("network", ok=False, reason="too_few_frames")
        if slow and not now_slow:
            self._send("network", ok=True)
        return now_slow

    def _is_unwatched(self) -> bool:
        """Return whether, at some time in this step, the server failed to see what the frames showed.

        That is so if most looks were lost, if none was made for a while, if the whole server stood still, or if its
        disk did, so that frames were dropped or the step was shown late.
        """
        failed = self._watch.failed(self._now, self._intake.waiting)
        return failed or self._stalled(self._watch.began_at) > 0 or self._intake.is_behind
