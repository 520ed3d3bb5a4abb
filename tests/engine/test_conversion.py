"""An ONNX file that was converted answers what OpenCV answers to it; what cannot be converted is refused by name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renzheng.engine import packs
from renzheng.engine.conversion import converted, network_of
from renzheng.engine.detection import SIZES, Detector, Face
from renzheng.engine.embedding import Embedder, align, cosine
from renzheng.engine.onnx import Graph, Node
from renzheng.engine.packs import PackError
from renzheng.engine.runtimes import Floats, Image, TfliteModel

RANDOM = np.random.default_rng(8)


class InOpenCv(Detector):
    """The same network as OpenCV's own class runs it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._theirs = cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.7, 0.3, 100)

    def _rows(self, image: Image) -> Floats:
        self._theirs.setInputSize((image.shape[1], image.shape[0]))
        found = self._theirs.detect(image)[1]
        return np.zeros((0, 15), np.float32) if found is None else np.asarray(found, np.float32)


@pytest.fixture(scope="module")
def detectors() -> tuple[Detector, Detector]:
    path = packs.require("detection")
    return Detector(path), InOpenCv(path)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return network_of(packs.require("detection"))


@pytest.mark.parametrize("size", [(128, 160), (224, 96)])
def test_every_output_of_the_detector_is_opencvs(graph: Graph, portrait: Image, size: tuple[int, int]) -> None:
    net = cv2.dnn.readNet(str(packs.require("detection")))
    model = TfliteModel(converted(graph, *size))
    for picture in (cv2.resize(portrait, size[::-1]), RANDOM.integers(0, 256, (*size, 3), dtype=np.uint8)):
        net.setInput(cv2.dnn.blobFromImage(picture))
        expected = net.forward(list(graph.outputs))
        for theirs, ours in zip(expected, model.look_at(picture), strict=True):
            assert np.allclose(ours.reshape(theirs.shape), theirs, atol=1e-4)


@pytest.mark.parametrize("side", [160, 192, 224, 320, 512])
def test_faces_are_those_that_opencv_finds(detectors: tuple[Detector, Detector], selfie: Image, side: int) -> None:
    small = cv2.copyMakeBorder(cv2.resize(selfie, (320, 240)), 120, 120, 0, 0, cv2.BORDER_REPLICATE)
    cut, upside_down = np.ascontiguousarray(selfie[:, 250:]), np.ascontiguousarray(selfie[::-1])
    counts = []
    for picture in (selfie, np.hstack([selfie, small]), cut, upside_down, np.full_like(selfie, 90)):
        for quick in (False, True):
            ours, theirs = (one(picture, side, quick=quick) for one in detectors)
            assert len(ours) == len(theirs)
            for mine, other in zip(ours, theirs, strict=True):
                assert_same(mine, other)
        counts.append(len(ours))
    assert (counts[:2], counts[-1]) == ([1, 2], 0)


def test_a_face_is_refined_as_opencv_does(detectors: tuple[Detector, Detector], selfie: Image) -> None:
    for picture in (selfie, np.ascontiguousarray(selfie[:, 200:])):
        (face,) = detectors[0](picture)
        mine, other = (one.refine(picture, face.centre, face.size) for one in detectors)
        assert mine is not None
        assert other is not None
        assert_same(mine, other)


def assert_same(first: Face, second: Face) -> None:
    assert first.box == pytest.approx(second.box, abs=0.01)
    assert np.allclose(first.points, second.points, atol=0.01)
    assert first.score == pytest.approx(second.score, abs=1e-4)


def test_pictures_of_many_sizes_do_not_disturb_each_other(detectors: tuple[Detector, Detector], selfie: Image) -> None:
    ours, _ = detectors
    (before,) = ours(selfie, 160)
    for width in range(64, 64 + 32 * (SIZES + 2), 32):
        ours(np.zeros((64, width, 3), np.uint8), 640)
    (after,) = ours(selfie, 160)
    assert after.box == before.box
    assert np.array_equal(after.points, before.points)


def test_an_embedding_is_opencvs(detectors: tuple[Detector, Detector], portrait: Image) -> None:
    path, feed = packs.require("embedding"), packs.pack_for("embedding").preprocessing
    ours, theirs = Embedder(path, feed, "litert"), Embedder(path, feed, "opencv")
    face = align(portrait, detectors[0](portrait)[0].points)
    for picture in (face, face[:, ::-1].copy(), RANDOM.integers(0, 256, face.shape, dtype=np.uint8)):
        assert cosine(ours.embed_aligned(picture), theirs.embed_aligned(picture)) > 0.99999
    assert cosine(ours.embed_aligned(face), theirs.embed_aligned(face[::-1].copy())) < 0.9


def test_an_unknown_runtime_is_refused() -> None:
    with pytest.raises(PackError, match="runtime 'other' is not one of opencv, litert"):
        Embedder(packs.require("embedding"), {}, "other")


def test_a_file_that_is_no_yunet_is_no_detector(tmp_path: Path) -> None:
    for content in (b"", b"\xff" * 300, packs.require("landmarks").read_bytes()):
        (tmp_path / "some.onnx").write_bytes(content)
        with pytest.raises(PackError, match=r"some\.onnx: not an ONNX network"):
            Detector(tmp_path / "some.onnx")
    with pytest.raises(PackError, match="not a YuNet: it has no output bbox_16, "):
        Detector(packs.require("embedding"))


CHANGES = {
    "operator Softmax is not converted where it stands": ("Sigmoid", {"operator": "Softmax"}),
    "operator Reshape is not converted where it stands": ("Sigmoid", {"operator": "Reshape", "inputs": ("input",)}),
    "operator Conv is not converted where it stands": ("Sigmoid", {"operator": "Conv"}),
    "a picture that is turned over": ("Transpose", {"attributes": {"perm": [0, 1, 3, 2]}}),
    "with gaps, or edges by a rule": ("Conv", {"attributes": {"dilations": [2, 2]}}),
    "of several groups": ("Conv", {"attributes": {"group": 2}}),
    "fields that overlap": ("MaxPool", {"attributes": {"kernel_shape": [2, 2], "strides": [1, 1]}}),
    "only pixels that are repeated": ("Resize", {"attributes": {"mode": "linear"}}),
    "on tensors of two shapes": ("Add", {"inputs": ("input", "184")}),
    "operator Relu is not converted as it is": ("Relu", {"inputs": ("nothing",)}),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_would_be_computed_otherwise_is_refused(graph: Graph, message: str) -> None:
    """A pack of an operator must not give other numbers than its network does."""
    operator, change = CHANGES[message]
    nodes = list(graph.nodes)
    place = next(number for number, node in enumerate(nodes) if node.operator == operator)
    nodes[place] = replace(nodes[place], **change)  # type: ignore[arg-type]
    with pytest.raises(PackError, match=message):
        converted(replace(graph, nodes=tuple(nodes)), 128, 160)


def test_a_row_is_taken_by_a_matrix_alone(graph: Graph) -> None:
    row = Node("Flatten", ("input",), ("row",), {})
    with pytest.raises(PackError, match="operator Relu is not converted where it stands"):
        converted(replace(graph, nodes=(row, Node("Relu", ("row",), ("end",), {})), outputs=("end",)), 32, 32)
    with pytest.raises(PackError, match="a row only"):
        converted(replace(graph, nodes=(row,), outputs=("row",)), 32, 32)


def test_an_embedding_that_is_not_converted_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "ours.onnx").write_bytes(packs.require("detection").read_bytes()[:1000])
    with pytest.raises(PackError, match=r'ours\.onnx: not an ONNX network.*with runtime = "opencv" it may run'):
        Embedder(tmp_path / "ours.onnx", {}, "litert")
