"""Presentations out of a clip: what a device would have sent, had this person been asked for these actions.

A presentation is a neutral second and then the asked actions, each with what lies just before and after it, ten frames
a second, at most 640 pixels a side, as JPEG. Between the parts the clip is cut; a device's own frames have no such cut,
so what a cut does to a face (a place that jumps) is no fault of the person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import simplejpeg

from renzheng.evaluation.labels import Item, LabelledClip
from renzheng.evaluation.pairs import DataError
from renzheng.evaluation.sequences import FORMAT, FrameEntry, SequenceTranscript, Shot, Step
from renzheng.verification.challenge import NEUTRAL, TURNS

PACE = 0.1  # seconds between two frames of a device
SIDE = 640
QUALITY = 80
NEUTRAL_SECONDS = 1.2
MIN_NEUTRAL = 0.45
BEFORE, AFTER = 0.4, 0.7  # seconds around an action that its step shows as well
DEADLINE = 30.0  # held actions of clips may last longer than a step's six seconds; the time is not what is measured
LATE = 0.5  # seconds by which a label may lie behind the end of its clip
SIDES = (("turn_left", "turn_right"), ("tilt_left", "tilt_right"))
OTHER_SIDE = dict(SIDES) | {right: left for left, right in SIDES}


@dataclass(frozen=True, slots=True)
class Take:
    """Which parts of a clip make a presentation: the neutral one, and the actions. `answers`: whether what is shown
    is what is asked; an attack that shows no turn is sent as the answer to what it does not show."""

    neutral: tuple[float, float]
    used: tuple[Item, ...]
    asked: tuple[str, ...]
    spans: tuple[tuple[float, float], ...]
    answers: bool = True

    @property
    def name(self) -> str:
        return " + ".join(f"{asked} {item.start:g}" for asked, item in zip(self.asked, self.used, strict=True))


def sample(path: Path, moment: float = 0.0, mirrored: bool = False) -> list[Shot]:
    """Return the clip's frames as a device would send them, the first at `moment` seconds. Raises DataError."""
    shots, due = [], moment
    try:
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                at = float(frame.time or 0.0)
                if at + 1e-6 < due:
                    continue
                due += PACE * (1 + int((at + 1e-6 - due) / PACE))
                image = np.rot90(frame.to_ndarray(format="bgr24"), frame.rotation // 90)  # a phone's clip may lie
                shots.append(Shot(at, _jpeg(image, mirrored)))
    except (OSError, av.FFmpegError, IndexError) as error:
        raise DataError(f"{path.name} is not a video that can be read: {error}") from error
    if not shots:
        raise DataError(f"{path.name} has no frame")
    return shots


def _jpeg(image: np.ndarray, mirrored: bool) -> bytes:
    scale = SIDE / max(image.shape[:2])
    if scale < 1:
        image = cv2.resize(np.ascontiguousarray(image), None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    if mirrored:
        image = image[:, ::-1]
    encoded = simplejpeg.encode_jpeg(np.ascontiguousarray(image), quality=QUALITY, colorspace="BGR")
    return bytes(encoded)


def takes_of(clip: LabelledClip, seconds: float) -> list[Take]:
    """Every turn alone, and every pair with a turn that the order of the clip allows; of an attack that shows no turn
    one take that shows what there is. `seconds`: how long the clip is. Raises DataError for times behind its end."""
    for item in clip.items:
        if item.start > seconds or item.end > seconds + LATE:
            raise DataError(f"{clip.path.name}: {item.name} {item.start:g}-{item.end:g} is behind its {seconds:.1f} s")
    actions = clip.actions
    found: list[tuple[Item, ...]] = [(item,) for item in actions if item.name in TURNS]
    found += [
        (first, second)
        for k, first in enumerate(actions)
        for second in actions[k + 1 :]
        if first.name != second.name and {first.name, second.name} & set(TURNS) and second.start >= first.end
    ]
    takes = [take for used in found if (take := _take(clip, used, seconds)) is not None]
    if not takes and clip.attack:
        third = seconds / 3
        spans = ((third, 2 * third), (2 * third, seconds))
        used = tuple(Item("what is shown", round(span[0], 1), round(span[1], 1)) for span in spans)
        takes = [Take((0.0, min(third, NEUTRAL_SECONDS)), used, ("turn_left", "nod"), spans, answers=False)]
    return takes


def single_actions(clip: LabelledClip, seconds: float) -> list[Take]:
    """Return each action of the clip by itself, to see whether it is found."""
    return [take for item in clip.actions if (take := _take(clip, (item,), seconds)) is not None]


def _take(clip: LabelledClip, used: tuple[Item, ...], seconds: float) -> Take | None:
    neutral = _neutral(clip, used[0], seconds)
    if neutral is None:
        return None
    spans = tuple(_span(clip, item, seconds) for item in used)
    return Take(neutral, used, tuple(item.name for item in used), spans)


def _span(clip: LabelledClip, item: Item, seconds: float) -> tuple[float, float]:
    """Return the time of the action and its surroundings, up to the next other action."""
    others = [other for other in (*clip.actions, *clip.busy) if other != item]
    ends = [other.end for other in others if other.end <= item.start]
    starts = [other.start for other in others if other.start >= item.end]
    before = min(BEFORE, (item.start - max(ends, default=-BEFORE)) / 2)
    after = min(AFTER, (min(starts, default=item.end + 2 * AFTER) - item.end) / 2)
    return max(0.0, item.start - before), min(seconds, item.end + after)


def _neutral(clip: LabelledClip, first: Item, seconds: float) -> tuple[float, float] | None:
    """The still time nearest before the first action, else the nearest after it; where none is labelled, the time
    just before it in which nothing is labelled but what goes on through the action as well, as talking may."""
    latest = first.start - BEFORE
    earlier = [still for still in clip.stills if min(still.end, latest) - still.start >= MIN_NEUTRAL]
    if earlier:
        best = max(earlier, key=lambda still: still.end)
        end = min(best.end, latest)
        return max(best.start, end - NEUTRAL_SECONDS), end
    if clip.stills:
        best = min(clip.stills, key=lambda still: (still.start < first.end, still.start))
        return max(best.start, best.end - NEUTRAL_SECONDS), best.end
    begin, end = max(0.0, latest - NEUTRAL_SECONDS), max(latest, min(first.start, MIN_NEUTRAL))
    others = [other for other in (*clip.actions, *clip.busy) if other.start < end and other.end < first.end]
    begin = max([begin, *(other.end for other in others)])
    return (begin, end) if end - begin >= MIN_NEUTRAL else None


def compose(
    take: Take, shots: Sequence[Shot], clip: LabelledClip, mirrored: bool = False
) -> tuple[SequenceTranscript, list[bytes]]:
    """Return the transcript and the frames of one presentation. If mirrored, left and right are swapped."""
    asked = [OTHER_SIDE.get(name, name) if mirrored else name for name in take.asked]
    steps: list[Step] = []
    frames: list[FrameEntry] = []
    jpegs: list[bytes] = []
    now, sent = 0.0, set[float]()
    for index, (action, span) in enumerate(zip((NEUTRAL, *asked), (take.neutral, *take.spans), strict=True)):
        part = [shot for shot in _within(shots, span) if shot.at not in sent]  # no device sends a frame twice
        sent.update(shot.at for shot in part)
        nonce = f"{index:02x}" * 16
        steps.append(Step(index, action, nonce, round(now, 4), round(now + DEADLINE, 4)))
        for shot in part:
            at = now + PACE / 2 + shot.at - part[0].at
            frames.append(FrameEntry(f"{len(frames):06d}.jpg", index, nonce, round(at, 4)))
            jpegs.append(shot.jpeg)
        now += PACE + (part[-1].at - part[0].at if part else 0.0)
    note = f"{clip.path.stem}: {take.name}{' (mirrored)' if mirrored else ''}"
    return SequenceTranscript(
        FORMAT, "attack" if clip.attack else "genuine", clip.person, steps, frames, clip.attack, note=note
    ), jpegs


def _within(shots: Sequence[Shot], span: tuple[float, float]) -> Iterator[Shot]:
    return (shot for shot in shots if span[0] - 1e-6 <= shot.at <= span[1] + 1e-6)
