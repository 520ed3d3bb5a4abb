"""GetFaceIdToken over PostgreSQL against SQLite, and how its latency grows with the records.

    python -m bench postgres              one interleaved run, and 1 thousand to 1 million sessions (ten minutes)

Both servers are whole and durable, each over folders of its own; PostgreSQL runs here too, waits for the disk, and has
both databases. Its processes' CPU is counted beside the server's. Latency is at a constant rate, each request timed
from the moment at which it was due.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg

from bench.load import Target, is_token, measure, percentile, renzheng, send_at, target_of, token_request
from renzheng.store.engines import PostgresPlace
from renzheng.store.files import KEYS_FILE, RECORDS_FILE
from renzheng.store.sqlite import connect
from tests.support.postgres import Cluster
from tests.support.server import Server

ROUNDS, REQUESTS, CONNECTIONS = 5, 1500, 32
RATE, SECONDS = 30.0, 18.0
SIZES = (1_000, 10_000, 100_000, 1_000_000)
CHUNK = 50_000
LASTING = {"clock_window": 3600}
"""One signed request serves the whole run."""
DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
}
Fill = Callable[[int, int], None]
"""Adds the copies from one number up to another of the one session that is there, with its data key."""


@contextlib.contextmanager
def both() -> Iterator[dict[str, tuple[Server, Target, Fill]]]:
    folder = Path(tempfile.mkdtemp(prefix="rzb"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "s", **DURABLE)
    place = PostgresPlace(cluster.create(), cluster.create())
    try:
        with (
            renzheng(**LASTING) as plain,
            renzheng(**LASTING, database_url=place.records, keys_url=place.keys) as grown,
        ):
            yield {
                "SQLite": (plain, target_of(plain, token_request(plain), "SQLite"), sqlite_fill(plain)),
                "PostgreSQL": (grown, target_of(grown, token_request(grown), "PostgreSQL"), postgres_fill(place)),
            }
    finally:
        cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def postgres_cpu() -> float:
    """CPU seconds so far of every process of PostgreSQL on this machine."""
    total = 0.0
    for process in psutil.process_iter(["name"]):
        if process.info["name"] == "postgres":
            with contextlib.suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system
    return total


# -- records: copies of one session, so that each row has the size that it has; keys first, or rows would have none


def _copies(table: str, columns: list[str], random: str, numbers: str, which: str, id_of: str) -> str:
    own = {"id": id_of, "token": random, "id_hash": random, "state": "'passed'"}
    made = ", ".join(own.get(column, f"one.{column}") for column in columns)
    return (
        f"{numbers} INSERT INTO {table} ({', '.join(columns)}) SELECT {made} FROM n,"
        f" (SELECT * FROM {table} WHERE {which} ORDER BY id DESC LIMIT 1) AS one"
    )


def sqlite_fill(server: Server, id_of: str = "-n.i") -> Fill:
    """`id_of`: a copy's id by its number n.i, as SQL."""

    def fill(start: int, end: int) -> None:
        numbers = f"WITH RECURSIVE n(i) AS (SELECT {start} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {end})"
        for path, table, which in (
            (server.keys_dir / KEYS_FILE, "data_keys", "kind = 1 AND id > 0"),
            (server.data_dir / RECORDS_FILE, "sessions", "id > 0"),
        ):
            with contextlib.closing(connect(path, busy_timeout=60)) as connection:
                columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
                connection.execute(_copies(table, columns, "randomblob(16)", numbers, which, id_of))

    return fill


def postgres_fill(place: PostgresPlace, id_of: str = "-n.i") -> Fill:
    """Fill PostgreSQL like `sqlite_fill`."""

    def fill(start: int, end: int) -> None:
        numbers = f"WITH n(i) AS (SELECT generate_series({start}, {end - 1}))"
        for url, table, which in (
            (place.keys, "data_keys", "kind = 1 AND id > 0"),
            (place.records, "sessions", "id > 0"),
        ):
            with psycopg.connect(url, autocommit=True) as connection:
                columns = [
                    row[0]
                    for row in connection.execute(
                        "SELECT column_name FROM information_schema.columns WHERE table_name = %s", (table,)
                    )
                ]
                random = "uuid_send(gen_random_uuid())"
                connection.execute(_copies(table, columns, random, numbers, which, id_of).encode())
                if end > start + CHUNK // 2:
                    connection.execute("ANALYZE")

    return fill


# -- what is measured


def compare(targets: dict[str, Target]) -> None:
    """CPU a token of the server and of PostgreSQL, and latency over so many connections, in interleaved rounds."""
    server: dict[str, list[float]] = defaultdict(list)
    beside: dict[str, list[float]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    for number in range(ROUNDS + 1):
        for name, target in targets.items():
            before = postgres_cpu()
            cpu, seconds = measure(target, REQUESTS, CONNECTIONS, is_token)
            if number:  # the first round warms both up
                server[name].append(cpu)
                beside[name].append((postgres_cpu() - before) / REQUESTS)
                times[name] += seconds
    whole: dict[str, float] = {}
    for name in targets:
        own, other = statistics.median(server[name]), statistics.median(beside[name])
        whole[name] = own + (other if name == "PostgreSQL" else 0)
        p50, p99 = (1e3 * percentile(times[name], share) for share in (0.5, 0.99))
        print(
            f"{name:<11} server {own * 1e6:5.0f} µs CPU a token, PostgreSQL's processes {other * 1e6:5.0f} µs;"
            f" {CONNECTIONS} connections: p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
    print(f"PostgreSQL : SQLite, CPU of the server alone    {_ratio(server):.2f}")
    print(f"PostgreSQL : SQLite, CPU of all processes       {whole['PostgreSQL'] / whole['SQLite']:.2f}")


def _ratio(costs: dict[str, list[float]]) -> float:
    return statistics.median(costs["PostgreSQL"]) / statistics.median(costs["SQLite"])


def grow(small: dict[str, Target], grown: dict[str, Target], fills: dict[str, Fill]) -> None:
    """Latency at a constant rate, at rising numbers of sessions. Servers with few sessions take turns with those that
    have many, so that both have the same neighbours on this machine."""
    there = 1
    for size in SIZES:
        for start in range(there, size, CHUNK):
            for fill in fills.values():
                fill(start, min(start + CHUNK, size))
        there = size
        os.sync()  # what was filled is on the disk, and no token waits for it
        few: dict[str, list[float]] = defaultdict(list)
        many: dict[str, list[float]] = defaultdict(list)
        for _ in range(3):
            for name in grown:
                for target, found in ((small[name], few), (grown[name], many)):
                    send_at(target, RATE, 1, is_token)
                    found[name] += send_at(target, RATE, SECONDS / 3, is_token)
        for name in grown:
            p50, p99 = (1e3 * percentile(many[name], share) for share in (0.5, 0.99))
            before = 1e3 * percentile(few[name], 0.99)
            print(
                f"{size:>9} sessions, {RATE:.0f} tokens a second, {name:<11} p50 {p50:6.1f} ms  p99 {p99:6.1f} ms"
                f"  (with few: {before:.1f} ms; {p99 / before:.1f} times; at most 2)",
                flush=True,
            )


def main() -> None:
    with both() as few, both() as many:
        small, grown = ({name: target for name, (_, target, _) in one.items()} for one in (few, many))
        compare(small)
        grow(small, grown, {name: fill for name, (_, _, fill) in many.items()})


if __name__ == "__main__":
    main()
