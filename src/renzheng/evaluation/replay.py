"""What a recording of a genuine verification is worth: how many fresh challenges it answers by luck.

People are rendered while they answer challenges, and blink by themselves as people do. Of each recording the numbers
of every frame are kept, as the server sees them. Whether a challenge is answered is then decided by the server's own
functions over these numbers: the hints of the neutral second, the watcher of each action with the live limits, and the
judge's watcher and its rule for actions that were not asked. All other layers are taken to let it pass.

The attacker sees each step when it is revealed. They may begin the recording anywhere, hold a picture for as long as
they like, and let up to the longest of `LAGS` of it pass between two steps, in frames that the server drops as they
carry the nonce of the step before. They do not cut it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from renzheng.base import defaults
from renzheng.engine.judging import decode_frame
from renzheng.engine.limits import JudgingLimits, MediaLimits
from renzheng.engine.liveness import NEUTRAL, ActionWatcher, Baseline, Glance, hint, unasked_actions
from renzheng.engine.measurement import Frame
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.clips import STEP_DEADLINE, as_jpeg
from renzheng.evaluation.performance import Motion, Performance
from renzheng.evaluation.puppet import Puppet
from renzheng.verification import challenge
from renzheng.verification.challenge import ACTIONS, Entropy
from renzheng.verification.policy import Policy

PACE = 0.1  # seconds between two frames
NOTICED = 1  # frames from the end of an action until the next one is on the screen
NATURAL_BLINK = Motion(0.08, 0.08, 0.12, 0.0)
BLINKS_EVERY = 3.5  # seconds, mean: seventeen a minute, as people do at rest
BLINKS_APART = 0.8  # seconds, at least
MIN_GOOD = 4  # frames of the neutral second, as the course asks
HELD = round(defaults.NEUTRAL_SECONDS / PACE) + 1  # frames of a picture that is held for the neutral second
EVERY = 2  # frames: the recording is begun at every second one
LAGS = (0.0, 0.2, 0.4, 0.6, 0.8)  # seconds of the recording that may pass between two steps

Actions = tuple[str, ...]
Change = tuple[int, int]
"""Of the recording's frames the last that is sent for one step, and the first that is sent for the next."""


def _changes(last: int) -> frozenset[Change]:
    """Return the ways to go on to the next step after a frame."""
    return frozenset((last, last + 1 + round(lag / PACE)) for lag in LAGS)


@dataclass(frozen=True, slots=True)
class Recording:
    """A genuine verification: the challenges that it answers, one an attempt; of each frame its numbers and JPEG."""

    person: str
    challenges: tuple[Actions, ...]
    glances: tuple[Glance, ...] = field(repr=False)
    jpegs: tuple[bytes, ...] = field(repr=False)


class Blinks:
    """How far the eyes close by themselves: at random moments, `BLINKS_EVERY` seconds apart in the mean."""

    def __init__(self, seed: int) -> None:
        self._draw = np.random.default_rng((seed, 13))
        self._next = self._wait()

    def _wait(self) -> float:
        return BLINKS_APART + float(self._draw.exponential(BLINKS_EVERY - BLINKS_APART))

    def at(self, seconds: float) -> float:
        """Return 0 open .. 1 closed. Times must not decrease."""
        length = NATURAL_BLINK.rise + NATURAL_BLINK.hold + NATURAL_BLINK.fall
        if seconds > self._next + length:
            self._next = seconds + self._wait()
        return NATURAL_BLINK.at(seconds - self._next)


class _Camera:
    """Films a person who does what is asked and blinks; counts time over all steps."""

    def __init__(self, puppet: Puppet, seed: int, engine: FaceModels) -> None:
        self._puppet, self._engine = puppet, engine
        self._performance, self._blinks = Performance(puppet, seed=seed), Blinks(seed)
        self.glances: list[Glance] = []
        self.jpegs: list[bytes] = []

    def take(self, action: str, shown: float) -> Glance:
        """The frame of this moment, `shown` seconds after the action came up."""
        pose = self._performance.pose(action, shown, STEP_DEADLINE)
        closed = max(pose.eyes_closed, self._blinks.at(PACE * len(self.jpegs)))
        self.jpegs.append(as_jpeg(self._puppet.render(replace(pose, eyes_closed=closed))))
        image = decode_frame(self.jpegs[-1], MediaLimits())
        assert image is not None
        self.glances.append(self._engine.observe(image, eyes=True).glance)
        return self.glances[-1]


def record(
    puppet: Puppet, challenges: Sequence[Actions], *, person: str, seed: int, engine: FaceModels
) -> Recording | None:
    """Record a person who answers challenges, one after another, at the server's pace; None if an action is not
    noticed."""
    camera = _Camera(puppet, seed, engine)
    for actions in challenges:
        baseline = _film_neutral(camera)
        if baseline is None or not all(_film_action(camera, action, baseline) for action in actions):
            return None
    return Recording(person, tuple(challenges), tuple(camera.glances), tuple(camera.jpegs))


def _film_neutral(camera: _Camera) -> Baseline | None:
    for count in range(round(STEP_DEADLINE / PACE)):
        camera.take(NEUTRAL, PACE * count)
        begun = len(camera.glances) - HELD
        if count + 1 >= HELD and (found := _whole_second(camera.glances, begun)) is not None:
            return found.baseline
    return None


def _film_action(camera: _Camera, action: str, baseline: Baseline) -> bool:
    watcher, left = ActionWatcher(action, baseline), NOTICED
    for count in range(round(STEP_DEADLINE / PACE)):
        left -= watcher.feed(camera.take(action, PACE * count), PACE * count)
        if left < 0:
            return True
    return False


# -- what it answers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Opening:
    """A way to look straight: the frames that are sent for it, and what the face is like in them."""

    frames: tuple[int, ...]
    baseline: Baseline

    @property
    def changes(self) -> frozenset[Change]:
        """The ways to go on to the first action."""
        return _changes(self.frames[-1])


def _whole_second(glances: Sequence[Glance], start: int) -> _Opening | None:
    """Return the neutral second that begins with a frame; None if a hint would start it again."""
    frames = tuple(range(start, start + HELD))
    if frames[-1] >= len(glances) or any(hint(glances[index], NEUTRAL) is not None for index in frames):
        return None
    return _opening(glances, frames)


def _opening(glances: Sequence[Glance], frames: tuple[int, ...]) -> _Opening | None:
    baseline = Baseline.from_glances([glances[index] for index in frames], minimum=MIN_GOOD)
    return None if baseline is None else _Opening(frames, baseline)


def _openings(glances: Sequence[Glance]) -> Iterator[_Opening]:
    """Yield every way to look straight: a second of the recording, or one picture of it that is held for a second."""
    for start in range(0, len(glances), EVERY):
        if hint(glances[start], NEUTRAL) is not None:
            continue
        for found in (_whole_second(glances, start), _opening(glances, (start,) * HELD)):
            if found is not None:
                yield found


class _Answers:
    """What a recording answers after one way of looking straight."""

    def __init__(self, glances: Sequence[Glance], opening: _Opening, limits: JudgingLimits) -> None:
        self._glances, self._opening, self._limits = glances, opening, limits
        self._ends: dict[tuple[str, str, Change], int | None] = {}
        self._done: dict[tuple[str, int], int | None] = {}

    def all_up_to(
        self, longest: int, said: Actions = (), changes: frozenset[Change] | None = None
    ) -> Iterator[Actions]:
        """Every sequence of so many actions at most that begins with `said`; `changes`: to what follows it."""
        if said:
            yield said
        if len(said) == longest:
            return
        for action in ACTIONS:
            ends = {self._end(action, said[-1:], change) for change in changes or self._opening.changes} - {None}
            if ends:
                after = frozenset(change for end in ends if end is not None for change in _changes(end))
                yield from self.all_up_to(longest, (*said, action), after)

    def frames_for(
        self, actions: Actions, said: Actions = (), changes: frozenset[Change] | None = None
    ) -> list[range] | None:
        """Return the frames that are sent for each of these actions, in one of several ways; None if there is none."""
        if not actions:
            return []
        for change in sorted(changes or self._opening.changes):
            end = self._end(actions[0], said[-1:], change)
            if end is None:
                continue
            rest = self.frames_for(actions[1:], (*said, actions[0]), _changes(end))
            if rest is not None:
                return [range(change[1], end + 1), *rest]
        return None

    def _end(self, action: str, before: Actions, change: Change) -> int | None:
        """Return the frame with which an action asked at this change is done; None if it is not accepted."""
        key = action, "".join(before), change
        if key not in self._ends:
            self._ends[key] = self._watch(action, before[0] if before else NEUTRAL, change)
        return self._ends[key]

    def _watch(self, action: str, before: str, change: Change) -> int | None:
        last, start = change
        if (action, start) not in self._done:
            self._done[action, start] = self._accepted(action, start)
        end = self._done[action, start]
        if end is None:
            return None
        shown, limits = self._glances[start : end + 1], self._limits.actions
        unasked = unasked_actions(action, shown, self._opening.baseline, limits, before, self._glances[last])
        return None if unasked else end

    def _accepted(self, action: str, start: int) -> int | None:
        """The frame with which an action is accepted live that is asked from frame `start` on, and stands at the
        verdict; None where there is none."""
        baseline = self._opening.baseline
        live, judge = ActionWatcher(action, baseline), ActionWatcher(action, baseline, self._limits.actions)
        for index in range(start, min(len(self._glances), start + round(STEP_DEADLINE / PACE))):
            judge.feed(self._glances[index], PACE * index)
            if live.feed(self._glances[index], PACE * index):
                return index if judge.phase == "done" else None
        return None


def answers(glances: Sequence[Glance], longest: int, limits: JudgingLimits | None = None) -> frozenset[Actions]:
    """Return every sequence of at most `longest` actions that a recording passes, whether or not it can be asked."""
    bounds = limits or JudgingLimits()
    return frozenset(
        actions for opening in _openings(glances) for actions in _Answers(glances, opening, bounds).all_up_to(longest)
    )


def as_sent(recording: Recording, actions: Actions, limits: JudgingLimits | None = None) -> list[Frame] | None:
    """Return the frames with which a recording answers a challenge, for the whole judge; None if it does not."""
    for opening in _openings(recording.glances):
        found = _Answers(recording.glances, opening, limits or JudgingLimits()).frames_for(actions)
        if found is not None:
            steps = zip((NEUTRAL, *actions), (opening.frames, *found), strict=True)
            shown = [(step, action, index) for step, (action, frames) in enumerate(steps) for index in frames]
            return [
                Frame(recording.jpegs[index], step, action, PACE * count)
                for count, (step, action, index) in enumerate(shown)
            ]
    return None


# -- what that is worth ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Odds:
    """`tokens` that were tried with one recording, how many `passed`, and the `chance` by counting all challenges."""

    tokens: int
    passed: int
    chance: float


def try_tokens(known: frozenset[Actions], policy: Policy, tokens: int, entropy: Entropy) -> Odds:
    """Try new tokens. `known`: what the recording answers.

    A token shows a new challenge for every attempt that counts. One that is given back asks the same again, except the
    one in which the attacker asks to be spared an action, with which most of the further challenges are answered.
    """
    best = max((None, *policy.challenge_kinds), key=lambda action: _chance(known, _asked(policy, action)))
    asked = _asked(policy, best)
    passed = sum(any(challenge.draw(entropy, *one) in known for one in asked) for _ in range(tokens))
    return Odds(tokens, passed, _chance(known, asked))


def _asked(policy: Policy, spared: str | None) -> list[tuple[int, tuple[str, ...]]]:
    """Return length and kinds of every challenge that a token shows. An action is spared after the first, uncounted
    one."""
    shown = policy.attempts + (spared is not None)
    return [policy.next_challenge(number, spared if number else None) for number in range(shown)]


def _chance(known: frozenset[Actions], asked: Sequence[tuple[int, tuple[str, ...]]]) -> float:
    return 1 - math.prod(1 - share(known, *one) for one in asked)


def share(known: frozenset[Actions], length: int, kinds: tuple[str, ...]) -> float:
    """Return the probability that a recording answers a challenge of that length and those kinds."""
    without, with_blink = challenge.chances(length, kinds)
    asked = (one for one in challenge.possible(length, kinds) if one in known)
    return math.fsum(with_blink if challenge.BLINK in one else without for one in asked)
