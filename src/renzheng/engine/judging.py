"""The measurements of a sequence's frames, and a reference photo -> one ``Measurement``, the same for the same input.

``SequenceJudge`` is a state machine over the frames in order. It takes each frame's measurement (``frames``), whoever
made it and when, and asks for the pictures of those few of which it needs more: those to compare, the turned ones, and
those in which a face that was there a moment ago was not found. ``measure`` is the whole of it in one process; the
workers feed the same ``SequenceJudge`` with what was measured live, and with what another process decodes.

Rules that are chosen here, and nowhere else:

- the baseline comes from the neutral step alone;
- a face that is not found, or beside another one that is found instead of it, is looked for where it was a frame
  before: a profile hides it from the detector, and a bystander may come nearer;
- the similarity is the median of the compared frames' scores (``choosing`` says which), never the highest, and they
  must show one person among themselves, whom every other step and every turn shows as well;
- frames of the light challenge are neither compared with the photo nor taken for an action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

from . import packs
from .appearance import measure_appearance, screen_signs
from .choosing import FrontalFrame, NeutralFace, chosen, two_best, worth
from .comparison import NO_REFERENCE, Reference, compare, read_reference
from .continuity import Moment, measure_continuity
from .depth import brought_to_height, enough, least_relief, measure_depth, reach, solidity_of, spread
from .doubts import weigh
from .embedding import cosine
from .fitness import count_frames, status_of
from .frames import FrameMeasurement, followed, measure_frame
from .identity import Chain, Faces, Looking
from .landmarks import Mesh
from .light import COLOURS, flashes_of, is_light, measure_light, waiting
from .limits import JudgingLimits, MediaLimits
from .liveness import (
    NEUTRAL,
    TURNS,
    ActionWatcher,
    Baseline,
    Glance,
    unasked_actions,
)
from .measurement import (
    ActionOutcome,
    Best,
    Continuity,
    Depth,
    Frame,
    Light,
    Measurement,
    Turn,
)
from .media import MediaError, decode
from .observation import FaceModels, within
from .planarity import Planarity, compare_views
from .pose import measure_turn
from .reasons import reasons
from .runtimes import Floats, Image

AT_ONCE = 8
"""Pictures that are requested at a time."""
STATIONS = 3
"""Views of a turn that the chain of faces passes through (see ``identity``)."""

Asking = Looking[Measurement]
"""Yields indices of at most ``AT_ONCE`` frames."""


@dataclass(slots=True)
class _Seen:
    """A frame of the sequence. ``reach``: see ``depth``."""

    index: int
    step: int
    action: str
    at: float
    frame: FrameMeasurement
    reach: float = 0.0

    @property
    def glance(self) -> Glance:
        return self.frame.glance

    @property
    def mesh(self) -> Mesh | None:
        return self.frame.mesh


class SequenceJudge:
    """Takes the measurements of a sequence's frames in order and concludes. One judge per sequence."""

    def __init__(self, models: FaceModels, limits: JudgingLimits | None = None) -> None:
        self._models = models
        self._limits = limits or JudgingLimits()
        self.embeddings: list[Floats] = []
        self._seen: list[_Seen] = []
        self._ranked: dict[int, list[FrontalFrame]] = {}
        self._pictures: dict[int, Image] = {}
        self._faces = Faces(models)
        self._undecodable = 0
        self._total = 0

    def add(self, frame: FrameMeasurement | None, step: int, action: str, at: float) -> None:
        """Add the next frame; None if it could not be decoded."""
        index, self._total = self._total, self._total + 1
        if frame is None:
            self._undecodable += 1
        else:
            self._seen.append(_Seen(index, step, action, at, frame))

    @property
    def _rest(self) -> float:
        """The turn of the neutral pose, in degrees."""
        return median([mesh.turn for mesh in self._neutral()] or [0.0])

    def _follow(self) -> Looking[None]:
        """Search a lost face at its place in the frame before, frame after frame."""
        before: Mesh | None = None
        for seen in self._seen:
            if before is not None and _is_lost(seen.frame, before):
                (image,) = yield [seen.index]
                if image is not None:
                    found = measure_frame(image, seen.action, self._models, before)
                    seen.frame = followed(found, seen.frame) if found.mesh is not None else seen.frame
            before = seen.mesh

    def _rank(self) -> None:
        """Compute each frame's reach, and each step's best frontal frames."""
        rest, neutral = self._rest, [seen.mesh for seen in self._seen if seen.action == NEUTRAL and seen.mesh]
        pose, limits = NeutralFace.of(neutral), self._limits
        rows: dict[int, list[FrontalFrame]] = {}
        for seen in self._seen:
            mesh, quality = seen.mesh, seen.frame.quality
            if mesh is None or quality is None:
                continue
            seen.reach = reach(mesh, rest, limits.depth)
            if is_light(seen.action) or not seen.glance.usable or abs(mesh.yaw) > limits.depth.frontal:
                continue
            score = worth(seen.frame, pose, limits.actions.mouth_wide)
            rows.setdefault(seen.step, []).append(FrontalFrame(seen.index, seen.step, seen.at, score, quality, mesh))
        self._ranked = {step: two_best(row, limits.apart) for step, row in rows.items()}

    def _look_again(self, compared: Sequence[FrontalFrame]) -> Looking[None]:
        """Get the pictures of the frames to compare, and all aligned faces that are needed beyond their numbers."""
        meshes = {seen.index: seen.mesh for seen in self._seen}
        whole = {one.index for one in compared}
        views = {one.index for sign, turned in self._turned() for one in self._views(turned, sign)}
        views |= {one.index for one in (*self._least_turned(), *self._lit())}
        wanted = sorted(whole | views | {one.index for one in (*self._ahead(), *self._best())})
        for start in range(0, len(wanted), AT_ONCE):
            indices = wanted[start : start + AT_ONCE]
            for index, image in zip(indices, (yield indices), strict=True):
                mesh = meshes[index]
                if image is None or mesh is None:
                    continue
                self._faces.keep(index, image, mesh)
                if index in whole:
                    self._pictures[index] = image.copy()  # its memory may be overwritten by the next ones

    def conclude(self, reference: Reference = NO_REFERENCE) -> Asking:
        """Measure everything that was added. ``embeddings`` then has those of the chosen frames, for another
        comparison."""
        limits = self._limits
        yield from self._follow()
        self._rank()
        picked = chosen(list(self._ranked.values()), limits.compared)
        yield from self._look_again(picked)
        compared = [one for one in picked if one.index in self._pictures]
        neutral = [seen.glance for seen in self._seen if seen.action == NEUTRAL]
        baseline = Baseline.from_glances(neutral, thresholds=limits.actions)
        actions = self._actions(baseline)
        depth, turn = self._depth(), self._turn()
        seconds = self._seen[-1].at - self._seen[0].at if self._seen else 0.0
        best = max(compared, key=lambda one: (one.score, -one.index), default=None)
        looks = [(self._pictures[one.index], one.mesh) for one in compared]
        for one, (image, mesh) in zip(compared, looks, strict=True):
            if (embedding := self._models.embed(image, mesh)) is not None:
                self.embeddings.append(embedding)
                self._faces.know(one.index, embedding)
        comparison = compare(self.embeddings, reference)
        network = self._models.passive
        continuity = yield from self._continuity(turn)
        looked = measure_appearance(self._pictures[best.index], best.mesh) if best else None
        signs = [screen_signs(self._pictures[one.index], one.mesh) for one in compared if one is not best]
        signs += [(looked.borders, looked.blur)] if looked else []
        borders, blur = (median(values) for values in zip(*signs, strict=True)) if signs else (None, None)
        counts = count_frames([seen.frame for seen in self._seen], self._total, self._undecodable, limits)
        found = Measurement(
            frames_status=status_of(counts, limits),
            counts=counts,
            baseline=baseline,
            actions=actions,
            challenge_passed=bool(actions) and all(one.answered and not one.unasked for one in actions),
            depth=depth,
            continuity=continuity,
            best=Best(best.index, best.score, best.quality) if best else None,
            reference=comparison.reference,
            reference_quality=comparison.reference_quality,
            similarity=comparison.similarity,
            cosines=comparison.cosines,
            compared=tuple(candidate.index for candidate in compared),
            seconds=seconds,
            frames_per_second=(len(self._seen) - 1) / seconds if seconds > 0 else 0.0,
            tags=(),
            packs=tuple(pack.id for pack in packs.in_use()),
            appearance=looked,
            passive=network.measure(looks) if network else None,
            turn=turn,
            light=self._light(),
            doubt=weigh(depth, continuity, borders, blur, limits.doubt),
        )
        self._pictures.clear()
        return replace(found, tags=reasons(found))

    def _actions(self, baseline: Baseline | None) -> tuple[ActionOutcome, ...]:
        outcomes: list[ActionOutcome] = []
        newest: Glance | None = None
        for step, action in dict.fromkeys((seen.step, seen.action) for seen in self._seen):
            rows = [seen for seen in self._seen if (seen.step, seen.action) == (step, action)]
            last, newest = newest, rows[-1].glance
            if action == NEUTRAL or is_light(action):
                continue
            if baseline is None:
                outcomes.append(ActionOutcome(step, action, False, None, 0.0, None, (), len(rows)))
                continue
            watcher = ActionWatcher(action, baseline, self._limits.actions)
            for seen in rows:
                watcher.feed(seen.glance, seen.at)
            glances = [seen.glance for seen in rows]
            before = outcomes[-1].action if outcomes else NEUTRAL
            unasked = unasked_actions(action, glances, baseline, self._limits.actions, before, last)
            answered = watcher.phase == "done"
            outcomes.append(
                ActionOutcome(
                    step, action, answered, watcher.done_at, watcher.peak, watcher.peak_at, unasked, len(rows)
                )
            )
        return tuple(outcomes)

    def _neutral(self) -> list[Mesh]:
        """Return the meshes of the neutral step that look ahead."""
        bound = self._limits.depth.frontal
        rows = [seen for seen in self._seen if seen.action == NEUTRAL and seen.glance.usable]
        return [seen.mesh for seen in rows if seen.mesh is not None and abs(seen.glance.yaw) <= bound]

    def _turned(self) -> list[tuple[int, list[_Seen]]]:
        """Return, for each turn step, the sign of the asked turn, above 0 to the person's left, and its usable
        frames."""
        steps: dict[int, tuple[int, list[_Seen]]] = {}
        for seen in self._seen:
            if seen.action in TURNS:
                rows = steps.setdefault(seen.step, (TURNS[seen.action], []))[1]
                if seen.glance.usable:
                    rows.append(seen)
        return list(steps.values())

    def _aside(self, turned: Sequence[_Seen], sign: int) -> list[_Seen]:
        """Return the turn's frames that are turned enough."""
        return enough([(sign * seen.reach, seen) for seen in turned], self._limits.depth)

    def _depth(self) -> Depth | None:
        """Return the depth of the turn that shows least of it; None if no turn was asked."""
        found = [self._depth_of(turned, sign) for sign, turned in self._turned()]
        return min(found, key=lambda one: (one.passed, one.solidity or 0.0), default=None)

    def _views(self, turned: Sequence[_Seen], sign: int) -> list[_Seen]:
        """Return the turn's frames that are compared with the neutral view."""
        aside = sorted(self._aside(turned, sign), key=lambda seen: sign * seen.reach)
        return spread(aside, self._limits.depth.reliefs)

    def _least_turned(self) -> list[_Seen]:
        """Return, for each turn, the least turned of the frames that are turned enough."""
        found = [self._aside(turned, sign) for sign, turned in self._turned()]
        return [min(rows, key=lambda seen: abs(seen.reach)) for rows in found if rows]

    def _lit(self) -> list[_Seen]:
        """Return two frames of the colours."""
        shown = [seen for seen in self._seen if seen.action in COLOURS and seen.glance.usable]
        return [shown[len(shown) * part // 4] for part in (1, 3)] if shown else []

    def _ahead(self) -> list[FrontalFrame]:
        """Return the best neutral frame, if any."""
        neutral = {seen.step for seen in self._seen if seen.action == NEUTRAL}
        found = [one for step in neutral for one in self._ranked.get(step, [])]
        return [max(found, key=lambda one: (one.score, -one.index))] if found else []

    def _depth_of(self, turned: Sequence[_Seen], sign: int) -> Depth:
        limits = self._limits.depth
        found = measure_depth(self._neutral(), [s.mesh for s in turned if s.mesh is not None], sign, limits)
        views = self._compared(self._views(turned, sign), sign)
        degrees, relief = brought_to_height([(at, 1.0 - one.plane) for at, one in views], limits)
        solidity = solidity_of(views, limits)
        return replace(
            found,
            relief=relief,
            relief_threshold=least_relief(degrees, limits),
            solidity=solidity,
            solidity_threshold=limits.solidity,
            passed=found.passed and solidity is not None and solidity >= limits.solidity,
        )

    def _compared(self, aside: Sequence[_Seen], sign: int) -> list[tuple[float, Planarity]]:
        """Return each view's degrees of turn, and its comparison with the best neutral frame; empty without that."""
        aligned = self._faces.aligned
        views = {seen.index: seen.mesh for seen in aside if seen.mesh is not None and seen.index in aligned}
        turned = [(mesh, aligned[index]) for index, mesh in views.items()]
        return [
            (sign * (mesh.turn - self._rest), compared)
            for one in self._ahead()
            if one.index in aligned
            for (mesh, _), compared in zip(turned, compare_views((one.mesh, aligned[one.index]), turned), strict=True)
        ]

    def _turn(self) -> Turn | None:
        """Return the course of the asked turn; of several, the one with fewest frames on its way; None without any."""
        courses = [
            measure_turn(self._neutral(), [seen.mesh for seen in turned if seen.mesh is not None], sign)
            for sign, turned in self._turned()
        ]
        return min((one for one in courses if one is not None), key=lambda one: one.between, default=None)

    def _continuity(self, turn: Turn | None) -> Looking[Continuity | None]:
        """One person: the compared frames among themselves, the best frontal face of each other step with the first of
        them, each turn's least turned view as well, and a chain from the first step to the last by way of the turns.

        The least turned of those that are turned enough: a profile resembles nobody's frontal view.

        Where colours were shown, two of their frames are compared with that one too: tint costs little of a cosine.
        """
        if len(self.embeddings) < 2:
            return None
        frontal, first = self.embeddings, self.embeddings[0]
        others = [one.index for one in self._best()] + [one.index for one in self._lit()]
        link = yield from Chain(self._faces, self._on_the_way(), self._limits.continuity).weakest(self._stations())
        return measure_continuity(
            [Moment(seen.at, seen.glance, seen.frame.picture) for seen in self._seen],
            [cosine(one, other) for one, other in combinations(frontal, 2)] + self._faces.like(first, others),
            self._faces.like(first, (one.index for one in self._least_turned())),
            self._limits.continuity,
            turn,
            link,
        )

    def _best(self) -> list[FrontalFrame]:
        """Return the best frontal frame of each step that has one."""
        return [row[0] for row in self._ranked.values() if row]

    def _stations(self) -> list[int]:
        """The frames that have to show one person: the best frontal one of each step, and of each turn's views, by
        which its depth is measured, the first, the middle and the last, so that most of them are the person's."""
        far = self._limits.continuity.far
        rows = [self._views(turned, sign) for sign, turned in self._turned()]
        views = [one for row in rows for one in spread([one for one in row if abs(one.reach) <= far], STATIONS)]
        return [one.index for one in self._best()] + [one.index for one in (*self._least_turned(), *views)]

    def _on_the_way(self) -> dict[int, Mesh]:
        """Return the meshes of all frames by which a person can be followed."""
        rows = [seen for seen in self._seen if seen.glance.usable and not is_light(seen.action)]
        return {seen.index: seen.mesh for seen in rows if seen.mesh is not None}

    def _light(self) -> Light | None:
        lit = [(seen.step, seen.action, seen.at) for seen in self._seen if seen.action in COLOURS]
        if not lit:
            return None
        samples = [replace(seen.frame.colours, at=seen.at) for seen in self._seen if seen.frame.colours is not None]
        return measure_light(samples, flashes_of(lit), self._limits.light, waiting(lit))


def _is_lost(frame: FrameMeasurement, before: Mesh) -> bool:
    """Return whether the face of the frame before was not found, or another one beside it was found instead."""
    if frame.mesh is None:
        return True
    x, y, width, height = frame.mesh.box
    return frame.glance.faces > 1 and not within(before.box, (x + width / 2, y + height / 2))


def run(asking: Asking, picture: Callable[[int], Image | None]) -> Measurement:
    """Answer the requests of ``SequenceJudge.conclude`` in this process."""
    try:
        indices = next(asking)
        while True:
            indices = asking.send([picture(index) for index in indices])
    except StopIteration as done:
        found: Measurement = done.value
        return found


def measure(
    frames: Sequence[Frame] | Iterable[Frame],
    reference: bytes | None,
    models: FaceModels,
    limits: JudgingLimits | None = None,
    media: MediaLimits | None = None,
) -> Measurement:
    """Decode and measure a whole sequence in this process. The reference is photo bytes or None."""
    media, frames = media or MediaLimits(), list(frames)
    judge = SequenceJudge(models, limits)
    for frame in frames:
        image = decode_frame(frame.jpeg, media)
        found = None if image is None else measure_frame(image, frame.action, models)
        judge.add(found, frame.step, frame.action, frame.at)
    asking = judge.conclude(read_reference(reference, models, limits, media))
    return run(asking, lambda index: decode_frame(frames[index].jpeg, media))


def decode_frame(jpeg: bytes, media: MediaLimits) -> Image | None:
    """Return the frame's image, or None if it is unfit: a bad frame is counted, and does not end a judgement."""
    try:
        return decode(jpeg, media, frame=True).image
    except MediaError:
        return None
