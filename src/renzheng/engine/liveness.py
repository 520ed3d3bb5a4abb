"""What happens over time, frame by frame: glances, the neutral baseline, actions, hints for the device.

Frames are unmirrored, as the camera sees them. ``yaw`` > 0: the person turned to THEIR OWN LEFT, so the nose moved to
the image's right. ``pitch`` grows when the chin goes down, ``roll`` when the head leans to THEIR OWN LEFT shoulder,
which is clockwise in the image. Left and right are the person's. An action counts only if it was asked, began after the
asking from a neutral face, and ended near it again.

This module is plain Python: the server's process may use it without loading a model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

TURNS = {"turn_left": 1, "turn_right": -1}
TILTS = {"tilt_left": 1, "tilt_right": -1}
"""The sign of each tilt's angle."""
ACTIONS = ("blink", "open_mouth", *TURNS, "nod", *TILTS)
NEUTRAL = "neutral"
AHEAD_ONLY = ("nod", *TILTS)
"""Actions that only a face looking ahead shows; see ``unasked_actions``."""
HINTS = (
    *("no_face", "several_faces", "face_cut", "move_closer", "move_back"),
    *("face_covered", "center", "more_light", "less_light", "hold_still", "look_straight"),
)


@dataclass(frozen=True, slots=True)
class Glance:
    """What one frame shows of its largest face; without a face ``faces`` is 0 and the rest is neutral.

    ``width``, ``height``: the frame's pixels; ``box``: x, y, width, height in pixels; ``cut``: a part of the
    face lies outside; ``yaw``, ``pitch``: proportions -1..1, and ``turn``, ``roll``: degrees, as in ``landmarks``; eye
    and mouth openings: height over width, None where the eye model did not run; ``sharpness``: see ``quality``;
    ``brightness``, ``contrast``: mean and deviation of the face's luma 0-255;
    ``covered``: how far nose, lips and jaw differ in colour from the upper face (``appearance``); ``presence``: 0-1.
    """

    width: int
    height: int
    faces: int = 0
    box: tuple[float, float, float, float] | None = None
    cut: bool = False
    yaw: float = 0.0
    pitch: float = 0.0
    turn: float = 0.0
    roll: float = 0.0
    left_eye: float | None = None
    right_eye: float | None = None
    mouth: float = 0.0
    sharpness: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    covered: float = 0.0
    presence: float = 0.0

    @property
    def eye(self) -> float | None:
        """Mean opening of both eyes; None if unknown."""
        if self.left_eye is None or self.right_eye is None:
            return None
        return (self.left_eye + self.right_eye) / 2

    @property
    def single(self) -> bool:
        """Whether there is exactly one face, perhaps cut, so that eyes, mouth and pose are known."""
        return self.faces == 1 and self.box is not None

    @property
    def usable(self) -> bool:
        """Whether there is one whole face."""
        return self.single and not self.cut


@dataclass(frozen=True)
class ActionThresholds:
    """When an action has been reached and when it is over again; proportions as in ``Glance``.

    ``closed_eye`` 0.6 and ``turn`` 0.5 are measured (all four blinks of a clip and none between; heads and
    flat pictures separate there). ``mouth_rise``, ``mouth_wide``: talking stays below. ``nod``: about 13
    degrees, 0.0075 a degree on three people's meshes turned in space.
    """

    closed_eye: float = 0.6
    turn: float = 0.5
    turn_degrees: float = 30.0
    """Degrees from the neutral pose that also count as a turn: some faces never show a proxy of 0.5."""
    mouth_rise: float = 0.12
    mouth_wide: float = 0.25
    nod: float = 0.10
    tilt: float = 13.0
    """Degrees by which the line of the eyes leans from the neutral one."""
    reach: float = 1.1
    """Share of its threshold that an action must reach. The live side asks for a little more than the judge,
    whose tracked meshes differ a little from the live ones: what was accepted live must stand at the verdict."""
    released: float = 0.45
    """Share of its threshold below which an action is over, and another one may begin."""
    returned: float = 0.30
    """After a wide movement it is also over below this share of the widest point: that is well on the way back."""
    eye_yaw: float = 0.40
    """Eye openings are ignored while the head is turned further than this, as they give false blinks."""
    eye_pitch: float = 0.20
    neutral_yaw: float = 0.25
    unasked: float = 1.1
    """Share of its threshold from which an action that was not asked counts against the person."""


DEFAULT_THRESHOLDS = ActionThresholds()


@dataclass(frozen=True, slots=True)
class Baseline:
    """The person's own neutral face: medians over the neutral frames."""

    yaw: float
    pitch: float
    mouth: float
    eye: float | None
    frames: int
    turn: float = 0.0
    roll: float = 0.0

    @classmethod
    def from_glances(
        cls, glances: Iterable[Glance], *, minimum: int = 3, thresholds: ActionThresholds = DEFAULT_THRESHOLDS
    ) -> Baseline | None:
        """Compute the baseline; None if fewer than ``minimum`` glances show one face looking ahead."""
        good = [glance for glance in glances if glance.single and abs(glance.yaw) <= thresholds.neutral_yaw]
        if len(good) < minimum:
            return None
        eyes = [glance.eye for glance in good if glance.eye is not None]
        return cls(
            yaw=median(glance.yaw for glance in good),
            pitch=median(glance.pitch for glance in good),
            mouth=median(glance.mouth for glance in good),
            eye=median(eyes) if len(eyes) >= minimum else None,
            frames=len(good),
            turn=median(glance.turn for glance in good),
            roll=median(glance.roll for glance in good),
        )


def extent(
    action: str, glance: Glance, baseline: Baseline, thresholds: ActionThresholds = DEFAULT_THRESHOLDS
) -> float | None:
    """Return how far an action is carried out: 0 neutral, 1 at its threshold; None if the frame cannot tell."""
    if not glance.single:
        return None
    if action in TURNS:
        sign, degrees = TURNS[action], glance.turn - baseline.turn
        return max(sign * glance.yaw / thresholds.turn, sign * degrees / thresholds.turn_degrees)
    if action in TILTS:
        return TILTS[action] * (glance.roll - baseline.roll) / thresholds.tilt
    if action == "nod":
        return (glance.pitch - baseline.pitch) / thresholds.nod
    if action == "open_mouth":
        wide = max(baseline.mouth + thresholds.mouth_rise, thresholds.mouth_wide)
        return (glance.mouth - baseline.mouth) / (wide - baseline.mouth)
    if action == "blink":
        turned = abs(glance.yaw) > thresholds.eye_yaw
        tilted = abs(glance.pitch - baseline.pitch) > thresholds.eye_pitch
        if turned or tilted or glance.eye is None or not baseline.eye:
            return None
        return (1 - glance.eye / baseline.eye) / (1 - thresholds.closed_eye)
    raise ValueError(f"unknown action {action!r}")


@dataclass(slots=True)
class ActionWatcher:
    """Follows one asked action over the frames that carry its step's nonce.

    It must see the face without the action first, then the action, then the face without it again.
    """

    action: str
    baseline: Baseline
    thresholds: ActionThresholds = field(default_factory=ActionThresholds)
    phase: str = "waiting"
    peak: float = 0.0
    peak_at: float | None = None
    done_at: float | None = None

    def __post_init__(self) -> None:
        if self.action not in ACTIONS:
            raise ValueError(f"unknown action {self.action!r}")

    def feed(self, glance: Glance, at_seconds: float) -> bool:
        """Take the next frame. True once the action is completed, and from then on."""
        value = extent(self.action, glance, self.baseline, self.thresholds)
        if self.phase == "done" or value is None:
            return self.phase == "done"
        if value > self.peak:
            self.peak, self.peak_at = value, at_seconds
        if self.phase == "waiting" and value <= self.thresholds.released:
            self.phase = "ready"
        elif self.phase == "ready" and value >= self.thresholds.reach:
            self.phase = "reached"
        elif self.phase == "reached" and value <= max(self.thresholds.released, self.thresholds.returned * self.peak):
            self.phase, self.done_at = "done", at_seconds
        return self.phase == "done"


def unasked_actions(
    asked: str,
    glances: Sequence[Glance],
    baseline: Baseline,
    thresholds: ActionThresholds = DEFAULT_THRESHOLDS,
    before: str = NEUTRAL,
    last: Glance | None = None,
) -> tuple[str, ...]:
    """Actions other than the asked one that begin within the step and are shown clearly; ``before``: asked before it.

    ``last``: the last frame of the step before. What it does not show, and this step shows and ends, counts as well:
    it began while no frame was sent, as where a recording skips an action.

    Blinks are not held against anybody, and a nod or a tilt only while the face looks ahead: a turn moves the pitch,
    and leans the line of the eyes. After a nod one more has to be twice as clear, as many people nod twice, and so has
    a nod that began between two steps: people hold their heads lower after a while.
    """
    found = []
    for action in ACTIONS:
        if action in (asked, "blink"):
            continue
        steady = [glance for glance in glances if _counts(action, glance, thresholds)]
        earlier = [last] if last is not None and _counts(action, last, thresholds) else []
        level = baseline
        if action in TILTS and before not in TILTS and steady and earlier:
            level = _level(action, (earlier[0], steady[-1]), baseline)
        clearly = replace(thresholds, reach=thresholds.unasked * (2 if action == before == "nod" else 1))
        twice = replace(thresholds, reach=thresholds.unasked * (2 if action == "nod" else 1))
        begins = _followed(action, steady, level, clearly) in ("reached", "done")
        if begins or (earlier and _followed(action, earlier + steady, level, twice) == "done"):
            found.append(action)
    return tuple(found)


def _counts(action: str, glance: Glance, thresholds: ActionThresholds) -> bool:
    return action not in AHEAD_ONLY or abs(glance.yaw) <= thresholds.neutral_yaw


def _followed(action: str, glances: Sequence[Glance], baseline: Baseline, thresholds: ActionThresholds) -> str:
    """Return the phase that an action reaches in these frames."""
    watcher = ActionWatcher(action, baseline, thresholds)
    for number, glance in enumerate(glances):
        watcher.feed(glance, float(number))
    return watcher.phase


def _level(tilt: str, ends: Sequence[Glance], baseline: Baseline) -> Baseline:
    """The baseline to measure a tilt from: where the head leans the other way before and after a step, the nearer of
    both, as a neutral face that was shown askew hides half of a tilt."""
    leans = [TILTS[tilt] * (glance.roll - baseline.roll) for glance in ends]
    away = min(max(leans), 0.0) if all(glance.single for glance in ends) else 0.0
    return replace(baseline, roll=baseline.roll + TILTS[tilt] * away)


@dataclass(frozen=True)
class HintLimits:
    """When the device is told to help the person. Shares are of the frame's shorter side."""

    closer: float = 0.25
    closer_pixels: float = 100.0
    back: float = 0.95
    off_centre: float = 0.25
    dark: float = 45.0
    bright: float = 225.0
    detail_dark: float = 6.0
    detail_bright: float = 30.0
    blurred: float = 0.0006
    straight: float = 0.20
    covered: float = 13.0
    """A surgical mask shows 17 to 21; of 264 photos of people with and without beards none more than 12, of 13 people
    on video none more than 8."""


DEFAULT_HINTS = HintLimits()


def hint(glance: Glance, expecting: str = NEUTRAL, limits: HintLimits = DEFAULT_HINTS) -> str | None:
    """Return what the person should change, one of HINTS, or None. ``expecting``: ``neutral`` or an action.

    It concerns the picture alone, never how an action was carried out, as that would help an attacker.
    """
    if glance.box is None or glance.faces == 0:
        return "no_face"
    if glance.faces > 1:
        return "several_faces"
    if glance.cut:
        return "face_cut"
    x, y, width, height = glance.box
    shorter, size = min(glance.width, glance.height), max(width, height)
    if size < max(limits.closer * shorter, limits.closer_pixels):
        return "move_closer"
    if size > limits.back * shorter:
        return "move_back"
    # A dark or a pale face is no fault as long as it shows detail.
    if glance.brightness < limits.dark and glance.contrast < limits.detail_dark:
        return "more_light"
    if glance.brightness > limits.bright and glance.contrast < limits.detail_bright:
        return "less_light"
    if expecting != NEUTRAL:
        return None
    if glance.covered > limits.covered and abs(glance.yaw) <= limits.straight:
        return "face_covered"
    away = max(abs(x + width / 2 - glance.width / 2), abs(y + height / 2 - glance.height / 2))
    if away > limits.off_centre * shorter:
        return "center"
    if abs(glance.yaw) > limits.straight:
        return "look_straight"
    return "hold_still" if glance.sharpness < limits.blurred else None
