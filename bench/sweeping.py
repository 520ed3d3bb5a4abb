"""GetFaceIdToken while the sweeper erases, over SQLite and over PostgreSQL.

    python -m bench sweeping

Tokens are asked for at a constant rate, each timed from the moment at which it was due: while nothing is to be swept,
and while the sweeper erases results whose three days are over. How many it erases is counted in the keys.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.load import Target, is_token, percentile, renzheng, send_at, target_of, token_request
from bench.postgres import DURABLE, LASTING, Fill, postgres_fill, sqlite_fill
from renzheng.store.engines import PostgresPlace
from renzheng.store.files import KEYS_FILE
from renzheng.store.sqlite import connect
from renzheng.verification.session import DAY_SECONDS
from tests.support.postgres import Cluster

ROUNDS, RATE, SECONDS = 3, 20.0, 8.0
TIMES = 10
"""How many times faster than tokens are issued they have to be erased."""
OLD = 9000
"""Results of before that wait for the sweeper when the busy part of a round begins: more than it erases in it."""
AGE = 10 * DAY_SECONDS
KEYS = "SELECT count(*) FROM data_keys WHERE kind = 1"


@dataclass
class Engine:
    """A server, and what fills its store and counts its keys."""

    target: Target
    fill: Fill
    keys: Callable[[], int]
    there: int = 1
    issued: int = 0
    quiet: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    erased: list[float] = field(default_factory=list)

    def send(self, seconds: float) -> list[float]:
        times = send_at(self.target, RATE, seconds, is_token)
        self.issued += len(times)
        return times

    def measure(self) -> None:
        self.quiet += self.send(SECONDS)
        self.fill(self.there, self.there + OLD)
        self.there += OLD
        before, begun = self.keys(), time.perf_counter()
        times = self.send(SECONDS)
        self.erased.append((before + len(times) - self.keys()) / (time.perf_counter() - begun))
        self.busy += times
        while self.keys() > self.issued:  # the rest, before the next quiet part
            time.sleep(0.5)


@contextlib.contextmanager
def engines() -> Iterator[dict[str, Engine]]:
    folder = Path(tempfile.mkdtemp(prefix="rzw"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "s", **DURABLE)
    place = PostgresPlace(cluster.create(), cluster.create())
    old = f"{int((time.time() - AGE) * 1e6)} + n.i"
    given = {**LASTING, "sweep_seconds": 1}
    try:
        with (
            renzheng(**given) as plain,
            renzheng(**given, database_url=place.records, keys_url=place.keys) as grown,
        ):

            def in_sqlite() -> int:
                with contextlib.closing(connect(plain.keys_dir / KEYS_FILE, busy_timeout=60)) as connection:
                    return int(connection.execute(KEYS).fetchone()[0])

            def in_postgres() -> int:
                with psycopg.connect(place.keys, autocommit=True) as connection:
                    return int((connection.execute(KEYS).fetchone() or (0,))[0])

            yield {
                "SQLite": Engine(target_of(plain, token_request(plain)), sqlite_fill(plain, old), in_sqlite),
                "PostgreSQL": Engine(target_of(grown, token_request(grown)), postgres_fill(place, old), in_postgres),
            }
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    with engines() as both:
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}; {RATE:.0f} tokens a second")
        for engine in both.values():
            engine.send(2)
        for _ in range(ROUNDS):
            for engine in both.values():
                engine.measure()
    for name, engine in both.items():
        quiet, busy = (1e3 * percentile(times, 0.99) for times in (engine.quiet, engine.busy))
        print(
            f"{name:<11} erases {statistics.median(engine.erased):4.0f} a second,"
            f" {statistics.median(engine.erased) / RATE:.0f} times the rate of issue (at least {TIMES});"
            f" p50 {1e3 * percentile(engine.quiet, 0.5):.1f} and {1e3 * percentile(engine.busy, 0.5):.1f} ms,"
            f" p99 {quiet:.1f} and {busy:.1f} ms: {busy / quiet:.1f} times (at most 2)"
        )


if __name__ == "__main__":
    main()
