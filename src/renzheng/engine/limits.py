"""Every bound of the engine in one place. The server's settings fill it."""

from __future__ import annotations

from dataclasses import dataclass, field

from renzheng.base import defaults

from .liveness import ActionThresholds

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class MediaLimits:
    """What a stranger's image may be."""

    max_bytes: int = 8 * MEBIBYTE
    max_pixels: int = defaults.PHOTO_PIXELS
    """Largest width x height by the header, checked before a pixel is decoded."""
    max_scans: int = 32
    """Most scans of a progressive JPEG. Usual ones have ten, and each is a pass over all blocks, however small it
    is."""
    frame_scans: int = 4
    """Most scans of a frame, which is baseline: browsers write one, and nobody needs more than one per colour plane."""
    min_side: int = 32
    """Shorter side in pixels below which an image has no usable face."""
    photo_side: int = 1280
    """Photos are decoded at the smallest scale whose longer side is still at least this."""
    frame_pixels: int = defaults.FRAME_PIXELS
    frame_side: int = 640


@dataclass(frozen=True)
class QualityLimits:
    """Bounds for a reference photo and for the compared frames."""

    face_pixels: float = 60.0
    """Shorter side of the box around the mesh in pixels of the original image."""
    sharpness: float = 0.0008
    contrast: float = 3.2
    """Least contrast of the inner face. Of 110 faces at an eighth of their light (brightness 15, contrast 4.7) 109
    still match themselves at 70; at a sixteenth two in three."""
    relative_contrast: float = 0.05
    """Least contrast relative to the brightness: behind fog or a film the face is bright and flat."""
    over_noise: float = 3.5
    """Least contrast relative to the noise."""
    clipped: float = 0.6
    """Largest share of the inner face that is black or white."""
    yaw: float = 0.65
    pitch: float = 0.45
    outside: float = 0.05
    """Share of the mesh outside of the image from which the face counts as cut."""
    presence: float = 0.5


@dataclass(frozen=True)
class DepthLimits:
    """``residual``: heads in four clips gave 0.047 to 0.19 at a yaw of 0.5 and more; ``turn``: yaw proxy;
    ``degrees``: from the neutral pose, which are turned enough as well (see ``ActionThresholds``);
    ``frontal``: the largest yaw proxy of a frame that serves as the frontal view; ``views``: how many frames
    of each kind are compared, evenly taken; ``minimum``: how many turned frames there must be.

    ``nearly``: share of an enough turn that frames have which serve where fewer than ``minimum`` are turned enough.

    ``solidity``: how much better a head explains the turn than a plane, over ``reliefs`` views. Below it a picture is
    flat for certain: 96 rendered flat, bent and cut-out pictures reach -1.2 at most, blurred or in the dark
    -0.9, and people -0.3 at least (two real ones; 28 rendered heads 0.4).

    ``relief``: one less the correlation that ``planarity`` finds for the plane. What no plane explains of a head grows
    with the turn, about as its sine to the power of ``relief_power`` (between 1 and 2, by which grey levels part with
    distance in sharp and in smooth pictures); ``relief_by_turn`` times that, and ``relief`` at least, is the yardstick.
    ``parallax``: the same for the parallax, eye distances over the sine of the turn."""

    residual: float = 0.025
    turn: float = 0.5
    degrees: float = 30.0
    frontal: float = 0.25
    views: int = 3
    minimum: int = 2
    nearly: float = 0.9
    solidity: float = -0.70
    parallax: float = 0.12
    relief: float = 0.06
    relief_by_turn: float = 0.17
    relief_power: float = 1.5
    reliefs: int = 5


@dataclass(frozen=True)
class ContinuityLimits:
    """What no person does. ``frontal``: least cosine between any two of the compared frames, and of the first of them
    and any other step's; ``turned``: between a frontal and a turned one; ``link``: of a chain of faces that leads from
    the first step to the last (see ``identity``); ``speed``: face sizes a second that the face's centre may move;
    ``growth``: factor a second by which its size may change; ``gap``: longest time in seconds in which frames come but
    show no face (a turn to the profile and a deep nod hide it for a second and more). Speeds are from frame to frame
    over all the time that may lie between them, at an even pace two intervals (see ``continuity``)."""

    frontal: float = 0.40
    turned: float = 0.30
    link: float = 0.45
    """Frames of real people that lie 0.1 s apart reach 0.72 at least, those 0.3 s apart 0.55, in turns up to the
    profile and faster than life; of two strangers in one pose the most alike were seen at 0.37."""
    far: float = 1.6
    """How far a view may be turned, relative to enough, to be one of the chain's stations. Beyond is nearly the
    profile, where the five points of a face are guessed."""
    looks: int = 24
    """Most faces that are examined between the stations of a chain. After that, two that are not alike count as
    such."""
    speed: float = 3.0
    growth: float = 3.5
    gap: float = 2.5
    yaw_speed: float = 5.0
    """Yaw proxy a second. A quick turn to the profile was seen at 3.7; an exchange of photos is told by ``between``."""
    between: int = 2
    """Least frames that show the head on its way to the turn or back. Two exchanged photos have none, or one."""
    repeated: int = 0
    frozen: float = 0.8


Ramp = tuple[float, float]
"""The value up to which a measure raises no doubt, and the value at which it raises the most."""


@dataclass(frozen=True)
class DoubtLimits:
    """Weak measures decide together: each raises a doubt of 0 to ``most``, and the sum has to stay below ``limit``.

    ``most`` is less than ``limit``, so that no weak measure refuses anybody by itself. Each pair is where the doubt
    begins and where it is full. ``solidity``, ``residual``: between a picture and a head. ``borders``, ``blur``: by
    which a filmed screen shows, medians over the compared frames; two screens beside thirteen people are the evidence,
    which is why neither may refuse alone. ``turned``, ``frontal``: cosines; ``gap``, ``yaw_speed``: what people do in
    haste, and attackers need."""

    limit: float = 1.25
    most: float = 0.9
    solidity: Ramp = (-0.35, -0.70)
    residual: Ramp = (0.045, 0.025)
    borders: Ramp = (0.15, 0.40)
    blur: Ramp = (0.52, 0.56)
    turned: Ramp = (0.42, 0.30)
    frontal: Ramp = (0.55, 0.40)
    gap: Ramp = (1.2, 2.5)
    yaw_speed: Ramp = (3.0, 5.0)


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
    """``frame_side``, ``photo_side``: longer side in pixels of the copy that the detector searches: in a frame and in a
    photo. A frame in which nothing is found is searched once more at ``frame_side_fine``, a photo in which nothing is
    found, or only faces below ``photo_face`` pixels in that copy, at ``photo_side_fine`` (what each side misses:
    ``docs/accuracy.md``). ``second_face``: size beside the largest from which another face counts. ``lost``: presence
    of the mesh below which there is no face. ``cut``: share of the mesh outside of the frame. ``candidates``: how many
    of the detector's faces, the largest first, are asked whether the mesh knows them."""

    frame_side: int = 160
    frame_side_fine: int = 192
    photo_side: int = 224
    photo_face: float = 40.0
    photo_side_fine: int = 800
    second_face: float = 0.4
    lost: float = 0.5
    cut: float = 0.05
    candidates: int = 3


@dataclass(frozen=True)
class JudgingLimits:
    """Every threshold of a judgement. A ``Measurement`` repeats those that decided it."""

    actions: ActionThresholds = field(default_factory=lambda: ActionThresholds(reach=1.0, released=0.65, returned=0.45))
    depth: DepthLimits = field(default_factory=DepthLimits)
    continuity: ContinuityLimits = field(default_factory=ContinuityLimits)
    doubt: DoubtLimits = field(default_factory=DoubtLimits)
    light: LightLimits = field(default_factory=LightLimits)
    quality: QualityLimits = field(default_factory=QualityLimits)
    compared: int = 3
    apart: float = 0.3
    minimum_frames: int = 8
    """Fewest frames with one whole face that can be judged."""
    face_pixels: float = 70.0
    several_share: float = 0.15
    cut_share: float = 0.30
    no_face_share: float = 0.50


@dataclass(frozen=True)
class WorkerLimits:
    """How many processes there are, how much they may use, and when a queue is full."""

    decode_processes: int = defaults.DECODE_PROCESSES
    hint_processes: int = defaults.HINT_PROCESSES
    judge_processes: int = defaults.JUDGE_PROCESSES
    mux_processes: int = defaults.MUX_PROCESSES
    threads: int = 1
    """Threads of a process's computations."""
    decode_memory: int = defaults.DECODE_MEMORY
    """Address space of a process that decodes strangers' bytes (RLIMIT_AS)."""
    model_memory: int = 1536 * MEBIBYTE
    """Resident bytes above which a process with models is replaced once it is idle."""
    boot_seconds: float = 90.0
    """Seconds in which a process must load its models. On a busy machine that takes many times the usual second."""
    decode_seconds: float = defaults.DECODE_SECONDS
    attempt_decode_seconds: float = defaults.ATTEMPT_DECODE_SECONDS
    """CPU seconds for decoding the frames of one attempt. Further frames count as undecodable."""
    hint_seconds: float = 5.0
    judge_seconds: float = defaults.JUDGE_SECONDS
    mux_seconds: float = 30.0
    decode_queue: int = 32
    """Most photos that may wait to be examined; beyond that ``BusyError``."""
    hint_queue: int = defaults.HINT_QUEUE
    judge_queue: int = defaults.JUDGE_QUEUE
    mux_queue: int = defaults.MUX_QUEUE
    judge_raise_seconds: float = defaults.JUDGE_RAISE_SECONDS
    """Seconds after which a waiting judging job runs at normal priority."""
    nice: int = 19
    """Niceness of judging and muxing. With SCHED_BATCH they yield to the server and to hints. The idle class yields no
    better, and starves a judge for long on a busy machine."""
    chunk: int = 8
    """Frames sent at a time from the decoder to the judge."""


@dataclass(frozen=True)
class EngineLimits:
    """All bounds of the engine."""

    media: MediaLimits = field(default_factory=MediaLimits)
    judging: JudgingLimits = field(default_factory=JudgingLimits)
    workers: WorkerLimits = field(default_factory=WorkerLimits)
