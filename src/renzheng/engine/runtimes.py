"""The inference runtime, set up in one way: a bounded number of threads, and no log output.

LiteRT runs all our networks; the two ONNX files are converted to tflite files when they are loaded (``conversion``). It
was chosen by measuring (see ``docs/adr/runtimes.md``), and is imported when a model is loaded, so that importing the
engine stays cheap. An operator's ONNX files may run in OpenCV's dnn module.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
"""uint8, height x width x 3, BGR, 0-255, unmirrored: as the camera sees it."""
Floats = NDArray[np.float32]


def quiet(threads: int = 1) -> None:
    """Bound OpenCV's threads and silence its warnings about graph engines. Call it once per process."""
    cv2.setNumThreads(threads)
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)


@contextlib.contextmanager
def _native_silence() -> Iterator[None]:
    """Keep LiteRT's greeting, which cannot be disabled, out of stderr. Its errors are exceptions."""
    kept = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class TfliteModel:
    """One tflite file, or its content, in LiteRT: one input, several outputs in the file's order."""

    def __init__(self, file: Path | bytes, threads: int = 1, outputs: int | None = None) -> None:
        """``outputs``: compute only the first so many; None: all."""
        from ai_edge_litert.interpreter import Interpreter

        if outputs and isinstance(file, Path):
            file = _trimmed(file.read_bytes(), outputs)
        model = {"model_path": str(file)} if isinstance(file, Path) else {"model_content": file}
        with _native_silence():
            self._interpreter: Any = Interpreter(**model, num_threads=threads)
            self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in self._interpreter.get_output_details()]

    def __call__(self, batch: Floats) -> list[Floats]:
        self._interpreter.set_tensor(self._input, batch)
        return self._run()

    def look(self, crop: Image) -> list[Floats]:
        """Run on a BGR or BGRA picture 0-255 of the file's size, for files whose input is one RGB picture 0-1."""
        rgb = cv2.cvtColor(crop, cv2.COLOR_BGRA2RGB if crop.shape[2] == 4 else cv2.COLOR_BGR2RGB)
        # Written into the runtime's own memory: no view of it may be kept.
        np.multiply(rgb, np.float32(1 / 255), out=self._interpreter.tensor(self._input)()[0])
        return self._run()

    def look_at(self, image: Image) -> list[Floats]:
        """Run on a BGR picture 0-255 in the upper left corner of the file's size; the rest is black."""
        fed = self._interpreter.tensor(self._input)()[0]
        fed[:] = 0
        fed[: image.shape[0], : image.shape[1]] = image
        del fed
        return self._run()

    def _run(self) -> list[Floats]:
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


def _trimmed(content: bytes, outputs: int) -> bytes:
    """Return a tflite file without the operators that none of its first outputs needs. The rest computes the same.

    A file with several graphs stays as it is.
    """
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT.InitFromPackedBuf(content, 0)
    graph, *others = model.subgraphs
    if others:
        return content
    graph.outputs, kept = graph.outputs[:outputs], []
    needed = set(graph.outputs)
    for operator in reversed(graph.operators):
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            kept.append(operator)
    graph.operators, model.signatureDefs = kept[::-1], []  # a signature would name the outputs that are gone
    builder = schema.flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def square_crop(image: Image, centre: Floats, side: float, angle: float, size: int) -> tuple[Image, Floats]:
    """Cut a rotated square out of an image and scale it to ``size`` x ``size``.

    ``angle`` in radians is the direction in the image of the crop's x axis. Returns the crop, whose channels are the
    image's, and the 2 x 3 matrix that maps crop coordinates back to the image's.
    """
    scale = side / size
    cos, sin = float(np.cos(angle)) * scale, float(np.sin(angle)) * scale
    half = size / 2
    x, y = float(centre[0]), float(centre[1])
    back = np.array(
        [[cos, -sin, x - half * cos + half * sin], [sin, cos, y - half * sin - half * cos]], dtype=np.float32
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    crop = cv2.warpAffine(image, back, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return crop, back


def shrink(image: Image, size: tuple[int, int]) -> Image:
    """Return the image at a smaller (width, height), each pixel the mean of those that it covers.

    It is halved first while its sides are even, which is many times as fast as one step by a fractional factor.
    """
    height, width = image.shape[:2]
    while width % 2 == 0 and height % 2 == 0 and width >= 2 * size[0] and height >= 2 * size[1]:
        width, height = width // 2, height // 2
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
    return image if (width, height) == size else averaged(image, size)


def averaged(image: Image, size: tuple[int, int]) -> Image:
    """Return the image at a smaller (width, height), each pixel the mean of those that it covers, in one step."""
    height, width = image.shape[:2]
    if width % size[0] == 0 and height % size[1] == 0:
        picture: Image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        return picture
    # OpenCV sums in float32 here anyway, and is a third faster without converting each byte.
    means: Floats = cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    return np.rint(means).astype(np.uint8)
