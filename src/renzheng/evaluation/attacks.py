"""The attack suite's table: each type of attack, the one layer that it targets, and how it is made.

The table is fixed before a run. An attack is built to pass every other layer: a flat picture answers the challenge,
another person's face moves as the first one's, a wrong answer has depth. One that other layers would stop as well
says nothing about its target. Types that several layers stop by their nature are listed as such and are exempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Literal

import numpy as np

from renzheng.base.defaults import CHALLENGE_LENGTH
from renzheng.engine.depth import reach
from renzheng.engine.limits import DepthLimits
from renzheng.engine.observation import FaceModels
from renzheng.evaluation import clips
from renzheng.evaluation.clips import Clip, film
from renzheng.evaluation.noticing import SimulatedChannel
from renzheng.evaluation.performance import Actor, Doing, Performance, ScreenState
from renzheng.evaluation.portrait import find_mesh
from renzheng.evaluation.presentations import CHALLENGE, CONTINUITY, DEPTH, FRAMES, TRANSCRIPT
from renzheng.evaluation.puppet import Flat, Puppet, PuppetPose
from renzheng.evaluation.sequences import SequenceTranscript
from renzheng.verification.challenge import OTHERS, TURNS, Entropy, draw

Nature = Literal["targeted", "exempt", "uncaught"]

FLAT_REACH = 1.24  # how far a flat picture is turned; the engine asks for 1, see `depth.reach`, in several frames
PRINT = 0.75  # half the width of a print that is held near the camera, in face widths
CAMERA_DISTANCES = (0.3, 0.22, 0.17, 0.13)
"""Camera distances, relative to the natural one: the nearer, the more a flat picture seems to turn. The nearest is some
nine centimetres before a picture of life size; few cameras focus on anything nearer."""
MOUTH_DRAWN = 0.06  # by how much a turned picture's mouth may seem to open, over its width
FLAT_YAWS = (15, 25, 32, 38, 44)  # degrees


@dataclass
class Stage:
    """What one presentation is made from: the person, another one for exchanges, and seeded chance.

    `genuine` is a recording of the person who answers a challenge, which a cheat replays; it may be shared among
    stages. `number` tells variants of one type apart. `length`: actions of a challenge, as many as the server asks.
    """

    person: Puppet
    other: Puppet
    genuine: Clip
    engine: FaceModels
    seed: int
    number: int
    length: int = CHALLENGE_LENGTH
    draw: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.draw = np.random.default_rng((self.seed, 3))

    def challenge(self) -> tuple[str, ...]:
        """Draw a challenge as the server does."""
        return draw(self.draw.bytes, self.length)

    def answered(self, actions: Sequence[str], puppet: Puppet | None = None) -> Clip:
        return answered(puppet or self.person, actions, int(self.draw.integers(2**31)))

    def nonces(self, count: int) -> list[str]:
        return [self.draw.bytes(16).hex() for _ in range(count)]


def mixed_challenge(entropy: Entropy, length: int = CHALLENGE_LENGTH) -> tuple[str, ...]:
    """Draw a challenge as the server does, until it has other actions beside turns, for recordings that are to be
    changed."""
    while True:
        actions = draw(entropy, length)
        if set(actions) & set(OTHERS):
            return actions


def answered(puppet: Puppet, actions: Sequence[str], seed: int) -> Clip:
    """Record a head that does what is asked."""
    return film(Performance(puppet, seed=seed).frame, actions, seed=seed)


@dataclass(frozen=True, slots=True)
class Presented:
    """A clip as it is sent. `old_nonces`: the frames have those of another verification. `note`: the variant."""

    clip: Clip
    note: str = ""
    old_nonces: bool = False


@dataclass(frozen=True)
class Attack:
    """A type of attack. `target`: the layer that it is built to meet; empty if it is exempt or not caught."""

    name: str
    target: str
    make: Callable[[Stage], Presented]
    nature: Nature = "targeted"


def present(attack: Attack, stage: Stage, *, person: str, half: str) -> tuple[SequenceTranscript, list[bytes]]:
    """Render one presentation of this type. Returns its transcript, and its frames as JPEG."""
    made = attack.make(stage)
    nonces = stage.nonces(len(made.clip))
    sent = stage.nonces(len(made.clip)) if made.old_nonces else None
    return clips.as_transcript(
        made.clip, attack=attack.name, person=person, half=half, nonces=nonces, sent_nonces=sent, note=made.note
    )


# -- heads and pictures that nobody moves ------------------------------------------------------------------------


def _complying(stage: Stage) -> Presented:
    """Record a head that does what is asked, in varied light, size, place, noise and compression."""
    chance = stage.draw
    light = float(chance.uniform(0.65, 1.25))
    tint = chance.uniform(0.92, 1.08, size=3)
    base = PuppetPose(
        gain=(light * float(tint[0]), light * float(tint[1]), light * float(tint[2])),
        noise=float(chance.uniform(0.5, 6.0)),
        scale=float(chance.uniform(0.75, 1.25)),
        shift=(float(chance.uniform(-0.06, 0.06)), float(chance.uniform(-0.03, 0.03))),
    )
    quality = int(chance.integers(55, 93))
    scene = Performance(stage.person, seed=stage.seed, base=base)
    channel = SimulatedChannel(stage.engine)
    clip = film(scene.frame, stage.challenge(), seed=stage.seed, quality=quality, noticed=channel.noticed)
    return Presented(clip)


def _still(stage: Stage) -> Presented:
    return Presented(clips.still(stage.person, stage.challenge(), seed=stage.seed))


def _frozen(stage: Stage) -> Presented:
    return Presented(clips.frozen(stage.genuine))


# -- flat pictures that answer -----------------------------------------------------------------------------------


def _flat(
    stage: Stage, surface: Callable[[float], Flat], add: Callable[[float], PuppetPose], note: str = ""
) -> Presented:
    """Record a flat picture whose eyes and mouth answer, and which is turned before a near camera if a turn is asked.

    Seen from near, a turned plane shows the perspective of a turning head. So it answers, and only its depth gives it
    away.
    """
    actions = stage.challenge()
    held = {
        turn: nearest_turn(stage.person, stage.engine, surface, add, 1.0 if turn == "turn_left" else -1.0)
        for turn in TURNS
        if turn in actions
    }
    chosen = min((flat for flat, _ in held.values()), key=lambda flat: flat.distance)
    poses = {turn: held[turn if turn in held else next(iter(held))][1] for turn in TURNS}
    scene = Performance(stage.person, "flat", seed=stage.seed, flat=chosen, turned=lambda action: poses[action])
    return Presented(film(scene.frame, actions, seed=stage.seed), note or f"distance {chosen.distance:g}")


def nearest_turn(
    puppet: Puppet,
    engine: FaceModels,
    surface: Callable[[float], Flat],
    add: Callable[[float], PuppetPose],
    sign: float,
) -> tuple[Flat, PuppetPose]:
    """Find the smallest movement of a flat picture that the engine takes for the asked turn, or the nearest to it.

    An attacker can try this at home: the program is free. `surface(distance)` is the picture before a camera at that
    distance, `add(side)` what is done to it beside the turn, tried towards both sides.
    """
    best, most = (surface(CAMERA_DISTANCES[0]), PuppetPose()), -1.0
    for distance, side in product(CAMERA_DISTANCES, (sign, -sign)):
        held = surface(distance)
        mesh = find_mesh(puppet.render(PuppetPose(), held), engine)
        closed, rest = mesh.mouth_opening, mesh.turn
        for degrees in FLAT_YAWS:
            pose = replace(add(side), yaw=sign * degrees)
            mesh = engine.mesh_model(puppet.render(pose, held), mesh)
            if mesh.presence < 0.9:
                break
            # If the perspective stretches the mouth, it would count as one that opens unasked.
            drawn = max(0.0, mesh.mouth_opening - closed - MOUTH_DRAWN)
            seen = sign * reach(mesh, rest, DepthLimits()) - 4 * drawn
            if seen > most:
                best, most = (held, pose), seen
            if most >= FLAT_REACH:
                return best
    return best


def _flat_moved(stage: Stage) -> Presented:
    """Present a flat picture that is turned, and pushed to the side by the hand that turns it."""
    return _flat(stage, lambda near: Flat(distance=near, crop=PRINT), lambda sign: PuppetPose(shift=(0.05 * sign, 0.0)))


def _flat_tilted(stage: Stage) -> Presented:
    """Present a flat picture that is turned about an oblique axis."""
    return _flat(
        stage, lambda near: Flat(distance=near, crop=PRINT), lambda sign: PuppetPose(pitch=-6.0, roll=6.0 * sign)
    )


def _flat_bent(stage: Stage) -> Presented:
    """Present a picture that is bent to a cylinder of three to five face widths, and turned."""
    radius = 3.0 + 2.0 * stage.draw.random()
    return _flat(stage, lambda near: Flat(bend_radius=radius, distance=near, crop=PRINT), lambda sign: PuppetPose())


def _cut_out(stage: Stage) -> Presented:
    """Present a picture with holes for eyes and mouth, behind which somebody's own eyes and mouth move."""
    return _flat(stage, lambda near: Flat(distance=near, holes=0.06, crop=PRINT), lambda sign: PuppetPose())


# -- recordings that answer something else -----------------------------------------------------------------------


def _wrong_actions(stage: Stage) -> Presented:
    """Present a recording whose turn is the asked one by luck, and whose other action is not."""
    shown = [part.action for part in stage.genuine[1:]]
    asked = [a if a in TURNS else str(stage.draw.choice([o for o in OTHERS if o != a])) for a in shown]
    return Presented(clips.relabelled(stage.genuine, asked))


def _wrong_order(stage: Stage) -> Presented:
    """Present three actions with the turn in its place, and the two others in reverse order."""
    others = list(stage.draw.permutation(OTHERS))[:2]
    turn = str(stage.draw.choice(TURNS))
    recorded = stage.answered((str(others[0]), turn, str(others[1])))
    return Presented(clips.relabelled(recorded, (str(others[1]), turn, str(others[0]))))


class _Late(Actor):
    """Answers one of the actions only when its time is almost over."""

    def __init__(self, seed: int, late: str) -> None:
        super().__init__(seed)
        self._late = late

    def doing(self, shown: ScreenState) -> Doing:
        if shown.action != self._late:
            return super().doing(shown)
        return Doing(shown.action, shown.seconds - (shown.allowed - 0.3))


def _wrong_time(stage: Stage) -> Presented:
    """Present a recording that answers before the asking, or an answer that ends after its deadline: half of each."""
    if stage.number % 2:
        return Presented(clips.ahead_of_time(stage.genuine, 0.8), "before the asking")
    actions = stage.challenge()
    late = str(stage.draw.choice(actions))

    def seconds(action: str) -> float:
        waits = clips.STEP_DEADLINE - clips.AFTERWARDS if action == late else 0.0
        return clips.movement_seconds(action) + waits

    scene = Performance(stage.person, seed=stage.seed, actor=_Late(stage.seed, late))
    return Presented(film(scene.frame, actions, seed=stage.seed, seconds=seconds), "after the deadline")


def _old_nonce(stage: Stage) -> Presented:
    """Present a recording whose actions are the asked ones by luck, sent with the nonces of its own verification."""
    return Presented(stage.genuine, old_nonces=True)


# -- recordings that are not one recording -----------------------------------------------------------------------


def _spliced(stage: Stage) -> Presented:
    """Present two recordings: somebody else looks straight and does the other action, and the person only turns.

    The cuts are between two steps, both faces are in one place, and whoever answers has shown their own neutral face.
    """
    actions = [part.action for part in stage.genuine[1:]]
    live = stage.answered(actions, stage.other)
    parts = [own if own.action in TURNS else other for own, other in zip(stage.genuine, live, strict=True)]
    return Presented(clips.joined(parts))


def _exchange(stage: Stage, back: bool) -> clips.PersonSwap:
    first, second = (Performance(puppet, seed=stage.seed) for puppet in (stage.person, stage.other))
    return clips.PersonSwap((first, second), (stage.person, stage.other), back)


def _swap(stage: Stage) -> Presented:
    """Replace the person while the head is turned; every second time the first person returns after it."""
    scene = _exchange(stage, back=bool(stage.number % 2))
    clip = film(scene, stage.challenge(), seed=stage.seed)
    return Presented(clip, "comes back" if scene.back else "stays")


def _repeated(stage: Stage) -> Presented:
    """Present a short recording that must last until something is asked. (A frame sent twice in a row is a slow
    camera.)"""
    if stage.number % 2:
        return Presented(clips.looped(stage.genuine), "a loop")
    return Presented(clips.to_and_fro(stage.genuine), "to and fro")


def _dropped(stage: Stage) -> Presented:
    """Present an exchange of people whose frames are left out, or that is hidden by sending few frames at all.

    Missing frames alone gain nothing: a bad line drops some as well, and every received frame is still examined.
    """
    scene = _exchange(stage, back=True)
    clip = film(scene, stage.challenge(), seed=stage.seed)
    if stage.number % 2:
        return Presented(clips.cut_around(clip, scene.shown), "around the exchange")
    return Presented(clips.thinned(clip), "two of three")


def _two_photos(stage: Stage) -> Presented:
    """Replace a photo that looks ahead by one that looks aside; every second time the exchange is left out."""
    scene = clips.TwoPhotos(Performance(stage.person, seed=stage.seed), stage.person)
    clip = film(scene, stage.challenge(), seed=stage.seed)
    if stage.number % 2:
        return Presented(clips.cut_around(clip, scene.shown, 1), "the exchange left out")
    return Presented(clip, "at once")


def _morph(stage: Stage) -> Presented:
    """Dissolve a photo that looks ahead into one that looks aside, in the half second that a head would take."""
    scene = clips.Morph(Performance(stage.person, seed=stage.seed, base=PuppetPose(noise=2.0)), stage.person)
    return Presented(film(scene, stage.challenge(), seed=stage.seed))


# -- more or less than one face ----------------------------------------------------------------------------------

SMALL = 0.5  # of the frame's size
SMALL_CAMERA = (480, 360)  # pixels, width and height: the face of such a print is then some 65 pixels wide


def _small_face(stage: Stage) -> Presented:
    """Present a print that answers everything, too small, before somebody's body."""
    head = Performance(stage.person, seed=stage.seed).frame
    scene = clips.held_before(head, stage.other.render(PuppetPose()), SMALL, SMALL_CAMERA)
    return Presented(film(scene, stage.challenge(), seed=stage.seed, quality=90))


def _two_faces(stage: Stage) -> Presented:
    """Present the person who answers, with somebody else beside them, a little smaller."""
    scene = Performance(stage.person, seed=stage.seed, base=PuppetPose(noise=2.0, scale=0.85))
    bystander = stage.other.render(PuppetPose(noise=2.0, scale=0.65))
    return Presented(film(clips.beside(scene.frame, bystander), stage.challenge(), seed=stage.seed))


ATTACKS: tuple[Attack, ...] = (
    Attack("flat_moved", DEPTH, _flat_moved),
    Attack("flat_tilted", DEPTH, _flat_tilted),
    Attack("flat_bent", DEPTH, _flat_bent),
    Attack("cut_out", DEPTH, _cut_out),
    Attack("wrong_actions", CHALLENGE, _wrong_actions),
    Attack("wrong_order", CHALLENGE, _wrong_order),
    Attack("wrong_time", TRANSCRIPT, _wrong_time),
    Attack("old_nonce", TRANSCRIPT, _old_nonce),
    Attack("spliced", CONTINUITY, _spliced),
    Attack("swap", CONTINUITY, _swap),
    Attack("repeated", CONTINUITY, _repeated),
    Attack("dropped", CONTINUITY, _dropped),
    Attack("two_photos", CONTINUITY, _two_photos),
    Attack("small_face", FRAMES, _small_face),
    Attack("two_faces", FRAMES, _two_faces),
    Attack("still", "", _still, "exempt"),
    Attack("frozen", "", _frozen, "exempt"),
    Attack("morph", "", _morph, "uncaught"),
    Attack("complying_head", "", _complying, "uncaught"),
)
"""Every type of the suite, in the order of the table."""
