"""Two servers at 70 % of what they carry, for SOAK_MINUTES (30): memory, descriptors and queues stay flat.

What a server keeps once it is warm is compared with what it keeps at the end, so the first third does not count. The
shortest run that says anything is five minutes.
"""

from __future__ import annotations

import os
import re
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
import pytest

from renzheng.evaluation.rehearsal import Rehearsal
from tests.support.crowd import Level, carried, people, run_level
from tests.support.postgres import cluster
from tests.support.server import Server, until

MINUTES = max(3, int(os.environ.get("SOAK_MINUTES", "30")))
SHARE = 0.7
WARM_SECONDS = 30.0
MIB = 1024 * 1024
MAX_GROWTH, MAX_MORE_BYTES, MAX_MORE_DESCRIPTORS = 1.05, 24 * MIB, 8
LIVENESS = ("1004", "1005")  # a busy machine that sees too few frames

pytestmark = [pytest.mark.stress, pytest.mark.soak, pytest.mark.timeout(MINUTES * 120 + 900)]


@dataclass(frozen=True)
class Sample:
    """What both servers hold after a minute's load: bytes and descriptors of all their processes, connections to the
    database, and files of evidence."""

    memory: int
    descriptors: int
    connections: int
    files: int

    def row(self, minute: int) -> str:
        return (
            f"minute {minute:3}: {self.memory / MIB:6.0f} MiB, {self.descriptors:4} descriptors,"
            f" {self.connections:3} connections, {self.files:5} files of evidence"
        )


class Pair:
    """Two servers on one PostgreSQL, with the same folders. Evidence is kept for two minutes, so that it is swept."""

    def __init__(self, folder: Path) -> None:
        self.records, self.keys = cluster().create(), cluster().create()
        given: dict[str, object] = {
            "database_url": self.records,
            "keys_url": self.keys,
            "data_dir": folder / "data",
            "keys_dir": folder / "keys",
            "attempts_a_day": 0,
            "captures_per_address": 1000,
            "evidence_days": 2 / 1440,
            "sweep_seconds": 5,
        }
        self.folder = folder
        self.servers: list[Server] = []
        for name in ("one", "other"):
            (folder / name).mkdir()
            self.servers.append(Server(folder / name, **given).start(as_shipped=True))

    def stop(self) -> None:
        for server in self.servers:
            server.stop()

    def load(self, crowd: Sequence[Rehearsal], at_once: int, seconds: float) -> list[Level]:
        """Keep this many people under way at each server."""
        with ThreadPoolExecutor(len(self.servers)) as pool:
            return list(pool.map(lambda server: run_level(server, crowd, at_once, seconds), self.servers))

    def waiting(self) -> int:
        """Verifications that wait for a judge, attempts that are in progress, and people in the line."""
        found = 0
        for server in self.servers:
            pattern = r'^renzheng_(?:judging_waiting|capture_attempts\{state="(?:taken|waiting)"\}) (\S+)$'
            found += sum(int(float(value)) for value in re.findall(pattern, server.metrics(), re.MULTILINE))
        return found

    def sample(self) -> Sample:
        processes = [one for server in self.servers for one in _tree(server)]
        with psycopg.connect(self.records, autocommit=True) as records:
            row = records.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname IN (%s, %s)",
                [psycopg.conninfo.conninfo_to_dict(url)["dbname"] for url in (self.records, self.keys)],
            ).fetchone()
        assert row is not None
        return Sample(
            sum(one.memory_info().rss for one in processes),
            sum(one.num_fds() for one in processes),
            int(row[0]),
            sum(len(files) for _, _, files in os.walk(self.folder / "data")),
        )


def _tree(server: Server) -> list[psutil.Process]:
    assert server.process is not None
    parent = psutil.Process(server.process.pid)
    return [parent, *parent.children(recursive=True)]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    made = Pair(tmp_path)
    yield made
    made.stop()


def thirds(samples: Sequence[Sample], of: Callable[[Sample], int]) -> tuple[float, float]:
    """Medians of the middle and the last third."""
    size = max(1, len(samples) // 3)
    return statistics.median(map(of, samples[-2 * size : -size])), statistics.median(map(of, samples[-size:]))


def test_memory_descriptors_and_queues_stay_flat(pair: Pair) -> None:
    crowd = people()
    pair.load(crowd, 2, WARM_SECONDS)
    # Each says what it could carry with these cores, and the two share them.
    at_once = max(1, round(SHARE * statistics.mean(map(carried, pair.servers)) / len(pair.servers)))
    print(f"{at_once} people at once at each of two servers, {MINUTES} minutes, load {os.getloadavg()[0]:.1f}")
    samples: list[Sample] = []
    results: Counter[str] = Counter()
    unfinished = 0
    for minute in range(1, MINUTES + 1):
        for level in pair.load(crowd, at_once, 60):
            results += level.results
            unfinished += sum(course.outcome is None for course in level.in_time)
        until(lambda: pair.waiting() == 0)
        samples.append(pair.sample())
        print(samples[-1].row(minute), dict(results), flush=True)
    assert unfinished == 0
    assert set(results) <= {"0", *LIVENESS}
    assert results["0"] >= 0.8 * results.total() > 0
    before, after = thirds(samples, lambda one: one.memory)
    assert after <= before * MAX_GROWTH + MAX_MORE_BYTES
    before, after = thirds(samples, lambda one: one.descriptors)
    assert after <= before + MAX_MORE_DESCRIPTORS
    before, after = thirds(samples, lambda one: one.connections)
    assert after <= before + 2
    before, after = thirds(samples, lambda one: one.files)
    assert after <= 2 * before  # what is swept keeps up with what comes
