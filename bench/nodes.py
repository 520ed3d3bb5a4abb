"""GetFaceIdToken on two servers that share one PostgreSQL, against one server that has a PostgreSQL to itself.

    python -m bench nodes

CPU of the servers and of PostgreSQL a token, in interleaved rounds; the statements that PostgreSQL was given a token,
by its own log, in a run apart, as the log costs too; and the share of moments at which any server waited for a lock,
as pg_stat_activity shows it. Each of two has as many connections as the one alone: what comes together shares a
commit. All share the cores of one machine, so two are no faster.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from bench.load import AS_SHIPPED, Target, is_token, percentile, send_many, target_of, token_request
from bench.postgres import DURABLE, LASTING, postgres_cpu
from renzheng.store.engines import PostgresPlace
from tests.support.postgres import Cluster
from tests.support.server import Server

ROUNDS, REQUESTS, CONNECTIONS = 7, 1000, 32
COUNTED = 600
LOOK_SECONDS = 0.01
STATEMENT = re.compile(r"^(\S+) .*LOG:  (?:statement|execute [^:]*):")
LOG = {"log_line_prefix": "'%d '", "log_destination": "stderr"}


@dataclass
class Setup:
    """Servers on the same records. `names`: of the databases."""

    name: str
    targets: list[Target]
    databases: tuple[str, ...]
    cpu: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def send(self, count: int) -> tuple[float, list[float]]:
        """Tokens, as many from each server; CPU seconds of the servers a token, and the seconds of each."""
        share = count // len(self.targets)
        before = sum(target.cpu() for target in self.targets)
        with ThreadPoolExecutor(len(self.targets)) as pool:
            took = list(pool.map(lambda target: send_many(target, share, CONNECTIONS, is_token), self.targets))
        cpu = sum(target.cpu() for target in self.targets) - before
        return cpu / (share * len(self.targets)), [one for times in took for one in times]

    def measure(self) -> None:
        beside, begun = postgres_cpu(), time.perf_counter()
        cpu, times = self.send(REQUESTS)
        self.rates.append(len(times) / (time.perf_counter() - begun))
        self.cpu.append(cpu)
        self.beside.append((postgres_cpu() - beside) / len(times))
        self.times += times


@contextlib.contextmanager
def setups() -> Iterator[tuple[Cluster, Setup, Setup]]:
    """One server alone, and two together, each with databases of its own in one PostgreSQL."""
    folder = Path(tempfile.mkdtemp(prefix="rzn"))
    folder.chmod(0o755)
    cluster = Cluster(folder / "s", **DURABLE, **LOG)
    running: list[Server] = []

    def server(name: str, first: Server | None, place: PostgresPlace) -> Server:
        (folder / name).mkdir()
        shared = {"data_dir": first.data_dir, "keys_dir": first.keys_dir} if first else {}
        given = {**AS_SHIPPED, **LASTING, **shared, "database_url": place.records, "keys_url": place.keys}
        running.append(Server(folder / name, **given).start())
        return running[-1]

    try:
        made = []
        for title, names in (("one server", ["alone"]), ("two servers", ["first", "second"])):
            place = PostgresPlace(cluster.create(), cluster.create())
            servers: list[Server] = []
            for name in names:
                servers.append(server(name, servers[0] if servers else None, place))
            databases = tuple(psycopg.conninfo.conninfo_to_dict(url)["dbname"] for url in (place.records, place.keys))
            key = servers[0].key()
            targets = [target_of(one, token_request(one, key=key), one.folder.name) for one in servers]
            made.append(Setup(title, targets, tuple(map(str, databases))))
        yield cluster, made[0], made[1]
    finally:
        for one in running:
            one.stop()
        cluster.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


class Waits:
    """Looks again and again whether any connection to some databases waits for a lock of another."""

    def __init__(self, cluster: Cluster, databases: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._databases = list(databases)
        self._done = threading.Event()
        self.looks = self.waits = 0

    def __enter__(self) -> Waits:
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = ANY(%s)"
        with self._cluster.admin() as connection:
            while not self._done.wait(LOOK_SECONDS):
                row = connection.execute(sql, [self._databases], prepare=True).fetchone()
                self.looks += 1
                self.waits += int(row is not None and row[0] != 0)


def statements(cluster: Cluster, setup: Setup) -> float:
    """Statements a token, by PostgreSQL's log, of everything that the servers do meanwhile."""
    log = cluster.folder / "log"
    with cluster.admin() as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(1)
        start = log.stat().st_size
        setup.send(COUNTED)
        time.sleep(0.2)
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
        connection.execute("ALTER SYSTEM RESET log_statement")
        connection.execute("SELECT pg_reload_conf()")
    found = (STATEMENT.match(line) for line in lines)
    return sum(one is not None and one[1] in setup.databases for one in found) / COUNTED


def main() -> None:
    with setups() as (cluster, one, two):
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
        for setup in (one, two):
            setup.send(REQUESTS)
        with Waits(cluster, two.databases) as waits:
            for number in range(ROUNDS):
                for setup in (one, two) if number % 2 else (two, one):
                    setup.measure()
        counts = {setup.name: statements(cluster, setup) for setup in (one, two)}
    for setup in (one, two):
        p50, p99 = (1e3 * percentile(setup.times, share) for share in (0.5, 0.99))
        print(
            f"{setup.name:<12} {1e6 * statistics.median(setup.cpu):5.0f} µs CPU a token"
            f" ({1e6 * min(setup.cpu):.0f} to {1e6 * max(setup.cpu):.0f}), PostgreSQL's processes"
            f" {1e6 * statistics.median(setup.beside):4.0f} µs, {counts[setup.name]:.2f} statements;"
            f" {statistics.median(setup.rates):5.0f} tokens a second, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )
    whole = [statistics.median(setup.cpu) + statistics.median(setup.beside) for setup in (one, two)]
    pairs = statistics.median(b / a for a, b in zip(one.cpu, two.cpu, strict=True))
    print(f"two : one, CPU of the servers            {pairs:.2f}   (at most 1.1)")
    print(f"two : one, CPU of all processes          {whole[1] / whole[0]:.2f}")
    print(f"two : one, statements a token            {counts[two.name] / counts[one.name]:.2f}   (at most 1.1)")
    share = 100 * waits.waits / waits.looks
    print(f"moments at which a server waits for a lock    {share:.2f} %   (under 1; {waits.looks} looks)")
    print(
        "Both servers, PostgreSQL and the load share these cores: the throughput of two says nothing of two machines."
    )


if __name__ == "__main__":
    main()
