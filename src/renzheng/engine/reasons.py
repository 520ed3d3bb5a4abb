"""Why a sequence was not taken for a live person: the LivenessInfoTag values of the FaceID API.

Each row of ``REASONS`` is one value with the measurement that it stands for. 04, 07, 08 and 13 need a passive
network or a watermark detector and are never given.
"""

from __future__ import annotations

from collections.abc import Callable

from .measurement import Measurement

SHUT = 0.10
"""Opening of the eye contour (height over width) below which an eye is shut, whoever it belongs to."""


def _eyes_shut(m: Measurement) -> bool:
    return m.baseline is not None and m.baseline.eye is not None and m.baseline.eye < SHUT


def _not_acted(m: Measurement) -> bool:
    return not m.actions or any(not one.answered for one in m.actions)


def _acted_otherwise(m: Measurement) -> bool:
    return any(one.unasked for one in m.actions) or _faults(m, "yaw_speed")


def _flat(m: Measurement) -> bool:
    return m.depth is not None and m.depth.residual is not None and not m.depth.passed


def _spliced(m: Measurement) -> bool:
    return _faults(m, "frontal", "turned", "repeated", "frozen", "disorder", "speed", "growth")


def _faults(m: Measurement, *names: str) -> bool:
    return m.continuity is not None and any(name in m.continuity.faults for name in names)


REASONS: tuple[tuple[str, str, Callable[[Measurement], bool]], ...] = (
    ("01", "the eyes were shut throughout", _eyes_shut),
    ("02", "an action was not done", _not_acted),
    ("03", "a flat picture was turned: print or screen", _flat),
    ("05", "the frames are no continuous recording of one person", _spliced),
    ("06", "actions that were not asked for, or a turn faster than a head's", _acted_otherwise),
    ("10", "no frame is fit for comparison", lambda m: m.best is None),
    ("11", "no face, several faces or a cut one", lambda m: m.frames_status in ("no_face", "several_faces", "cut")),
    ("12", "the face is too far away", lambda m: m.frames_status == "too_few_pixels"),
)


def reasons(measurement: Measurement) -> tuple[str, ...]:
    """The values that apply, in order; none where the sequence was answered by a live person."""
    return tuple(value for value, _, holds in REASONS if holds(measurement))
