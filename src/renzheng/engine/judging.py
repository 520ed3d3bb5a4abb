"""One recorded sequence and a reference photo -> one ``Measurement``, the same for the same input.

``Judge`` takes the frames one after another and keeps only numbers, aligned faces and a few candidate
images, so that a long sequence needs no more memory than a short one. ``measure`` is the whole of it in one
process; the workers feed the same ``Judge`` with frames that another process has decoded.

Rules that are chosen here, and nowhere else:

- the baseline comes from the neutral step alone;
- the eye model runs in some frames of the neutral step, and in the blink step where the mesh hints at lids
  that close, until they are seen open again;
- the frames to compare are the best frontal one of each step, so that they span the whole sequence, filled up
  to three with second bests at least ``apart`` seconds away; the similarity is the median of their scores,
  never the highest, and they must show one person among themselves;
- frames of the light challenge are neither compared with the photo nor taken for an action;
- the face is searched for in every ``search_every``-th frame, at each step's start and when it was lost, and
  tracked in between.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from statistics import median

from . import packs
from .appearance import measure_appearance
from .comparison import NO_REFERENCE, Reference, compare, read_reference
from .continuity import Moment, Picture, measure_continuity
from .depth import brought_to_height, enough, least_relief, measure_depth, reach, spread
from .embedding import align, cosine
from .landmarks import Mesh
from .light import COLOURS, Sample, flashes_of, is_light, measure_light, sample, waiting
from .limits import JudgingLimits, MediaLimits
from .liveness import (
    NEUTRAL,
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
    FrameCounts,
    Light,
    Measurement,
    Quality,
    Turn,
    frontality,
)
from .media import MediaError, decode
from .observation import FaceModels, Observation
from .planarity import plane_correlation
from .pose import measure_turn
from .quality import measure as measure_quality
from .reasons import reasons
from .runtimes import Floats, Image

NEUTRAL_PITCH = 0.15
"""Pitch away from the neutral one at which a frame is worth a third for comparison."""


@dataclass(slots=True)
class _Seen:
    """What is kept of a frame: numbers and the aligned face, not the image. ``reach``: see ``depth``."""

    index: int
    step: int
    action: str
    at: float
    glance: Glance
    mesh: Mesh | None
    reach: float
    aligned: Image | None
    searched: bool
    picture: Picture


@dataclass(slots=True)
class _Candidate:
    index: int
    at: float
    score: float
    quality: Quality
    image: Image
    mesh: Mesh


class Judge:
    """Takes a sequence's frames in order and measures it; one judge a sequence."""

    def __init__(self, models: FaceModels, limits: JudgingLimits | None = None) -> None:
        self._models = models
        self._limits = limits or JudgingLimits()
        self.embeddings: list[Floats] = []
        self._seen: list[_Seen] = []
        self._candidates: dict[int, list[_Candidate]] = {}
        self._undecodable = 0
        self._total = 0
        self._last: Observation | None = None
        self._since_search = 0
        self._neutral_lids: list[float] = []
        self._neutral_pitches: list[float] = []
        self._neutral_turns: list[float] = []
        self._finest = 0.0
        self._eye_readings: list[tuple[int, float]] = []
        self._samples: list[Sample] = []

    def add(self, image: Image | None, step: int, action: str, at: float) -> None:
        """The next frame; None where it could not be decoded."""
        index, self._total = self._total, self._total + 1
        if image is None:
            self._undecodable += 1
            return
        before = self._seen[-1] if self._seen else None
        track = self._since_search < self._limits.search_every and before is not None and before.step == step
        near = self._last.mesh if self._last is not None else None
        observation = self._models.observe(image, eyes=False, near=near, search=not track, lean=True)
        if self._eyes_matter(observation, step, action):
            observation = self._models.open_eyes(image, observation)
            self._eye_readings.append((step, observation.glance.eye or 0.0))
        searched = observation.face is not None or observation.mesh is None
        self._since_search = 1 if searched else self._since_search + 1
        self._last = observation
        mesh, glance = observation.mesh, observation.glance
        frontal = mesh is not None and glance.usable and abs(glance.yaw) <= self._limits.depth.frontal
        if frontal and action == NEUTRAL:
            self._neutral_turns.append(glance.turn)
        reached = reach(mesh, self._rest, self._limits.depth) if mesh is not None else 0.0
        aligned = None
        if mesh is not None and glance.usable and (abs(reached) >= self._limits.depth.nearly or action in COLOURS):
            aligned = align(image, mesh.five_points)
        picture = Picture.of(image)
        self._seen.append(_Seen(index, step, action, at, glance, mesh, reached, aligned, searched, picture))
        if mesh is not None and glance.usable and action in COLOURS:
            self._samples.append(sample(image, mesh, at))
        if mesh is not None and frontal and not is_light(action):
            self._consider(index, step, at, image, mesh)

    @property
    def _rest(self) -> float:
        """Degrees of turn of the neutral pose, as far as it has been seen."""
        return median(self._neutral_turns or [0.0])

    def _eyes_matter(self, seen: Observation, step: int, action: str) -> bool:
        """Whether the eye model is worth its time here (two runs of about the mesh's cost)."""
        if seen.mesh is None or action not in (NEUTRAL, "blink"):
            return False
        lids = sum(seen.mesh.eye_openings)
        if action == NEUTRAL:
            self._neutral_lids.append(lids)
            self._neutral_pitches.append(seen.mesh.pitch)
            return len(self._neutral_lids) <= 2 * self._limits.neutral_eyes and len(self._neutral_lids) % 2 == 1
        readings = [eye for at_step, eye in self._eye_readings if at_step == step]
        opened = max((eye for at_step, eye in self._eye_readings if at_step != step), default=0.0)
        closing = lids < self._limits.eye_gate * median(self._neutral_lids or [0.0])
        return len(readings) < 2 or closing or readings[-1] < self._limits.actions.open_eye * opened

    def _consider(self, index: int, step: int, at: float, image: Image, mesh: Mesh) -> None:
        """Keep a frontal frame if it is among its step's two best."""
        factor = 0.5 if mesh.mouth_opening > self._limits.actions.mouth_wide else 1.0
        if self._neutral_lids:
            factor *= min(1.0, sum(mesh.eye_openings) / max(median(self._neutral_lids), 1e-6)) ** 2
            factor *= math.exp(-(((mesh.pitch - median(self._neutral_pitches)) / NEUTRAL_PITCH) ** 2))
        best = self._candidates.setdefault(step, [])
        near = [one for one in best if abs(one.at - at) < self._limits.apart]
        least = max((one.score for one in near), default=best[1].score if len(best) == 2 else 0.0)
        posed = factor * frontality(mesh.yaw) * mesh.presence
        if len(best) == 2 and posed * self._finest <= least:
            return  # no sharpness and light that this camera has shown would do, and those take time to measure
        quality = measure_quality(image, mesh)
        score = factor * quality.score
        self._finest = max(self._finest, 1.05 * quality.score / max(frontality(mesh.yaw) * mesh.presence, 1e-6))
        if score > least:
            # The image may lie in memory that the next chunk is written to.
            kept = [one for one in best if one not in near]
            kept.append(_Candidate(index, at, score, quality, image.copy(), mesh))
            self._candidates[step] = sorted(kept, key=lambda one: (-one.score, one.index))[:2]

    def _chosen(self) -> list[_Candidate]:
        """The frames to compare, in order."""
        ranks = ([row[rank] for row in self._candidates.values() if len(row) > rank] for rank in (0, 1))
        ordered = [one for row in ranks for one in sorted(row, key=lambda one: (-one.score, one.index))]
        return sorted(ordered[: self._limits.compared], key=lambda one: one.index)

    def finish(self, reference: Reference = NO_REFERENCE) -> Measurement:
        """Measure all that was added. ``embeddings`` then holds those of the chosen frames, for another comparison."""
        limits = self._limits
        neutral = [seen.glance for seen in self._seen if seen.action == NEUTRAL]
        baseline = Baseline.from_glances(neutral, thresholds=limits.actions)
        actions = self._actions(baseline)
        depth, turn = self._depth(), self._turn()
        seconds = self._seen[-1].at - self._seen[0].at if self._seen else 0.0
        chosen = self._chosen()
        best = max(chosen, key=lambda one: (one.score, -one.index), default=None)
        found_faces = (self._models.embed(candidate.image, candidate.mesh) for candidate in chosen)
        self.embeddings = embeddings = [one for one in found_faces if one is not None]
        comparison = compare(embeddings, reference)
        looks, network = [(one.image, one.mesh) for one in chosen], self._models.passive
        found = Measurement(
            frames_status=self._status(),
            counts=self._counts(),
            baseline=baseline,
            actions=actions,
            challenge_passed=bool(actions) and all(one.answered and not one.unasked for one in actions),
            depth=depth,
            continuity=self._continuity(embeddings, turn),
            best=Best(best.index, best.score, best.quality) if best else None,
            reference=comparison.reference,
            reference_quality=comparison.reference_quality,
            similarity=comparison.similarity,
            cosines=comparison.cosines,
            compared=tuple(candidate.index for candidate in chosen),
            seconds=seconds,
            frames_per_second=(len(self._seen) - 1) / seconds if seconds > 0 else 0.0,
            tags=(),
            packs=tuple(pack.id for pack in packs.in_use()),
            appearance=measure_appearance(best.image, best.mesh) if best else None,
            passive=network.measure(looks) if network else None,
            turn=turn,
            light=self._light(),
        )
        return replace(found, tags=reasons(found))

    def _actions(self, baseline: Baseline | None) -> tuple[ActionOutcome, ...]:
        outcomes = []
        for step, action in dict.fromkeys((seen.step, seen.action) for seen in self._seen):
            if action == NEUTRAL or is_light(action):
                continue
            rows = [seen for seen in self._seen if (seen.step, seen.action) == (step, action)]
            if baseline is None:
                outcomes.append(ActionOutcome(step, action, False, None, 0.0, None, (), len(rows)))
                continue
            watcher = ActionWatcher(action, baseline, self._limits.actions)
            for seen in rows:
                watcher.feed(seen.glance, seen.at)
            glances = [seen.glance for seen in rows]
            unasked = unasked_actions(action, glances, baseline, self._limits.actions)
            answered = watcher.phase == "done"
            outcomes.append(
                ActionOutcome(
                    step, action, answered, watcher.done_at, watcher.peak, watcher.peak_at, unasked, len(rows)
                )
            )
        return tuple(outcomes)

    def _neutral(self) -> list[Mesh]:
        """Meshes of the neutral step that look ahead."""
        bound = self._limits.depth.frontal
        rows = [seen for seen in self._seen if seen.action == NEUTRAL and seen.glance.usable]
        return [seen.mesh for seen in rows if seen.mesh is not None and abs(seen.glance.yaw) <= bound]

    def _turned(self) -> tuple[list[_Seen], int]:
        """Usable frames of the turn step, and the sign of the asked turn (0 where none was asked)."""
        sign = 0
        rows = []
        for seen in self._seen:
            if seen.action in ("turn_left", "turn_right") and seen.glance.usable:
                sign = 1 if seen.action == "turn_left" else -1
                rows.append(seen)
        return rows, sign

    def _aside(self, turned: Sequence[_Seen], sign: int) -> list[_Seen]:
        """Those of the turn's frames that are turned enough."""
        return enough([(sign * seen.reach, seen) for seen in turned], self._limits.depth)

    def _depth(self) -> Depth | None:
        turned, sign = self._turned()
        if sign == 0:
            return None
        limits = self._limits.depth
        found = measure_depth(self._neutral(), [s.mesh for s in turned if s.mesh is not None], sign, limits)
        aside = sorted(self._aside(turned, sign), key=lambda seen: sign * seen.reach)
        degrees, least = self._relief(spread(aside, limits.reliefs), sign)
        wanted = least_relief(degrees, limits)
        passed = found.passed and least is not None and least >= wanted
        return replace(found, relief=least, relief_threshold=wanted, passed=passed)

    def _relief(self, aside: list[_Seen], sign: int) -> tuple[float, float | None]:
        """How far these frames are turned at most, degrees, and the least of what no plane explains of each, seen from
        the best neutral one, brought to that turn."""
        neutral = {seen.index for seen in self._seen if seen.action == NEUTRAL}
        ahead = [one for row in self._candidates.values() for one in row if one.index in neutral]
        best = max(ahead, key=lambda one: (one.score, -one.index), default=None)
        if best is None:
            return 0.0, None
        view = (best.mesh, align(best.image, best.mesh.five_points))
        found = [
            (sign * (seen.mesh.turn - self._rest), 1.0 - plane_correlation(view, (seen.mesh, seen.aligned)))
            for seen in aside
            if seen.mesh is not None and seen.aligned is not None
        ]
        return brought_to_height(found, self._limits.depth)

    def _turn(self) -> Turn | None:
        """The course of the asked turn; None where none was asked or nothing is known of it."""
        turned, sign = self._turned()
        present = [seen.mesh for seen in turned if seen.mesh is not None]
        return measure_turn(self._neutral(), present, sign) if sign else None

    def _continuity(self, frontal: list[Floats], turn: Turn | None) -> Continuity | None:
        """One person: the compared frames among themselves, and the middle of the turn with the first of them.

        Where colours were shown, two of their frames are compared with that one too: tint costs little of a cosine.
        """
        if len(frontal) < 2:
            return None
        turned, sign = self._turned()
        aside = self._aside(turned, sign)
        middle = [seen.aligned for seen in aside[len(aside) // 2 : len(aside) // 2 + 1] if seen.aligned is not None]
        shown = [seen.aligned for seen in self._seen if seen.action in COLOURS and seen.aligned is not None]
        lit = [shown[len(shown) * part // 4] for part in (1, 3)] if shown else []
        return measure_continuity(
            [Moment(seen.at, seen.glance, seen.picture) for seen in self._seen],
            [cosine(first, second) for first, second in combinations(frontal, 2)] + self._like(frontal[0], lit),
            self._like(frontal[0], middle),
            self._limits.continuity,
            turn,
        )

    def _like(self, first: Floats, faces: Sequence[Image]) -> list[float]:
        return [cosine(first, self._models.embedder.embed_aligned(face)) for face in faces]

    def _light(self) -> Light | None:
        lit = [(seen.step, seen.action, seen.at) for seen in self._seen if seen.action in COLOURS]
        return measure_light(self._samples, flashes_of(lit), self._limits.light, waiting(lit)) if lit else None

    def _counts(self) -> FrameCounts:
        seen = self._seen
        return FrameCounts(
            total=self._total,
            undecodable=self._undecodable,
            no_face=sum(one.glance.faces == 0 for one in seen),
            searched=sum(one.searched for one in seen),
            several=sum(one.glance.faces > 1 for one in seen),
            cut=sum(one.glance.cut for one in seen),
            too_small=sum(self._small(one.glance) for one in seen),
            usable=sum(one.glance.usable for one in seen),
        )

    def _small(self, glance: Glance) -> bool:
        low = min(glance.width, glance.height) < self._limits.frame_side
        return low or (glance.box is not None and min(glance.box[2:]) < self._limits.face_pixels)

    def _status(self) -> str:
        counts, limits = self._counts(), self._limits
        with_face = counts.total - counts.undecodable - counts.no_face
        if counts.too_small > 0.5 * max(with_face, 1):
            return "too_few_pixels"
        if counts.several > limits.several_share * max(counts.searched, 1):
            return "several_faces"
        if counts.cut > limits.cut_share * max(with_face, 1):
            return "cut"
        gone = counts.no_face + counts.undecodable
        if counts.usable < limits.minimum_frames or gone > limits.no_face_share * counts.total:
            return "no_face"
        return "usable"


def measure(
    frames: Sequence[Frame] | Iterable[Frame],
    reference: bytes | None,
    models: FaceModels,
    limits: JudgingLimits | None = None,
    media: MediaLimits | None = None,
) -> Measurement:
    """Decode and measure a whole sequence in this process; the reference is photo bytes or None."""
    media = media or MediaLimits()
    judge = Judge(models, limits)
    for frame in frames:
        judge.add(decode_frame(frame.jpeg, media), frame.step, frame.action, frame.at)
    return judge.finish(read_reference(reference, models, limits, media))


def decode_frame(jpeg: bytes, media: MediaLimits) -> Image | None:
    """The frame's image, or None where it is unfit: one bad frame is counted, it does not end a judgement."""
    try:
        return decode(jpeg, media, frame=True).image
    except MediaError:
        return None
