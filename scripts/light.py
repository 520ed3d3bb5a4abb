"""The light challenge on rendered light: heads before a bright and a dim screen, and what has to fail, as a table.

    python scripts/light.py FOLDER_OF_PHOTOS [--people 13] [--guesses 5000]

Everybody whose photo makes a puppet stands before seven colours, ten frames a second. `--guesses` counts how often a
show that was drawn anew is taken for the one that was asked.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from renzheng.engine.judging import measure
from renzheng.engine.light import COLOURS, Colour, ColourSample, Flash, measure_light
from renzheng.engine.limits import LightLimits
from renzheng.engine.measurement import Frame, Light
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.clips import as_jpeg
from renzheng.evaluation.performance import Kind, Performance
from renzheng.evaluation.puppet import Flat, Puppet, UnfitPhotoError
from renzheng.evaluation.screen import NoScreen, OtherShow, Screen
from renzheng.verification.challenge import draw_light

FRAMES, SECONDS, BETWEEN = 6, 0.1, 0.05  # of each colour; from frame to frame; more until the next colour's first
Play = tuple[str, Kind, Screen, float]


def plays(seed: int) -> tuple[Play, ...]:
    """Name, what stands there, its light, noise in grey levels."""
    return (
        ("head", "head", Screen(), 2.0),
        ("head, dim screen", "head", Screen(strength=0.12), 4.0),
        ("no colours", "head", NoScreen(), 2.0),
        ("another show", "head", OtherShow(seed), 2.0),
        ("a second late", "head", Screen(lag=1.0), 2.0),
        ("print", "flat", Screen(), 2.0),
    )


def film(performance: Performance, steps: tuple[str, ...], models: FaceModels) -> Light:
    frames, at = [], 0.0
    for step, action in enumerate(steps):
        for number in range(FRAMES):
            image = performance.frame(action, number * SECONDS)
            frames.append(Frame(as_jpeg(image), step, action, at))
            at += SECONDS
        at += BETWEEN
    found = measure(frames, None, models).light
    assert found is not None
    return found


def people(folder: Path, most: int, models: FaceModels) -> Iterator[Puppet]:
    for path in sorted(folder.glob("*.jpg")):
        photo = cv2.imread(str(path))
        try:
            if photo is not None and most > 0:
                yield Puppet(photo, engine=models)
                most -= 1
        except UnfitPhotoError:
            continue


def guessed(count: int, limits: LightLimits) -> int:
    """How many of so many shows, drawn anew, pass for the asked one by their course alone."""
    noise, draw = np.random.default_rng(0), random.Random(0).randbytes
    passed = 0
    for _ in range(count):
        asked, shown = (draw_light(draw, 7)[1:] for _ in range(2))
        samples, flashes = [], []
        for step, (name, other) in enumerate(zip(asked, shown, strict=True)):
            flashes.append(Flash(step * (FRAMES * SECONDS + BETWEEN), COLOURS[name]))
            for number in range(FRAMES):
                values = 120 * (1 + 0.1 * np.array(COLOURS[other])) * (1 + noise.normal(0, 0.003, 3))
                face: Colour = (float(values[0]), float(values[1]), float(values[2]))
                samples.append(ColourSample(flashes[-1].at + number * SECONDS, face, (90.0, 90.0, 90.0)))
        passed += measure_light(samples, flashes, limits).face >= limits.response
    return passed


def span(values: list[float]) -> str:
    return f"{min(values):.2f} - {max(values):.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--people", type=int, default=13)
    parser.add_argument("--guesses", type=int, default=5000)
    given = parser.parse_args()
    models, found = FaceModels(), dict[str, list[Light]]()
    for seed, puppet in enumerate(people(given.photos, given.people, models), 1):
        steps = draw_light(random.Random(seed).randbytes, 7)[1:]
        for name, kind, screen, noise in plays(seed):
            scene = Performance(puppet, kind, seed=seed, screen=screen, noise=noise, flat=Flat(distance=0.4, crop=0.9))
            found.setdefault(name, []).append(film(scene, steps, models))
        print(f"{seed} people", file=sys.stderr)
    print("| before the screen | passed | explained | gain | nose over cheeks |\n|---|---|---|---|---|")
    for name, lights in found.items():
        columns = (
            span([one.face for one in lights]),
            span([one.gain for one in lights]),
            span([o.nose for o in lights]),
        )
        print(f"| {name} | {sum(one.passed for one in lights)} / {len(lights)} | {' | '.join(columns)} |")
    print(f"{guessed(given.guesses, LightLimits())} of {given.guesses} guessed shows pass for the asked one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
