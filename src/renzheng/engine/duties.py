"""The work of each kind of worker process: what its messages do."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np

from .comparison import NO_REFERENCE, Reference, compare, examine_reference
from .frames import maker, measure_frame, read, written
from .framing import lengths_of, split
from .judging import Asking, Judge
from .limits import EngineLimits
from .media import MediaError, decode
from .observation import FaceModels
from .runtimes import Image, quiet
from .video import Muxer

Reply = tuple[dict[str, Any], bytes]
Handler = Callable[[dict[str, Any], bytes], Reply]


def plain(value: Any) -> dict[str, Any]:
    """A dataclass as a dict for a header."""
    return asdict(value)


def view(slot: mmap.mmap, place: list[int] | None) -> Image | None:
    """The image at ``[height, width, offset]`` of a slot, without copying; None for None."""
    if place is None:
        return None
    height, width, offset = place
    return np.frombuffer(slot, np.uint8, height * width * 3, offset).reshape(height, width, 3)


class Duty(Protocol):
    """What a kind of worker can be asked to do."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None: ...

    def handlers(self) -> dict[str, Handler]: ...


class Decoding:
    """Strangers' bytes -> pixels in a slot. Holds no model."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        quiet(limits.workers.threads)
        self._limits, self._slots = limits, slots

    def handlers(self) -> dict[str, Handler]:
        return {"frames": self.frames, "photo": self.photo}

    def frames(self, header: dict[str, Any], payload: bytes) -> Reply:
        """Every frame of a chunk: its place in the slot, or None where it is unfit; and the CPU time that they took."""
        began = time.process_time()
        places: list[list[int] | None] = []
        offset = header.get("offset", 0)
        for jpeg in split(payload, header["lengths"]):
            try:
                image = decode(jpeg, self._limits.media, frame=True).image
            except MediaError:
                if header.get("strict"):
                    raise
                places.append(None)
                continue
            places.append(self._put(image, header["slot"], offset))
            offset += image.nbytes
        return {"places": places, "seconds": time.process_time() - began}, b""

    def photo(self, header: dict[str, Any], payload: bytes) -> Reply:
        decoded = decode(payload, self._limits.media)
        info = {"width": decoded.info.size[0], "height": decoded.info.size[1], "format": decoded.info.format}
        return {"place": self._put(decoded.image, header["slot"], 0), "scale": decoded.scale, **info}, b""

    def _put(self, image: Image, slot: int, offset: int) -> list[int]:
        height, width = image.shape[:2]
        place = [height, width, offset]
        target = view(self._slots[slot], place)
        if target is not None:
            target[:] = image
        return place


class Hints:
    """One frame -> its measurement."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        self._models, self._slots = FaceModels(limits.workers.threads), slots
        self._maker = maker(self._models.limits, limits.media.frame_side)

    def handlers(self) -> dict[str, Handler]:
        return {"look": self.look}

    def look(self, header: dict[str, Any], _: bytes) -> Reply:
        image = view(self._slots[header["slot"]], header["place"])
        if image is None:
            raise ValueError("a look needs an image")
        found = measure_frame(image, header["action"], self._models)
        return {"glance": plain(found.glance)}, written(found, header["action"], self._maker)


class Judging:
    """A sequence, chunk by chunk, -> a measurement; a photo -> a report."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        self._models, self._slots, self._limits = FaceModels(limits.workers.threads), slots, limits
        self._maker = maker(self._models.limits, limits.media.frame_side)
        self._judge: Judge | None = None
        self._asking: Asking | None = None
        self._reference = NO_REFERENCE

    def handlers(self) -> dict[str, Handler]:
        return {
            "begin": self.begin,
            "add": self.add,
            "reference": self.reference,
            "undecodable": self.undecodable,
            "finish": self.finish,
            "pictures": self.pictures,
            "compare": self.compare,
        }

    def begin(self, header: dict[str, Any], _: bytes) -> Reply:
        self._judge, self._asking = Judge(self._models, self._limits.judging), None
        self._reference = NO_REFERENCE
        return {"maker": self._maker.hex()}, b""

    def add(self, header: dict[str, Any], payload: bytes) -> Reply:
        """Frames in order: of each its place in the slot, or its measurement, of length 0 where there is none.

        ``unread``: whether one of the measurements is none; then nothing was added.
        """
        if self._judge is None:
            raise RuntimeError("add before begin")
        rows = list(zip(header["frames"], header["places"], split(payload, header["lengths"]), strict=True))
        found = [read(content, action, self._maker) for (_, action, _), _, content in rows]
        if any(content and one is None for (_, _, content), one in zip(rows, found, strict=True)):
            return {"unread": True}, b""
        slot = self._slots[header["slot"]]
        for ((step, action, at), place, _), one in zip(rows, found, strict=True):
            if one is None and (image := view(slot, place)) is not None:
                one = measure_frame(image, action, self._models)
            self._judge.add(one, step, action, at)
        return {"unread": False}, b""

    def reference(self, header: dict[str, Any], _: bytes) -> Reply:
        image = view(self._slots[header["slot"]], header["place"])
        if image is None:
            raise ValueError("a reference needs an image")
        limits = self._limits.judging.quality
        self._reference = examine_reference(image, header["scale"], self._models, limits)
        report = {"status": self._reference.status, "faces": self._reference.faces, "quality": None}
        if self._reference.quality is not None:
            report["quality"] = plain(self._reference.quality)
        return report, b""

    def undecodable(self, header: dict[str, Any], _: bytes) -> Reply:
        self._reference = Reference("undecodable")
        return {}, b""

    def finish(self, header: dict[str, Any], _: bytes) -> Reply:
        """The measurement, or ``wanted``: indices of frames whose pictures are needed first."""
        if self._judge is None:
            raise RuntimeError("finish before begin")
        self._asking = self._judge.conclude(self._reference)
        return self._go_on(None)

    def pictures(self, header: dict[str, Any], _: bytes) -> Reply:
        """What was wanted; then as ``finish``."""
        slot = self._slots[header["slot"]]
        return self._go_on([view(slot, place) for place in header["places"]])

    def _go_on(self, pictures: list[Image | None] | None) -> Reply:
        if self._asking is None or self._judge is None:
            raise RuntimeError("pictures before finish")
        try:
            wanted = next(self._asking) if pictures is None else self._asking.send(pictures)
        except StopIteration as done:
            judge, self._judge, self._asking = self._judge, None, None
            templates = [one.astype(np.float32).tobytes() for one in judge.embeddings]
            return {"measurement": plain(done.value), **lengths_of(templates)}, b"".join(templates)
        return {"wanted": wanted}, b""

    def compare(self, header: dict[str, Any], payload: bytes) -> Reply:
        templates = [np.frombuffer(one, np.float32) for one in split(payload, header["lengths"])]
        return {"comparison": plain(compare(templates, self._reference))}, b""


class Muxing:
    """Stored frames, chunk by chunk, -> an MP4. Decodes strangers' bytes, so it is confined as the decoder is."""

    def __init__(self, limits: EngineLimits, slots: list[mmap.mmap]) -> None:
        self._limits = limits
        self._muxer: Muxer | None = None

    def handlers(self) -> dict[str, Handler]:
        return {"begin": self.begin, "add": self.add, "finish": self.finish}

    def begin(self, header: dict[str, Any], _: bytes) -> Reply:
        self._muxer = Muxer(self._limits.media)
        return {}, b""

    def add(self, header: dict[str, Any], payload: bytes) -> Reply:
        if self._muxer is None:
            raise RuntimeError("add before begin")
        for jpeg, at in zip(split(payload, header["lengths"]), header["times"], strict=True):
            self._muxer.add(jpeg, at)
        return {}, b""

    def finish(self, header: dict[str, Any], _: bytes) -> Reply:
        if self._muxer is None:
            raise RuntimeError("finish before begin")
        muxer, self._muxer = self._muxer, None
        return {}, muxer.finish()
