"""A face that takes on the shown colours in time passes; one that does not, late, or of another show, fails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from renzheng.engine.light import (
    COLOURS,
    LEFT,
    NOSE,
    REGIONS,
    RIGHT,
    WARNING,
    ColourSample,
    Flash,
    Numbers,
    flashes_of,
    is_light,
    measure_light,
    sample,
    waiting,
)
from renzheng.engine.limits import LightLimits
from renzheng.engine.measurement import Light
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Image
from renzheng.verification import challenge

from .test_landmarks import mesh_of

LIMITS = LightLimits()
PALETTE = tuple(COLOURS.values())
NEAR = (1.0, 0.8, 0.8, 1.3, 0.9)  # how much each region takes on: forehead, cheeks, nose, chin


def show(seed: int) -> list[Flash]:
    """Seven colours, half a second each, none twice in a row."""
    draw, order = np.random.default_rng(seed), [0]
    while len(order) < 7:
        order.append(int(draw.choice([number for number in range(6) if number != order[-1]])))
    assert all(first != second for first, second in pairwise(order))
    return [Flash(0.5 * number, PALETTE[colour]) for number, colour in enumerate(order)]


def colours(values: Numbers) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def film(
    flashes: list[Flash], face: float, background: float, delay: float = 0.15, near: tuple[float, ...] = NEAR
) -> list[ColourSample]:
    """35 frames of a face lit by the show with these gains, a lamp that flickers, and noise."""
    draw, samples = np.random.default_rng(0), []
    for number in range(35):
        at = 0.1 * number
        colour = np.array([flash for flash in flashes if flash.at <= max(0.0, at - delay)][-1].colour)
        lamp = 1 + 0.1 * np.sin(3 * at)
        noise = 1 + draw.normal(0, 0.002, (2, 3))
        skin = np.array([150, 120, 100]) * lamp * (1 + face * colour) * noise[0]
        regions = [np.array([150, 120, 100]) * lamp * (1 + face * part * colour) * noise[0] for part in near]
        wall = np.array([90, 95, 100]) * lamp * (1 + background * colour) * noise[1]
        samples.append(ColourSample(at, colours(skin), colours(wall), tuple(map(colours, regions))))
    return samples


def measured(make: Callable[[list[Flash]], list[ColourSample]], seed: int) -> Light:
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


def test_a_print_takes_the_light_on_evenly_and_fails() -> None:
    for seed in range(10):
        found = measured(lambda flashes: film(flashes, 0.06, 0.01, near=(1.0, 1.0, 1.0, 1.05, 1.0)), seed)
        assert found.faults == ("even",)


def test_a_device_that_holds_every_colour_back_fails() -> None:
    flashes = show(3)
    assert measure_light(film(flashes, 0.06, 0.01), flashes, LIMITS, wait=0.4).passed
    assert measure_light(film(flashes, 0.06, 0.01), flashes, LIMITS, wait=2.5).faults == ("wait",)


def test_a_colour_begins_with_its_first_frame_and_the_median_wait_counts() -> None:
    red, blue = "light_red", "light_blue"
    frames = [(3, red, 0.0), (3, red, 0.1), (4, blue, 0.4), (4, blue, 0.5), (5, red, 3.0), (6, blue, 3.2)]
    assert waiting(frames) == pytest.approx(0.3)
    assert waiting([]) == 0.0
    assert flashes_of(frames) == [
        Flash(at, COLOURS[name]) for at, name in ((0.0, red), (0.4, blue), (3.0, red), (3.2, blue))
    ]


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
    x, y = (int(part) for part in mesh.flat[4])
    nose = portrait.copy()
    nose[y - 3 : y + 4, x - 3 : x + 4] = 0
    changed = [before != after for before, after in zip(before.regions, sample(nose, mesh, 0.0).regions, strict=True)]
    assert changed == [False, False, False, True, False]


def test_both_points_of_a_region_lie_in_it(models: FaceModels, portrait: Image) -> None:
    """A wrong number would stand for another part of the face."""
    points = mesh_of(models, portrait).flat
    width = np.ptp(points[:, 0])
    forehead, right, left, nose, chin = ([points[number] for number in region] for region in REGIONS)
    for one, other in (forehead, right, left, nose, chin):
        assert np.hypot(*(one - other)) < 0.12 * width
    middle = (points[4][0] + points[9][0]) / 2
    for one, other in zip(right, left, strict=True):
        assert one[0] < middle < other[0]
        assert abs(one[1] - other[1]) < 0.12 * width
    heights = [np.mean(region, axis=0)[1] for region in (forehead, right, nose, chin)]
    assert heights[0] < min(heights[1:3]) <= max(heights[1:3]) < heights[3]


def test_the_engine_knows_the_light_of_every_colour_that_a_challenge_can_show() -> None:
    assert set(COLOURS) == set(challenge.COLOURS)
    for name, shown in challenge.COLOURS.items():
        linear = [((part / 255 + 0.055) / 1.055) ** 2.4 for part in shown]
        assert COLOURS[name] == pytest.approx(linear, abs=0.001)


def test_a_trace_of_the_colours_is_no_answer_however_well_it_fits() -> None:
    flashes = show(1)
    found = measure_light(film(flashes, 0.06, 0.01), flashes, LIMITS)
    assert found.faults == ()
    stricter = replace(LIMITS, gain=found.gain * 1.01)
    assert measure_light(film(flashes, 0.06, 0.01), flashes, stricter).faults == ("gain",)
    assert measure_light(film(flashes, 0.06, 0.01), flashes, replace(LIMITS, gain=found.gain)).passed


def test_what_is_darker_than_one_level_takes_on_nothing() -> None:
    """There a trace of noise would be a great change of tint, and black none that can be told."""
    flashes = show(3)
    lit = film(flashes, 0.06, 0.03)

    def behind(level: float) -> float:
        dim = [replace(one, background=colours(np.array(one.background) * level / 90)) for one in lit]
        return measure_light(dim, flashes, LIMITS).behind

    assert behind(90) > LIMITS.gain
    assert behind(2) == pytest.approx(behind(90))
    assert behind(0.5) == behind(0) == 0.0
    black = [replace(one, face=(0.0, 0.0, 0.0)) for one in lit]
    assert {"response", "gain"} <= set(measure_light(black, flashes, LIMITS).faults)


def test_a_face_that_changes_against_the_colours_answers_nothing() -> None:
    flashes = show(3)
    found = measure_light(film(flashes, -0.06, 0.0), flashes, replace(LIMITS, latest=0.15))
    assert found.gain == 0.0
    assert {"response", "gain"} <= set(found.faults)


def test_each_bound_of_the_light_decides_at_its_value() -> None:
    flashes = show(2)
    samples = film(flashes, 0.06, 0.02)
    found = measure_light(samples, flashes, LIMITS)
    for name, at in (("response", found.face), ("nearer", found.gain / found.behind), ("nose", found.nose)):
        below, above = (replace(LIMITS, **{name: at * part}) for part in (0.999, 1.001))  # type: ignore[arg-type]
        assert measure_light(samples, flashes, below).passed
        assert not measure_light(samples, flashes, above).passed
    assert measure_light(samples, flashes, replace(LIMITS, wait=2.0), wait=2.0).passed
    assert measure_light(samples, flashes, replace(LIMITS, minimum=len(samples))).passed
    assert measure_light(samples, flashes, replace(LIMITS, minimum=len(samples) + 1)).faults == ("few",)
    assert measure_light(samples, flashes[:2], LIMITS).faults == ("few",)


def test_the_steps_of_a_light_challenge_are_the_colours_and_their_warning() -> None:
    assert all(map(is_light, [WARNING, *COLOURS]))
    assert not any(map(is_light, ["neutral", *challenge.ACTIONS]))


def test_the_outer_sixth_of_the_picture_on_both_sides_is_beside_the_face(models: FaceModels, portrait: Image) -> None:
    mesh, width = mesh_of(models, portrait), portrait.shape[1]
    before = sample(portrait, mesh, 0.0).background
    counted = []
    for column in (0, width // 6 - 1, width // 6, width - width // 6 - 1, width - width // 6, width - 1):
        changed = portrait.copy()
        changed[:, column] = 255 - changed[:, column]
        counted.append(sample(changed, mesh, 0.0).background != before)
    assert counted == [True, True, False, False, True, True]


def test_a_nose_is_told_by_what_the_cheeks_take_on_and_by_the_least_gain_where_they_take_on_nothing() -> None:
    flashes = show(3)
    lit = measure_light(film(flashes, 0.06, 0.01), flashes, LIMITS)
    assert lit.nose == pytest.approx(2 * lit.regions[NOSE] / (lit.regions[RIGHT] + lit.regions[LEFT]))
    dark = measure_light(film(flashes, 0.06, 0.01, near=(1.0, 0.0, 0.0, 0.3, 0.9)), flashes, LIMITS)
    assert dark.regions[RIGHT] + dark.regions[LEFT] < 2 * LIMITS.gain
    assert dark.nose == pytest.approx(dark.regions[NOSE] / LIMITS.gain)
    bare = [replace(one, regions=()) for one in film(flashes, 0.06, 0.01)]
    assert measure_light(bare, flashes, LIMITS).nose == 0.0


def test_what_is_exactly_at_a_bound_passes() -> None:
    flashes = show(2)
    samples = film(flashes, 0.06, 0.02)
    found = measure_light(samples, flashes, LIMITS)
    for name, at in (("response", found.face), ("nose", found.nose)):
        assert measure_light(samples, flashes, replace(LIMITS, **{name: at})).passed  # type: ignore[arg-type]
    level = replace(LIMITS, nearer=1.0)
    alike = film(flashes, 0.06, 0.02)
    same = [replace(one, background=one.face) for one in alike]
    assert "background" not in measure_light(same, flashes, level).faults
