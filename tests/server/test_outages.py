"""A server whose PostgreSQL, Redis or object store is away, when it starts and while it runs: whoever asks is told to
come again, the log has the cause in a sentence, and all goes on when they are back."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
from tencentcloud.common import credential
from tencentcloud.common.common_client import CommonClient
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile

from renzheng.console.door import SESSION_COOKIE
from renzheng.evaluation.device import Device, DeviceLimits
from renzheng.evaluation.performance import Performance
from renzheng.management.product import SERVICE, VERSION
from tests.support.images import base64_of, sample
from tests.support.installation import EVIDENCE, ObjectStore
from tests.support.postgres import Cluster
from tests.support.puppets import sample_puppet
from tests.support.redis import RedisServer
from tests.support.server import PATIENCE, Server, free_port, result, until
from tests.support.server import token as issue
from tests.support.wire import Wire

pytestmark = [pytest.mark.stress, pytest.mark.cluster, pytest.mark.timeout(400)]

BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}
LOCAL = {"CompareLib": "LOCAL", "ImageBase64": base64_of(sample())}
LEASE = 5
FAULTS = (
    "Traceback",
    "FailedOperation.UnKnown",
    "InternalError",
    "background_failed",
    "never retrieved",
    "capture_failed",
)


class Site:
    """One server, what it stands on, and a process that judges for it."""

    def __init__(self, folder: Path) -> None:
        self._short = Path(tempfile.mkdtemp(prefix="rzpg", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self._short.chmod(0o755)
        self.postgres = Cluster(self._short / "s", synchronous_commit="on")
        self.redis = RedisServer(folder)
        self.store = ObjectStore(folder)
        self.records = self.postgres.create()
        self.server = Server(
            folder,
            database_url=self.records,
            keys_url=self.postgres.create(),
            redis_url=self.redis.url,
            evidence_url=f"s3://{EVIDENCE}/renzheng",
            evidence_seconds=2,
            database_connect_seconds=2,
            judge_here=False,
            lease_seconds=LEASE,
        )
        self.server.environment |= self.store.environment
        self.judge_log = folder / "judge.log"
        self.judge_port = free_port()
        self.judge: subprocess.Popen[bytes] | None = None

    def start_judge(self) -> None:
        command = [sys.executable, "-m", "renzheng", "judge", "--operator-port", str(self.judge_port)]
        with self.judge_log.open("ab") as log:
            self.judge = subprocess.Popen(
                command, env=self.server.environment, cwd=self.server.folder, stdout=log, stderr=log
            )

    def said(self) -> str:
        return self.server.log.read_text() + (self.judge_log.read_text() if self.judge_log.exists() else "")

    def stop(self) -> None:
        if self.judge is not None:
            self.judge.kill()
            self.judge.wait(PATIENCE)
        self.server.stop()
        self.store.stop()
        self.redis.stop()
        self.postgres.stop("immediate")
        shutil.rmtree(self._short, ignore_errors=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("site"))
    yield made
    made.stop()


@pytest.fixture
def running(site: Site) -> None:
    """The site has its server and its judge, whichever test comes first."""
    if site.server.process is None:
        site.server.start()
    if site.judge is None:
        site.start_judge()
    until(lambda: is_ready(site.server.operator_port) and is_ready(site.judge_port))


def ask(url: str, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Status and body; 0 where nothing listens."""
    try:
        request = urllib.request.Request(url, headers=dict(headers or {}))
        with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def code_of(call: Callable[[], object]) -> str:
    """Return the code of the error with which a call is answered; empty for a success."""
    try:
        call()
    except TencentCloudSDKException as refused:
        return str(refused.code)
    return ""


def close_of(server: Server, token: str) -> int:
    """The code by which a device is sent away that wants to begin."""
    with Wire(server) as wire:
        wire.hello(token)
        wire.say("start")
        return wire.closed()


def is_ready(port: int) -> bool:
    return ask(f"http://127.0.0.1:{port}/readyz")[0] == 200


def test_a_server_and_a_judge_that_start_first_wait_for_the_rest(site: Site) -> None:
    server, refused = site.server, list[AssertionError]()
    site.postgres.stop()
    site.store.cut()

    def start() -> None:
        try:
            server.start()
        except AssertionError as error:
            refused.append(error)

    starting = threading.Thread(target=start)
    starting.start()
    site.start_judge()
    for port in (server.operator_port, site.judge_port):
        until(lambda: "PostgreSQL" in ask(f"http://127.0.0.1:{port}/readyz")[1])  # noqa: B023 - called at once
        assert ask(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
    site.postgres.start()
    until(lambda: "object store" in ask(f"{server.operator_url}/readyz")[1])
    assert "the start waits" in ask(f"{server.operator_url}/readyz")[1]
    site.store.mend()
    starting.join()
    assert refused == []
    until(lambda: is_ready(server.operator_port) and is_ready(site.judge_port))
    assert site.said().count("start_waits") >= 4
    assert not any(fault in site.said() for fault in FAULTS)


def test_a_wait_that_is_over_ends_the_start_with_its_cause(tmp_path: Path) -> None:
    server = Server(
        tmp_path, database_url="postgresql://a@127.0.0.1:9/b", keys_url="postgresql://a@127.0.0.1:9/c", start_seconds=1
    )
    begun = time.monotonic()
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1:9/c cannot be used: OperationalError \(nothing listens"):
        server.start()
    assert time.monotonic() - begun > 1


@pytest.mark.usefixtures("running")
def test_without_the_object_store_photos_are_refused_and_the_rest_goes_on(site: Site) -> None:
    client = site.server.sdk()
    before = issue(client, **LOCAL)
    site.store.cut()
    try:
        assert code_of(lambda: issue(client, **LOCAL)) == "ServiceUnavailable"
        assert "the object store s3://evidence/renzheng cannot be used" in site.said()
        assert result(client, issue(client, **BUSINESS)).Result == "17"
        assert close_of(site.server, before) == 1012
        assert "capture_unavailable" in site.said()
        assert ask(f"{site.server.url}/healthz") == (200, "ok\n")
    finally:
        site.store.mend()
    assert issue(client, **LOCAL)


@pytest.mark.usefixtures("running")
def test_a_verdict_waits_for_the_object_store_however_long(site: Site) -> None:
    """Longer than all the leases that a session may lose."""
    assert site.judge is not None
    for seed in range(3):  # on a busy machine too few frames may come
        token = issue(site.server.sdk(), **LOCAL)
        site.judge.send_signal(signal.SIGSTOP)
        scene = Performance(sample_puppet(), "head", seed=seed)
        device = Device(site.server.url, token, scene, limits=DeviceLimits(reconnects=20, seconds=200))
        running = threading.Thread(target=lambda: asyncio.run(device.run()))  # noqa: B023 - joined below
        running.start()
        until(lambda: bool(rows(site, "SELECT 1 FROM sessions WHERE state = 'judging'")))
        site.store.cut()
        try:
            site.judge.send_signal(signal.SIGCONT)
            time.sleep(4.5 * LEASE)
            assert rows(site, "SELECT state, lost_leases < 2 FROM sessions WHERE state = 'judging'") == [
                ("judging", True)
            ]
            assert "judging_put_off" in site.said()
        finally:
            site.store.mend()
        running.join()
        if (said := result(site.server.sdk(), token).Result) not in ("1004", "1005"):
            break
    assert said == "0"
    assert not any(fault in site.said() for fault in FAULTS)


def rows(site: Site, sql: str) -> list[tuple[object, ...]]:
    with psycopg.connect(site.records, autocommit=True) as records:
        return records.execute(sql.encode()).fetchall()


@pytest.mark.usefixtures("running")
def test_without_redis_each_server_counts_alone(site: Site) -> None:
    client = site.server.sdk()
    site.redis.stop()
    try:
        token = issue(client, **BUSINESS)
        assert result(client, token).Result == "17"
        with Wire(site.server) as wire:
            wire.hello(token)
            wire.until("welcome")
        assert "redis_is_away" in site.said()
    finally:
        site.redis.start()
    until(lambda: not code_of(lambda: issue(client, **BUSINESS)) and "redis_is_back" in site.said())
    assert not any(fault in site.said() for fault in FAULTS)


@pytest.mark.usefixtures("running")
def test_without_postgresql_everybody_is_told_to_come_again(site: Site) -> None:
    server = site.server
    owner = server.json("operator", "add", "an owner", "--role", "owner", "--show-key")
    until(lambda: code_of(lambda: managing(server, owner)("DescribeAccounts", {})) == "")
    client, token = server.sdk(), issue(server.sdk(), **BUSINESS)
    with Wire(server) as under_way:
        under_way.hello(token)
        under_way.until("welcome")
        site.postgres.stop("immediate")
        try:
            assert code_of(lambda: issue(client, **BUSINESS)) == "ServiceUnavailable"
            assert code_of(lambda: issue(client, **LOCAL)) == "ServiceUnavailable"
            assert code_of(lambda: result(client, token)) == "ServiceUnavailable"
            for action, given in (("DescribeAccounts", {}), ("CreateAccount", {"Name": "bank"})):
                assert code_of(lambda: managing(server, owner)(action, given)) == "ServiceUnavailable"  # noqa: B023
            assert under_way.closed() == 1012
            assert close_of(server, token) == 1012
            code, page = ask(f"{server.operator_url}/console", {"Cookie": f"{SESSION_COOKIE}=whoever-it-is"})
            assert (code, "cannot be used" in page or "无法使用" in page) == (503, True)
            for words in (("account", "list"), ("key", "create"), ("vault", "status")):
                refused = subprocess.run(
                    [sys.executable, "-m", "renzheng", *words],
                    env=server.environment, capture_output=True, text=True, check=False,
                )  # fmt: skip
                assert refused.returncode == 1
                assert "cannot be used" in refused.stderr
                assert "Traceback" not in refused.stderr
            until(lambda: ask(f"{server.operator_url}/readyz")[0] == 503)
            for port in (server.operator_port, site.judge_port):
                assert ask(f"http://127.0.0.1:{port}/metrics")[0] == 200
                assert ask(f"http://127.0.0.1:{port}/healthz") == (200, "ok\n")
            time.sleep(12)  # every part behind the answers has met it
        finally:
            site.postgres.start()
    until(lambda: is_ready(server.operator_port) and code_of(lambda: issue(client, **BUSINESS)) == "")
    assert result(client, token).Result == "17"
    assert code_of(lambda: managing(server, owner)("CreateAccount", {"Name": "bank"})) == ""
    found = [line for line in site.said().splitlines() if any(fault in line for fault in FAULTS)]
    assert found == []


def managing(server: Server, key: dict[str, str]) -> Callable[[str, Mapping[str, object]], object]:
    http = HttpProfile(protocol="http", endpoint=f"127.0.0.1:{server.operator_port}", reqTimeout=round(PATIENCE))
    proven = credential.Credential(key["secret_id"], key["secret_key"])
    client = CommonClient(SERVICE, VERSION, proven, "ap-guangzhou", ClientProfile(httpProfile=http))
    return lambda action, given: json.dumps(client.call_json(action, dict(given)))
