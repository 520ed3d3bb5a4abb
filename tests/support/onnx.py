"""A tiny real ONNX network, written byte by byte: the mean colour of the input, weighed into two numbers."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(raw)) + raw


def _value(name: str, shape: Sequence[int]) -> bytes:
    dims = b"".join(_bytes(1, _number(1, size)) for size in shape)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, dims)))


def _tensor(name: str, shape: Sequence[int], values: Sequence[float]) -> bytes:
    dims = b"".join(_number(1, size) for size in shape)
    return dims + _number(2, 1) + _bytes(8, name) + _bytes(9, struct.pack(f"<{len(values)}f", *values))


def _node(kind: str, inputs: Sequence[str], output: str) -> bytes:
    return b"".join(_bytes(1, name) for name in inputs) + _bytes(2, output) + _bytes(3, output) + _bytes(4, kind)


def mean_colour_network(weights: Sequence[Sequence[float]], bias: Sequence[float], side: int) -> bytes:
    """(1, 3, side, side) -> (1, N): the channels' means times ``weights`` (3 rows of N) plus ``bias`` (N)."""
    count = len(bias)
    graph = b"".join(
        [
            _bytes(1, _node("GlobalAveragePool", ["data"], "pooled")),
            _bytes(1, _node("Flatten", ["pooled"], "flat")),
            _bytes(1, _node("MatMul", ["flat", "weights"], "weighed")),
            _bytes(1, _node("Add", ["weighed", "bias"], "out")),
            _bytes(2, "mean colour"),
            _bytes(5, _tensor("weights", (3, count), [value for row in weights for value in row])),
            _bytes(5, _tensor("bias", (1, count), bias)),
            _bytes(11, _value("data", (1, 3, side, side))),
            _bytes(12, _value("out", (1, count))),
        ]
    )
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13))
