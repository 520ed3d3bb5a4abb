"""The engine's results: plain, frozen values that convert to JSON and back unchanged.

Importing this module loads neither numpy nor OpenCV.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from .limits import QualityLimits
from .liveness import Baseline


def frontality(yaw: float) -> float:
    """Return 1 for a face that looks ahead, falling towards 0 as the yaw proxy grows."""
    return math.exp(-((yaw / 0.25) ** 2))


@dataclass(frozen=True)
class Quality:
    """``face_pixels``: shorter side of the box in the original; ``sharpness``: see ``sharpness_of``;
    ``brightness`` and ``contrast``: mean and standard deviation of the inner face's luma, 0-255; ``outside``: share of
    the mesh outside of the image; ``yaw`` and ``pitch``: see ``landmarks``; ``presence``: 0-1; ``clipped``: share of
    the inner face that is black or white, 0-1; ``noise``: standard deviation of the noise in it, 0-255."""

    face_pixels: float
    sharpness: float
    brightness: float
    contrast: float
    outside: float
    yaw: float
    pitch: float
    presence: float
    clipped: float = 0.0
    noise: float = 0.0

    def fault(self, limits: QualityLimits) -> str | None:
        """Return ``too_small``, ``cut`` or ``poor``; None if the face is fit for comparison."""
        if self.face_pixels < limits.face_pixels:
            return "too_small"
        if self.outside > limits.outside:
            return "cut"
        fit = (
            self.sharpness >= limits.sharpness
            and not self.has_lost_detail(limits)
            and abs(self.yaw) <= limits.yaw
            and abs(self.pitch) <= limits.pitch
            and self.presence >= limits.presence
        )
        return None if fit else "poor"

    def has_lost_detail(self, limits: QualityLimits) -> bool:
        """Return whether the light left too little of the face, by its differences, never by its brightness."""
        least = max(limits.contrast, limits.relative_contrast * self.brightness, limits.over_noise * self.noise)
        return self.contrast < least or self.clipped > limits.clipped

    @property
    def score(self) -> float:
        """0-1, higher is better: for choosing among frames, not for refusing one."""
        size = min(1.0, self.face_pixels / 160)
        sharp = min(1.0, self.sharpness / 0.015)
        light = math.exp(-(((self.brightness - 130) / 80) ** 2))
        frontal = frontality(self.yaw)
        return size * math.sqrt(sharp) * light * frontal * self.presence


@dataclass(frozen=True, slots=True)
class Depth:
    """``residual``: median over the pairs of views, in eye distances, None where nothing could be compared;
    ``lowest`` of them; ``turn``: the largest yaw proxy towards the asked side; ``turned``: how many frames
    are turned enough; ``threshold``: of the residual; ``relief``: the median share of the turned pictures that no plane
    explains, brought to the largest turn (see ``DepthLimits``), None where it was not measured; ``relief_threshold``:
    what a head shows of it at that turn; ``solidity``: how much better a head explains the turn than a plane does,
    above 0 for a head (see ``depth``), None where it was not measured; ``solidity_threshold``: of it."""

    residual: float | None
    lowest: float | None
    turn: float
    turned: int
    threshold: float
    passed: bool
    relief: float | None = None
    relief_threshold: float = 0.0
    solidity: float | None = None
    solidity_threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """The course of the asked turn, by a fit of every frame's mesh to the neutral one (``pose``).

    ``degrees``: the largest yaw towards the asked side, of the smooth course; ``jitter``: RMS distance of the yaw from
    its smooth course, degrees; ``between``: frames that show the head on its way, there or back; ``misfit``: RMS
    distance of the points after the fit at the largest yaw, in eye distances."""

    degrees: float
    jitter: float
    between: int
    misfit: float


@dataclass(frozen=True, slots=True)
class Continuity:
    """``frontal``, ``turned``: the lowest cosine of each kind, None where it could not be measured;
    ``speed``: the fastest move of the face, in face sizes a second; ``growth``: the fastest change of size, a
    factor a second; ``yaw_speed``: the fastest turn, yaw proxy a second; ``gap``: the longest time without a
    face, seconds; ``repeated``: pictures that had been there before, other than just before; ``frozen``: the
    longest time in which the picture did not change at all, seconds; ``disorder``: times that run backwards.
    ``faults``: which of them decided against the sequence, by name. ``link``: the weakest cosine of a chain of faces
    through the whole sequence (see ``identity``), None in judgements from before there was such."""

    frontal: float | None
    turned: float | None
    speed: float
    growth: float
    yaw_speed: float
    gap: float
    repeated: int
    frozen: float
    disorder: int
    frontal_threshold: float
    turned_threshold: float
    faults: tuple[str, ...]
    passed: bool
    link: float | None = None
    link_threshold: float = 0.0


@dataclass(frozen=True, slots=True)
class Appearance:
    """How the best frame looks: advice. Of several frames ``borders`` and ``blur`` raise doubts (see ``Doubt``).

    ``blur``: 0 sharp .. 1; ``exposure``: share 0-1 of the face that is nearly black or white; ``occlusion``: how
    far the colour of the skin's region that differs second most lies from the face's own, CIELAB units; ``moire``:
    decibels of the strongest periodic pattern on the face above its neighbourhood, 0 where the face is too small to
    tell; ``borders``: 0-1, straight edges on two and three sides of the face, in lengths of the face."""

    blur: float
    exposure: float
    occlusion: float
    moire: float
    borders: float


@dataclass(frozen=True, slots=True)
class Doubt:
    """What weak measures say together. ``parts``: the doubt that each raises, 0 none .. 1, by name, those that raise
    none left out; ``total``: their sum, which has to stay below ``limit``. Each is bounded so that it cannot reach the
    limit alone."""

    parts: dict[str, float]
    total: float
    limit: float
    passed: bool


@dataclass(frozen=True, slots=True)
class Passive:
    """What an operator's network says of the compared frames. ``pack``: its id; ``detects``: the attacks that it is
    there to find; ``scores``: of each frame, 0 attack .. 1 live; ``score``: their median, None without any;
    ``decides``: whether it counts, or is advice; ``fault``: why there is no score."""

    pack: str
    detects: str
    scores: tuple[float, ...]
    score: float | None
    threshold: float
    decides: bool
    passed: bool
    fault: str | None = None

    @property
    def refuses(self) -> bool:
        """Whether it decides against the person. Without a score it does, as nothing speaks for them."""
        return self.decides and not self.passed


@dataclass(frozen=True, slots=True)
class Light:
    """``face``, ``background``: share 0-1 of their change of tint that the shown colours explain; ``gain``,
    ``behind``: the size of each one's response, in parts of its colour; ``regions``: the gains of forehead, right
    cheek, left cheek, nose and chin (the person's own right); ``nose``: the nose's gain over the cheeks'; ``delay``:
    seconds by which the face answers later than its frames say; ``wait``: the median time, seconds, between a colour's
    last frame and the next one's first; ``colours``, ``frames``: how many of each were measured; ``threshold``: of
    ``face``. ``faults``: which of them decided against the sequence, by name."""

    face: float
    background: float
    gain: float
    behind: float
    regions: tuple[float, ...]
    nose: float
    delay: float
    wait: float
    colours: int
    frames: int
    threshold: float
    faults: tuple[str, ...]
    passed: bool


@dataclass(frozen=True, slots=True)
class Frame:
    """A stored frame: its JPEG, the step and action it was taken for, and when it came (seconds, rising).

    ``measured``: its measurement as ``frames.written`` gave it while the person was acting, None where there is none.
    """

    jpeg: bytes
    step: int
    action: str
    at: float
    measured: bytes | None = None


@dataclass(frozen=True, slots=True)
class ActionOutcome:
    """``peak``: 1 is the action's threshold; ``unasked``: other actions that the step's frames show."""

    step: int
    action: str
    answered: bool
    at: float | None
    peak: float
    peak_at: float | None
    unasked: tuple[str, ...]
    frames: int


@dataclass(frozen=True, slots=True)
class FrameCounts:
    """``searched``: frames in which the detector ran; ``several``: those of them with another large face."""

    total: int
    undecodable: int
    no_face: int
    searched: int
    several: int
    cut: int
    too_small: int
    usable: int


@dataclass(frozen=True, slots=True)
class Best:
    """The best frame: its index in the sequence, its score 0-1 and its quality."""

    index: int
    score: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class Measurement:
    """All that the engine says about a sequence.

    ``frames_status``: usable, too_few_pixels, several_faces, cut or no_face. ``reference``: none, ok,
    undecodable, no_face, several_faces, cut, too_small or poor. ``compared``: indices of the frames chosen for
    comparison; ``cosines``: theirs to the reference; ``similarity``: 0-100, None where nothing was compared.
    ``tags``: LivenessInfoTag values with their reasons in ``reasons``. ``packs``: ids of the model files used.
    ``appearance``: advice on the best frame's looks, None without one, or of a judgement before there was such.
    ``passive``: None where no network is in use.
    ``light``: None where no colours were shown. ``doubt``: None in judgements from before there was such.
    """

    frames_status: str
    counts: FrameCounts
    baseline: Baseline | None
    actions: tuple[ActionOutcome, ...]
    challenge_passed: bool
    depth: Depth | None
    continuity: Continuity | None
    best: Best | None
    reference: str
    reference_quality: Quality | None
    similarity: float | None
    cosines: tuple[float, ...]
    compared: tuple[int, ...]
    seconds: float
    frames_per_second: float
    tags: tuple[str, ...]
    packs: tuple[str, ...]
    appearance: Appearance | None = None
    passive: Passive | None = None
    turn: Turn | None = None
    light: Light | None = None
    doubt: Doubt | None = None

    @property
    def best_frame(self) -> int | None:
        """The best frame's index in the sequence; None without one."""
        return self.best.index if self.best is not None else None

    @property
    def has_depth(self) -> bool:
        return self.depth is not None and self.depth.passed

    @property
    def is_continuous(self) -> bool:
        return self.continuity is not None and self.continuity.passed

    @property
    def answered_light(self) -> bool | None:
        """Whether the face answered the colours; None if none were measured."""
        return self.light.passed if self.light is not None else None

    @property
    def network_refuses(self) -> bool:
        return self.passive is not None and self.passive.refuses

    @property
    def is_doubted(self) -> bool:
        """Whether weak measures together speak against a live person."""
        return self.doubt is not None and not self.doubt.passed

    def as_dict(self) -> dict[str, object]:
        """Return plain values for JSON, without what was not asked for."""
        plain = asdict(self)
        if self.light is None:
            del plain["light"]
        return plain


@dataclass(frozen=True, slots=True)
class Comparison:
    """Frames against a reference: see the fields of the same names in ``Measurement``.

    ``scale``: id of the calibration that the similarity is a score of, None where nothing was compared, and in
    judgements from before it was recorded.
    """

    reference: str
    reference_quality: Quality | None
    similarity: float | None
    cosines: tuple[float, ...]
    scale: str | None = None


@dataclass(frozen=True, slots=True)
class PhotoReport:
    """A photo for enrolment. ``status``: ok, no_face, several_faces, cut, too_small or poor; ``faces``: how
    many the detector finds; ``width``, ``height``: pixels, upright; ``quality``: of the largest face."""

    status: str
    faces: int
    width: int
    height: int
    format: str
    quality: Quality | None
