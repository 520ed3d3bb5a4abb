"""A server that is killed in the middle of a verification comes back, and nothing that was acknowledged is lost."""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from renzheng.evaluation.device import Device, DeviceEvent, DeviceLimits
from renzheng.evaluation.performance import Performance
from renzheng.evaluation.puppet import Puppet
from renzheng.store.open import open_store
from tests.support.images import base64_of, sample
from tests.support.puppets import sample_puppet
from tests.support.server import Server, result
from tests.support.server import token as issue

DEVICE_SECONDS = 300  # far more than a verification takes on a busy machine


@pytest.fixture(scope="module")
def puppet() -> Puppet:
    return sample_puppet()


@dataclass
class Watched:
    """A device in a thread of its own; `acknowledged` are the current attempt's sequences in the order they came."""

    server: Server
    token: str
    puppet: Puppet
    seed: int
    judging: threading.Event = field(default_factory=threading.Event)
    first_ack: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[int] = field(default_factory=list)
    passed: bool | None = None
    error: BaseException | None = None

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._run)
        thread.start()
        return thread

    def _run(self) -> None:
        scene = Performance(self.puppet, "head", seed=self.seed)
        limits = DeviceLimits(reconnects=200, seconds=DEVICE_SECONDS)
        try:
            self.passed = asyncio.run(
                Device(self.server.url, self.token, scene, limits=limits, tell=self._tell).run()
            ).passed
        except BaseException as error:
            self.error = error

    def _tell(self, event: DeviceEvent) -> None:
        if event.kind == "ack":
            self.acknowledged.append(event.fields["sequence"])
            self.first_ack.set()
        elif event.kind == "attempt_over":
            self.acknowledged.clear()
        elif event.kind == "judging":
            self.judging.set()


def rows(server: Server, sql: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(f"file:{server.data_dir}/renzheng.db?mode=ro", uri=True, timeout=10) as connection:
        return connection.execute(sql).fetchall()


async def stored_sequences(server: Server, session_id: int, attempt: int) -> set[int]:
    """What the store can open of an attempt's frames."""
    store = open_store(server.data_dir, server.keys_dir, time.time, os.urandom)
    await store.start(serving=False)
    try:
        return {record.sequence for record, jpeg in await store.sessions.frames(session_id, attempt) if jpeg}
    finally:
        await store.stop()


def one_kill(server: Server, puppet: Puppet, seed: int, in_judging: bool) -> str:
    """Run a verification, kill the server in it, bring it back. Returns the state that the database was found in."""
    dice = random.Random(seed)
    client = server.sdk()
    token = issue(client, CompareLib="LOCAL", ImageBase64=base64_of(sample()))
    watched = Watched(server, token, puppet, seed)
    thread = watched.start()
    if in_judging:
        assert watched.judging.wait(150), "it never came to judging"
        time.sleep(dice.uniform(0.0, 0.6))  # a judge needs little longer
    else:
        assert watched.first_ack.wait(150), "no frame was acknowledged"
        time.sleep(dice.uniform(0.0, 5.0))
    server.kill()
    known = list(watched.acknowledged)
    session_id, state, attempt = rows(server, "SELECT id, state, attempt FROM sessions ORDER BY id DESC LIMIT 1")[0]
    kept = asyncio.run(stored_sequences(server, session_id, attempt))
    lost = set(known) - kept
    assert not lost, f"killed in {state}: acknowledged frames are lost: {lost}"
    server.start(within=120)
    thread.join(DEVICE_SECONDS + 10)
    assert not thread.is_alive()
    assert watched.error is None, f"killed in {state}: {watched.error!r}"
    fetched = result(server.sdk(), token)
    assert fetched.Result in ("0", "1005"), f"killed in {state}: Result {fetched.Result}"
    assert watched.passed == (fetched.Result == "0")
    if state == "judging":
        assert fetched.Result == "0"
    assert rows(server, f"SELECT count(*) FROM verdicts WHERE session_id = {session_id}") == [(1,)]
    assert rows(server, f"SELECT count(*) FROM ledger WHERE session_id = {session_id}") == [(1,)]
    return str(state)


def run(folder: Path, puppet: Puppet, kills: int) -> list[str]:
    server = Server(folder, lease_seconds=2, lost_leases=5, step_seconds=10).start()
    try:
        return [one_kill(server, puppet, seed, in_judging=seed % 2 == 0) for seed in range(kills)]
    finally:
        server.stop()


def test_a_killed_server_comes_back_with_one_verdict_and_every_acknowledged_frame(
    tmp_path: Path, puppet: Puppet
) -> None:
    run(tmp_path, puppet, 2)


@pytest.mark.stress
@pytest.mark.races
def test_thirty_kills_lose_nothing(tmp_path: Path, puppet: Puppet) -> None:
    states = run(tmp_path, puppet, 30)
    print(f"killed in: { {state: states.count(state) for state in sorted(set(states))} }")
    assert states.count("judging") >= 10
