"""One recorded sequence and a reference photo -> one ``Measurement``, the same for the same input.

``Judge`` takes the frames one after another and keeps only numbers, aligned faces and a few candidate
images, so that a long sequence needs no more memory than a short one. ``measure`` is the whole of it in one
process; the workers feed the same ``Judge`` with frames that another process has decoded.

Rules that are chosen here, and nowhere else:

- the baseline comes from the neutral step alone;
- the eye model runs in the neutral and the blink steps only;
- the frames to compare are the best frontal ones by quality, one in each ``apart`` seconds, three at most;
  the similarity is the median of their scores, never the highest;
- the face is searched for in every ``search_every``-th frame, at each step's start and when it was lost, and
  tracked in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from . import packs
from .continuity import measure_continuity
from .depth import measure_depth
from .embedding import align, cosine, similarity
from .landmarks import Mesh
from .limits import JudgingLimits, MediaLimits, QualityLimits
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
    Comparison,
    Continuity,
    Depth,
    Frame,
    FrameCounts,
    Measurement,
    Quality,
)
from .media import MediaError, decode
from .observation import FaceModels, Observation
from .quality import measure as measure_quality
from .runtimes import Floats, Image


@dataclass(frozen=True)
class Reference:
    """The photo to compare with: its status (see ``Measurement.reference``) and, if ok, its embedding."""

    status: str
    quality: Quality | None = None
    embedding: Floats | None = None


NO_REFERENCE = Reference("none")


def examine_reference(image: Image, scale: float, models: FaceModels, limits: QualityLimits | None = None) -> Reference:
    """Look at a decoded reference photo; ``scale``: its pixels a pixel of the original."""
    faces = models.photo_faces(image)
    if not faces:
        return Reference("no_face")
    mesh = models.mesh_model(image, faces[0])
    quality = measure_quality(image, mesh, scale)
    if len(faces) > 1 and faces[1].size >= models.limits.second_face * faces[0].size:
        return Reference("several_faces", quality)
    if fault := quality.fault(limits or QualityLimits()):
        return Reference(fault, quality)
    return Reference("ok", quality, models.embedder(image, faces[0].points))


def compare(images: Sequence[Image], reference: Reference, models: FaceModels) -> Comparison:
    """The median of the frames' scores against the reference.

    Frames are aligned by the detector's five points, as the calibration table was made.
    """
    found = []
    if reference.embedding is not None:
        embeddings = (models.embed(image) for image in images)
        found = [cosine(one, reference.embedding) for one in embeddings if one is not None]
    calibration = packs.pack_for("embedding").calibration
    score = None
    if found and calibration is not None:
        score = median(similarity(value, calibration) for value in found)
    return Comparison(reference.status, reference.quality, score, tuple(found))


@dataclass(slots=True)
class _Seen:
    """What is kept of a frame: numbers and the aligned face, not the image."""

    index: int
    step: int
    action: str
    at: float
    glance: Glance
    mesh: Mesh | None
    aligned: Image | None
    searched: bool


@dataclass(slots=True)
class _Candidate:
    index: int
    score: float
    quality: Quality
    image: Image


class Judge:
    """Takes a sequence's frames in order and measures it; one judge a sequence."""

    def __init__(self, models: FaceModels, limits: JudgingLimits | None = None) -> None:
        self._models = models
        self._limits = limits or JudgingLimits()
        self._seen: list[_Seen] = []
        self._candidates: dict[int, _Candidate] = {}
        self._undecodable = 0
        self._total = 0
        self._last: Observation | None = None
        self._since_search = 0

    def add(self, image: Image | None, step: int, action: str, at: float) -> None:
        """The next frame; None where it could not be decoded."""
        index, self._total = self._total, self._total + 1
        if image is None:
            self._undecodable += 1
            return
        before = self._seen[-1] if self._seen else None
        track = self._since_search < self._limits.search_every and before is not None and before.step == step
        near = self._last.mesh if track and self._last is not None else None
        observation = self._models.observe(image, eyes=action in (NEUTRAL, "blink"), near=near)
        searched = observation.face is not None or observation.mesh is None
        self._since_search = 1 if searched else self._since_search + 1
        self._last = observation
        mesh, glance = observation.mesh, observation.glance
        aligned = align(image, mesh.five_points) if mesh is not None and glance.usable else None
        self._seen.append(_Seen(index, step, action, at, glance, mesh, aligned, searched))
        if mesh is not None and glance.usable and abs(glance.yaw) <= self._limits.depth.frontal:
            self._consider(index, at, image, mesh, glance)

    def _consider(self, index: int, at: float, image: Image, mesh: Mesh, glance: Glance) -> None:
        quality = measure_quality(image, mesh)
        score = quality.score * (0.5 if glance.mouth > self._limits.actions.mouth_wide else 1.0)
        if glance.eye is not None:
            # Without a baseline yet: the eyes of people who look ahead open to 0.2 and more.
            score *= min(1.0, glance.eye / 0.2)
        slot = int(at / self._limits.apart)
        if slot not in self._candidates or score > self._candidates[slot].score:
            self._candidates[slot] = _Candidate(index, score, quality, image)
        if len(self._candidates) > self._limits.compared:
            worst = min(self._candidates, key=lambda key: (self._candidates[key].score, -key))
            del self._candidates[worst]

    def finish(self, reference: Reference = NO_REFERENCE) -> Measurement:
        """Measure all that was added."""
        limits = self._limits
        neutral = [seen.glance for seen in self._seen if seen.action == NEUTRAL]
        baseline = Baseline.from_glances(neutral, thresholds=limits.actions)
        actions = self._actions(baseline)
        depth = self._depth()
        seconds = self._seen[-1].at - self._seen[0].at if self._seen else 0.0
        best = max(self._candidates.values(), key=lambda one: (one.score, -one.index), default=None)
        chosen = sorted(self._candidates.values(), key=lambda one: one.index)
        comparison = compare([candidate.image for candidate in chosen], reference, self._models)
        return Measurement(
            frames_status=self._status(),
            counts=self._counts(),
            baseline=baseline,
            actions=actions,
            challenge_passed=bool(actions) and all(one.answered and not one.unasked for one in actions),
            depth=depth,
            continuity=self._continuity(),
            best=Best(best.index, best.score, best.quality) if best else None,
            reference=comparison.reference,
            reference_quality=comparison.reference_quality,
            similarity=comparison.similarity,
            cosines=comparison.cosines,
            compared=tuple(candidate.index for candidate in chosen),
            seconds=seconds,
            frames_per_second=(len(self._seen) - 1) / seconds if seconds > 0 else 0.0,
            packs=tuple(packs.pack_for(part).id for part in ("detection", "landmarks", "iris", "embedding")),
        )

    def _actions(self, baseline: Baseline | None) -> tuple[ActionOutcome, ...]:
        outcomes = []
        for step, action in dict.fromkeys((seen.step, seen.action) for seen in self._seen):
            if action == NEUTRAL:
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

    def _frontal(self) -> list[_Seen]:
        bound = self._limits.depth.frontal
        return [seen for seen in self._seen if seen.aligned is not None and abs(seen.glance.yaw) <= bound]

    def _turned(self) -> tuple[list[_Seen], int]:
        """Usable frames of the turn step, and the sign of the asked turn (0 where none was asked)."""
        sign = 0
        rows = []
        for seen in self._seen:
            if seen.action in ("turn_left", "turn_right") and seen.aligned is not None:
                sign = 1 if seen.action == "turn_left" else -1
                rows.append(seen)
        return rows, sign

    def _depth(self) -> Depth | None:
        turned, sign = self._turned()
        if sign == 0:
            return None
        ahead = [seen.mesh for seen in self._frontal() if seen.action == NEUTRAL and seen.mesh is not None]
        return measure_depth(ahead, [s.mesh for s in turned if s.mesh is not None], sign, self._limits.depth)

    def _continuity(self) -> Continuity | None:
        frontal = self._frontal()
        if len(frontal) < 2:
            return None
        turned, sign = self._turned()
        aside = [seen for seen in turned if sign * seen.glance.yaw >= self._limits.depth.turn]
        first = self._embed(frontal[0])
        return measure_continuity(
            [(seen.at, seen.glance) for seen in self._seen],
            [cosine(first, self._embed(frontal[-1]))],
            [cosine(first, self._embed(seen)) for seen in aside[len(aside) // 2 : len(aside) // 2 + 1]],
            self._limits.continuity,
        )

    def _embed(self, seen: _Seen) -> Floats:
        if seen.aligned is None:
            raise ValueError("only frames with one whole face are embedded")
        return self._models.embedder.embed_aligned(seen.aligned)

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


def read_reference(
    photo: bytes | None, models: FaceModels, limits: JudgingLimits | None, media: MediaLimits
) -> Reference:
    """The reference from photo bytes; every fault is a status, nothing is raised."""
    if photo is None:
        return NO_REFERENCE
    try:
        decoded = decode(photo, media)
    except MediaError:
        return Reference("undecodable")
    return examine_reference(decoded.image, decoded.scale, models, limits.quality if limits else None)
