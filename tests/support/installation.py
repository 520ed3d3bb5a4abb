"""What docs/growing.md ends with, as processes on this machine: PostgreSQL, Redis, an S3, nginx, servers, judges.

Each process is started again when it ends, as a service manager does it; `kinds` says what may be killed.
"""

from __future__ import annotations

import contextlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tencentcloud.common import credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.faceid.v20180301 import faceid_client

from tests.support.cos import KEY_ID, NAME, REGION, SECRET, Buckets
from tests.support.images import ROOT
from tests.support.nginx import Nginx, listens
from tests.support.postgres import Cluster
from tests.support.ray import RayCluster
from tests.support.redis import RedisServer
from tests.support.server import PATIENCE, Server, free_port, until
from tests.support.server import REGION as API_REGION

EVIDENCE = "evidence"
START_SECONDS = 180.0


class Kept(threading.Thread):
    """A process that is started again whenever it ends. `begin` starts it, waits until it works, and raises
    AssertionError where it does not come up: then it is tried again.

    `fell`: how often it ended by itself. `slow`: how often it did not come up.
    """

    def __init__(self, begin: Callable[[], subprocess.Popen[bytes]]) -> None:
        super().__init__(daemon=True)
        self._begin = begin
        self._is_over = False
        self._is_told = False
        self.process: subprocess.Popen[bytes] | None = None
        self.is_up = threading.Event()
        self.fell = self.slow = 0

    def run(self) -> None:
        while not self._is_over:
            try:
                self.process = self._begin()
            except AssertionError:
                self.slow += 1
                continue
            self._is_told = False
            self.is_up.set()
            self.process.wait()
            self.is_up.clear()
            self.fell += not self._is_told

    def end(self, number: signal.Signals) -> None:
        """It comes back by itself."""
        assert self.process is not None
        self._is_told = True
        self.is_up.clear()
        self.process.send_signal(number)

    def close(self) -> None:
        self._is_over = self._is_told = True
        if self.process is not None:
            self.process.kill()
        self.join(START_SECONDS)
        if self.process is not None:
            self.process.kill()  # one that was coming up


class ObjectStore:
    """An S3 behind a process that can be killed and stopped; what is stored outlives that."""

    def __init__(self, folder: Path) -> None:
        self.port, self._inner = free_port(), free_port()
        self._log = (folder / "s3.log").open("ab")
        self._s3 = self._run("tests.support.cos", self._inner)
        self._start_front()
        self.url = f"http://127.0.0.1:{self.port}"
        self.buckets = Buckets(f"http://127.0.0.1:{self._inner}")
        self.buckets.make_bucket()
        self.buckets.make_bucket(EVIDENCE)

    def _run(self, module: str, *ports: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, *map(str, ports)]
        made = subprocess.Popen(command, cwd=ROOT, stdout=self._log, stderr=self._log)
        until(lambda: listens(ports[0]))
        return made

    def _start_front(self) -> None:
        self._front = self._run("tests.support.switchboard", self.port, self._inner)

    def outage(self, seconds: float, *, hangs: bool) -> None:
        """Refuses, or takes connections and says nothing."""
        if hangs:
            self._front.send_signal(signal.SIGSTOP)
            time.sleep(seconds)
            self._front.send_signal(signal.SIGCONT)
            return
        self.cut()
        time.sleep(seconds)
        self.mend()

    def cut(self) -> None:
        self._front.kill()
        self._front.wait()

    def mend(self) -> None:
        self._start_front()

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment with which evidence is found."""
        return {
            "AWS_ENDPOINT_URL": self.url, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "own", "AWS_SECRET_ACCESS_KEY": "own",
        }  # fmt: skip

    def stop(self) -> None:
        for process in (self._front, self._s3):
            process.kill()
            process.wait()
        self._log.close()


class Installation:
    """All of it, running. `settings`: of the servers and the judges, beside those that the parts need. `ray`: where
    the judges have their engine."""

    def __init__(self, folder: Path, judges: int = 2, ray: RayCluster | None = None, **settings: object) -> None:
        self.folder, self.ray = folder, ray
        self._short = Path(tempfile.mkdtemp(prefix="rzpg", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self._short.chmod(0o755)
        # What was committed has to be there after a kill; only the machine's own end is left out.
        self.postgres = Cluster(self._short / "s", synchronous_commit="on")
        self.records, keys = self.postgres.create(), self.postgres.create()
        self.redis = RedisServer(folder)
        self.store = ObjectStore(folder)
        ports = [free_port() for _ in range(2)]
        self.nginx = Nginx(folder / "nginx", free_port(), ports)
        self.nginx.start()
        self.url = f"https://127.0.0.1:{self.nginx.port}"
        given = {
            "database_url": self.records,
            "keys_url": keys,
            "keys_dir": folder / "keys",
            "redis_url": self.redis.url,
            "evidence_url": f"s3://{EVIDENCE}/renzheng",
            "bucket_proxy": self.store.url,
            "judge_here": False,
            "public_url": self.url,
            "trusted_proxies": "127.0.0.1",
            **settings,
        }
        self.servers = [self._server(folder / name, port, given) for name, port in zip("ab", ports, strict=True)]
        self.kept = {f"server {server.folder.name}": Kept(_starting(server)) for server in self.servers}
        self.kept |= {f"judge {number}": Kept(self._judging(number)) for number in range(1, judges + 1)}
        for one in self.kept.values():  # the first makes the keys
            one.start()
            if one is self.kept["server a"]:
                assert one.is_up.wait(START_SECONDS)
        self.key = self.servers[0].key()
        self.killed: Counter[str] = Counter()

    def _server(self, folder: Path, port: int, given: dict[str, object]) -> Server:
        folder.mkdir()
        made = Server(folder, data_dir=folder / "data", port=port, **given)
        made.port, made.url = port, f"http://127.0.0.1:{port}"
        made.environment |= self.store.environment
        return made

    def _judging(self, number: int) -> Callable[[], subprocess.Popen[bytes]]:
        folder, port = self.folder / f"judge{number}", free_port()
        folder.mkdir()
        environment = {**self.servers[0].environment, "RENZHENG_DATA_DIR": str(folder / "data")}
        if self.ray is not None:
            environment |= self.ray.environment

        def begin() -> subprocess.Popen[bytes]:
            with (folder / "judge.log").open("ab") as log:
                command = [sys.executable, "-m", "renzheng", "judge", "--operator-port", str(port)]
                process = subprocess.Popen(
                    command, env=environment, cwd=folder, stdout=log, stderr=log, start_new_session=True
                )
            until(lambda: listens(port) or process.poll() is not None, START_SECONDS)
            assert process.poll() is None, "the judge did not start"
            return process

        return begin

    def wait(self) -> Installation:
        """Wait until every process is up, and the servers see the judges."""
        for one in self.kept.values():
            assert one.is_up.wait(START_SECONDS)
        until(lambda: all(ready(server) for server in self.servers), START_SECONDS)
        return self

    def authorise_bucket(self) -> None:
        self.servers[0].command(
            *("bucket", "authorise", NAME, "--region", REGION, "--endpoint", f"http://cos.{REGION}.myqcloud.com"),
            *("--style", "virtual", "--prefix", "faceid", "--key-id", KEY_ID),
            given=f"{SECRET}\n",
        )

    def sdk(self) -> faceid_client.FaceidClient:
        """The official SDK, through nginx."""
        http = HttpProfile(
            endpoint=self.url.removeprefix("https://"), reqTimeout=30, certification=str(self.nginx.chain)
        )
        return faceid_client.FaceidClient(credential.Credential(*self.key), API_REGION, ClientProfile(httpProfile=http))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.records, autocommit=True) as records:
            return records.execute(sql).fetchall()

    # -- what befalls it

    def kill_for(self, seconds: float, seed: int) -> None:
        """One process after another, all kinds in turns, and several may be away at once; one server answers always."""
        chance, end, bag = random.Random(seed), time.monotonic() + seconds, list[str]()
        while time.monotonic() < end:
            if not bag:
                bag = ["server a", "server b", "judge 1", "judge 2", "postgres", "redis", "s3", "nginx"]
                bag += ["replica"] if self.ray else []
                chance.shuffle(bag)
            time.sleep(chance.uniform(1.5, 4.0))
            self.strike(bag.pop(), chance)

    def strike(self, name: str, chance: random.Random) -> None:
        """Kill it, or ask it to end, or let it stand still; it comes back."""
        gently, pause = chance.random() < 0.3, chance.uniform(0.0, 2.0)
        kind = name.split()[0]
        if kind in ("server", "judge"):
            alike = [one for other, one in self.kept.items() if other.split()[0] == kind]
            if sum(one.is_up.is_set() for one in alike) < len(alike):
                return
            self.kept[name].end(signal.SIGTERM if gently else signal.SIGKILL)
        elif kind == "postgres":
            self.postgres.stop("immediate") if gently else self.postgres.kill()
            time.sleep(pause)
            self.postgres.start_again()
        elif kind == "replica":
            if not self.ray or not self.ray.kill_replica():
                return
        elif kind == "redis":
            self.redis.stop()
            time.sleep(pause)
            self.redis.start()
        elif kind == "s3":
            self.store.outage(2 * pause, hangs=gently)
        else:
            self.nginx.stop() if gently else self.nginx.kill()
            time.sleep(pause / 2)
            self.nginx.start()
        self.killed[f"{kind}, gently" if gently else kind] += 1

    def told(self) -> str:
        fell = {name: one.fell for name, one in self.kept.items() if one.fell}
        slow = {name: one.slow for name, one in self.kept.items() if one.slow}
        return f"killed {dict(self.killed)}; ended by themselves {fell}; started in vain {slow}"

    def stop(self) -> None:
        for one in self.kept.values():
            one.close()
        for server in self.servers:
            server.kill()
        self.nginx.kill()
        self.store.stop()
        self.redis.stop()
        self.postgres.stop("immediate")
        shutil.rmtree(self._short, ignore_errors=True)


def _starting(server: Server) -> Callable[[], subprocess.Popen[bytes]]:
    def begin() -> subprocess.Popen[bytes]:
        process = server.start(START_SECONDS, as_shipped=True).process
        assert isinstance(process, subprocess.Popen)
        return process

    return begin


def ready(server: Server) -> bool:
    """Whether it would take people."""
    try:
        with urllib.request.urlopen(f"{server.operator_url}/readyz", timeout=PATIENCE):
            return True
    except OSError:
        return False


@contextlib.contextmanager
def running_installation(folder: Path, patch: pytest.MonkeyPatch, **given: Any) -> Iterator[Installation]:
    """An installation that works, with its bucket authorised, whose certificate this process trusts. `given`: as
    `Installation` takes it."""
    found = Installation(folder, **given)
    patch.setenv("SSL_CERT_FILE", str(found.nginx.chain))
    try:
        found.wait().authorise_bucket()
        yield found
    finally:
        found.stop()
