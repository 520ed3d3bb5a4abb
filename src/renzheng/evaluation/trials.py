"""Trials against a running server: a merchant, a device and a merchant again, many times, counted by Result.

An attack is shown to be stopped if it never passes, and if at least nine of ten are stopped by what it is made to
meet: one on liveness by liveness, one on the comparison by the comparison. One may fall otherwise, as heads that
comply do at times, or be so poor that the server never finds it ready, and so never judges it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.engine.embedding import cosine
from renzheng.engine.liveness import hint
from renzheng.engine.runtimes import Floats, Image
from renzheng.evaluation.device import Device, DeviceError, DeviceLimits, NoOutcomeError
from renzheng.evaluation.merchant import Merchant
from renzheng.evaluation.performance import ATTACKS, Performance
from renzheng.evaluation.portrait import models
from renzheng.evaluation.puppet import HEAD, Flat, Puppet, PuppetPose, Surface, UnfitPhotoError

PASSED = "0"
NOT_LIVE = "1005"
NOT_THE_SAME = "2016"

NEVER_JUDGED = "never ready"

STARVED = 5.0  # frames a second below which a trial says more about this machine than about the face
TRIES = 3
STRANGERS = 0.25  # cosine below which two photos are certainly of different people


@dataclass(frozen=True)
class TrialPerson:
    """A person who can be shown, with the photo that a merchant would send (JPEG bytes)."""

    name: str
    puppet: Puppet = field(repr=False)
    photo: bytes = field(repr=False)


@dataclass(frozen=True)
class Scenario:
    """A kind of trial: how it is staged, and the only Results that are right.

    `stage` gives the performance and the reference photo from (people, number of the trial, seed).
    """

    name: str
    title: str
    layer: str
    right: frozenset[str]
    stage: Callable[[Sequence[TrialPerson], int, int], tuple[Performance, bytes]]
    people: int = 1

    @property
    def is_attack(self) -> bool:
        return PASSED not in self.right


@dataclass
class TrialCounts:
    """What came of a scenario's trials. `codes`: Results, or what kept a trial from having one.

    `right`: with the only Results that are right; `judged`: with any Result; `unready`: never found ready to be judged;
    `starved`: trials that were started again because the device got too little of the CPU; `slowest`: the lowest
    frames a second among those that count.
    """

    scenario: Scenario
    runs: int = 0
    passed: int = 0
    right: int = 0
    judged: int = 0
    unready: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    starved: int = 0
    slowest: float = float("inf")

    @property
    def is_as_expected(self) -> bool:
        """Whether the result meets the module's rule; of ten complying heads, one may fail too.

        A trial that failed because of the machine, with neither a Result nor an end by the server, shows nothing.
        """
        if self.judged + self.unready < self.runs or (self.scenario.is_attack and self.passed):
            return False
        return self.runs - self.right <= (max(1, self.runs // 10) if self.runs > 1 else 0)

    @property
    def elsewhere(self) -> int:
        """Attacks that were judged and refused, but by something else than they are made to meet."""
        return self.judged - self.right - (self.passed if self.scenario.is_attack else 0)


def _comply(people: Sequence[TrialPerson], number: int, seed: int) -> tuple[Performance, bytes]:
    person = people[number % len(people)]
    return Performance(person.puppet, seed=seed), person.photo


def _another_reference(people: Sequence[TrialPerson], number: int, seed: int) -> tuple[Performance, bytes]:
    person, stranger = people[number % len(people)], people[(number + 1) % len(people)]
    return Performance(person.puppet, seed=seed), stranger.photo


def _attacks() -> Iterable[Scenario]:
    for attack in ATTACKS:

        def stage(
            people: Sequence[TrialPerson],
            number: int,
            seed: int,
            play: Callable[[Puppet, Puppet | None, int], Performance] = attack.stage,
        ) -> tuple[Performance, bytes]:
            person, other = people[number % len(people)], people[(number + 1) % len(people)]
            return play(person.puppet, other.puppet if len(people) > 1 else None, seed), person.photo

        need = 2 if attack.needs_another else 1
        yield Scenario(attack.name, attack.title, attack.layer, frozenset({NOT_LIVE}), stage, need)


COMPLYING = Scenario("head", "a head that complies", "", frozenset({PASSED}), _comply)
SCENARIOS: tuple[Scenario, ...] = (
    COMPLYING,
    Scenario(
        "another_reference",
        "another person's photo as reference",
        "comparison",
        frozenset({NOT_THE_SAME}),
        _another_reference,
        people=2,
    ),
    *_attacks(),
)


async def run_scenario(
    scenario: Scenario,
    people: Sequence[TrialPerson],
    *,
    server: str,
    merchant: Merchant,
    runs: int,
    parallel: int,
    seed: int,
    progress: Callable[[], None] = lambda: None,
    limits: DeviceLimits | None = None,
) -> TrialCounts:
    """Run `runs` trials, `parallel` at a time, each with a fresh token and so a fresh challenge."""
    tally = TrialCounts(scenario)
    room = asyncio.Semaphore(parallel)

    async def one(number: int) -> None:
        async with room:
            for _ in range(TRIES):
                code, rate = await _trial(scenario, people, server, merchant, number, seed + number, limits)
                if rate >= STARVED or code == PASSED:
                    break
                tally.starved += 1
        tally.runs += 1
        tally.codes[code] += 1
        tally.passed += code == PASSED
        tally.right += code in scenario.right
        tally.judged += code.isdecimal()
        tally.unready += code == NEVER_JUDGED
        tally.slowest = min(tally.slowest, rate)
        progress()

    async with asyncio.TaskGroup() as group:
        for number in range(runs):
            group.create_task(one(number))
    return tally


async def _trial(
    scenario: Scenario,
    people: Sequence[TrialPerson],
    server: str,
    merchant: Merchant,
    number: int,
    seed: int,
    limits: DeviceLimits | None,
) -> tuple[str, float]:
    """Return the Result of one trial, or what kept it from having one; and the frames per second that were sent."""
    performance, reference = scenario.stage(people, number, seed)
    try:
        call = await asyncio.to_thread(merchant.token, reference)
        token = str(call.reply["FaceIdToken"])
        outcome = await Device(server, token, performance, limits=limits).run()
        result = await asyncio.to_thread(merchant.result, token)
    except NoOutcomeError:
        return NEVER_JUDGED, STARVED
    except DeviceError as error:
        return f"closed {error.code or ''}".strip(), STARVED
    except TencentCloudSDKException as error:
        return str(error.get_code()), STARVED
    return str(result.reply["Result"]), outcome.rate


def find_people(photos: Iterable[Path], first: TrialPerson, count: int) -> list[TrialPerson]:
    """`first` and up to `count` - 1 others out of photos, all certainly different; unfit photos are left out, and whom
    the server would not find ready at rest."""
    people = [first]
    known = [_embedding(first.puppet)]
    for path in photos:
        if len(people) >= count:
            break
        photo = cv2.imread(str(path))
        if photo is None:
            continue
        try:
            puppet = Puppet(photo)
        except UnfitPhotoError:
            continue
        if not all(_ready(puppet, surface) for surface in (HEAD, Flat())):
            continue
        face = _embedding(puppet)
        if all(cosine(face, other) < STRANGERS for other in known):
            people.append(TrialPerson(path.stem, puppet, as_jpeg(photo)))
            known.append(face)
    return people


def _ready(puppet: Puppet, surface: Surface) -> bool:
    """Whether the server would begin with this at rest, and not ask it for something that it cannot do."""
    return hint(models().observe(puppet.render(PuppetPose(), surface), eyes=False, covered=True).glance) is None


def _embedding(puppet: Puppet) -> Floats:
    face = models().embed(puppet.render(PuppetPose()))
    if face is None:
        raise UnfitPhotoError("no face is found in the puppet's own frame")
    return face


def as_jpeg(photo: Image, longest: int = 1280) -> bytes:
    """Return the photo as a merchant would send it: at most `longest` pixels on the longer side."""
    scale = longest / max(photo.shape[:2])
    if scale < 1:
        photo = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", photo, [cv2.IMWRITE_JPEG_QUALITY, 92])
    return bytes(encoded.tobytes())
