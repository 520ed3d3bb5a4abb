"""Bars of passed and failed verifications by hour or day: SVG from the server, with tooltips and a readable text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from renzheng.web.svg import Axis, Plot

SIZE = (480, 190)


@dataclass(frozen=True, slots=True)
class Bar:
    """`label`: on the axis; empty for none. `title`: the tooltip."""

    label: str
    title: str
    passed: int
    failed: int


def bars(given: Sequence[Bar], label: str) -> Markup:
    """Draw the bars: passed at the bottom, failed on top."""
    top = nice_top(max((bar.passed + bar.failed for bar in given), default=0))
    steps = 4 if top >= 4 else top
    ticks = [(top * step / steps, f"{top * step / steps:g}") for step in range(steps + 1)]
    x = Axis(0, len(given), [(at + 0.5, bar.label) for at, bar in enumerate(given) if bar.label], "")
    width, height = SIZE
    plot = Plot(x, Axis(0, top, ticks, ""), label, width, height, left=34, right=4, top=14, bottom=30)
    for at, bar in enumerate(given):
        edges = (at + 0.14, at + 0.86)
        if bar.failed:
            plot.area(edges, [bar.passed + bar.failed], "failed", [bar.title])
        if bar.passed:
            plot.area(edges, [bar.passed], "passed", [bar.title])
    return Markup(plot.render())  # noqa: S704 - every word in it is escaped


def nice_top(most: int) -> int:
    """Return the end of an axis of whole numbers: 1, 2, 4, 8, then two digits that four steps divide."""
    if most <= 4:
        return max(1, 1 << max(0, math.ceil(math.log2(max(most, 1)))))
    magnitude: int = 10 ** max(0, math.floor(math.log10(most)) - 1)
    return math.ceil(most / (4 * magnitude)) * 4 * magnitude
