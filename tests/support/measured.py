"""What the engine hands back of a person who did what was asked, and of one whom a layer refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from renzheng.engine.measurement import (
    Best,
    Comparison,
    Continuity,
    Depth,
    Doubt,
    FrameCounts,
    Light,
    Measurement,
    Passive,
    Quality,
)

QUALITY = Quality(200.0, 0.02, 120.0, 40.0, 0.0, 0.0, 0.0, 1.0)


def depth(passed: bool) -> Depth:
    return Depth(0.1, 0.1, 0.5, 3, 0.05, passed)


def continuity(passed: bool) -> Continuity:
    return Continuity(0.8, 0.7, 1.0, 1.0, 1.0, 0.1, 0, 0.0, 0, 0.4, 0.3, (), passed)


def light(passed: bool) -> Light:
    return Light(0.8, 0.1, 0.3, 0.1, (0.3,) * 5, 1.0, 0.1, 0.1, 4, 20, 0.5, (), passed)


def doubt(passed: bool) -> Doubt:
    return Doubt({}, 0.0, 1.25, passed)


def passive(passed: bool, decides: bool = True) -> Passive:
    return Passive("network", "print", (0.9,), 0.9, 0.5, decides, passed)


def best(index: int) -> Best:
    return Best(index, 0.9, QUALITY)


LIVE = Measurement(
    frames_status="usable",
    counts=FrameCounts(2, 0, 0, 2, 0, 0, 0, 2),
    baseline=None,
    actions=(),
    challenge_passed=True,
    depth=depth(True),
    continuity=continuity(True),
    best=best(0),
    reference="none",
    reference_quality=None,
    similarity=None,
    cosines=(),
    compared=(0,),
    seconds=3.0,
    frames_per_second=10.0,
    tags=(),
    packs=(),
)
"""A person who did what was asked, without colours and without a passive network."""


def live(**changed: Any) -> Measurement:
    return replace(LIVE, **changed)


def compared(similarity: float | None, reference: str = "ok") -> Comparison:
    return Comparison(reference, QUALITY, similarity, (0.5,), "scale")
