"""Reads an ONNX file of constants and operators, without a package for it.

An ONNX file is one message of Protocol Buffers (onnx.proto): numbered fields, each a number or a piece of bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .manifests import PackError

Numbers = NDArray[Any]
TYPES = {1: np.float32, 2: np.uint8, 3: np.int8, 6: np.int32, 7: np.int64, 9: np.bool_}
"""The supported element types of tensors."""


@dataclass(frozen=True)
class Node:
    """One operator. ``attributes``: numbers, texts, and lists of integers."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """``nodes``: in the order in which they run. ``constants``: the stored tensors by name. ``inputs``, ``outputs``:
    names; the inputs without constants, and without those that no operator reads."""

    nodes: tuple[Node, ...]
    constants: dict[str, Numbers]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(content: bytes) -> Graph:
    """Read the network of an ONNX file. Raises PackError, which says what is not supported."""
    try:
        (graph,) = [value for field, value in _fields(memoryview(content)) if field == 7]
        rows = [(field, value) for field, value in _fields(graph)]
        constants = dict(_tensor(value) for field, value in rows if field == 5)
        inputs, outputs = (tuple(_name(value) for field, value in rows if field == kind) for kind in (11, 12))
        nodes = tuple(_node(value) for field, value in rows if field == 1)
    except (ValueError, IndexError, TypeError, struct.error) as error:
        raise PackError(f"not an ONNX network: {error}") from error
    used = {name for node in nodes for name in node.inputs} - constants.keys()
    return Graph(nodes, constants, tuple(name for name in inputs if name in used), outputs)


def _fields(message: memoryview) -> Iterator[tuple[int, Any]]:
    """Yield (number, value) of each field: an int, a float, or the bytes of a text, a list or another message."""
    at = 0
    value: Any
    while at < len(message):
        key, at = _whole(message, at)
        kind = key & 7
        if kind == 0:
            value, at = _whole(message, at)
        elif kind == 2:
            size, at = _whole(message, at)
            value, at = message[at : at + size], at + size
        elif kind in (1, 5):
            form = "<f" if kind == 5 else "<d"
            (value,), at = struct.unpack_from(form, message, at), at + struct.calcsize(form)
        else:
            raise ValueError(f"a field of kind {kind}")
        yield key >> 3, value


def _whole(message: memoryview, at: int) -> tuple[int, int]:
    """Read an integer of 64 bits. Returns it, and where the next field begins."""
    value = shift = 0
    while True:
        byte, at = message[at], at + 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return (value - (1 << 64) if value >> 63 else value), at


def _wholes(value: Any) -> list[int]:
    """Return the integers of a repeated field: one number, or many in one piece of bytes."""
    if isinstance(value, int):
        return [value]
    found, at = [], 0
    while at < len(value):
        one, at = _whole(value, at)
        found.append(one)
    return found


def _text(value: Any) -> str:
    return bytes(value).decode()


def _name(message: memoryview) -> str:
    return next(_text(value) for field, value in _fields(message) if field == 1)


def _tensor(message: memoryview) -> tuple[str, Numbers]:
    shape: list[int] = []
    name, kind, content = "", 0, b""
    for field, value in _fields(message):
        if field == 1:
            shape += _wholes(value)
        elif field == 2:
            kind = value
        elif field == 8:
            name = _text(value)
        elif field in (4, 9):  # float_data, packed, lies as raw_data does
            content = bytes(value)
        elif field == 7:
            content = np.array(_wholes(value), np.int64).tobytes()
    if kind not in TYPES:
        raise ValueError(f"tensor {name} has elements of type {kind}")
    return name, np.frombuffer(content, TYPES[kind]).reshape(shape)


def _node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {1: [], 2: [], 4: []}
    attributes = {}
    for field, value in _fields(message):
        if field in texts:
            texts[field].append(_text(value))
        elif field == 5:
            name, found = _attribute(value)
            attributes[name] = found
    (operator,) = texts[4]
    return Node(operator, tuple(texts[1]), tuple(texts[2]), attributes)


def _attribute(message: memoryview) -> tuple[str, Any]:
    name, found = "", None
    wholes: list[int] = []
    for field, value in _fields(message):
        if field == 1:
            name = _text(value)
        elif field in (2, 3):
            found = value
        elif field == 4:
            found = _text(value)
        elif field == 5:
            found = _tensor(value)[1]
        elif field == 8:
            wholes += _wholes(value)
    return name, wholes if found is None else found


def unfolded(graph: Graph) -> Graph:
    """Return the same network with its constants computed: no operator is left that reads only constants."""
    constants, left = dict(graph.constants), []
    for node in graph.nodes:
        if node.operator in FOLDED and all(name in constants for name in node.inputs):
            constants[node.outputs[0]] = FOLDED[node.operator](node, [constants[name] for name in node.inputs])
        else:
            left.append(node)
    return Graph(tuple(left), constants, graph.inputs, graph.outputs)


def _dequantized(node: Node, given: Sequence[Numbers]) -> Numbers:
    """Return blocks of integers, each minus its zero point and times its scale."""
    axis, block = node.attributes.get("axis", 1), node.attributes.get("block_size", 0)
    numbers, scale, *zero = given
    found = numbers.astype(np.float32)
    for one, change in ((zero[0] if zero else np.zeros(1), np.subtract), (scale, np.multiply)):
        if one.any():
            each = np.repeat(one, block, axis)[tuple(map(slice, numbers.shape))] if block else one
            change(found, each, out=found)
    return found


def _reshaped(_: Node, given: Sequence[Numbers]) -> Numbers:
    numbers, shape = given
    return numbers.reshape(shape.tolist())


FOLDED = {"Constant": lambda node, _: node.attributes["value"], "DequantizeLinear": _dequantized, "Reshape": _reshaped}
