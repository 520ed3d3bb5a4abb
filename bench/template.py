"""What the scale rests on, and what else makes it hold: a centre taken off, the mirror image averaged.

Two folders of people, the mixed one and the one that has to be as safe: `python -m bench.template lfw_fold1
lfw_east_asia`. People are drawn in halves: the centre comes from one half, the rates from the other, over and over. The
threshold is where so many strangers of the second folder pass; printed is how many of one person it refuses. Last come
the points of the shipped scale on the second folder, every two people compared off a centre that is made without them,
and the centre of all.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from renzheng.engine import packs
from renzheng.engine.embedding import align
from renzheng.engine.limits import MediaLimits
from renzheng.engine.media import decode
from renzheng.engine.observation import FaceModels
from renzheng.engine.runtimes import Floats
from renzheng.evaluation.acquisition import nearest_to_centre
from renzheng.evaluation.pairs import read_people

DRAWS = 30
RATES = (1.0e-4, 1.5e-4)
CENTRES = {"": (0.0, 0.0), "off the centre of both": (0.5, 0.5), "off the centre of the second": (0.0, 1.0)}


@dataclass(frozen=True)
class People:
    """`person`: a number for each image; `plain`, `mirrored`: n x 128 unit embeddings."""

    person: Floats
    plain: Floats
    mirrored: Floats

    def templates(self, mirror: bool) -> Floats:
        return unit(self.plain + self.mirrored) if mirror else self.plain


def unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def embed(folder: Path, models: FaceModels) -> People:
    pairs = read_people(folder)
    rows = []
    for image, person in zip(pairs.images, pairs.person_of.tolist(), strict=True):
        photo = decode(image.read_bytes(), MediaLimits()).image
        faces = models.photo_faces(photo)
        if not faces:
            continue
        face = nearest_to_centre(photo, faces)
        near = models.detector.refine(photo, face.centre, face.size) or face
        aligned = align(photo, near.points)
        plain = models.embedder.embed_aligned(aligned)
        rows.append((person, plain, models.embedder.embed_aligned(np.ascontiguousarray(aligned[:, ::-1]))))
    person_of, plain_of, mirrored_of = zip(*rows, strict=True)
    return People(np.array(person_of), np.array(plain_of), np.array(mirrored_of))


def scores(templates: Floats, person: Floats) -> tuple[Floats, Floats]:
    """Cosines of one person, and of strangers."""
    first, second = np.triu_indices(len(person), 1)
    found, same = (templates @ templates.T)[first, second], person[first] == person[second]
    return found[same], found[~same]


@dataclass(frozen=True)
class Held:
    """Cosines of one person (`genuine`) and of strangers, by folder, of people who had no part in the centre."""

    genuine: tuple[Floats, Floats]
    strangers: tuple[Floats, Floats]

    def threshold(self, rate: float) -> float:
        """Return the cosine that so many strangers of the second folder pass."""
        return float(np.quantile(self.strangers[1], 1 - rate))


def centre(templates: Floats, person: Floats) -> Floats:
    """The mean of the people's means: whoever has many photos counts no more than others."""
    means = [templates[person == one].mean(axis=0) for one in np.unique(person)]
    return np.asarray(np.mean(means, axis=0), np.float32)


def hold_out(groups: tuple[People, People], *, mirror: bool, weights: tuple[float, float]) -> Held:
    """`weights`: of the two folders' centres in what is taken off."""
    chance = np.random.default_rng(7)
    genuine: tuple[list[Floats], list[Floats]] = ([], [])
    strangers: tuple[list[Floats], list[Floats]] = ([], [])
    made = [one.templates(mirror) for one in groups]
    for _ in range(DRAWS):
        halves = [np.isin(one.person, _half(one.person, chance)) for one in groups]
        parts = zip(weights, made, groups, halves, strict=True)
        off = sum(weight * centre(t[half], one.person[half]) for weight, t, one, half in parts)
        for number, (one, half) in enumerate(zip(groups, halves, strict=True)):
            same, other = scores(unit(made[number][~half] - off), one.person[~half])
            genuine[number].append(same)
            strangers[number].append(other)
    return Held(_joined(genuine), _joined(strangers))


def left_out(people: People) -> tuple[Floats, Floats]:
    """Cosines of all strangers, off a centre made without the two people; and a number for each pair of people."""
    everyone = np.unique(people.person)
    rows = [people.plain[people.person == one] for one in everyone]
    means = np.array([row.mean(axis=0) for row in rows])
    found, pair = [], []
    for second in range(len(rows)):
        for first in range(second):
            off = (means.sum(axis=0) - means[first] - means[second]) / (len(rows) - 2)
            found.append((unit(rows[first] - off) @ unit(rows[second] - off).T).ravel())
            pair.append(np.full(len(found[-1]), len(rows) * second + first))
    return np.concatenate(found), np.concatenate(pair)


def describe(held: Held, rate: float) -> str:
    threshold = held.threshold(rate)
    refused = [100 * float((one < threshold).mean()) for one in held.genuine]
    mixed = 100 * float((held.strangers[0] >= threshold).mean())
    return (
        f"FMR {100 * rate:.4f} % at {threshold:.3f}: refused {refused[0]:.2f} % and {refused[1]:.2f} %, "
        f"mixed FMR {mixed:.4f} %"
    )


def _joined(draws: tuple[list[Floats], list[Floats]]) -> tuple[Floats, Floats]:
    return np.concatenate(draws[0]), np.concatenate(draws[1])


def _half(person: Floats, chance: np.random.Generator) -> Floats:
    everyone = np.unique(person)
    return np.asarray(chance.permutation(everyone)[: len(everyone) // 2])


def main() -> None:
    models = FaceModels()
    groups = (embed(Path(sys.argv[1]), models), embed(Path(sys.argv[2]), models))
    for mirror in (False, True):
        for name, weights in CENTRES.items():
            held = hold_out(groups, mirror=mirror, weights=weights)
            told = "; ".join(describe(held, rate) for rate in RATES)
            print(f"{'with the mirror image' if mirror else 'plain':<22}{name:<32}", told, flush=True)
    found, pair = left_out(groups[1])
    calibration = packs.pack_for("embedding").calibration
    assert calibration is not None
    for at, score in zip(calibration.cosines[1:-1], calibration.scores[1:-1], strict=True):
        passed = found >= at
        print(
            f"score {score:g}, cosine {at:g}: {passed.sum()} of {len(found)}, {len(set(pair[passed]))} pairs of people"
        )
    print("centre =", [round(value, 4) for value in centre(groups[1].plain, groups[1].person).tolist()])


if __name__ == "__main__":
    main()
