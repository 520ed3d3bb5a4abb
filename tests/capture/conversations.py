"""Conversations without a server and without waiting: a device, an engine and a store that are as quick as one says.

Time is a number here. One conversation of twenty seconds takes a few milliseconds.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from random import Random

from renzheng.capture.bounds import AttemptPace, ChannelLimits
from renzheng.capture.conversation import Conversation
from renzheng.capture.effects import Effect, End, Look, Reveal, Send, StoreFrames
from renzheng.capture.intake import Intake
from renzheng.capture.messages import FrameMessage
from renzheng.capture.sight import FrameHead
from renzheng.capture.watching import Pulse
from renzheng.engine import liveness
from renzheng.engine.liveness import ActionWatcher, Baseline, Glance
from renzheng.verification.challenge import is_light
from renzheng.verification.policy import Policy
from renzheng.verification.session import Attempt, CompareLib, Details, FrameRecord, Session, State, StepRecord

PACE = AttemptPace(neutral_seconds=0.5, step_seconds=3, ready_seconds=8, crowded_ready_seconds=4, warning_seconds=1)
BEGIN = 1000.0
REST = Glance(
    *(640, 480),
    faces=1,
    box=(220.0, 120.0, 200.0, 240.0),
    left_eye=0.3,
    right_eye=0.3,
    sharpness=0.01,
    brightness=120.0,
    contrast=40.0,
    presence=0.99,
)
DONE = {
    "turn_left": replace(REST, yaw=0.7),
    "turn_right": replace(REST, yaw=-0.7),
    "nod": replace(REST, pitch=0.2),
    "tilt_left": replace(REST, roll=18.0),
    "tilt_right": replace(REST, roll=-18.0),
    "open_mouth": replace(REST, mouth=0.5),
    "blink": replace(REST, left_eye=0.05, right_eye=0.05),
}
NOBODY = Glance(640, 480)


class Sight:
    """The engine's own."""

    def hint(self, glance: Glance, action: str) -> str | None:
        return liveness.hint(glance, action)

    def baseline(self, glances: Sequence[Glance]) -> Baseline | None:
        return Baseline.from_glances(glances)

    def watcher(self, action: str, baseline: Baseline) -> ActionWatcher:
        return ActionWatcher(action, baseline)


@dataclass
class Server:
    """`look`, `store`, `reveal`: seconds that each takes, of a random number 0 to 1. `loses`: share of looks that are
    lost. `stalls`: seconds, from the begin, of times at which the whole server stands still."""

    look: Callable[[float], float] = lambda chance: 0.02
    store: Callable[[float], float] = lambda chance: 0.01
    reveal: Callable[[float], float] = lambda chance: 0.002
    loses: float = 0.0
    stalls: Sequence[tuple[float, float]] = ()
    is_crowded: bool = False


@dataclass
class Person:
    """`interval`: seconds between frames, `line`: from the device to the server and back, of a random number 0 to 1.
    `acts`: whether they do what is asked, again and again. `keeps_first_nonce`: the first step's, on every frame.
    `pauses`: seconds, from the begin, of times at which the line holds frames back and then gives all at once. `gone`:
    share of frames without a face."""

    interval: Callable[[float], float] = lambda chance: 0.1
    line: Callable[[float], float] = lambda chance: 0.04
    acts: bool = True
    pauses: Sequence[tuple[float, float]] = ()
    gone: float = 0.0
    turns_phone_at: float | None = None
    keeps_first_nonce: bool = False

    def shows(self, action: str, seconds: float, chance: float) -> Glance:
        """What a frame shows so long after the instruction came up."""
        if chance < self.gone:
            return NOBODY
        doing = self.acts and 0.5 <= seconds % 1.5 < 1.0
        return DONE.get(action, REST) if doing else REST


@dataclass
class Told:
    """Everything that came of a conversation."""

    end: End | None = None
    seconds: float = 0.0
    sent: list[Send] = field(default_factory=list)
    steps: list[StepRecord] = field(default_factory=list)
    counted: int = 0
    stored: list[FrameRecord] = field(default_factory=list)
    came: int = 0
    is_unwatched: bool = False


class Play:
    """One conversation, played to its end or for `seconds`."""

    def __init__(self, actions: tuple[str, ...], server: Server, person: Person, seed: int, life: float = 600) -> None:
        self._random = Random(seed)
        self._server, self._person = server, person
        self._numbers = itertools.count()
        self._queue: list[tuple[float, int, Callable[[float], list[Effect]]]] = []
        self._glances: dict[bytes, Glance] = {}
        self._step: tuple[str, bytes, float] | None = None
        self._now = BEGIN
        self._looking = self._storing = self._is_wide = False
        self._sequence = 0
        self.told = Told()
        details = Details(CompareLib.BUSINESS, "11204416541220243X", "x")
        policy = Policy(challenge_length=sum(not is_light(one) for one in actions))
        session = Session(1, 1, State.CAPTURING, BEGIN, BEGIN + life, 1, 0, details, False, policy)
        self.intake = Intake(ChannelLimits(min_frames_per_second=2))
        self.intake.new_attempt()
        self._pulse = Pulse(lambda: self._now)
        self._pulse._stalls.extend((BEGIN + begin, BEGIN + end) for begin, end in server.stalls)
        self.conversation = Conversation(
            session,
            Attempt(1, 1, BEGIN, actions),
            self.intake,
            Sight(),
            ChannelLimits(min_frames_per_second=2),
            PACE,
            self._random.randbytes,
            lambda: server.is_crowded,
            self._pulse.stalled_seconds,
        )

    def run(self, seconds: float = 200.0) -> Told:
        self._do(self.conversation.begin(BEGIN))
        self._in(self._person.interval(0.0), self._film)
        while self.conversation.end is None:
            assert self._now < BEGIN + seconds, "it does not end"
            at, _, happen = self._queue[0] if self._queue else (float("inf"), 0, None)
            if happen is None or self.conversation.deadline < at:
                self._now = max(self._now, self.conversation.deadline)
                assert self._now < BEGIN + seconds, "nothing happens any more, and it has not ended"
                self._do(self.conversation.wake(self._now))
                continue
            heapq.heappop(self._queue)
            self._now = self._server_time(at)
            self._do(happen(self._now))
        told = self.told
        told.end, told.seconds = self.conversation.end, self._now - BEGIN
        told.is_unwatched = self.conversation.was_unwatched
        return told

    def _server_time(self, at: float) -> float:
        """What comes while the server stands still is met when it goes on."""
        for begin, end in self._server.stalls:
            if BEGIN + begin <= at < BEGIN + end:
                at = BEGIN + end
        return max(self._now, at)

    def _in(self, seconds: float, happen: Callable[[float], list[Effect]]) -> None:
        heapq.heappush(self._queue, (self._now + seconds, next(self._numbers), happen))

    def _do(self, effects: list[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                self._hear(effect)
            elif isinstance(effect, Look):
                self._look(effect)
            elif isinstance(effect, StoreFrames):
                self._store(effect)
            elif isinstance(effect, Reveal):
                self._reveal(effect)

    # -- the server --

    def _look(self, effect: Look) -> None:
        assert not self._looking, "one look at a time"
        self._looking = True
        lost = self._random.random() < self._server.loses
        glance = None if lost else self._glances[effect.frame.jpeg]

        def looked(now: float) -> list[Effect]:
            self._looking = False
            return self.conversation.looked(effect.frame, glance, now)

        self._in(self._server.look(self._random.random()), looked)

    def _store(self, effect: StoreFrames) -> None:
        assert not self._storing, "one batch at a time"
        assert effect.frames
        self._storing = True

        def stored(now: float) -> list[Effect]:
            self._storing = False
            self.told.stored += [record for record, _ in effect.frames]
            return self.conversation.stored(now)

        self._in(self._server.store(self._random.random()), stored)

    def _reveal(self, effect: Reveal) -> None:
        assert not self._storing, "no step is revealed before all frames of the one before are durable"
        assert not self.intake.pending
        self.told.steps.append(effect.step)
        self.told.counted += effect.counts
        self._in(self._server.reveal(self._random.random()), self.conversation.revealed)

    # -- the device --

    def _hear(self, message: Send) -> None:
        self.told.sent.append(message)
        way = self._person.line(self._random.random())
        if message.kind == "ping":
            ping = str(message.fields["id"])
            self._in(way, lambda now: self.conversation.pong(ping, now))
        if message.kind == "step":
            step = (str(message.fields["action"]), bytes.fromhex(str(message.fields["nonce"])), self._now + way / 2)
            self._in(way / 2, lambda now: self._show(step))

    def _show(self, step: tuple[str, bytes, float]) -> list[Effect]:
        if self._person.keeps_first_nonce and self._step is not None:
            step = (step[0], self._step[1], step[2])
        self._step = step
        return []

    def _film(self, now: float) -> list[Effect]:
        person = self._person
        self._in(person.interval(self._random.random()), self._film)
        if self._step is None:
            return []
        action, nonce, shown_at = self._step
        self._sequence += 1
        jpeg = b"\xff\xd8%d" % self._sequence
        self._glances[jpeg] = person.shows(action, now - shown_at, self._random.random())
        way = person.line(self._random.random()) / 2
        for begin, end in person.pauses:
            if BEGIN + begin <= now + way < BEGIN + end:
                way = BEGIN + end - now
        tall = person.turns_phone_at is not None and now > BEGIN + person.turns_phone_at
        head = FrameHead(480, 640) if tall else FrameHead(640, 480)
        frame = FrameMessage(nonce, self._sequence, jpeg)
        self.told.came += 1
        self._in(way, lambda at: self.conversation.frame(frame, lambda _: head, at))
        return []
