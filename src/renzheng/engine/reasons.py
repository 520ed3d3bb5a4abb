"""Why a sequence was refused as a live person: the LivenessInfoTag values of the FaceID API.

Each row of ``REASONS`` is one value with its measurement. A value is given for what was measured, never for what could
not be: a turn too short to measure is an action not done, not a print. 04, 07, 08 and 13 need a specialised network:
they are given only if an operator's passive pack is in use, says that it detects this, and decided against the person.
Without such a pack they are never given.
"""

from __future__ import annotations

from collections.abc import Callable

from .measurement import Measurement

SHUT = 0.10
"""Opening of the eye contour (height over width) below which an eye is shut, for everybody."""


def _eyes_shut(m: Measurement) -> bool:
    return m.baseline is not None and m.baseline.eye is not None and m.baseline.eye < SHUT


def _not_acted(m: Measurement) -> bool:
    return not m.actions or any(not one.answered for one in m.actions) or _turn_unmeasured(m)


def _turn_unmeasured(m: Measurement) -> bool:
    """Return whether no turn was shown long enough to measure its depth."""
    return m.depth is None or (not m.depth.passed and not _flat(m))


def _acted_otherwise(m: Measurement) -> bool:
    return any(one.unasked for one in m.actions) or _faults(m, "yaw_speed", "sudden") or _doubted(m, "yaw_speed")


def _flat(m: Measurement) -> bool:
    """Return whether a measured depth is too small. A depth that could not be measured proves no picture."""
    if m.depth is None or m.depth.passed or m.depth.residual is None:
        return False
    solidity = m.depth.solidity
    return m.depth.residual < m.depth.threshold or (solidity is not None and solidity < m.depth.solidity_threshold)


def _network(detects: str) -> Callable[[Measurement], bool]:
    """Make the test whether a network that detects this decided against the person by a score."""
    return lambda m: (
        m.passive is not None and m.passive.refuses and m.passive.score is not None and m.passive.detects == detects
    )


def _recapture(m: Measurement) -> bool:
    signs = ("solidity", "residual", "borders", "blur")
    return _flat(m) or _doubted(m, *signs) or _network("recapture")(m)


def _doubted(m: Measurement, *names: str) -> bool:
    """Return whether weak measures together decided against the person, and these contributed."""
    return m.doubt is not None and not m.doubt.passed and any(name in m.doubt.parts for name in names)


def _spliced(m: Measurement) -> bool:
    if _faults(m, "frontal", "link", "repeated", "frozen", "disorder", "speed", "growth") or _doubted(
        m, "frontal", "turned"
    ):
        return True
    # Without a turned face to compare, nothing is known of another person: the turn was not done.
    return m.continuity is not None and m.continuity.turned is not None and _faults(m, "turned")


def _no_face(m: Measurement) -> bool:
    return m.frames_status in ("no_face", "several_faces", "cut") or _faults(m, "gap") or _doubted(m, "gap")


def _not_comparable(m: Measurement) -> bool:
    return m.best is None or m.continuity is None


def _unlit(m: Measurement) -> bool:
    return m.light is not None and not m.light.passed


def _faults(m: Measurement, *names: str) -> bool:
    return m.continuity is not None and any(name in m.continuity.faults for name in names)


REASONS: tuple[tuple[str, str, Callable[[Measurement], bool]], ...] = (
    ("01", "the eyes were shut during the whole neutral second", _eyes_shut),
    ("02", "an action was not done, or the head was turned too briefly to measure", _not_acted),
    (
        "03",
        "a flat picture was turned, several signs of a screen or print agree, or a network detected one",
        _recapture,
    ),
    ("04", "a network detected a synthetic picture", _network("synthetic")),
    ("05", "the frames are not one continuous recording of one person", _spliced),
    ("06", "actions that were not asked for, or a turn faster than a head can turn", _acted_otherwise),
    ("07", "a network detected a template known from fraud", _network("template")),
    ("08", "a network detected a watermark", _network("watermark")),
    ("09", "the face did not reflect the colours that the screen showed", _unlit),
    ("10", "fewer than two frames are good enough to compare", _not_comparable),
    ("11", "no face (or none for too long), several faces, or a face that is cut off", _no_face),
    ("12", "the face has too few pixels: it is too far away", lambda m: m.frames_status == "too_few_pixels"),
    ("13", "a network detected an adversarial sample", _network("adversarial")),
)


def reasons(measurement: Measurement) -> tuple[str, ...]:
    """Return the values that apply, in order; empty if a live person answered the sequence."""
    return tuple(value for value, _, holds in REASONS if holds(measurement))
