"""Combines weak measures: each raises a doubt by how far it is from what people show, and the sum decides.

What no person can show is refused by its own layer. Other measures tell attacks from people more often than not, but
not certainly: one of them alone is too little to refuse a person, two that agree are enough.
"""

from __future__ import annotations

from .limits import DoubtLimits, Ramp
from .measurement import Continuity, Depth, Doubt


def weigh(
    depth: Depth | None, continuity: Continuity | None, borders: float | None, blur: float | None, limits: DoubtLimits
) -> Doubt:
    """Return the doubts that these measures raise. A missing measure raises none, as its own layer refuses it."""
    values: dict[str, tuple[float | None, Ramp]] = {
        "solidity": (depth.solidity if depth else None, limits.solidity),
        "residual": (depth.residual if depth else None, limits.residual),
        "borders": (borders, limits.borders),
        "blur": (blur, limits.blur),
        "turned": (continuity.turned if continuity else None, limits.turned),
        "frontal": (continuity.frontal if continuity else None, limits.frontal),
        "gap": (continuity.gap if continuity else None, limits.gap),
        "yaw_speed": (continuity.yaw_speed if continuity else None, limits.yaw_speed),
    }
    raised = {name: round(limits.most * along(value, ramp), 4) for name, (value, ramp) in values.items()}
    parts = {name: part for name, part in raised.items() if part > 0}
    total = round(sum(parts.values()), 4)
    return Doubt(parts, total, limits.limit, total < limits.limit)


def along(value: float | None, ramp: Ramp) -> float:
    """Return 0 at and before the beginning of the ramp, 1 at and after its end. A ramp may fall."""
    if value is None:
        return 0.0
    begin, full = ramp
    return min(1.0, max(0.0, (value - begin) / (full - begin)))
