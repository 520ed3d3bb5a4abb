"""The replay simulation as a whole: who is recorded, what of, and how many tokens their recordings pass.

A recording is of a first challenge, of a further one, or of both, one after another, as of somebody who went again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from renzheng.engine.judging import measure
from renzheng.engine.observation import FaceModels
from renzheng.evaluation.pairs import DataError
from renzheng.evaluation.puppet import Puppet
from renzheng.evaluation.rates import Rate, rate
from renzheng.evaluation.replay import Actions, Odds, Recording, answers, as_sent, record, try_tokens
from renzheng.evaluation.suite import FACE_SHARE, SIZE, ChosenPeople, Taking, choose_people, find_photos
from renzheng.verification import challenge
from renzheng.verification.challenge import MAX_LENGTH
from renzheng.verification.policy import Policy

FIRST, FURTHER, BOTH = "first", "further", "both"
KINDS = {FIRST: (0,), FURTHER: (1,), BOTH: (0, 1)}
"""For each kind of recording, how many challenges had been shown before each one that it answers."""

TRIES = 3  # at recording somebody of whom an action is not noticed

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReplayPlan:
    """How large a run is. `first`: recordings of a first challenge by each person; of each other kind there is one.
    `tokens`: fresh ones that each recording is tried with. `checked`: of each recording, answered challenges that are
    given to the whole judge as well. `policy`: what the tokens have to meet."""

    people: int = 13
    first: int = 6
    tokens: int = 2000
    checked: int = 1
    seed: int = 0
    policy: Policy = field(default_factory=Policy)

    @property
    def kinds(self) -> list[str]:
        """Return the kind of each recording of one person."""
        return [FIRST] * self.first + [FURTHER, BOTH]


@dataclass(frozen=True)
class Replayed:
    """One recording. `answered`: challenges of the first length that it answers; `own`: whether its own are among all
    that it answers; `checked`, `confirmed`: answered challenges that the whole judge was given, and let pass as far as
    the actions go."""

    kind: str
    person: str
    challenges: tuple[Actions, ...]
    frames: int
    answered: int
    own: bool
    odds: Odds
    checked: int
    confirmed: int


@dataclass(frozen=True)
class Row:
    """All recordings of a kind: tokens that passed, the share by counting every challenge, and of the worst one."""

    kind: str
    recordings: int
    passed: Rate
    chance: float
    highest: float


def replay_all(
    folders: Sequence[Path], plan: ReplayPlan, engine: FaceModels, progress: Progress = lambda done, total: None
) -> list[Replayed]:
    """Try every recording of everybody. Raises DataError if there are too few people."""
    chosen: ChosenPeople = choose_people(find_photos(folders), (plan.people + 1) // 2, engine, lambda *_: None)
    taking = chosen.taking[: plan.people]
    found: list[Replayed] = []
    for person in taking:
        for replayed in of_person(person, plan, engine):
            found.append(replayed)
            progress(len(found), len(taking) * len(plan.kinds))
    return found


def of_person(person: Taking, plan: ReplayPlan, engine: FaceModels) -> Iterator[Replayed]:
    photo = cv2.imread(person.photo)
    if photo is None:
        raise DataError(f"{person.photo} cannot be read")
    puppet = Puppet(photo, size=SIZE, face_share=FACE_SHARE, engine=engine)
    for number, kind in enumerate(plan.kinds):
        for again in range(TRIES):
            seed = _seed(plan.seed, person.name, number, again)
            entropy = np.random.default_rng((seed, 17)).bytes
            asked = [challenge.draw(entropy, *plan.policy.next_challenge(shown)) for shown in KINDS[kind]]
            made = record(puppet, asked, person=person.name, seed=seed, engine=engine)
            if made is not None:
                yield try_recording(made, kind, plan, engine, seed)
                break


def _seed(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4])


def try_recording(made: Recording, kind: str, plan: ReplayPlan, engine: FaceModels, seed: int) -> Replayed:
    """Return what a recording answers, what that is worth, and whether the whole judge agrees on some of it."""
    chance = np.random.default_rng((seed, 19))
    known = answers(made.glances, MAX_LENGTH)
    first = [one for one in challenge.possible(*plan.policy.next_challenge(0)) if one in known]
    order = [first[index] for index in chance.permutation(len(first))]
    looked = [_whole_judge(made, one, engine) for one in order[: plan.checked]]
    return Replayed(
        kind,
        made.person,
        made.challenges,
        len(made.glances),
        len(first),
        set(made.challenges) <= known,
        try_tokens(known, plan.policy, plan.tokens, chance.bytes),
        len(looked),
        sum(looked),
    )


def _whole_judge(made: Recording, actions: Actions, engine: FaceModels) -> bool:
    sent = as_sent(made, actions)
    return sent is not None and measure(sent, None, engine).challenge_passed


def tabulate_replays(found: Sequence[Replayed]) -> list[Row]:
    """Return rows by kind, in the order of `KINDS`."""
    counts = Counter(one.kind for one in found)
    rows = []
    for kind in KINDS:
        if not counts[kind]:
            continue
        odds = [one.odds for one in found if one.kind == kind]
        passed = rate(sum(one.passed for one in odds), sum(one.tokens for one in odds))
        chances = [one.chance for one in odds]
        rows.append(Row(kind, counts[kind], passed, sum(chances) / len(chances), max(chances)))
    return rows
