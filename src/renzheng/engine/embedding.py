"""Embeddings with SFace, and the similarity score that renzheng reports.

An embedding is 128 float32 numbers of length 1; the dot product of two is their cosine. For a comparison with a
photo the pack's centre is taken off both first (``centred``): what all faces share says nothing of a person. The
score is the cosine of the two read through the calibration table of the model pack, so that it says how rarely two
different people reach it (see ``Calibration`` in ``packs``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .conversion import converted, network_of
from .packs import Calibration, PackError
from .runtimes import Floats, Image, TfliteModel

SIDE = 112
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""The positions of the five points in the aligned 112 x 112 face (the template that ArcFace and SFace share)."""


def _as_complex(points: Floats) -> list[complex]:
    return [complex(x, y) for x, y in points.tolist()]


MIDDLE = sum(_as_complex(TEMPLATE)) / len(TEMPLATE)
CENTRED = [point - MIDDLE for point in _as_complex(TEMPLATE)]


def alignment(points: Floats) -> Floats:
    """Return the 2 x 3 least-squares similarity that maps the 5 x 2 points to the template."""
    return _as_matrix(*_similarity(points))


def _as_matrix(factor: complex, shift: complex) -> Floats:
    return np.array([[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]])


def _similarity(points: Floats) -> tuple[complex, complex]:
    """Return rotation with scale, and shift, in the complex plane."""
    source = _as_complex(points)  # plain numbers, as numpy's calls would cost more than the sums for five points
    middle = sum(source) / len(source)
    source = [point - middle for point in source]
    power = sum(point.real**2 + point.imag**2 for point in source)
    factor = sum(one.conjugate() * other for one, other in zip(source, CENTRED, strict=True)) / max(power, 1e-9)
    return factor, MIDDLE - factor * middle


def align(image: Image, points: Floats) -> Image:
    """Return the face at 112 x 112, BGR or grey like the image, with its 5 x 2 points mapped to the template."""
    factor, shift = _similarity(points)
    if abs(factor) < 0.5:  # halve first, as a large face would be sampled with gaps
        near, corner = _around(image, factor, shift)
        half = cv2.resize(near, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        return align(half, ((points - corner) / 2).astype(np.float32))
    picture: Image = cv2.warpAffine(image, _as_matrix(factor, shift), (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return picture


def surroundings(image: Image, points: Floats) -> tuple[Image, Floats]:
    """Return the part of the image from which the aligned face is made, and its upper left corner."""
    return _around(image, *_similarity(points))


def _around(image: Image, factor: complex, shift: complex) -> tuple[Image, Floats]:
    scale = max(abs(factor), 1e-6)
    corners = [(corner - shift) * factor.conjugate() / scale**2 for corner in (0, SIDE, SIDE * 1j, SIDE * (1 + 1j))]
    x, right = _stretch([corner.real for corner in corners], image.shape[1])
    y, bottom = _stretch([corner.imag for corner in corners], image.shape[0])
    return image[y:bottom, x:right], np.array([x, y], dtype=np.float32)


def _stretch(values: list[float], side: int) -> tuple[int, int]:
    """Return the range of values with a few pixels around, within an image and never empty.

    It begins and ends at even pixels, as halves are made of pairs.
    """
    start = min(max(0, int(min(values)) - 4 & ~1), side - 1)
    return start, min(max(int(max(values)) + 6 & ~1, start + 1), max(side, start + 1))


class Embedder:
    """An embedding network, loaded once. Not for use by several threads at a time. Raises PackError if it cannot run.

    ``runtime`` of the pack: ``litert``, or ``opencv`` for its dnn module. ``preprocessing``: ``colour`` RGB or BGR,
    ``mean`` (subtracted) and ``scale`` (divided by), ``input``: the name of the network's input, in OpenCV.
    """

    def __init__(self, path: Path, preprocessing: Mapping[str, Any], runtime: str, threads: int = 1) -> None:
        self._order = slice(None, None, 1 if preprocessing.get("colour") == "BGR" else -1)
        self._mean, self._scale = (np.float32(preprocessing.get(*one)) for one in (("mean", 0.0), ("scale", 1.0)))
        if runtime == "opencv":
            self._run = _in_opencv(path, preprocessing.get("input", "data"))
        elif runtime == "litert":
            self._run = _in_litert(path, threads)
        else:
            raise PackError(f"{path.name}: runtime {runtime!r} is not one of opencv, litert")

    def __call__(self, image: Image, points: Floats) -> Floats:
        """Return the embedding of the face with these five points (5 x 2, pixels)."""
        return self.embed_aligned(align(image, points))

    def embed_aligned(self, face: Image) -> Floats:
        """Return the embedding of an aligned 112 x 112 face."""
        raw = self._run(((face[:, :, self._order] - self._mean) / self._scale)[None]).reshape(-1)
        unit: Floats = raw / np.float32(max(float(np.linalg.norm(raw)), 1e-9))
        return unit


def _in_litert(path: Path, threads: int) -> Callable[[Floats], Floats]:
    """Load a tflite file as it is, or an ONNX file after converting it."""
    try:
        file = path if path.suffix == ".tflite" else converted(network_of(path), SIDE, SIDE)
    except PackError as error:
        raise PackError(f'{path.name}: {error}; with runtime = "opencv" it may run') from error
    model = TfliteModel(file, threads)
    return lambda batch: model(batch)[0]


def _in_opencv(path: Path, name: str) -> Callable[[Floats], Floats]:
    # FaceRecognizerSF.feature refuses SFace's quantised file in OpenCV 5; the named input works.
    net: Any = cv2.dnn.readNet(str(path))

    def run(batch: Floats) -> Floats:
        net.setInput(np.ascontiguousarray(batch.transpose(0, 3, 1, 2)), name)
        return np.asarray(net.forward(), np.float32)

    return run


def cosine(first: Floats, second: Floats) -> float:
    """Return the cosine of two embeddings, -1..1."""
    return float(np.clip(np.dot(first, second), -1.0, 1.0))


def centred(embedding: Floats, calibration: Calibration) -> Floats:
    """Subtract the calibration's centre from the embedding and normalise it again. The scale uses cosines of these.

    Raises PackError if the centre has another size.
    """
    if not calibration.centre:
        return embedding
    if len(calibration.centre) != len(embedding):
        raise PackError(f"calibration: centre has {len(calibration.centre)} numbers, an embedding {len(embedding)}")
    left = embedding - np.array(calibration.centre, np.float32)
    return np.asarray(left / max(float(np.linalg.norm(left)), 1e-9), np.float32)


def likeness(first: Floats, second: Floats, calibration: Calibration) -> float:
    """Return the score 0-100 of two embeddings."""
    return similarity(cosine(centred(first, calibration), centred(second, calibration)), calibration)


def similarity(value: float, calibration: Calibration) -> float:
    """Convert the cosine of two centred embeddings to a score 0-100, piecewise linear by the table; clamped outside."""
    return float(np.interp(value, calibration.cosines, calibration.scores))
