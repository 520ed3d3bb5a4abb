"""What a stranger sends costs time linear in its bytes."""

from __future__ import annotations

import contextlib
import time
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


@pytest.mark.stress
@pytest.mark.attacks
@by_name
def test_four_times_the_bytes_cost_at_most_six_times_the_time(hostile: Hostile) -> None:
    costs = [cost(hostile, size) for size in (hostile.largest // 16, hostile.largest // 4, hostile.largest)]
    print(f"{hostile.name:40} {' '.join(f'{seconds * 1000:8.2f}' for seconds in costs)} ms")
    for less, more in pairwise(costs):
        assert more <= 6 * max(less, FIRST), costs


@by_name
def test_the_table_s_inputs_are_as_large_as_they_say(hostile: Hostile) -> None:
    """And each is parsed or refused, in the smallest of the three sizes; a crash of another kind is none of the two."""
    given = hostile.make(hostile.largest // 16)
    assert len(given) >= hostile.largest // 128
    with contextlib.suppress(ApiError, MediaError, ClosingError, MalformedAuthorizationError):
        hostile.parse(given)
