"""The work of each kind of worker process: how it answers questions."""

from __future__ import annotations

import mmap
import time
from typing import Protocol

import numpy as np

from . import messages as m
from .comparison import NO_REFERENCE, Reference, compare, examine_reference
from .frames import maker, measure_frame, read, written
from .framing import lengths_of, split
from .judging import Asking, SequenceJudge
from .limits import EngineLimits
from .media import MediaError, decode
from .observation import FaceModels
from .runtimes import Image, quiet
from .video import Muxer

Answered = tuple[m.Answer, bytes]


def view(slot: mmap.mmap, place: m.Pixels) -> Image:
    """Return the image at a place of a slot, without copying."""
    size = place.height * place.width * 3
    return np.frombuffer(slot, np.uint8, size, place.offset).reshape(place.height, place.width, 3)


class Duty(Protocol):
    """What a kind of worker can do."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None: ...

    def answer(self, question: m.AnyQuestion, payload: bytes) -> Answered:
        """Answer a question. Raises MediaError if an image is unfit."""
        ...


def _foreign(question: m.AnyQuestion) -> TypeError:
    return TypeError(f"{type(question).__name__} is for another kind of process")


class Decoding:
    """Decodes strangers' bytes into pixels in a slot. It has no model."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        quiet(limits.workers.threads)
        self._limits, self._slots = limits, slots

    def answer(self, question: m.AnyQuestion, payload: bytes) -> Answered:
        match question:
            case m.FramesQuestion():
                return self._frames(question, payload), b""
            case m.PhotoQuestion():
                return self._photo(question, payload), b""
            case _:
                raise _foreign(question)

    def _frames(self, asked: m.FramesQuestion, payload: bytes) -> m.FramesAnswer:
        began = time.process_time()
        places: list[m.Pixels | None] = []
        offset = asked.offset
        for jpeg in split(payload, asked.lengths):
            try:
                image = decode(jpeg, self._limits.media, frame=True).image
            except MediaError:
                if asked.strict:
                    raise
                places.append(None)
                continue
            place = self._put(image, asked.slot, offset)
            places.append(place)
            offset = place.end
        return m.FramesAnswer(places, time.process_time() - began)

    def _photo(self, asked: m.PhotoQuestion, payload: bytes) -> m.PhotoAnswer:
        decoded = decode(payload, self._limits.media)
        width, height = decoded.info.size
        place = self._put(decoded.image, asked.slot, 0)
        return m.PhotoAnswer(place, decoded.scale, width, height, decoded.info.format)

    def _put(self, image: Image, slot: int, offset: int) -> m.Pixels:
        height, width = image.shape[:2]
        place = m.Pixels(height, width, offset)
        view(self._slots[slot], place)[:] = image
        return place


class Hints:
    """Measures one frame."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        self._models, self._slots = FaceModels(limits.workers.threads), slots
        self._maker = maker(self._models.limits, limits.media.frame_side)

    def answer(self, question: m.AnyQuestion, payload: bytes) -> Answered:
        if not isinstance(question, m.LookQuestion):
            raise _foreign(question)
        image = view(self._slots[question.slot], question.place)
        found = measure_frame(image, question.action, self._models)
        return m.LookAnswer(found.glance), written(found, question.action, self._maker)


class Judging:
    """Measures a sequence, chunk by chunk, or reports on a photo."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        self._models, self._slots, self._limits = FaceModels(limits.workers.threads), slots, limits
        self._maker = maker(self._models.limits, limits.media.frame_side)
        self._judge: SequenceJudge | None = None
        self._asking: Asking | None = None
        self._reference = NO_REFERENCE

    def answer(self, question: m.AnyQuestion, payload: bytes) -> Answered:
        match question:
            case m.BeginQuestion():
                return self._begin(), b""
            case m.AddQuestion():
                return self._add(question, payload), b""
            case m.ReferenceQuestion():
                return self._examine(question), b""
            case m.NoReferenceQuestion():
                self._reference = Reference("undecodable")
                return m.DoneAnswer(), b""
            case m.ConclusionQuestion():
                return self._conclude()
            case m.PicturesQuestion():
                slot = self._slots[question.slot]
                return self._go_on([place and view(slot, place) for place in question.places])
            case m.ComparisonQuestion():
                return self._compare(question, payload), b""
            case _:
                raise _foreign(question)

    def _begin(self) -> m.MakerAnswer:
        self._judge, self._asking = SequenceJudge(self._models, self._limits.judging), None
        self._reference = NO_REFERENCE
        return m.MakerAnswer(self._maker)

    def _add(self, asked: m.AddQuestion, payload: bytes) -> m.AddedAnswer:
        if self._judge is None:
            raise RuntimeError("frames before the judging began")
        rows = list(zip(asked.frames, asked.places, split(payload, asked.lengths), strict=True))
        found = [read(content, frame.action, self._maker) for frame, _, content in rows]
        if any(content and one is None for (_, _, content), one in zip(rows, found, strict=True)):
            return m.AddedAnswer(unread=True)
        slot = self._slots[asked.slot]
        for (frame, place, _), one in zip(rows, found, strict=True):
            if one is None and place is not None:
                one = measure_frame(view(slot, place), frame.action, self._models)
            self._judge.add(one, frame.step, frame.action, frame.at)
        return m.AddedAnswer(unread=False)

    def _examine(self, asked: m.ReferenceQuestion) -> m.ReferenceAnswer:
        image = view(self._slots[asked.slot], asked.place)
        found = examine_reference(image, asked.scale, self._models, self._limits.judging.quality)
        self._reference = found
        return m.ReferenceAnswer(found.status, found.faces, found.quality)

    def _conclude(self) -> Answered:
        if self._judge is None:
            raise RuntimeError("a conclusion before the judging began")
        self._asking = self._judge.conclude(self._reference)
        return self._go_on(None)

    def _go_on(self, pictures: list[Image | None] | None) -> Answered:
        """Continue the judgement. ``pictures``: those that were wanted; None the first time."""
        if self._asking is None or self._judge is None:
            raise RuntimeError("pictures before they were wanted")
        try:
            wanted = next(self._asking) if pictures is None else self._asking.send(pictures)
        except StopIteration as done:
            judge, self._judge, self._asking = self._judge, None, None
            templates = [one.astype(np.float32).tobytes() for one in judge.embeddings]
            return m.ConclusionAnswer(measurement=done.value, lengths=lengths_of(templates)), b"".join(templates)
        return m.ConclusionAnswer(wanted=wanted), b""

    def _compare(self, asked: m.ComparisonQuestion, payload: bytes) -> m.ComparisonAnswer:
        templates = [np.frombuffer(one, np.float32) for one in split(payload, asked.lengths)]
        return m.ComparisonAnswer(compare(templates, self._reference))


class Muxing:
    """Makes an MP4 from stored frames, chunk by chunk. It decodes strangers' bytes, so it is confined like the
    decoder."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        self._limits = limits
        self._muxer: Muxer | None = None

    def answer(self, question: m.AnyQuestion, payload: bytes) -> Answered:
        match question:
            case m.BeginVideoQuestion():
                self._muxer = Muxer(self._limits.media)
                return m.DoneAnswer(), b""
            case m.AddToVideoQuestion():
                muxer = self._begun()
                for jpeg, at in zip(split(payload, question.lengths), question.times, strict=True):
                    muxer.add(jpeg, at)
                return m.DoneAnswer(), b""
            case m.FinishVideoQuestion():
                muxer, self._muxer = self._begun(), None
                return m.DoneAnswer(), muxer.finish()
            case _:
                raise _foreign(question)

    def _begun(self) -> Muxer:
        if self._muxer is None:
            raise RuntimeError("pictures before the video began")
        return self._muxer
