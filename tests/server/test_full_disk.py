"""The running server on a disk of 40 MB: it refuses with a sentence, goes on answering, and heals by itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pybase64
import pytest
from tencentcloud.common.exception.tencent_cloud_sdk_exception import TencentCloudSDKException

from renzheng.store.sqlite import connect
from tests.support.images import drawn
from tests.support.server import Server, result, token, until
from tests.support.wire import Wire

pytestmark = [pytest.mark.stress, pytest.mark.disk, pytest.mark.timeout(300)]
MIB = 1 << 20
BUSINESS = {"CompareLib": "BUSINESS", "IdCard": "11204416541220243X", "Name": "韦小宝"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m,mode=700", "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a tmpfs is not permitted here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def readiness(server: Server) -> tuple[int, dict[str, str]]:
    try:
        with urllib.request.urlopen(f"{server.operator_url}/readyz", timeout=5) as reply:
            return reply.status, json.load(reply)["reasons"]
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)["reasons"]


def free(folder: Path) -> int:
    told = os.statvfs(folder)
    return told.f_bavail * told.f_frsize


def until_refused(client: Any, fields: dict[str, str], most: int) -> tuple[list[str], str]:
    """Tokens until one is refused, and the error's code; empty where none was of so many."""
    issued: list[str] = []
    try:
        while len(issued) < most:
            issued.append(token(client, **fields))
    except TencentCloudSDKException as refused:
        return issued, str(refused.code)
    return issued, ""


def kept(server: Server) -> int:
    """How many verifications have evidence."""
    records = connect(server.data_dir / "renzheng.db", busy_timeout=5)
    count = records.execute("SELECT count(*) FROM sessions WHERE has_evidence = 1").fetchone()[0]
    records.close()
    return int(count)


def fill(path: Path) -> None:
    """Take every byte that is left."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (MIB, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(size))


def test_photos_fill_a_disk_and_their_expiry_frees_it(disk: Path, tmp_path: Path) -> None:
    server = Server(disk, token_seconds=25, sweep_seconds=1, requests_per_second=1000)
    server.log = tmp_path / "server.log"
    server.start()
    try:
        client = server.sdk()
        photo = {"CompareLib": "LOCAL", "ImageBase64": pybase64.b64encode(drawn() + os.urandom(400_000)).decode()}
        issued, refusal = until_refused(client, photo, 200)
        filled = time.monotonic()
        assert refusal == "ServiceUnavailable"
        assert len(issued) > 40
        assert free(disk) < 2.5 * MIB
        assert result(client, issued[0]).Result == "17"
        with Wire(server) as wire:
            wire.hello(issued[0])
            wire.until("welcome")
            wire.say("start")
            assert wire.closed() == 4503
        until(lambda: "disk_is_short" in server.log.read_text(), 5)
        assert "kept free" in server.log.read_text()
        fill(disk / "junk")
        assert free(disk) == 0
        code, reasons = readiness(server)
        assert code == 503
        assert "store" in reasons
        assert result(client, issued[1]).Result == "17"
        assert until_refused(client, BUSINESS, 2000)[1] == "ServiceUnavailable"  # once the log's own room is used up
        assert "FailedOperation.UnKnown" not in server.log.read_text()
        assert time.monotonic() - filled < 20
        # The junk stays: what the expired tokens leave is enough.
        until(lambda: free(disk) > 15 * MIB, 40)
        until(lambda: readiness(server)[0] == 200, 15)
        assert result(client, token(client, **photo)).Result == "17"
        assert result(client, issued[0]).Result == "15"
        assert 'renzheng_free_bytes{folder="data"}' in server.metrics()
        until(lambda: "disk_has_room" in server.log.read_text(), 5)
        until(lambda: kept(server) <= 1, 40)  # the one that was issued last
    finally:
        server.stop()
    records = connect(server.data_dir / "renzheng.db", busy_timeout=5)
    assert records.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    records.close()


def test_a_server_that_is_killed_on_a_full_disk_starts_again_and_heals(disk: Path, tmp_path: Path) -> None:
    server = Server(disk, token_seconds=10, sweep_seconds=1, requests_per_second=1000)
    server.log = tmp_path / "server.log"
    server.start()
    client = server.sdk()
    photo = {"CompareLib": "LOCAL", "ImageBase64": pybase64.b64encode(drawn() + os.urandom(1_000_000)).decode()}
    issued = [token(client, **photo) for _ in range(10)]
    fill(disk / "junk")
    server.kill()
    fill(disk / "junk2")
    server.start()
    try:
        until(lambda: free(disk) > 8 * MIB, 40)
        until(lambda: readiness(server)[0] == 200, 15)
        assert result(server.sdk(), issued[0]).Result == "15"
        assert token(server.sdk(), **photo)
    finally:
        server.stop()
