"""GetFaceIdToken on two servers that share one PostgreSQL, against one server that has a PostgreSQL to itself.

    python -m bench nodes

CPU of the servers and of PostgreSQL a token, in interleaved rounds, where each of two servers has as many connections
as the one alone, and where both together have as many: what comes together shares a transaction, so that half as much
at each shares less. The statements and transactions that PostgreSQL was given a token, by its own log, in a run apart,
as the log costs too; what a server costs that nobody asks; and the share of moments at which any server waited for a
lock, as pg_stat_activity shows it. All share the cores of one machine, so two are no faster.
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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import psycopg

from bench.load import AS_SHIPPED, Target, is_token, percentile, send_many, target_of, token_request
from bench.postgres import DURABLE, LASTING, postgres_cpu
from renzheng.store.engines import PostgresPlace
from tests.support.postgres import Cluster
from tests.support.server import Server

ROUNDS, REQUESTS, CONNECTIONS = 7, 1000, 32
COUNTED = 600
IDLE_SECONDS = 20.0
LOOK_SECONDS = 0.01
STATEMENT = re.compile(r"^(\S+) .*LOG:  (?:statement|execute [^:]*): *(\w+)")
LOG = {"log_line_prefix": "'%d '", "log_destination": "stderr"}


@dataclass
class Setup:
    """Servers on the same records. `databases`: their names, that of the records first."""

    name: str
    targets: list[Target]
    databases: tuple[str, ...]

    def send(self, count: int, connections: int) -> tuple[float, list[float]]:
        """Tokens, as many from each server, over so many connections to each; CPU seconds of the servers a token, and
        the seconds of each."""
        share = count // len(self.targets)
        before = self.cpu()
        with ThreadPoolExecutor(len(self.targets)) as pool:
            took = list(pool.map(lambda target: send_many(target, share, connections, is_token), self.targets))
        return (self.cpu() - before) / (share * len(self.targets)), [one for times in took for one in times]

    def cpu(self) -> float:
        return sum(target.cpu() for target in self.targets)


@dataclass
class Load:
    """A setup, asked over so many connections to each server; what each round measured of it."""

    name: str
    setup: Setup
    connections: int
    cpu: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def measure(self) -> None:
        beside, begun = postgres_cpu(), time.perf_counter()
        cpu, times = self.setup.send(REQUESTS, self.connections)
        self.rates.append(len(times) / (time.perf_counter() - begun))
        self.cpu.append(cpu)
        self.beside.append((postgres_cpu() - beside) / len(times))
        self.times += times

    def send_counted(self) -> float:
        """How many tokens were sent."""
        return len(self.setup.send(COUNTED, self.connections)[1])

    def tell(self, logged: Logged) -> None:
        p50, p99 = (1e3 * percentile(self.times, share) for share in (0.5, 0.99))
        print(
            f"{self.name:<38} {1e6 * statistics.median(self.cpu):5.0f} µs CPU of the servers a token"
            f" ({1e6 * min(self.cpu):.0f} to {1e6 * max(self.cpu):.0f}), PostgreSQL's processes"
            f" {1e6 * statistics.median(self.beside):4.0f} µs; {logged.statements:.2f} statements,"
            f" {1 / logged.transactions:.1f} tokens a transaction; {statistics.median(self.rates):4.0f} tokens a"
            f" second, p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        )


class Logged(NamedTuple):
    """What the servers do meanwhile, per token or second, by PostgreSQL's log. `transactions`: of the records."""

    statements: float
    transactions: float


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
        running.append(Server(folder / name, **given).start(as_shipped=True))
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


def logged(cluster: Cluster, setup: Setup, work: Callable[[], float]) -> Logged:
    """Return the log's numbers for each unit that `work` reports."""
    log = cluster.folder / "log"
    with cluster.admin() as connection:
        connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        connection.execute("SELECT pg_reload_conf()")
        time.sleep(1)
        start = log.stat().st_size
        count = work()
        time.sleep(0.2)
        with log.open("rb") as file:
            file.seek(start)
            lines = file.read().decode("utf-8", "replace").splitlines()
        connection.execute("ALTER SYSTEM RESET log_statement")
        connection.execute("SELECT pg_reload_conf()")
    found = [one for one in map(STATEMENT.match, lines) if one is not None and one[1] in setup.databases]
    commits = sum(one[1] == setup.databases[0] and one[2] == "COMMIT" for one in found)
    return Logged(len(found) / count, commits / count)


def idle(cluster: Cluster, setup: Setup) -> str:
    """What a server costs that nobody asks, in a sentence."""
    before, beside = setup.cpu(), postgres_cpu()
    time.sleep(IDLE_SECONDS)
    count = IDLE_SECONDS * len(setup.targets)
    cpu, other = (setup.cpu() - before) / count, (postgres_cpu() - beside) / count

    def rest() -> float:
        time.sleep(IDLE_SECONDS)
        return count

    by_log = logged(cluster, setup, rest)
    return f"{1e3 * cpu:.1f} ms CPU a second, PostgreSQL {1e3 * other:.1f} ms, {by_log.statements:.1f} statements"


def main() -> None:
    with setups() as (cluster, one, two):
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
        alone = Load("one server", one, CONNECTIONS)
        as_much = Load("two servers, each as many connections", two, CONNECTIONS)
        half = Load("two servers, half the connections each", two, CONNECTIONS // 2)
        loads = [alone, as_much, half]
        for load in loads:
            load.setup.send(REQUESTS, load.connections)
        with Waits(cluster, two.databases) as waits:
            for number in range(ROUNDS):
                for load in loads if number % 2 else reversed(loads):
                    load.measure()
        by_log = {load.name: logged(cluster, load.setup, load.send_counted) for load in loads}
        at_rest = idle(cluster, two)
    for load in loads:
        load.tell(by_log[load.name])
    for load in (as_much, half):
        servers = statistics.median(b / a for a, b in zip(alone.cpu, load.cpu, strict=True))
        whole = statistics.median(load.cpu) + statistics.median(load.beside)
        whole /= statistics.median(alone.cpu) + statistics.median(alone.beside)
        count = by_log[load.name].statements / by_log[alone.name].statements
        print(
            f"{load.name} : one server, a token    CPU of the servers {servers:.2f}, of all processes {whole:.2f},"
            f" statements {count:.2f}   (at most 1.1)"
        )
    share = 100 * waits.waits / waits.looks
    print(f"moments at which a server waits for a lock    {share:.2f} %   (under 1; {waits.looks} looks)")
    print(f"a server that nobody asks                     {at_rest}")
    print(
        "Both servers, PostgreSQL and the load share these cores: the throughput of two says nothing of two machines."
    )


if __name__ == "__main__":
    main()
