"""Several byte strings as one payload of a message between the server's process and a worker."""

from __future__ import annotations

from collections.abc import Sequence


def lengths_of(parts: Sequence[bytes]) -> list[int]:
    """By which ``split`` undoes ``b"".join(parts)``."""
    return [len(part) for part in parts]


def split(payload: bytes, lengths: Sequence[int]) -> list[bytes]:
    """The parts again."""
    parts, offset = [], 0
    for length in lengths:
        parts.append(payload[offset : offset + length])
        offset += length
    return parts
