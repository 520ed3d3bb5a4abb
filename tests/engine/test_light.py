"""A face that takes on the shown colours in time passes; one that does not, late, or of another show, fails."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from renzheng.engine.light import Flash, Light, Sample, measure_light, sample
from renzheng.engine.limits import LightLimits
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image

from .test_landmarks import mesh_of

LIMITS = LightLimits()
PALETTE = ((1.0, 0.1, 0.1), (0.1, 1.0, 0.1), (0.1, 0.1, 1.0), (1.0, 1.0, 0.1), (0.1, 1.0, 1.0), (1.0, 0.1, 1.0))


def show(seed: int) -> list[Flash]:
    """Eight colours, half a second each, none twice in a row."""
    draw, order = np.random.default_rng(seed), [0]
    while len(order) < 8:
        order.append(int(draw.choice([number for number in range(6) if number != order[-1]])))
    assert all(first != second for first, second in pairwise(order))
    return [Flash(0.5 * number, PALETTE[colour]) for number, colour in enumerate(order)]


def film(flashes: list[Flash], face: float, background: float, delay: float = 0.15, seed: int = 0) -> list[Sample]:
    """Forty frames of a face lit by the show with these gains, a lamp that flickers, and noise."""
    draw, samples = np.random.default_rng(seed), []
    for number in range(40):
        at = 0.1 * number
        colour = np.array([flash for flash in flashes if flash.at <= max(0.0, at - delay)][-1].colour)
        lamp = 1 + 0.1 * np.sin(3 * at)
        noise = 1 + draw.normal(0, 0.002, (2, 3))
        skin = np.array([150, 120, 100]) * lamp * (1 + face * colour) * noise[0]
        wall = np.array([90, 95, 100]) * lamp * (1 + background * colour) * noise[1]
        samples.append(Sample(at, tuple(map(float, skin)), tuple(map(float, wall))))  # type: ignore[arg-type]
    return samples


def measured(make: Callable[[list[Flash]], list[Sample]], seed: int) -> Light:
    return measure_light(make(show(seed)), show(seed), LIMITS)


def test_a_face_before_the_screen_answers_and_its_delay_is_found() -> None:
    for seed in range(10):
        found = measured(lambda flashes: film(flashes, 0.06, 0.01), seed)
        assert found.passed
        assert abs(found.delay - 0.15) <= 0.1


def test_a_face_that_takes_on_no_colour_fails() -> None:
    assert not any(measured(lambda flashes: film(flashes, 0.0, 0.0), seed).passed for seed in range(20))


def test_the_light_of_another_show_fails() -> None:
    assert not any(measured(lambda _, s=seed: film(show(s + 100), 0.06, 0.01), seed).passed for seed in range(20))  # type: ignore[misc]


def test_an_answer_that_comes_too_late_fails() -> None:
    late = [measured(lambda flashes: film(flashes, 0.06, 0.01, delay=1.3), seed).passed for seed in range(20)]
    assert sum(late) == 0


def test_a_whole_scene_that_changes_colour_alike_is_a_screen_and_fails() -> None:
    assert not any(measured(lambda flashes: film(flashes, 0.06, 0.06), seed).passed for seed in range(10))


def test_too_few_frames_or_colours_prove_nothing() -> None:
    flashes = show(1)
    assert not measure_light(film(flashes, 0.06, 0.01)[:10], flashes, LIMITS).passed
    assert not measure_light(film(flashes, 0.06, 0.01), flashes[:2], LIMITS).passed


def test_face_and_background_are_sampled_apart(models: FaceModels, portrait: Image) -> None:
    mesh = mesh_of(models, portrait)
    lit = portrait.copy()
    lit[80:170, 180:270, 2] = np.minimum(lit[80:170, 180:270, 2].astype(int) + 40, 255)
    before, after = sample(portrait, mesh, 0.0), sample(lit, mesh, 0.0)
    assert after.face[0] > before.face[0] + 15
    assert after.background == before.background
