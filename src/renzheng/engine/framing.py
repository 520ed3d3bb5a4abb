"""Joins several byte strings into one payload of a message between the server's process and a worker."""

from __future__ import annotations

from collections.abc import Sequence


def lengths_of(parts: Sequence[bytes]) -> list[int]:
    """Return the lengths with which ``split`` undoes ``b"".join(parts)``."""
    return [len(part) for part in parts]


def split(payload: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Return the parts."""
    parts, offset = [], 0
    for length in lengths:
        parts.append(payload[offset : offset + length])
        offset += length
    return parts
