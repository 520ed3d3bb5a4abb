"""Two servers behind the nginx of deploy/, a judge, PostgreSQL, Redis and an S3: people verify themselves by the
official SDK, and one server is killed meanwhile. The long form is `make cluster-test`."""

from __future__ import annotations

import asyncio
import functools
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import node_races
from tests.support.images import sample
from tests.support.installation import Installation, running_installation
from tests.support.journeys import Journey, travel
from tests.support.rehearsed import rehearsed
from tests.support.server import Server, until

PEOPLE = 3
ROUNDS = 2
SECONDS = 300.0


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with running_installation(tmp_path, monkeypatch, judges=1) as found:
        yield found


def attempts(server: Server) -> int:
    """How many go on at this server: nginx may have sent everybody to one."""
    found = re.search(r'^renzheng_capture_attempts\{state="taken"\} (\S+)$', server.metrics(), re.MULTILINE)
    return int(float(found[1])) if found else 0


def test_a_server_is_killed_and_everybody_has_a_result(installation: Installation) -> None:
    journeys = [Journey(sample(), "0") for _ in range(PEOPLE)]

    def kill() -> None:
        time.sleep(5)  # into the attempts
        until(lambda: any(map(attempts, installation.servers)))
        busiest = max(installation.servers, key=attempts)
        installation.kept[f"server {busiest.folder.name}"].end(signal.SIGKILL)

    asyncio.run(
        travel(
            journeys, installation.sdk(), installation.url, rehearsed(), 1.0, SECONDS,
            beside=functools.partial(asyncio.to_thread, kill),
        )
    )  # fmt: skip
    assert [journey.trouble for journey in journeys] == [""] * PEOPLE
    assert sum(journey.lines for journey in journeys), "nobody was at the server that was killed"
    # A machine too busy to play a person in time may show too few frames of one.
    assert all(journey.result.Result == "0" or journey.course.is_late for journey in journeys)
    assert installation.rows("SELECT count(*), count(DISTINCT session_id) FROM verdicts") == [(PEOPLE, PEOPLE)]
    assert installation.rows("SELECT count(*) FROM ledger") == [(PEOPLE,)]


async def test_of_sixteen_that_come_to_two_servers_at_once_one_wins(tmp_path: Path) -> None:
    with node_races.running_pair(tmp_path) as pair:
        await node_races.race_of_devices(pair, ROUNDS)
        await node_races.race_of_connections(pair, ROUNDS)
        await node_races.race_of_ends(pair, ROUNDS)
        await node_races.race_of_fetches(pair, ROUNDS)
