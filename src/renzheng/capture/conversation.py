"""The conversation of one attempt: measure the line, look straight, then action by action, each revealed in its turn.

Reads like the protocol page, and is pure: it is given what happened and when, and gives what is to be done and by when
it has to be woken. There is no socket, no clock and no task in here; `attempt.py` drives it. The server's time decides;
the device is only shown what comes next.
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
from renzheng.capture.watching import MAX_GAP_SECONDS, Watch
from renzheng.verification import challenge
from renzheng.verification.challenge import Entropy
from renzheng.verification.session import Attempt, Session, StepRecord

MIN_FRAMES = 3
"""Frames of a colour that must have come before the next is shown, however few come a second."""

MIN_GOOD_LOOKS = 4
"""Of the neutral second, and of it again after a reconnect one less."""

SLOW_SHARE = 1 / 3
"""Of an action's time: with too few frames for longer than that, it was the line that missed it."""

SETTLING_SECONDS = 1.5
"""After a step was shown, before it is said that frames come too rarely."""

TICK_SECONDS = 0.5
"""How often a step is looked at where no frame comes."""


class _TimeOverError(Exception):
    """The step's time is over."""


class Conversation:
    """One attempt over one socket. Every method takes the time, unix seconds, and gives what is to be done now."""

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
        """`crowded()`: whether others wait for a place, so that none may be held for long without a face;
        `stalled(since)`: seconds since then for which the server stood still."""
        self.end: End | None = None
        self.deadline = math.inf
        """By when it has to be woken."""
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
        self._looked = self._lost = 0
        self._watch = Watch()
        self._shown_at = 0.0
        self._began_at = 0.0
        self._unwatched = attempt.unwatched

    @property
    def asked(self) -> str:
        """The action that was asked for last; empty before the first."""
        step = self._attempt.current
        return step.action if step is not None and step.index >= 1 else ""

    @property
    def was_unwatched(self) -> bool:
        """Whether the server stood still, or did not look at what came, at any time of this attempt."""
        return self._unwatched or self._is_unwatched()

    # -- what happens --

    def begin(self, now: float) -> list[Effect]:
        """From wherever the attempt stands."""
        self._now = self._shown_at = self._began_at = now
        return self._go_on(None)

    def wake(self, now: float) -> list[Effect]:
        """The deadline has come; harmless before."""
        return self._happen(Signal.TIME, now)

    def pong(self, ping: str, now: float) -> list[Effect]:
        """The device answered a ping."""
        return self._happen(PongEvent(ping), now)

    def frame(self, frame: FrameMessage, read_head: ReadHead, now: float) -> list[Effect]:
        """The device sent a frame. Raises ClosingError for what the protocol forbids."""
        if self._intake.take(frame, read_head, now):
            return self.interrupt(End.TURNED, now)
        return self._happen(Signal.TIME, now)

    def looked(self, frame: Newest, glance: Glance | None, now: float) -> list[Effect]:
        """The look that was asked for is done; None where the engine had no room for it, or lost the frame."""
        self._looking = False
        return self._happen(LookResult(frame, glance), now)

    def recalled(self, glances: Sequence[Glance], lost: int, now: float) -> list[Effect]:
        """What the stored neutral frames show; `lost`: how many could not be looked at."""
        self._looked, self._lost = len(glances), lost
        return self._happen(RecallResult(glances), now)

    def stored(self, now: float) -> list[Effect]:
        """The batch that was to be stored is durable."""
        batch, self._storing = self._storing, ()
        self._intake.let_go(batch)
        self._send("ack", sequence=batch[-1][0].sequence)
        return self._happen(Signal.STORED, now)

    def revealed(self, now: float) -> list[Effect]:
        """The step that was to be revealed is stored."""
        return self._happen(Signal.REVEALED, now)

    def interrupt(self, end: End, now: float) -> list[Effect]:
        """This attempt cannot go on."""
        if self.end is None:
            self._now = now
            self._finish(end)
        return self._taken()

    def give_up(self) -> None:
        """Let go of what is not stored: nobody drives this conversation any more."""
        self._intake.expect_nothing()
        self._intake.let_go(self._storing)
        self._intake.let_go(self._intake.take_pending())
        self._storing = ()

    # -- the machinery --

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
        return self._taken()

    def _finish(self, end: End) -> None:
        self.end, self.deadline = end, math.inf
        self._unwatched = self.was_unwatched
        self._intake.expect_nothing()
        self._course.close()

    def _taken(self) -> list[Effect]:
        out, self._out = self._out, []
        return out

    def _send(self, kind: str, **fields: object) -> None:
        self._out.append(Send(kind, fields))

    # -- the course: each part yields by when it has to go on, and is given what happened --

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
        """True once the round trip is short enough; tells the device where it is not."""
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
        """Seconds from ping to pong; a pong that does not come counts as four times the limit."""
        ping, sent = self._entropy(8).hex(), self._now
        most = 4 * self._limits.round_trip_seconds
        self._send("ping", id=ping)
        while self._now < sent + most:
            event = yield sent + most
            if isinstance(event, PongEvent) and event.ping == ping:
                return self._now - sent
        return most

    def _look_straight(self, ready_by: float) -> Generator[float, Event, Baseline | None]:
        """The person's baseline from a second of good frames, or None where that did not come in time.

        That second is the judge's too: its frames are kept from the first good one on, by when they came and not by
        when they were looked at, and none from before the last that was not good.
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
        """After a reconnect: the baseline again, from the neutral frames that were stored. None where too few are."""
        self._out.append(Recall())
        while not isinstance(event := (yield math.inf), RecallResult):
            pass
        glances = [glance for glance in event.glances if self._sight.hint(glance, challenge.NEUTRAL) is None]
        self._intake.keep_early()
        return self._sight.baseline(glances) if len(glances) >= MIN_GOOD_LOOKS - 1 else None

    def _ask(self, index: int, action: str, baseline: Baseline) -> Generator[float, Event, End | None]:
        """Reveal one action and watch for it. None once it was seen, else why the attempt is over."""
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
        """Show a colour, or the warning, until its frames have come for so long. None then.

        Time counts from the first frame that was taken of it, so on no line does a screen change faster than that.
        The warning stays until the face is seen well.
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
        """How many actions the challenge has, without the steps of a light challenge."""
        return sum(not challenge.is_light(one) for one in self._attempt.actions)

    def _show(self, index: int, action: str, seconds: float, until: float) -> Generator[float, Event, StepRecord]:
        """Reveal a step once, for so many seconds; after a reconnect show it again, with its own nonce and time.

        Its time begins once all frames of the step before are stored, however long that takes.
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
        self._looked = self._lost = 0
        self._watch, self._shown_at = Watch(), self._now
        self._began_at = self._now if known else step.revealed_at
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
        """Until every frame that came so far is durable."""
        while self._storing or self._intake.pending:
            yield math.inf

    def _next_look(self, action: str, until: float) -> Generator[float, Event, LookResult | None]:
        """The newest frame, looked at, each time there is a newer one; None where half a second brings none.

        Raises _TimeOverError at `until`. A look that has begun is waited for.
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
        """Count a look, and say the hint to the device where it changed."""
        frame = looked.frame
        if looked.glance is None:
            self._lost += 1
            self._watch.lost(frame.at, frame.missed)
            return
        self._looked += 1
        self._watch.looked(frame.at, frame.missed)
        hint = self._sight.hint(looked.glance, action)
        if hint != self._hint:
            self._hint = hint
            self._send("hint", code=hint)

    def _tell_frame_rate(self, slow: bool) -> bool:
        """Whether frames come too rarely to go on; the device is told when that changes."""
        if self._now - self._shown_at < SETTLING_SECONDS:
            return slow
        now_slow = self._intake.frames_per_second(self._now) < self._limits.min_frames_per_second
        if now_slow and not slow:
            self._send("network", ok=False, reason="too_few_frames")
        if slow and not now_slow:
            self._send("network", ok=True)
        return now_slow

    def _is_unwatched(self) -> bool:
        """Whether there was a time in this step at which nobody saw what the frames showed, through the server's fault.

        Most frames were lost; or none was looked at for a while; or the whole server stood still; or its disk did, so
        that frames were dropped, or the step was shown when some of its time was over.
        """
        blind = self._watch.blind_seconds(self._now, self._intake.waiting)
        stalled = self._stalled(self._began_at)
        late = self._shown_at - self._began_at > MAX_GAP_SECONDS
        return self._lost > self._looked or blind > 0 or stalled > 0 or late or self._intake.is_behind
