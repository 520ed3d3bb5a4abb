"""Two servers on one PostgreSQL: what one issues the other serves, and what one judges wakes who waits at the other."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from renzheng.evaluation.device import Device, DeviceLimits
from renzheng.evaluation.performance import Performance
from tests.support.images import base64_of, sample
from tests.support.postgres import cluster
from tests.support.puppets import sample_puppet
from tests.support.server import PATIENCE, Server, result, second, until
from tests.support.server import token as issue


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """The second leaves judging to the first."""
    records, keys = (cluster().create() for _ in range(2))
    one = Server(tmp_path_factory.mktemp("one"), database_url=records, keys_url=keys).start()
    other = second(one, tmp_path_factory.mktemp("other"), judge_here=False).start()
    yield one, other
    other.stop()
    one.stop()


def test_a_token_of_one_is_known_at_the_other_and_both_follow_a_change(pair: tuple[Server, Server]) -> None:
    one, other = pair
    key = one.key()
    made = issue(one.sdk(key), CompareLib="LOCAL", ImageBase64=base64_of(sample()), Extra="kept")
    assert result(other.sdk(key), made).Extra == "kept"
    until(lambda: 'renzheng_nodes{kind="server"} 2.0\n' in one.metrics())  # it sees the other at its next heartbeat


def test_a_verdict_of_one_wakes_the_device_that_waits_at_the_other(pair: tuple[Server, Server]) -> None:
    one, other = pair
    for seed in range(3):  # on a busy machine too few frames may come
        made = issue(one.sdk(), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
        scene = Performance(sample_puppet(), "head", seed=seed)
        device = Device(other.url, made, scene, limits=DeviceLimits(reconnects=5, seconds=120))
        outcome = asyncio.run(device.run())
        fetched = result(one.sdk(), made)
        if fetched.Result not in ("1004", "1005"):
            break
    assert (outcome.passed, fetched.Result) == (True, "0")
    assert 'step="verdict"' in one.metrics()
    assert 'step="verdict"' not in other.metrics()


def test_the_master_key_is_not_rotated_while_other_machines_would_miss_the_new_one(pair: tuple[Server, Server]) -> None:
    one, _ = pair
    with psycopg.connect(one.environment["RENZHENG_DATABASE_URL"], autocommit=True) as records:
        records.execute(
            "INSERT INTO nodes (id, kind, name, evidence, started_at, seen_at)"
            " VALUES (1, 'judge', 'elsewhere:7', '', 0, extract(epoch FROM clock_timestamp()) + 60)"
        )
        with pytest.raises(AssertionError, match="elsewhere:7 would not find the new master key"):
            one.command("vault", "rotate")
        records.execute("DELETE FROM nodes WHERE id = 1")
    assert [path.name for path in one.keys_dir.iterdir()] == ["master-1.key"]


def test_a_server_whose_evidence_is_elsewhere_is_refused(pair: tuple[Server, Server], tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="keeps evidence elsewhere"):
        second(pair[0], tmp_path, data_dir=tmp_path / "data").start()


def test_a_server_that_is_asked_to_end_is_gone_from_the_others_and_the_rest_goes_on(
    pair: tuple[Server, Server],
) -> None:
    one, other = pair
    one.stop()
    reasons = {}

    def ready() -> bool:
        try:
            with urllib.request.urlopen(f"{other.operator_url}/readyz", timeout=PATIENCE):
                return True
        except urllib.error.HTTPError as refused:
            reasons.update(json.loads(refused.read())["reasons"])
            return False

    until(lambda: not ready())  # its one judge is gone, which it sees at its next heartbeat
    assert list(reasons) == ["judges"]
    assert issue(other.sdk(other.key()), CompareLib="LOCAL", ImageBase64=base64_of(sample()))
