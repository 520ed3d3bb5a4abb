"""What a puppet does before the camera: as a person who follows the instructions, or as one who cheats.

A performance sees what a device sees, the instruction on the screen and since when, and nothing of what comes
next. It is repeatable: the same puppet, seed and instructions at the same times give the same frames.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from renzheng.engine.runtimes import Image
from renzheng.evaluation.anatomy import smoothstep
from renzheng.evaluation.puppet import HEAD, Flat, Puppet, PuppetPose
from renzheng.evaluation.screen import Screen
from renzheng.verification.challenge import NEUTRAL, OTHERS, TURNS

Kind = Literal["head", "flat"]

FINISHING = 0.45  # seconds in which a movement that was under way is brought to rest after a new instruction
TURN_PROXY = 0.66  # how far a head turns, as the yaw proxy; the engine asks for about 0.5
TILT_DEGREES = 20.0  # how far a head leans to a shoulder; the engine asks for about 14
FLAT_DEGREES = 38.0  # how far a flat picture is turned; beyond that little of the face is left


@dataclass(frozen=True, slots=True)
class ScreenState:
    """What is on the screen: `action` as in the challenge, `seconds` since it is shown, `allowed` in all."""

    action: str
    seconds: float
    allowed: float


@dataclass(frozen=True, slots=True)
class Doing:
    """What the person does: `action`, and for how many seconds already (below 0: not yet)."""

    action: str
    seconds: float


class Actor:
    """Decides what is done about an instruction. One actor plays one verification, and remembers its course."""

    def __init__(self, seed: int = 0) -> None:
        self._draw = np.random.default_rng(seed)
        self._asked: list[str] = []
        self._reaction = 0.0
        self._choice = NEUTRAL

    def begin(self, action: str) -> None:
        """A new instruction appears."""
        self._reaction = float(self._draw.uniform(0.35, 0.65))
        self._choice = self.choose(action)
        self._asked.append(action)

    def choose(self, action: str) -> str:
        """The action that will be done for the one that is asked: a person who complies does that one."""
        return action

    def doing(self, shown: ScreenState) -> Doing:
        return Doing(self._choice, shown.seconds - self._reaction)


class OtherActions(Actor):
    """Always does something else than asked, as a recording of the wrong moment does."""

    def choose(self, action: str) -> str:
        if action == NEUTRAL:
            return NEUTRAL
        return str(self._draw.choice([other for other in (*OTHERS, *TURNS) if other != action]))


class OtherOrder(Actor):
    """Plays a recording with the two actions in reverse order.

    At the first instruction it does what may come second, and at a later one what was asked before it.
    """

    def choose(self, action: str) -> str:
        if action == NEUTRAL:
            self._asked.clear()
            return NEUTRAL
        before = [asked for asked in self._asked if asked != NEUTRAL]
        if before:
            return before[-1]
        return str(self._draw.choice(OTHERS if action in TURNS else TURNS))


class TooLate(Actor):
    """Does what was asked, but begins only when its time is almost over."""

    def doing(self, shown: ScreenState) -> Doing:
        if shown.action == NEUTRAL:
            return Doing(NEUTRAL, shown.seconds)
        return Doing(shown.action, shown.seconds - (shown.allowed - 0.05))


@dataclass(frozen=True, slots=True)
class Motion:
    """One movement as a course in time: it rises, is held, and falls; after a rest it is done again.

    People repeat what seems not to have been noticed, and do it more clearly, up to `most` of it.
    """

    rise: float
    hold: float
    fall: float
    rest: float
    most: float = 1.0

    def at(self, seconds: float) -> float:
        """Return 0..`most`, smooth, `seconds` after the movement began; 0 before it, 1 at its first height."""
        if seconds <= 0:
            return 0.0
        times, into = divmod(seconds, self.rise + self.hold + self.fall + self.rest)
        up = smoothstep(np.array(into / self.rise))
        down = smoothstep(np.array((into - self.rise - self.hold) / self.fall))
        return min(1.0 + 0.15 * times, self.most) * float(up - down)


MOTIONS = {
    "blink": Motion(0.12, 0.22, 0.15, 1.1),
    "open_mouth": Motion(0.45, 0.5, 0.45, 0.9, most=1.3),
    "turn_left": Motion(0.7, 0.5, 0.7, 0.8, most=1.3),
    "turn_right": Motion(0.7, 0.5, 0.7, 0.8, most=1.3),
    "nod": Motion(0.5, 0.25, 0.5, 0.7, most=1.3),
    "tilt_left": Motion(0.5, 0.25, 0.5, 0.7, most=1.3),
    "tilt_right": Motion(0.5, 0.25, 0.5, 0.7, most=1.3),
}
TILTS = {"tilt_left": TILT_DEGREES, "tilt_right": -TILT_DEGREES}

ADDED = ("yaw", "pitch", "roll", "eyes_closed", "mouth_open")


class Performance:
    """A puppet that plays one verification.

    `kind`: a head, or a flat picture whose eyes and mouth are animated in its plane and which is turned, pitched and
    tilted where a head is asked to turn, nod or tilt. `seed` gives tremor, reaction times and grain. `actor` decides
    what is done (default: what is asked). `swap_to`: another puppet that takes over while the head is turned, in every
    attempt again.
    `noise` in grey levels and `gain` (blue, green, red) are the camera's and the room's; `base` is how the person
    stands at rest instead (size, place, light); `screen` is the device's, as a lamp. `turned(action)` is the pose at
    the height of a turn; without it a head turns by `TURN_PROXY` and a flat picture by `FLAT_DEGREES`.
    """

    def __init__(
        self,
        puppet: Puppet,
        kind: Kind = "head",
        *,
        seed: int = 0,
        actor: Actor | None = None,
        swap_to: Puppet | None = None,
        flat: Flat | None = None,
        noise: float = 2.0,
        gain: tuple[float, float, float] = (1.0, 1.0, 1.0),
        base: PuppetPose | None = None,
        turned: Callable[[str], PuppetPose] | None = None,
        screen: Screen | None = None,
    ) -> None:
        self._puppet = self._first = puppet
        self._surface = HEAD if kind == "head" else flat or Flat()
        self._actor = actor or Actor(seed)
        self._swap_to = swap_to
        self._tremor = _Tremor(seed)
        self._light = base or PuppetPose(noise=noise, gain=gain)
        self._turned = turned
        self._screen = screen or Screen()
        self._yaw = self._turns(puppet)
        self._shown = ScreenState("", 0.0, 0.0)
        self._left_over = PuppetPose()
        self._last = PuppetPose()
        self._time = 0.0
        self._frames = 0

    def _nod(self) -> float:
        """Degrees of pitch at the height of a nod; a flat picture shows the less of it the farther the camera is."""
        if isinstance(self._surface, Flat):
            return 30.0 if self._surface.distance > 0.5 else 22.0
        return 20.0

    def _turns(self, puppet: Puppet) -> dict[str, float]:
        """Return the degrees of yaw at the height of a turn."""
        if self._turned is not None:
            return {turn: self._turned(turn).yaw for turn in TURNS}
        signs = {"turn_left": 1.0, "turn_right": -1.0}
        if self._surface is not HEAD:
            return {turn: sign * FLAT_DEGREES for turn, sign in signs.items()}
        return {turn: puppet.yaw_for(sign * TURN_PROXY) for turn, sign in signs.items()}

    def turn(self, action: str) -> float:
        """Return the degrees of yaw at the height of this turn."""
        return self._yaw[action]

    def frame(self, instruction: str, seconds: float, allowed: float = 6.0) -> Image:
        """Return the camera's picture, (H, W, 3) uint8 BGR, `seconds` after `instruction` came up, of `allowed` in
        all."""
        pose = self.pose(instruction, seconds, allowed)
        return self._puppet.render(pose, self._surface)

    def pose(self, instruction: str, seconds: float, allowed: float = 6.0) -> PuppetPose:
        """Return the puppet's pose at that moment. Times must not decrease within one instruction."""
        shown = ScreenState(instruction, seconds, allowed)
        self._follow(shown)
        doing = self._actor.doing(shown)
        moved = self._move(doing)
        finishing = 1.0 - float(smoothstep(np.array(seconds / FINISHING)))
        sums = {name: getattr(moved, name) + finishing * getattr(self._left_over, name) for name in ADDED}
        self._last = replace(moved, **sums)
        self._swap(doing)
        self._frames += 1
        lit = replace(self._last, grain=self._frames, screen=self._screen.light(instruction, self._time))
        return self._tremor.at(self._time, lit)

    def _follow(self, shown: ScreenState) -> None:
        if shown.action != self._shown.action or shown.seconds < self._shown.seconds:
            self._left_over = self._last
            self._actor.begin(shown.action)
            self._time += shown.seconds
        else:
            self._time += shown.seconds - self._shown.seconds
        self._shown = shown

    def _move(self, doing: Doing) -> PuppetPose:
        if doing.action not in MOTIONS:
            return self._light
        extent = MOTIONS[doing.action].at(doing.seconds)
        if doing.action == "blink":
            return replace(self._light, eyes_closed=extent)
        if doing.action == "open_mouth":
            return replace(self._light, mouth_open=extent)
        if doing.action == "nod":
            return replace(self._light, pitch=self._nod() * extent)
        if doing.action in TILTS:
            return replace(self._light, roll=self._light.roll + TILTS[doing.action] * extent)
        if self._turned is not None:
            return self._part_of(self._turned(doing.action), extent)
        return replace(self._light, yaw=self._yaw[doing.action] * extent)

    def _part_of(self, turned: PuppetPose, extent: float) -> PuppetPose:
        """Return the pose between rest and a turned pose. Angles, size and place change together."""
        rest = self._light
        return replace(
            rest,
            yaw=turned.yaw * extent,
            pitch=turned.pitch * extent,
            roll=turned.roll * extent,
            scale=rest.scale + (turned.scale - rest.scale) * extent,
            shift=(
                rest.shift[0] + (turned.shift[0] - rest.shift[0]) * extent,
                rest.shift[1] + (turned.shift[1] - rest.shift[1]) * extent,
            ),
        )

    def _swap(self, doing: Doing) -> None:
        """Change the person in the middle of the turn, where it is least visible. An attempt begins with the first
        person."""
        if self._swap_to is None:
            return
        if doing.action == NEUTRAL and self._puppet is not self._first:
            self._become(self._first)
        elif (
            self._puppet is self._first
            and doing.action in TURNS
            and abs(self._last.yaw) > 0.8 * abs(self._yaw[doing.action])
        ):
            self._become(self._swap_to)

    def _become(self, puppet: Puppet) -> None:
        self._puppet, self._yaw = puppet, self._turns(puppet)


class _Tremor:
    """Slow drifts of a few pixels and tenths of a degree, as nobody holds a head or a telephone still."""

    def __init__(self, seed: int) -> None:
        draw = np.random.default_rng((seed, 7))
        self._rates = draw.uniform(0.15, 0.9, size=(6, 3))
        self._phases = draw.uniform(0, 2 * np.pi, size=(6, 3))

    def at(self, seconds: float, pose: PuppetPose) -> PuppetPose:
        waves = np.sin(2 * np.pi * self._rates * seconds + self._phases).mean(axis=1)
        across, down, nearer, yaw, pitch, roll = (float(wave) for wave in waves)
        return replace(
            pose,
            yaw=pose.yaw + 0.9 * yaw,
            pitch=pose.pitch + 0.7 * pitch,
            roll=pose.roll + 0.6 * roll,
            shift=(pose.shift[0] + 0.004 * across, pose.shift[1] + 0.004 * down),
            scale=pose.scale * (1 + 0.008 * nearer),
        )


@dataclass(frozen=True, slots=True)
class AttackScript:
    """One way to cheat: how it is played, and which layer it is built to meet."""

    name: str
    title: str
    layer: str
    stage: Callable[[Puppet, Puppet | None, int], Performance]
    needs_another: bool = False


ATTACKS = (
    AttackScript(
        "flat", "a flat picture that answers", "depth", lambda who, _, seed: Performance(who, "flat", seed=seed)
    ),
    AttackScript(
        "other_actions",
        "other actions than asked",
        "challenge",
        lambda who, _, seed: Performance(who, seed=seed, actor=OtherActions(seed)),
    ),
    AttackScript(
        "other_order",
        "the actions in the other order",
        "challenge",
        lambda who, _, seed: Performance(who, seed=seed, actor=OtherOrder(seed)),
    ),
    AttackScript(
        "too_late",
        "every answer too late",
        "challenge",
        lambda who, _, seed: Performance(who, seed=seed, actor=TooLate(seed)),
    ),
    AttackScript(
        "swap",
        "another person from the turn on",
        "continuity",
        lambda who, other, seed: Performance(who, seed=seed, swap_to=other),
        needs_another=True,
    ),
)
"""The attacks that `renzheng demo --attacks` plays with frames; comparing with another person's photo is the other."""
