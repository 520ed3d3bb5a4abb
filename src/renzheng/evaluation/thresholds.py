"""Thresholds against the half of the people on which they are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from renzheng.engine.limits import JudgingLimits
from renzheng.evaluation.results import Threshold

HEADS = "complying_head"
REACHED = 0.98  # the share of complying heads that a threshold has to let through
FLATS = ("flat_moved", "flat_tilted", "flat_bent", "cut_out")
MEASURES = (
    ("depth.residual", FLATS),
    ("depth.solidity", FLATS),
    ("depth.relief", FLATS),
    ("depth.turn", FLATS),
    ("depth.degrees", FLATS),
    ("continuity.frontal", ("spliced",)),
    ("continuity.turned", ("swap",)),
    ("continuity.link", ("swap", "dropped")),
)
"""Measures that grow with trust, each with the attacks that it is meant for."""


class Measured(Protocol):
    @property
    def attack(self) -> str: ...
    @property
    def values(self) -> dict[str, float]: ...


def confirm(trials: Sequence[Measured], limits: JudgingLimits) -> list[Threshold]:
    """Return the shipped threshold of each measure, and whether it is between the attacks and the heads of these
    trials."""
    found = []
    for name, attacks in MEASURES:
        against = [t.values[name] for t in trials if t.attack in attacks and name in t.values]
        heads = [t.values[name] for t in trials if t.attack == HEADS and name in t.values]
        shipped = _shipped(name, limits)
        if not against or not heads:
            continue
        most, least = max(against), float(np.quantile(heads, 1 - REACHED))
        found.append(Threshold(name, most, round(least, 4), shipped, choose(most, least, shipped)))
    return found


def choose(attacks: float, heads: float, shipped: float) -> float | None:
    """Return the shipped threshold if it is between the two, the middle if it is not, None if they overlap."""
    if attacks >= heads:
        return None
    if attacks < shipped <= heads:
        return shipped
    return round((attacks + heads) / 2, 3)


def _shipped(name: str, limits: JudgingLimits) -> float:
    if name == "depth.relief":
        return 1.0  # its threshold grows with the turn, so it is given in parts of that
    part, measure = name.split(".")
    return float(getattr(getattr(limits, part), measure))
