"""Clips: what a camera records while a challenge is answered, and how attackers change recordings.

Rendered without a server, at the pace of a device: ten frames per second, each step as long as its answer takes. A clip
has no nonces; `as_transcript` adds them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

from renzheng.engine.runtimes import Image
from renzheng.evaluation.performance import MOTIONS, Performance
from renzheng.evaluation.puppet import Puppet, PuppetPose
from renzheng.evaluation.sequences import FORMAT, FrameEntry, SequenceTranscript, Shot, Step
from renzheng.verification.challenge import NEUTRAL, TURNS

Scene = Callable[[str, float, float], Image]
"""The camera's picture for (instruction, seconds since it is shown, seconds allowed)."""

Flow = NDArray[Any]
"""Height x width x 2: how many pixels each pixel moves, right and down."""

Noticed = Callable[[int, str, list[tuple[float, bytes]]], bool]
"""Whether the server has noticed the action, of (index of the step, action, frames so far as (seconds, JPEG))."""

FRAMES_PER_SECOND = 10
JITTER = 0.008  # seconds, standard deviation of the times at which frames arrive
NEUTRAL_SECONDS = 1.2
NEUTRAL_DEADLINE = 15.0
STEP_DEADLINE = 6.0  # as the server allows for one action
TRAVEL = 0.06  # seconds from the revealing of a step to the first frame that carries its nonce
AFTERWARDS = 0.85  # seconds of a step beside its movement: the reaction, and until its end has been noticed


@dataclass(frozen=True, slots=True)
class ClipStep:
    """One step of a clip: the action that is asked, since when, and the frames that are sent for it."""

    action: str
    revealed_at: float
    shots: tuple[Shot, ...]
    deadline: float = STEP_DEADLINE

    def moved(self, seconds: float) -> ClipStep:
        """Return the same step, later by `seconds`."""
        shots = tuple(Shot(shot.at + seconds, shot.jpeg) for shot in self.shots)
        return replace(self, revealed_at=self.revealed_at + seconds, shots=shots)

    @property
    def ends_at(self) -> float:
        return self.shots[-1].at


Clip = tuple[ClipStep, ...]


def movement_seconds(action: str) -> float:
    """Return how long one answer takes, counted from its asking."""
    if action == NEUTRAL:
        return NEUTRAL_SECONDS
    motion = MOTIONS[action]
    return motion.rise + motion.hold + motion.fall + AFTERWARDS


def film(
    scene: Scene,
    actions: Sequence[str],
    *,
    seed: int,
    quality: int = 80,
    seconds: Callable[[str], float] = movement_seconds,
    noticed: Noticed = lambda step, action, shots: True,
) -> Clip:
    """Record a scene while it is asked to look straight and then to do `actions`. `quality`: of the JPEG, 1..100.

    `seconds`: how long an answer takes. A step that is not `noticed` by then continues to its deadline at most.
    """
    draw = np.random.default_rng((seed, 11))
    now, parts = 0.0, []
    for step, action in enumerate((NEUTRAL, *actions)):
        revealed, shots = now, []
        allowed = NEUTRAL_DEADLINE if action == NEUTRAL else STEP_DEADLINE
        least, most = seconds(action), max(seconds(action), STEP_DEADLINE - 2 * TRAVEL)
        for count in range(round(most * FRAMES_PER_SECOND)):
            shown = TRAVEL + count / FRAMES_PER_SECOND
            late = float(np.clip(draw.normal(0.0, JITTER), -0.03, 0.03))
            shots.append(Shot(revealed + shown + late, as_jpeg(scene(action, shown, allowed), quality)))
            enough = count + 1 >= round(least * FRAMES_PER_SECOND)
            if enough and noticed(step, action, [(shot.at, shot.jpeg) for shot in shots]):
                break
        parts.append(ClipStep(action, revealed, tuple(shots), allowed))
        now = max(shots[-1].at + 0.02, revealed + shown + 1 / FRAMES_PER_SECOND - TRAVEL)
    return tuple(parts)


def as_jpeg(image: Image, quality: int = 80) -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=quality, colorspace="BGR"))


@dataclass
class PersonSwap:
    """Shows another person while the head is turned, in the same place and pose. `back`: the first returns after it.

    `puppets` are those of the `performances`, which must play with one seed, so that they move alike. `shown` says for
    each frame so far whether the other person is visible.
    """

    performances: tuple[Performance, Performance]
    puppets: tuple[Puppet, Puppet]
    back: bool
    shown: list[bool] = field(default_factory=list)

    def __call__(self, action: str, seconds: float, allowed: float) -> Image:
        first, second = (performance.pose(action, seconds, allowed) for performance in self.performances)
        turned = action in TURNS and abs(first.yaw) > 0.6 * abs(self.performances[0].turn(action))
        other = turned or (not self.back and any(self.shown[-1:]))
        self.shown.append(other)
        return self.puppets[1].render(second) if other else self.puppets[0].render(first)


@dataclass
class TwoPhotos:
    """Shows two photos of one person, one of which looks aside and replaces the other without a transition.

    `shown` says for each frame so far whether it is the photo that looks aside.
    """

    performance: Performance
    puppet: Puppet
    shown: list[bool] = field(default_factory=list)

    def __call__(self, action: str, seconds: float, allowed: float) -> Image:
        pose = self.performance.pose(action, seconds, allowed)
        full = self.performance.turn(action) if action in TURNS else 0.0
        self.shown.append(action in TURNS and abs(pose.yaw) > abs(full) / 2)
        return self.puppet.render(replace(pose, yaw=full if self.shown[-1] else 0.0))


@dataclass
class Morph:
    """Two photos of one person, one ahead and one aside, and between them a dissolve along their optical flow.

    Nothing of a head is rendered in between: each pixel of one photo goes straight to its place in the other while it
    fades. Whatever else is asked the person does live.
    """

    performance: Performance
    puppet: Puppet
    _photos: dict[str, tuple[Image, Image, Flow, Flow]] = field(default_factory=dict)

    def __call__(self, action: str, seconds: float, allowed: float) -> Image:
        pose = self.performance.pose(action, seconds, allowed)
        if action not in TURNS:
            return self.puppet.render(pose)
        full = self.performance.turn(action)
        if action not in self._photos:
            self._photos[action] = _two_photos(self.puppet, full)
        share = float(np.clip(pose.yaw / full, 0.0, 1.0))
        grain = self.puppet.render(replace(pose, yaw=0.0)).astype(np.int16) - self.puppet.render(
            replace(pose, yaw=0.0, noise=0.0)
        )
        return np.clip(_dissolve(*self._photos[action], share) + grain, 0, 255).astype(np.uint8)


def _two_photos(puppet: Puppet, degrees: float) -> tuple[Image, Image, Flow, Flow]:
    """Return both photos, and the flow from each to the other."""
    ahead, aside = puppet.render(PuppetPose()), puppet.render(PuppetPose(yaw=degrees))
    greys = [cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY) for photo in (ahead, aside)]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    still = np.zeros((*greys[0].shape, 2), np.float32)
    return ahead, aside, flow.calc(greys[0], greys[1], still.copy()), flow.calc(greys[1], greys[0], still.copy())


def _dissolve(ahead: Image, aside: Image, there: Flow, back: Flow, share: float) -> Image:
    """Blend the photos: 0 is the first, 1 is the second."""
    rows, columns = np.mgrid[: ahead.shape[0], : ahead.shape[1]].astype(np.float32)
    moved = []
    for photo, flow, part in ((ahead, back, share), (aside, there, 1.0 - share)):
        x, y = columns + part * flow[..., 0], rows + part * flow[..., 1]
        moved.append(cv2.remap(photo, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32))
    mixed = (1.0 - share) * moved[0] + share * moved[1]
    return np.asarray(np.clip(mixed, 0, 255).astype(np.uint8))


def cut_around(clip: Clip, shown: Sequence[bool], frames: int = 2) -> Clip:
    """Return a clip without the `frames` before and after each exchange. `shown`: for each frame, which of two it
    shows."""
    cuts = [k for k in range(1, len(shown)) if shown[k] != shown[k - 1]]
    left_out = {k for cut in cuts for k in range(cut - frames, cut + frames)}
    counter = iter(range(len(shown)))
    return with_shots(clip, lambda index, part: [s for s in part.shots if next(counter) not in left_out])


def beside(scene: Scene, bystander: Image) -> Scene:
    """Put another face into the picture: the middle half of the scene on the left, that of a still image on the
    right."""

    def both(action: str, seconds: float, allowed: float) -> Image:
        frame = scene(action, seconds, allowed)
        quarter = frame.shape[1] // 4
        return np.hstack([frame[:, quarter : 3 * quarter], bystander[:, quarter : 3 * quarter]])

    return both


def held_before(scene: Scene, body: Image, share: float, size: tuple[int, int]) -> Scene:
    """Put a small print, `share` of the frame's size, before somebody's body. `size`: of the camera's frames.

    The body is the lower part of a portrait, out of focus behind the print.
    """
    height, width = body.shape[:2]
    behind = cv2.resize(body[round(0.8 * height) :], (width, height), interpolation=cv2.INTER_LINEAR)
    behind = cv2.GaussianBlur(behind, (0, 0), height / 40)

    def small(action: str, seconds: float, allowed: float) -> Image:
        frame = scene(action, seconds, allowed)
        across, down = round(width * share), round(height * share)
        print_ = cv2.resize(frame, (across, down), interpolation=cv2.INTER_AREA)
        left, top = (width - across) // 2, (height - down) // 2
        shown = behind.copy()
        shown[top - 3 : top + down + 3, left - 3 : left + across + 3] = 235  # the paper's edge
        shown[top : top + down, left : left + across] = print_
        picture: Image = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)
        return picture

    return small


def still(puppet: Puppet, actions: Sequence[str], *, seed: int, quality: int = 80) -> Clip:
    """Present a print that nobody moves: nothing changes but the camera's noise."""
    count = [0]

    def scene(action: str, seconds: float, allowed: float) -> Image:
        count[0] += 1
        return puppet.render(PuppetPose(noise=2.0, grain=count[0]))

    return film(scene, actions, seed=seed, quality=quality)


def relabelled(clip: Clip, actions: Sequence[str]) -> Clip:
    """Return the same recording, sent as the answer to other actions."""
    return tuple(replace(part, action=action) for part, action in zip(clip, (NEUTRAL, *actions), strict=True))


def joined(parts: Sequence[ClipStep]) -> Clip:
    """Return the steps of several recordings one after another, without a pause between them."""
    clip: list[ClipStep] = []
    for part in parts:
        now = clip[-1].ends_at + 1 / FRAMES_PER_SECOND - TRAVEL if clip else 0.0
        clip.append(part.moved(now - part.revealed_at))
    return tuple(clip)


def with_shots(clip: Clip, change: Callable[[int, ClipStep], Sequence[Shot]]) -> Clip:
    """Return the clip with other frames in each step. `change` gets the step's index and the step."""
    return tuple(replace(part, shots=tuple(change(index, part))) for index, part in enumerate(clip))


def frozen(clip: Clip) -> Clip:
    """Freeze the picture after the last neutral frame."""
    last = clip[0].shots[-1].jpeg
    return with_shots(clip, lambda index, part: [Shot(s.at, last) if index else s for s in part.shots])


def looped(clip: Clip, frames: int = 4) -> Clip:
    """Repeat the first `frames` of looking straight until the first action is asked."""

    def again(index: int, part: ClipStep) -> list[Shot]:
        return [Shot(shot.at, part.shots[k % frames if index == 0 else k].jpeg) for k, shot in enumerate(part.shots)]

    return with_shots(clip, again)


def to_and_fro(clip: Clip) -> Clip:
    """Play the neutral part forwards to its middle and backwards again, so that its end fits any beginning."""

    def turned(index: int, part: ClipStep) -> list[Shot]:
        last = len(part.shots) - 1
        return [
            Shot(s.at, part.shots[k if index or 2 * k <= last else last - k].jpeg) for k, s in enumerate(part.shots)
        ]

    return with_shots(clip, turned)


def thinned(clip: Clip, keep: int = 3) -> Clip:
    """While an action is asked, send only the first of every `keep` frames."""
    return with_shots(clip, lambda index, part: part.shots[::keep] if index else part.shots)


def ahead_of_time(clip: Clip, seconds: float) -> Clip:
    """Shift a recording: the frames of each action arrive `seconds` before it is revealed."""
    return tuple(replace(part, revealed_at=part.revealed_at + (seconds if k else 0.0)) for k, part in enumerate(clip))


def as_transcript(
    clip: Clip,
    *,
    attack: str,
    person: str,
    half: str,
    nonces: Sequence[str],
    sent_nonces: Sequence[str] | None = None,
    note: str = "",
) -> tuple[SequenceTranscript, list[bytes]]:
    """Return what the server has of a clip: the steps that it revealed with `nonces`, and the received frames.

    `sent_nonces`: those of the frames, if they are not the revealed ones.
    """
    steps = [
        Step(k, part.action, nonce, round(part.revealed_at, 4), round(part.revealed_at + part.deadline, 4))
        for k, (part, nonce) in enumerate(zip(clip, nonces, strict=True))
    ]
    frames: list[FrameEntry] = []
    jpegs: list[bytes] = []
    for index, (part, nonce) in enumerate(zip(clip, sent_nonces or nonces, strict=True)):
        for shot in part.shots:
            frames.append(FrameEntry(f"{len(frames):06d}.jpg", index, nonce, round(shot.at, 4)))
            jpegs.append(shot.jpeg)
    return SequenceTranscript(FORMAT, "attack", person, steps, frames, attack, half, note=note), jpegs
