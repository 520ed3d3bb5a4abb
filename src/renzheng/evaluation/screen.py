"""The device's screen as a lamp: the light that falls from it on the person, and how attackers fake it."""

from __future__ import annotations

import numpy as np

from renzheng.engine.light import COLOURS

Light = tuple[float, float, float]

DARK: Light = (0.0, 0.0, 0.0)


class Screen:
    """Shines with the colours that are shown. Keeps their course, so that one screen plays one verification.

    `strength`: of the light against the room's, 1 is a bright phone near the face in a dark room; `lag`: seconds
    until the camera's picture shows a colour (screen, exposure, video).
    """

    def __init__(self, strength: float = 0.5, lag: float = 0.12) -> None:
        self._strength = strength
        self._lag = lag
        self._course: list[tuple[float, Light]] = [(0.0, DARK)]
        self._step = ""

    def light(self, action: str, at: float) -> Light:
        """Return the blue, green and red that are added, `at` seconds from the beginning, while `action` is asked.

        Times must not decrease.
        """
        if action != self._step:
            self._step = action
            self._course.append((at, self.colour(action)))
        blue, green, red = next(light for since, light in reversed(self._course) if since <= max(0.0, at - self._lag))
        return (blue * self._strength, green * self._strength, red * self._strength)

    def colour(self, action: str) -> Light:
        """Return the light of a step, blue, green and red. Steps other than colours add none."""
        red, green, blue = COLOURS.get(action, DARK)
        return (blue, green, red)


class NoScreen(Screen):
    """A recording without any colours, or a face that is lit by another lamp alone."""

    def colour(self, action: str) -> Light:
        return DARK


class OtherShow(Screen):
    """A recording of another verification: colours in time, drawn again."""

    def __init__(self, seed: int, strength: float = 0.5, lag: float = 0.12) -> None:
        super().__init__(strength, lag)
        self._draw = np.random.default_rng((seed, 11))

    def colour(self, action: str) -> Light:
        if action not in COLOURS:
            return DARK
        return super().colour(str(self._draw.choice(list(COLOURS))))
