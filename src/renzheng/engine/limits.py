"""Every bound of the engine in one place; the server's settings fill it in."""

from __future__ import annotations

from dataclasses import dataclass, field

from .liveness import ActionThresholds

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class MediaLimits:
    """What a stranger's image may be."""

    max_bytes: int = 8 * MEBIBYTE
    max_pixels: int = 50_000_000
    """Width x height by the header; checked before a pixel is decoded."""
    max_scans: int = 32
    """Scans of a progressive JPEG: usual ones have ten, and each is a pass over all blocks however few bytes it has."""
    min_side: int = 32
    """Shorter side in pixels below which an image cannot hold a usable face."""
    photo_side: int = 1280
    """Photos are decoded at the reduced scale whose longer side is still at least this."""
    frame_pixels: int = 2_100_000
    frame_side: int = 640


@dataclass(frozen=True)
class QualityLimits:
    """Bounds for a reference photo and for the frame that is compared."""

    face_pixels: float = 60.0
    """Shorter side of the box around the mesh in pixels of the original image."""
    sharpness: float = 0.0008
    brightness: tuple[float, float] = (35.0, 235.0)
    contrast: float = 10.0
    yaw: float = 0.65
    pitch: float = 0.45
    outside: float = 0.05
    """Share of the mesh that may lie outside of the image before the face counts as cut."""
    presence: float = 0.5


@dataclass(frozen=True)
class DepthLimits:
    """``residual``: heads in four clips gave 0.047 to 0.19 at a yaw of 0.5 and more; ``turn``: yaw proxy;
    ``degrees``: from the neutral pose, which are turned enough as well (see ``ActionThresholds``);
    ``frontal``: the largest yaw proxy of a frame that serves as the frontal view; ``views``: how many frames
    of each kind are compared, evenly taken; ``minimum``: how many turned frames there must be.

    ``nearly``: share of an enough turn that frames have which serve where fewer than ``minimum`` are turned enough.

    ``relief``: one less the correlation that ``planarity`` finds, in ``reliefs`` frames from the least turned to the
    most. What no plane explains of a head grows with the turn, about as its sine to the power of ``relief_power``
    (between 1 and 2, by which grey levels part with distance in sharp and in smooth pictures); each frame's is brought
    to the largest turn so, and the least counts. It has to be ``relief_by_turn`` times that sine's power, and
    ``relief`` at least. What rendered people reach is told in ``docs/accuracy.md``."""

    residual: float = 0.040
    turn: float = 0.5
    degrees: float = 30.0
    frontal: float = 0.25
    views: int = 3
    minimum: int = 2
    nearly: float = 0.9
    relief: float = 0.06
    relief_by_turn: float = 0.17
    relief_power: float = 1.5
    reliefs: int = 3


@dataclass(frozen=True)
class ContinuityLimits:
    """``frontal``: least cosine between any two of the compared frames; ``turned``: between a frontal and a turned one;
    ``speed``: face sizes a second that the face's centre may move; ``growth``: factor a second by which its
    size may change; ``gap``: longest time in seconds in which frames come but show no face. Speeds are from frame to
    frame over all the time that may lie between them, at an even pace two intervals (see ``continuity``)."""

    frontal: float = 0.50
    turned: float = 0.363
    speed: float = 3.0
    growth: float = 3.5
    gap: float = 1.0
    yaw_speed: float = 2.25
    """Yaw proxy a second: a quick turn of a head takes a quarter of a second for 0.6; a swapped photo, none."""
    between: int = 2
    """Least frames that show the head on its way to the turn or back: two exchanged photos have none, or one."""
    repeated: int = 0
    frozen: float = 0.8


@dataclass(frozen=True)
class LightLimits:
    """``response``: least share of the face's change of tint that the shown colours explain; ``gain``: least size
    of it; ``nearer``: how many times the background's; ``nose``: least gain of the nose, in parts of the
    cheeks'; ``latest``, ``step``: delays tried, seconds; ``wait``: longest time from one colour's frames to the next
    one's, seconds; ``minimum``: frames. Tried on rendered light only, so no rule asks for it unless told to."""

    response: float = 0.7
    gain: float = 0.01
    nearer: float = 1.5
    nose: float = 1.15
    wait: float = 2.0
    latest: float = 0.6
    step: float = 0.05
    minimum: int = 20


@dataclass(frozen=True)
class ObservationLimits:
    """``frame_side``, ``tracked_side``, ``photo_side``: longer side in pixels of the copy that the detector searches:
    in a frame, in a frame whose face is tracked already, and in a photo. A photo in which nothing is found, or only
    faces below ``photo_face`` pixels in that copy, is searched once more at ``photo_side_fine`` (what each side misses:
    ``docs/accuracy.md``). ``second_face``: size beside the largest from which another face counts. ``lost``: presence
    below which a tracked face is searched anew. ``cut``: share of the mesh outside of the frame. ``candidates``: how
    many of the detector's faces, the largest first, are asked whether the mesh knows them."""

    frame_side: int = 192
    tracked_side: int = 160
    photo_side: int = 224
    photo_face: float = 40.0
    photo_side_fine: int = 800
    second_face: float = 0.4
    lost: float = 0.5
    cut: float = 0.05
    candidates: int = 3


@dataclass(frozen=True)
class JudgingLimits:
    """Every threshold of a judgement; a ``Measurement`` repeats the ones that decided it."""

    actions: ActionThresholds = field(default_factory=lambda: ActionThresholds(reach=1.0, released=0.65, returned=0.45))
    depth: DepthLimits = field(default_factory=DepthLimits)
    continuity: ContinuityLimits = field(default_factory=ContinuityLimits)
    light: LightLimits = field(default_factory=LightLimits)
    quality: QualityLimits = field(default_factory=QualityLimits)
    search_every: int = 5
    neutral_eyes: int = 4
    """Frames of the neutral step in which the eyes are measured."""
    eye_gate: float = 0.95
    """In the blink step the eye model runs where the mesh's lids are below this share of the neutral ones."""
    compared: int = 3
    apart: float = 0.3
    minimum_frames: int = 8
    """Frames with one whole face below which nothing can be judged."""
    frame_side: int = 240
    face_pixels: float = 70.0
    several_share: float = 0.15
    cut_share: float = 0.30
    no_face_share: float = 0.50


@dataclass(frozen=True)
class WorkerLimits:
    """How many processes there are, what they may use, and when a queue is full."""

    decode_processes: int = 1
    hint_processes: int = 1
    judge_processes: int = 1
    threads: int = 1
    """Threads a process computes with."""
    decode_memory: int = 1024 * MEBIBYTE
    """Address space of a process that decodes strangers' bytes (RLIMIT_AS)."""
    model_memory: int = 1536 * MEBIBYTE
    """Resident bytes above which a process with models is replaced once it is idle."""
    start_seconds: float = 20.0
    decode_seconds: float = 5.0
    hint_seconds: float = 5.0
    judge_seconds: float = 60.0
    mux_seconds: float = 30.0
    decode_queue: int = 32
    """Photos to examine that may wait; beyond that ``Busy``."""
    hint_queue: int = 16
    judge_queue: int = 32
    mux_queue: int = 32
    judge_raise_seconds: float = 5.0
    """A judging job that has waited this long runs at normal priority."""
    nice: int = 19
    """Niceness of judging and muxing; with SCHED_BATCH they yield to the server and to hints. The idle class yields no
    better, and starves a judge for long beside a busy neighbour."""
    chunk: int = 8
    """Frames that travel at a time from the decoder to the judge."""


@dataclass(frozen=True)
class EngineLimits:
    """All bounds of the engine."""

    media: MediaLimits = field(default_factory=MediaLimits)
    judging: JudgingLimits = field(default_factory=JudgingLimits)
    workers: WorkerLimits = field(default_factory=WorkerLimits)
