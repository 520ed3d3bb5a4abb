"""Sixteen that come at once to two servers of the same records, fifty times; the short form is in the conformance."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import node_races
from tests.support.node_races import Pair, running_pair

pytestmark = [pytest.mark.stress, pytest.mark.cluster]

ROUNDS = 50


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with running_pair(tmp_path_factory.mktemp("pair")) as found:
        yield found


async def test_one_device_of_sixteen_gets_the_token(pair: Pair) -> None:
    await node_races.race_of_devices(pair, ROUNDS)


async def test_of_one_device_s_sixteen_connections_one_stays(pair: Pair) -> None:
    await node_races.race_of_connections(pair, ROUNDS)


async def test_a_token_that_ends_while_sixteen_want_it_ends_once(pair: Pair) -> None:
    await node_races.race_of_ends(pair, ROUNDS)


async def test_sixteen_who_fetch_a_result_are_told_the_same_and_it_is_billed_once(pair: Pair) -> None:
    await node_races.race_of_fetches(pair, ROUNDS)
