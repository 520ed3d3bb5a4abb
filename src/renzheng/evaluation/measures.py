"""What is kept of a measurement beside a verdict: the numbers that have a threshold, and causes in words."""

from __future__ import annotations

from renzheng.engine.measurement import Measurement

SCORES = ("blur", "exposure", "occlusion", "moire", "borders")
"""The advisory image scores, as `measurement.Appearance` names them."""


def measures_of(measured: Measurement) -> dict[str, float]:
    """Return the measures that have a threshold, if they could be taken."""
    depth, continuity, turn = measured.depth, measured.continuity, measured.turn
    found: dict[str, float | None] = {
        "depth.residual": depth.residual if depth else None,
        "depth.relief": depth.relief / depth.relief_threshold if depth and depth.relief is not None else None,
        "depth.solidity": depth.solidity if depth else None,
        "depth.turn": depth.turn if depth else None,
        "depth.degrees": turn.degrees if turn else None,
        "depth.jitter": turn.jitter if turn else None,
        "continuity.between": turn.between if turn else None,
        "continuity.yaw_speed": continuity.yaw_speed if continuity else None,
        "continuity.frontal": continuity.frontal if continuity else None,
        "continuity.turned": continuity.turned if continuity else None,
        "continuity.link": continuity.link if continuity else None,
        "continuity.gap": continuity.gap if continuity else None,
        "challenge.peak": min((one.peak for one in measured.actions), default=None),
    }
    if measured.appearance is not None:
        found |= {f"look.{name}": getattr(measured.appearance, name) for name in SCORES}
    if measured.doubt is not None:
        found["doubt.total"] = measured.doubt.total
        found |= {f"doubt.{name}": part for name, part in measured.doubt.parts.items()}
    if measured.passive is not None:
        found["look.passive"] = measured.passive.score
    return {name: round(float(value), 4) for name, value in found.items() if value is not None}


def causes(measured: Measurement) -> list[str]:
    """Return the causes in words, if a layer gives some."""
    unanswered = [f"no {one.action}" for one in measured.actions if not one.answered]
    unasked = [f"unasked {action}" for one in measured.actions for action in one.unasked]
    faults = [str(fault) for fault in getattr(measured.continuity, "faults", ())]
    flat = [f"depth: {name}" for name in _without_depth(measured)]
    doubts = [f"doubt: {name} {part:.2f}" for name, part in (measured.doubt.parts if measured.doubt else {}).items()]
    return [*unanswered, *unasked, *flat, *faults, *doubts]


def _without_depth(measured: Measurement) -> list[str]:
    depth = measured.depth
    if depth is None or depth.passed:
        return [] if depth is not None else ["no turn"]
    if depth.residual is None or depth.solidity is None:
        return ["not measured"]
    below = {"residual": depth.residual < depth.threshold, "solidity": depth.solidity < depth.solidity_threshold}
    return [name for name, wrong in below.items() if wrong]
