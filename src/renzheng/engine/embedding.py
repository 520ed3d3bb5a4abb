"""Embeddings with SFace, and the similarity score that renzheng reports.

An embedding is 128 float32 numbers of length 1; the dot product of two is their cosine. For a comparison with a
photo the pack's centre is taken off both first (``centred``): what all faces share says nothing of a person. The
score is the cosine of the two read through the calibration table of the model pack, so that it says how rarely two
different people reach it (see ``Calibration`` in ``packs``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .packs import Calibration, PackError
from .runtimes import Floats, Image

SIDE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Where the five points go in the aligned 112 x 112 face (the template that ArcFace and SFace share)."""


def _as_complex(points: Floats) -> list[complex]:
    return [complex(x, y) for x, y in points.tolist()]


MIDDLE = sum(_as_complex(TEMPLATE)) / len(TEMPLATE)
CENTRED = [point - MIDDLE for point in _as_complex(TEMPLATE)]


def alignment(points: Floats) -> Floats:
    """2 x 3: the least-squares similarity that takes the 5 x 2 points to the template."""
    return _as_matrix(*_similarity(points))


def _as_matrix(factor: complex, shift: complex) -> Floats:
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def _similarity(points: Floats) -> tuple[complex, complex]:
    """Turn and scale, and shift, in the complex plane."""
    source = _as_complex(points)  # plain numbers: for five points numpy's calls would cost more than the sums
    middle = sum(source) / len(source)
    source = [point - middle for point in source]
    power = sum(point.real**2 + point.imag**2 for point in source)
    factor = sum(one.conjugate() * other for one, other in zip(source, CENTRED, strict=True)) / max(power, 1e-9)
    return factor, MIDDLE - factor * middle


def align(image: Image, points: Floats) -> Image:
    """The face at 112 x 112, BGR or grey as the image is, its 5 x 2 points brought to the template."""
    factor, shift = _similarity(points)
    if abs(factor) < 0.5:  # halve first, or a large face would be sampled with gaps
        near, corner = _around(image, factor, shift)
        half = cv2.resize(near, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return align(half, ((points - corner) / 2).astype(np.float32))
    picture: Image = cv2.warpAffine(image, _as_matrix(factor, shift), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return picture


def surroundings(image: Image, points: Floats) -> tuple[Image, Floats]:
    """The part of the image that the aligned face is made of, and its upper left corner."""
    return _around(image, *_similarity(points))


def _around(image: Image, factor: complex, shift: complex) -> tuple[Image, Floats]:
    scale = max(abs(factor), 1e-6)
    corners = [(corner - shift) * factor.conjugate() / scale**2 for corner in (0, SIDE, SIDE * 1j, SIDE * (1 + 1j))]
    x, right = _stretch([corner.real for corner in corners], image.shape[1])
    y, bottom = _stretch([corner.imag for corner in corners], image.shape[0])
    return image[y:bottom, x:right], np.array([x, y], dtype=np.float32)


def _stretch(values: list[float], side: int) -> tuple[int, int]:
    """From the least value to the greatest with a few pixels around, within an image and never nothing.

    Begins and ends at even pixels, as halves are made of pairs.
    """
    start = min(max(0, int(min(values)) - 4 & ~1), side - 1)
    return start, min(max(int(max(values)) + 6 & ~1, start + 1), max(side, start + 1))


class Embedder:
    """An embedding network in OpenCV's dnn module, loaded once; not for several threads at a time.

    ``preprocessing`` of the pack: ``colour`` RGB or BGR, ``mean`` (taken off) and ``scale`` (divided by), ``input``:
    the name of the network's input.
    """

    def __init__(self, path: Path, preprocessing: Mapping[str, Any] | None = None) -> None:
        self._net: Any = cv2.dnn.readNet(str(path))
        feed = preprocessing or {}
        self._order = slice(None, None, 1 if feed.get("colour") == "BGR" else -1)
        self._mean, self._scale = np.float32(feed.get("mean", 0.0)), np.float32(feed.get("scale", 1.0))
        # FaceRecognizerSF.feature refuses the quantised file in OpenCV 5; the named input works.
        self._input = feed.get("input", "data")

    def __call__(self, image: Image, points: Floats) -> Floats:
        """The embedding of the face whose five points (5 x 2, pixels) are given."""
        return self.embed_aligned(align(image, points))

    def embed_aligned(self, face: Image) -> Floats:
        """The embedding of an aligned 112 x 112 face."""
        planes = np.ascontiguousarray(face[:, :, self._order].transpose(2, 0, 1), dtype=np.float32)[None]
        self._net.setInput((planes - self._mean) / self._scale, self._input)
        raw = self._net.forward().reshape(-1).astype(np.float32)
        unit: Floats = raw / np.float32(max(float(np.linalg.norm(raw)), 1e-9))
        return unit


def cosine(first: Floats, second: Floats) -> float:
    """Cosine of two embeddings, -1..1."""
    return float(np.clip(np.dot(first, second), -1.0, 1.0))


def centred(embedding: Floats, calibration: Calibration) -> Floats:
    """The embedding less the calibration's centre, of length 1 again: what cosines on the scale are taken of.

    Raises PackError where the centre has another size.
    """
    if not calibration.centre:
        return embedding
    if len(calibration.centre) != len(embedding):
        raise PackError(f"calibration: centre has {len(calibration.centre)} numbers, an embedding {len(embedding)}")
    left = embedding - np.array(calibration.centre, np.float32)
    return np.asarray(left / max(float(np.linalg.norm(left)), 1e-9), np.float32)


def likeness(first: Floats, second: Floats, calibration: Calibration) -> float:
    """The score 0-100 of two embeddings."""
    return similarity(cosine(centred(first, calibration), centred(second, calibration)), calibration)


def similarity(value: float, calibration: Calibration) -> float:
    """Cosine of two centred embeddings -> score 0-100, piecewise linear through the table; below it 0, above it 100."""
    return float(np.interp(value, calibration.cosines, calibration.scores))
