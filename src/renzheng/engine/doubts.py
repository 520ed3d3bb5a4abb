"""Weak measures decide together: each raises a doubt by how far it lies from what people show, and the sum decides.

What no person can show is refused by its own layer. In between lie measures that tell attacks from people more often
than not, but not surely: one of them alone says too little to refuse a person, two that agree say enough.
"""

from __future__ import annotations

from .limits import DoubtLimits, Ramp
from .measurement import Continuity, Depth, Doubt


def weigh(
    depth: Depth | None, continuity: Continuity | None, borders: float | None, blur: float | None, limits: DoubtLimits
) -> Doubt:
    """The doubts that these raise. What could not be measured raises none: its own layer refuses by that."""
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
    """0 at the beginning of the ramp and before it, 1 at its end and behind; a ramp may lead downwards."""
    if value is None:
        return 0.0
    begin, full = ramp
    return min(1.0, max(0.0, (value - begin) / (full - begin)))
