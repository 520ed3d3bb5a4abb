"""What a stranger sends costs time linear in its bytes."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from itertools import pairwise

import pytest

from renzheng.capture.messages import ClosingError
from renzheng.engine.media import MediaError
from renzheng.gateway.errors import ApiError
from renzheng.gateway.signature import MalformedAuthorizationError
from tests.hostile.inputs import HOSTILE, Hostile

FIRST = 0.0005
"""Seconds of CPU under which a step says nothing, as it is mostly the call's own, or how much of it a cache holds."""
by_name = pytest.mark.parametrize("hostile", HOSTILE, ids=lambda hostile: hostile.name)


ROUNDS = 8
"""A busy neighbour makes a step dearer now and then; what grows faster than its bytes is dearer in every round."""


def cost(hostile: Hostile, size: int) -> float:
    """The least CPU time of five, in seconds."""
    found = []
    for _ in range(5):
        given = hostile.make(size)
        begin = time.process_time()
        with contextlib.suppress(Exception):
            hostile.parse(given)
        found.append(time.process_time() - begin)
    return min(found)


def is_linear(costs: Sequence[float]) -> bool:
    return all(more <= 6 * max(less, FIRST) for less, more in pairwise(costs))


@pytest.mark.stress
@pytest.mark.attacks
@by_name
def test_four_times_the_bytes_cost_at_most_six_times_the_time(hostile: Hostile) -> None:
    costs = [math.inf] * 3
    for _ in range(ROUNDS):
        sizes = (hostile.largest // 16, hostile.largest // 4, hostile.largest)
        costs = [min(least, cost(hostile, size)) for least, size in zip(costs, sizes, strict=True)]
        if is_linear(costs):
            break
    print(f"{hostile.name:40} {' '.join(f'{seconds * 1000:8.2f}' for seconds in costs)} ms")
    assert is_linear(costs), costs


def test_what_grows_with_the_square_of_its_bytes_is_found() -> None:
    def square(given: bytes) -> None:
        for _ in range(len(given)):
            given.count(b"b")

    squared = Hostile("squared", lambda size: b"a" * size, square, 16_000)
    assert not is_linear([cost(squared, size) for size in (1000, 4000, 16_000)])


@by_name
def test_the_table_s_inputs_are_as_large_as_they_say(hostile: Hostile) -> None:
    """And each is parsed or refused, in the smallest of the three sizes; a crash of another kind is none of the two."""
    given = hostile.make(hostile.largest // 16)
    assert len(given) >= hostile.largest // 128
    with contextlib.suppress(ApiError, MediaError, ClosingError, MalformedAuthorizationError):
        hostile.parse(given)
