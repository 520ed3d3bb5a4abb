"""Converts an ONNX network to a tflite file, which LiteRT runs faster (``docs/adr/runtimes.md``).

It supports convolutional networks only, with the operators in ``_OPERATORS``. A picture is stored as rows, columns,
channels in tflite, and as channels, rows, columns in ONNX: weights are transposed once, and outputs keep their rows and
columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .manifests import PackError
from .onnx import Graph, Node, Numbers, read, unfolded

VERSION = 3
"""The version of the tflite format."""
ORDERED = {"Flatten": ("Dropout", "Gemm"), "Transpose": ("Reshape", "Sigmoid")}
"""Operators that fix the order of a picture's numbers, and those that may follow: they need no order, or have their
own."""
ROOM = 1 << 18
"""Bytes for everything in a file but its weights."""


def network_of(path: Path) -> Graph:
    """Return the network of an ONNX file, ready to be converted. Raises PackError."""
    return merged(unfolded(read(path.read_bytes())))


def merged(graph: Graph) -> Graph:
    """Return the network with each normalisation after a convolution or a matrix merged into its weights."""
    constants = dict(graph.constants)
    uses = [name for node in graph.nodes for name in node.inputs]
    found: dict[str, Node] = {}
    for node in graph.nodes:
        before = found.get(node.inputs[0]) if node.operator == "BatchNormalization" else None
        weighted = before is not None and (before.operator == "Conv" or before.attributes.get("transB"))
        if before is not None and weighted and uses.count(node.inputs[0]) == 1:
            factor, shift = _normalisation(node, constants)
            weights, *bias = (constants[name] for name in before.inputs[1:])
            names = (f"{node.outputs[0]} weights", f"{node.outputs[0]} bias")
            constants[names[0]] = weights * factor.reshape(-1, *[1] * (weights.ndim - 1))
            constants[names[1]] = shift + (factor * bias[0] if bias else 0)
            del found[node.inputs[0]]
            node = Node(before.operator, (before.inputs[0], *names), node.outputs, before.attributes)
        found[node.outputs[0]] = node
    return Graph(tuple(found.values()), constants, graph.inputs, graph.outputs)


def _normalisation(node: Node, constants: dict[str, Numbers]) -> tuple[Numbers, Numbers]:
    """Return the factor and the offset of a normalisation for each channel."""
    gamma, beta, mean, variance = (constants[name].astype(np.float64) for name in node.inputs[1:])
    factor = gamma / np.sqrt(variance + node.attributes.get("epsilon", 1e-5))
    return factor.astype(np.float32), (beta - mean * factor).astype(np.float32)


def converted(graph: Graph, height: int, width: int) -> bytes:
    """Return the tflite file of a network (see ``network_of``) whose one input is a picture of three channels.

    Its input is 1 x height x width x 3; its outputs are the network's in their order. Raises PackError.
    """
    if len(graph.inputs) != 1:
        raise PackError("only networks of one input are converted")
    file = _File(graph.constants)
    file.places[graph.inputs[0]] = file.tensor((1, height, width, 3))
    ordered: dict[str, tuple[str, ...]] = {}
    for node in graph.nodes:
        before = [ordered[name] for name in node.inputs if name in ordered]
        misplaced = node.operator == "Reshape" and not before
        if node.operator not in _OPERATORS or misplaced or not all(node.operator in allowed for allowed in before):
            raise PackError(f"operator {node.operator} is not converted where it stands")
        try:
            file.places[node.outputs[0]] = _OPERATORS[node.operator](file, node)
        except (KeyError, ValueError, IndexError, TypeError) as error:
            raise PackError(f"operator {node.operator} is not converted as it is: {error}") from error
        if after := ORDERED.get(node.operator, before[0] if before and node.operator != "Gemm" else ()):
            ordered[node.outputs[0]] = after
    if any("Gemm" in ordered.get(name, ()) for name in graph.outputs):
        raise PackError("a picture that is made a row only is not converted")
    return file.written(graph.inputs, graph.outputs)


class _File:
    """A tflite file under construction. ``places``: the tensor of each ONNX value."""

    def __init__(self, constants: dict[str, Numbers]) -> None:
        from ai_edge_litert import schema_py_generated as schema

        self.schema: Any = schema
        self.constants = constants
        self.places: dict[str, int] = {}
        self._shapes: list[tuple[int, ...]] = []
        self._tensors: list[Any] = []
        self._buffers: list[Any] = [schema.BufferT()]
        self._operators: list[Any] = []
        self._codes: list[int] = []

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[self.places[name]]

    def tensor(self, shape: tuple[int, ...], content: Numbers | None = None) -> int:
        """Add a tensor, of float32, or of int32 if its content is."""
        made, kinds = self.schema.TensorT(), self.schema.TensorType
        made.shape, made.type = list(shape), kinds.FLOAT32
        if content is not None:
            made.type = kinds.INT32 if content.dtype == np.int32 else kinds.FLOAT32
            made.buffer = len(self._buffers)
            self._buffers.append(self.schema.BufferT())
            self._buffers[-1].data = np.ascontiguousarray(content).reshape(-1).view(np.uint8)
        self._tensors.append(made)
        self._shapes.append(shape)
        return len(self._tensors) - 1

    def numbers(self, content: Numbers) -> int:
        return self.tensor(content.shape, content.astype(np.float32))

    def wholes(self, content: Sequence[Any]) -> int:
        numbers = np.array(content, np.int32)
        return self.tensor(numbers.shape, numbers)

    def run(self, operator: str, inputs: Sequence[int], shape: tuple[int, ...], **options: Any) -> int:
        """Add an operator by its name in tflite, and return its output tensor. ``options``: those of the kind, by
        name."""
        code = getattr(self.schema.BuiltinOperator, operator)
        if code not in self._codes:
            self._codes.append(code)
        made = self.schema.OperatorT()
        made.opcodeIndex, made.inputs = self._codes.index(code), list(inputs)
        made.outputs = [self.tensor(shape)]
        if kind := options.pop("kind", ""):
            made.builtinOptionsType = getattr(self.schema.BuiltinOptions, kind)
            made.builtinOptions = getattr(self.schema, f"{kind}T")()
            for name, value in options.items():
                setattr(made.builtinOptions, name, value)
        self._operators.append(made)
        return int(made.outputs[0])

    def written(self, inputs: Sequence[str], outputs: Sequence[str]) -> bytes:
        schema = self.schema
        graph, model = schema.SubGraphT(), schema.ModelT()
        graph.tensors, graph.operators = self._tensors, self._operators
        graph.inputs, graph.outputs = ([self.places[name] for name in names] for names in (inputs, outputs))
        model.version, model.subgraphs, model.buffers = VERSION, [graph], self._buffers
        model.operatorCodes = []
        for code in self._codes:
            made = schema.OperatorCodeT()
            made.builtinCode = made.deprecatedBuiltinCode = code
            made.version = 1
            model.operatorCodes.append(made)
        size = sum(0 if one.data is None else one.data.size for one in self._buffers)
        builder = schema.flatbuffers.Builder(size + ROOM)  # one that is too small is copied
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(memoryview(builder.Bytes)[builder.Head() :])


def _convolution(file: _File, node: Node) -> int:
    given, weights = file.places[node.inputs[0]], file.constants[node.inputs[1]]
    bias = file.constants[node.inputs[2]] if len(node.inputs) > 2 else np.zeros(len(weights), np.float32)
    _, height, width, channels = file.shape(node.inputs[0])
    groups, (down, across) = node.attributes.get("group", 1), node.attributes.get("strides", (1, 1))
    _plain(node)
    if groups not in (1, channels):
        raise PackError("a convolution of several groups is not converted")
    top, left, bottom, right = node.attributes.get("pads", (0, 0, 0, 0))
    height, width = height + top + bottom, width + left + right
    if top or left or bottom or right:
        edges = file.wholes(((0, 0), (top, bottom), (left, right), (0, 0)))
        given = file.run("PAD", (given, edges), (1, height, width, channels), kind="PadOptions")
    shape = (1, (height - weights.shape[2]) // down + 1, (width - weights.shape[3]) // across + 1, len(weights))
    options = {"padding": file.schema.Padding.VALID, "strideH": down, "strideW": across}
    if groups == 1:
        inputs = (given, file.numbers(weights.transpose(0, 2, 3, 1)), file.numbers(bias))
        return file.run("CONV_2D", inputs, shape, kind="Conv2DOptions", **options)
    options["depthMultiplier"] = len(weights) // channels
    inputs = (given, file.numbers(weights.transpose(1, 2, 3, 0)), file.numbers(bias))
    return file.run("DEPTHWISE_CONV_2D", inputs, shape, kind="DepthwiseConv2DOptions", **options)


def _plain(node: Node) -> None:
    """Raise PackError if edges are padded by a rule, or pixels are skipped."""
    if node.attributes.get("auto_pad", "NOTSET") != "NOTSET" or set(node.attributes.get("dilations", (1,))) != {1}:
        raise PackError(f"operator {node.operator} with gaps, or edges by a rule, is not converted")


def _normalised(file: _File, node: Node) -> int:
    shape = file.shape(node.inputs[0])
    factor, shift = (file.numbers(one) for one in _normalisation(node, file.constants))
    larger = file.run("MUL", (file.places[node.inputs[0]], factor), shape, kind="MulOptions")
    return file.run("ADD", (larger, shift), shape, kind="AddOptions")


def _bent(file: _File, node: Node) -> int:
    slopes = file.constants[node.inputs[1]].reshape(1, 1, -1)
    return file.run("PRELU", (file.places[node.inputs[0]], file.numbers(slopes)), file.shape(node.inputs[0]))


def _each(operator: str, kind: str = "") -> Callable[[_File, Node], int]:
    """Convert an elementwise operator, over one tensor or two of one shape. A constant is one number."""

    def run(file: _File, node: Node) -> int:
        shape = file.shape(node.inputs[0])
        if any(name in file.places and file.shape(name) != shape for name in node.inputs):
            raise PackError(f"operator {node.operator} on tensors of two shapes is not converted")
        numbers = {name: file.constants[name].reshape(1) for name in node.inputs if name not in file.places}
        places = [file.numbers(numbers[name]) if name in numbers else file.places[name] for name in node.inputs]
        return file.run(operator, places, shape, kind=kind)

    return run


def _pooled(file: _File, node: Node) -> int:
    _plain(node)
    (down, across), steps = node.attributes["kernel_shape"], tuple(node.attributes.get("strides", (1, 1)))
    _, height, width, channels = file.shape(node.inputs[0])
    if steps != (down, across) or height % down or width % across or any(node.attributes.get("pads", ())):
        raise PackError("pooling of fields that overlap or go beyond the picture is not converted")
    options = {"padding": file.schema.Padding.VALID, "strideH": down, "strideW": across}
    options |= {"filterHeight": down, "filterWidth": across}
    shape = (1, height // down, width // across, channels)
    return file.run("MAX_POOL_2D", (file.places[node.inputs[0]],), shape, kind="Pool2DOptions", **options)


def _enlarged(file: _File, node: Node) -> int:
    _, _, down, across = file.constants[node.inputs[2]].tolist()
    mode = [node.attributes.get(name) for name in ("mode", "coordinate_transformation_mode", "nearest_mode")]
    if mode != ["nearest", "asymmetric", "floor"] or down % 1 or across % 1:
        raise PackError("only pixels that are repeated are converted")
    _, height, width, channels = file.shape(node.inputs[0])
    size = (int(height * down), int(width * across))
    inputs = (file.places[node.inputs[0]], file.wholes(size))
    shape = (1, *size, channels)
    return file.run("RESIZE_NEAREST_NEIGHBOR", inputs, shape, kind="ResizeNearestNeighborOptions")


def _matrix(file: _File, node: Node) -> int:
    """Convert a matrix over a whole picture, whose numbers are reordered for tflite."""
    if any(node.attributes.get(name, value) != value for name, value in (("alpha", 1.0), ("beta", 1.0), ("transA", 0))):
        raise PackError("a matrix with factors, or of a turned picture, is not converted")
    weights, bias = (file.constants[name] for name in node.inputs[1:])
    weights = weights if node.attributes.get("transB") else weights.T
    _, height, width, channels = file.shape(node.inputs[0])
    weights = weights.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(weights), -1)
    inputs = (file.places[node.inputs[0]], file.numbers(weights), file.numbers(bias))
    return file.run("FULLY_CONNECTED", inputs, (1, len(weights)), kind="FullyConnectedOptions")


def _same(file: _File, node: Node) -> int:
    """Convert an operator that changes no number."""
    return file.places[node.inputs[0]]


def _turned(file: _File, node: Node) -> int:
    """Convert a transposition into the order that tflite has anyway."""
    if node.attributes.get("perm") != [0, 2, 3, 1]:
        raise PackError("a picture that is turned over is not converted")
    return file.places[node.inputs[0]]


_OPERATORS: dict[str, Callable[[_File, Node], int]] = {
    "Add": _each("ADD", "AddOptions"),
    "BatchNormalization": _normalised,
    "Conv": _convolution,
    "Dropout": _same,
    "Flatten": _same,
    "Gemm": _matrix,
    "MaxPool": _pooled,
    "Mul": _each("MUL", "MulOptions"),
    "PRelu": _bent,
    "Relu": _each("RELU"),
    "Reshape": _same,
    "Resize": _enlarged,
    "Sigmoid": _each("LOGISTIC"),
    "Sub": _each("SUB", "SubOptions"),
    "Transpose": _turned,
}
