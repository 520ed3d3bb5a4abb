"""An operator's passive network: one frame's face in, how live it looks out, 0-1.

What the network is fed with stands in its pack's ``preprocessing``:

- ``crop``: side of the square around the face, in parts of the longer side of the mesh's box (default 1.0);
- ``width``, ``height``: pixels of the input; ``colour``: RGB or BGR (default RGB); ``layout``: NCHW or NHWC (by the
  runtime's custom where it is not said);
- ``mean`` (taken off) and ``scale`` (divided by), one number or three in the order of ``colour``, for pixels 0-255;
- ``input``: the name of an ONNX network's input, if it has several;
- ``activation``: softmax, sigmoid or none; ``live``: index of the output's number for a live face (default 0);
  ``attack``: true where that number stands for an attack instead.

ONNX files run in OpenCV (``runtime`` opencv), tflite files in LiteRT (litert).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import packs
from .landmarks import Mesh
from .manifests import PASSIVE, Pack, PackError
from .measurement import Passive
from .runtimes import Floats, Image, TfliteModel

KNOWN = frozenset(
    ("crop", "width", "height", "colour", "layout", "mean", "scale", "input", "activation", "live", "attack")
)
ACTIVATIONS = ("softmax", "sigmoid", "none")


class PassiveNetwork:
    """A passive pack, loaded once. Not for use by several threads at a time. Raises PackError if it cannot run."""

    def __init__(self, pack: Pack, path: Path, *, decides: bool = False, threads: int = 1) -> None:
        if pack.rates is None:
            raise PackError(f"pack {pack.name}: no error rates")
        self.pack, self.rates, self.decides = pack, pack.rates, decides
        feed = pack.preprocessing
        self._check(feed)
        self._size = (int(feed["width"]), int(feed["height"]))
        self._crop = float(feed.get("crop", 1.0))
        self._order = slice(None, None, 1 if feed.get("colour") == "BGR" else -1)
        self._mean, self._scale = np.float32(feed.get("mean", 0.0)), np.float32(feed.get("scale", 1.0))
        self._planes = feed.get("layout", "NCHW" if pack.runtime == "opencv" else "NHWC") == "NCHW"
        self._activation, self._live = feed.get("activation", "none"), int(feed.get("live", 0))
        self._attack = bool(feed.get("attack", False))
        try:
            self._run = _runtime(pack, path, threads)
            self.score(np.zeros((64, 64, 3), np.uint8), (16.0, 16.0, 32.0, 32.0))
        except (cv2.error, ValueError, RuntimeError) as error:
            raise PackError(f"pack {pack.name}: {pack.filename} does not run: {_first_line(error)}") from error

    def _check(self, feed: Mapping[str, Any]) -> None:
        if unknown := sorted(set(feed) - KNOWN):
            raise PackError(f"pack {self.pack.name}: preprocessing does not know {', '.join(unknown)}")
        if missing := [name for name in ("width", "height") if name not in feed]:
            raise PackError(f"pack {self.pack.name}: preprocessing does not say: {', '.join(missing)}")
        if feed.get("activation", "none") not in ACTIVATIONS:
            raise PackError(f"pack {self.pack.name}: activation is not one of {', '.join(ACTIVATIONS)}")
        if self.pack.runtime not in ("opencv", "litert"):
            raise PackError(f"pack {self.pack.name}: runtime {self.pack.runtime!r} is not one of opencv, litert")

    def score(self, image: Image, box: tuple[float, float, float, float]) -> float:
        """Return how live the face in this box (x, y, width, height in pixels) looks, 0-1."""
        face = _square(image, box, self._crop, self._size)[:, :, self._order].astype(np.float32)
        fed = ((face - self._mean) / self._scale)[None]
        out = self._run(np.ascontiguousarray(fed.transpose(0, 3, 1, 2) if self._planes else fed, np.float32))
        if not 0 <= self._live < out.size or not np.isfinite(out).all():
            raise ValueError(
                f"the output has {out.size} numbers, and number {self._live} is asked for, or is not finite"
            )
        value = _activated(out.reshape(-1).astype(np.float64), self._activation)[self._live]
        if not -1e-6 <= value <= 1 + 1e-6:
            raise ValueError("the output is not a probability: say which activation it needs")
        return float(np.clip(1 - value if self._attack else value, 0.0, 1.0))

    def measure(self, frames: Iterable[tuple[Image, Mesh]]) -> Passive:
        """Return the median over these frames. A fault of a network that only advises ends no judgement: it is
        reported."""
        scores: tuple[float, ...] = ()
        fault = None
        try:
            scores = tuple(round(self.score(image, mesh.box), 4) for image, mesh in frames)
        except (cv2.error, ValueError, RuntimeError) as error:
            fault = _first_line(error)
        found = round(median(scores), 4) if scores else None
        passed = found is not None and found >= self.rates.threshold
        pack, rates = self.pack.id, self.rates
        return Passive(pack, rates.detects, scores, found, rates.threshold, self.decides, passed, fault)


def network(threads: int = 1, folder: Path | None = None) -> PassiveNetwork | None:
    """Return the passive network in use; None if there is none. Raises PackError if it is missing."""
    chosen = packs.passive(folder)
    if chosen is None:
        return None
    pack, decides = chosen
    return PassiveNetwork(pack, packs.require(PASSIVE, folder), decides=decides, threads=threads)


def _runtime(pack: Pack, path: Path, threads: int) -> Callable[[Floats], Floats]:
    if pack.runtime == "litert":
        model = TfliteModel(path, threads)
        return lambda batch: model(batch)[0]
    net: Any = cv2.dnn.readNet(str(path))
    name = pack.preprocessing.get("input", "")

    def forward(batch: Floats) -> Floats:
        net.setInput(batch, name)
        return np.asarray(net.forward(), np.float32)

    return forward


def _square(image: Image, box: tuple[float, float, float, float], crop: float, size: tuple[int, int]) -> Image:
    """Return the square around a face. Beyond the image's edge, the edge is repeated."""
    x, y, width, height = box
    side = max(2, round(crop * max(width, height)))
    left, top = round(x + (width - side) / 2), round(y + (height - side) / 2)
    across = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    down = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    cut = image[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    edges = (int((down == down[0]).sum()) - 1, int((down == down[-1]).sum()) - 1)
    sides = (int((across == across[0]).sum()) - 1, int((across == across[-1]).sum()) - 1)
    whole = cv2.copyMakeBorder(cut, *edges, *sides, cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA))


def _activated(row: NDArray[np.float64], activation: str) -> NDArray[np.float64]:
    if activation == "softmax":
        powers: NDArray[np.float64] = np.exp(row - row.max())
        return powers / np.sum(powers)
    if activation == "sigmoid":
        return np.array([1 / (1 + math.exp(-min(max(float(value), -60.0), 60.0))) for value in row])
    return row


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
