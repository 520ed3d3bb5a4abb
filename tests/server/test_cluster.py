"""Two servers, two judges, PostgreSQL and Redis, and processes of every kind killed while people verify themselves."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.evaluation.device import Device, DeviceError, DeviceLimits
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from tests.support.images import base64_of, sample, sample_picture
from tests.support.postgres import cluster
from tests.support.redis import RedisServer
from tests.support.server import Server, result
from tests.support.server import token as issue
from tests.support.switchboard import Switchboard

pytestmark = [pytest.mark.stress, pytest.mark.cluster]

PEOPLE = 8
AT_ONCE = 2
KILLING_SECONDS = 90.0
FINISHED_WITHIN = 600.0
LIVENESS = ("1004", "1005")  # a busy machine that sees too few frames


class Judge:
    """`renzheng judge` as a process."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self._folder / "judge.log").open("ab") as log:
            command = [sys.executable, "-m", "renzheng", "judge"]
            self.process = subprocess.Popen(command, env=self._environment, cwd=self._folder, stdout=log, stderr=log)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(10)


class Cluster:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records, keys = cluster().create(), cluster().create()
        self.redis = RedisServer(folder)
        given: dict[str, object] = {
            "database_url": self.records,
            "keys_url": keys,
            "data_dir": folder / "data",
            "keys_dir": folder / "keys",
            "redis_url": self.redis.url,
            "judge_here": False,
            "lease_seconds": 3,
            "attempts": 5,
        }
        self.servers = []
        for name in ("one", "other"):
            (folder / name).mkdir()
            self.servers.append(Server(folder / name, **given).start())
        self.judges = [Judge(self.servers[0].environment, folder) for _ in range(2)]
        for judge in self.judges:
            judge.start()
        self.door = Switchboard([server.port for server in self.servers])
        self.key = self.servers[0].key()
        self.killed: list[str] = []

    def kill_for(self, seconds: float, seed: int) -> None:
        """One process after another, each started again; never the last server that answers."""
        chance, end = random.Random(seed), time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(chance.uniform(2, 6))
            kind = chance.choice(["server", "judge", "judge", "redis"])
            self.killed.append(kind)
            if kind == "redis":
                self.redis.stop()
                time.sleep(1)
                self.redis.start()
            elif kind == "judge":
                judge = chance.choice(self.judges)
                judge.kill()
                judge.start()
            else:
                server = chance.choice(self.servers)
                server.kill()
                server.start(within=180)

    def person(self, pool: ProcessPoolExecutor, seed: int) -> Future[tuple[str, str]]:
        return pool.submit(verify, self.folder, self.door.port, self.key, seed)

    def stop(self) -> None:
        for judge in self.judges:
            judge.kill()
        for server in self.servers:
            server.stop()
        self.door.stop()
        self.redis.stop()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.records, autocommit=True) as records:
            return records.execute(sql).fetchall()


def people() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(AT_ONCE, get_context("spawn"))


def again(call: Callable[[], Any]) -> Any:
    """As an SDK's user does whose call met a server that died."""
    end = time.monotonic() + 60
    while True:
        try:
            return call()
        except TencentCloudSDKException:
            assert time.monotonic() < end
            time.sleep(0.2)


def verify(folder: Path, port: int, key: tuple[str, str], seed: int) -> tuple[str, str]:
    """Token and Result of one person who complies; in a process of its own, as a puppet is not shared."""
    front = Server(folder)
    front.port, front.url = port, f"http://127.0.0.1:{port}"
    made = str(again(lambda: issue(front.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()))))
    scene = Performance(Puppet(sample_picture()), "head", seed=seed)
    device = Device(front.url, made, scene, limits=DeviceLimits(reconnects=100, seconds=FINISHED_WITHIN))
    try:
        asyncio.run(device.run())
    except DeviceError as error:
        return made, f"{error}"
    return made, str(again(lambda: result(front.sdk(key), made)).Result)


@pytest.mark.timeout(FINISHED_WITHIN + 300)
def test_kills_of_every_kind_lose_nothing_and_judge_nothing_twice(tmp_path: Path) -> None:
    found = Cluster(tmp_path)
    try:
        killer = threading.Thread(target=found.kill_for, args=(KILLING_SECONDS, 7))
        killer.start()
        with people() as pool:
            ended = [one.result() for one in [found.person(pool, seed) for seed in range(PEOPLE)]]
        killer.join()
        results = [code for _, code in ended]
        print(f"killed: {found.killed}; results: {results}")
        assert set(results) <= {"0", *LIVENESS}
        assert results.count("0") >= PEOPLE // 2
        # A call whose answer was lost has left a token behind, which nobody used.
        states = found.rows("SELECT state FROM sessions WHERE state NOT IN ('issued', 'expired')")
        assert {state for (state,) in states} <= {"passed", "failed"}
        assert len(states) == PEOPLE
        assert found.rows("SELECT session_id FROM verdicts GROUP BY session_id HAVING count(*) > 1") == []
        assert found.rows("SELECT session_id FROM ledger GROUP BY session_id HAVING count(*) > 1") == []
        assert found.rows("SELECT count(*) FROM verdicts") == [(PEOPLE,)]
    finally:
        found.stop()


def ready(server: Server) -> bool:
    try:
        with urllib.request.urlopen(f"{server.operator_url}/readyz", timeout=30):
            return True
    except OSError:
        return False


@pytest.mark.timeout(600)
def test_a_rolling_restart_ends_no_verification(tmp_path: Path) -> None:
    """Each server is asked to end, and started again, while people are in the middle of their attempts."""
    found = Cluster(tmp_path)
    try:
        with people() as pool:
            verified = [found.person(pool, seed) for seed in range(AT_ONCE)]
            for server in found.servers:
                time.sleep(4)  # into an attempt
                server.stop()
                server.start(within=180)
                while not ready(server):
                    time.sleep(0.1)
            results = [one.result()[1] for one in verified]
        assert set(results) <= {"0", *LIVENESS}
        assert "0" in results
    finally:
        found.stop()
