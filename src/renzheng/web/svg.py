"""Draws a plot as SVG text: axes, lines, bands. Colours are classes, so that the page's theme decides."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise

Scale = Callable[[float], float]


@dataclass(frozen=True)
class Axis:
    """One axis in data units. `ticks` are (position, label). `log`: a logarithmic one, whose `low` is above 0."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    title: str
    log: bool = False

    def place(self, value: float) -> float:
        """Return a position along the axis, 0..1. Values outside are clamped."""
        low, high = self.low, self.high
        if self.log:
            value, low, high = math.log10(max(value, low)), math.log10(low), math.log10(high)
        return min(1.0, max(0.0, (value - low) / (high - low)))


@dataclass
class Plot:
    """A plot of `width` x `height` SVG units, with margins for the axes. Marks are drawn in the order in which they are
    added."""

    x: Axis
    y: Axis
    label: str
    width: int = 720
    height: int = 400
    left: int = 62
    right: int = 18
    top: int = 44
    bottom: int = 52
    _marks: list[str] = field(default_factory=list)

    def px(self, value: float) -> float:
        return round(self.left + self.x.place(value) * (self.width - self.left - self.right), 2)

    def py(self, value: float) -> float:
        return round(self.height - self.bottom - self.y.place(value) * (self.height - self.top - self.bottom), 2)

    def line(self, points: Sequence[tuple[float, float]], kind: str, *, step: bool = False) -> None:
        """Draw a line through data points. As a step, a value holds until the next point's x."""
        if len(points) > 1:
            self._marks.append(f'<path class="line {kind}" d="{self._path(points, step)}"/>')

    def _path(self, points: Sequence[tuple[float, float]], step: bool) -> str:
        x, y = self.px(points[0][0]), self.py(points[0][1])
        parts = [f"M{x:g} {y:g}"]
        for value in points[1:]:
            next_x, next_y = self.px(value[0]), self.py(value[1])
            if step:
                parts.append(f"H{next_x:g}V{next_y:g}")
            elif (next_x, next_y) != (x, y):
                parts.append(f"L{next_x:g} {next_y:g}")
            x, y = next_x, next_y
        return "".join(parts)

    def band(self, xs: Sequence[float], low: Sequence[float], high: Sequence[float], kind: str) -> None:
        """Fill the area between two lines over the same x."""
        if len(xs) < 2:
            return
        there = self._path(list(zip(xs, high, strict=True)), False)
        back = self._path(list(zip(xs, low, strict=True))[::-1], False)
        self._marks.append(f'<path class="band {kind}" d="{there}L{back[1:]}Z"/>')

    def area(self, edges: Sequence[float], heights: Sequence[float], kind: str, titles: Sequence[str]) -> None:
        """Draw bars side by side, each with a tooltip."""
        outline = [(edges[0], self.y.low)]
        for (one, other), value in zip(pairwise(edges), heights, strict=True):
            outline += [(one, value), (other, value)]
        outline.append((edges[-1], self.y.low))
        self._marks.append(f'<path class="area {kind}" d="{self._path(outline, False)}Z"/>')
        for (one, other), value, title in zip(pairwise(edges), heights, titles, strict=True):
            if value > 0:
                x, width = self.px(one), round(self.px(other) - self.px(one), 2)
                y, floor = self.py(value), self.py(self.y.low)
                self._marks.append(
                    f'<rect class="reader" x="{x:g}" y="{min(y, floor - 6):g}" width="{width:g}" '
                    f'height="{max(floor - y, 6):g}"><title>{escape(title)}</title></rect>'
                )

    def cross(
        self, at: tuple[float, float], x: tuple[float, float], y: tuple[float, float], kind: str, title: str
    ) -> None:
        """Draw a point with its interval on both axes."""
        centre = self.px(at[0]), self.py(at[1])
        self._marks.append(
            f'<g class="cross {kind}"><title>{escape(title)}</title>'
            f'<path d="M{self.px(x[0]):g} {centre[1]:g}H{self.px(x[1]):g}M{centre[0]:g} {self.py(y[0]):g}'
            f'V{self.py(y[1]):g}"/><circle cx="{centre[0]:g}" cy="{centre[1]:g}" r="4.5"/></g>'
        )

    def text(
        self, x: float, y: float, words: str, kind: str, *, anchor: str = "start", shift: tuple[float, float] = (0, 0)
    ) -> None:
        """Write words at a data point, shifted by SVG units."""
        self._marks.append(
            f'<text class="{kind}" x="{self.px(x) + shift[0]:g}" y="{self.py(y) + shift[1]:g}" '
            f'text-anchor="{anchor}">{escape(words)}</text>'
        )

    def upright(self, x: float, words: str, kind: str = "mark") -> None:
        """Draw a line from the bottom to the top, with a word above it."""
        at = self.px(x)
        floor = self.height - self.bottom
        self._marks.append(f'<path class="{kind}" d="M{at:g} {floor}V{self.top - 4}"/>')
        self._marks.append(
            f'<text class="{kind}-word" x="{at:g}" y="{self.top - 10}" text-anchor="middle">{escape(words)}</text>'
        )

    def corner(self, words: str) -> None:
        """Write a word above the plot at its left: what the numbers over the uprights are."""
        self._marks.append(f'<text class="axis-title" x="{self.left}" y="{self.top - 26}">{escape(words)}</text>')

    def render(self) -> str:
        return (
            f'<svg viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(self.label)}">'
            f"{self._grid()}{''.join(self._marks)}</svg>"
        )

    def _grid(self) -> str:
        floor, end = self.height - self.bottom, self.width - self.right
        parts = []
        for value, word in self.y.ticks:
            y = self.py(value)
            parts.append(f'<path class="grid" d="M{self.left} {y:g}H{end}"/>')
            parts.append(
                f'<text class="tick" x="{self.left - 8}" y="{y + 4:g}" text-anchor="end">{escape(word)}</text>'
            )
        for value, word in self.x.ticks:
            x = self.px(value)
            parts.append(f'<path class="grid" d="M{x:g} {floor}V{self.top}"/>')
            parts.append(f'<text class="tick" x="{x:g}" y="{floor + 18}" text-anchor="middle">{escape(word)}</text>')
        middle = (self.left + end) / 2
        parts.append(f'<path class="floor" d="M{self.left} {floor}H{end}"/>')
        parts.append(
            f'<text class="axis-title" x="{middle:g}" y="{self.height - 10}" text-anchor="middle">'
            f"{escape(self.x.title)}</text>"
        )
        if self.y.title:
            at = (self.top + floor) / 2
            parts.append(
                f'<text class="axis-title" transform="translate(14 {at:g}) rotate(-90)" text-anchor="middle">'
                f"{escape(self.y.title)}</text>"
            )
        return "".join(parts)
