"""Processes that only judge: they take what servers captured, and one that is killed costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import simplejpeg

from renzheng.capture.verdicts import Verdicts
from renzheng.store.files import RECORDS_FILE
from renzheng.store.open import Store, open_store
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, EndReason, FrameRecord, State, StepRecord
from tests.support.images import sample_picture
from tests.support.server import PATIENCE, free_port

NONCE = b"n" * 16


class Judges:
    """`renzheng judge`, several of them, on the records of one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ,
            "RENZHENG_DATA_DIR": str(folder / "data"),
            "RENZHENG_KEYS_DIR": str(folder / "keys"),
            "RENZHENG_LEASE_SECONDS": "1",
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self.urls: list[str] = []

    def start(self) -> None:
        """One more, and wait until it is ready."""
        port = free_port()
        with (self.folder / "judge.log").open("ab") as log:
            command = [sys.executable, "-m", "renzheng", "judge", "--operator-port", str(port)]
            process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=log, stderr=log)
        self.running.append(process)
        url = f"http://127.0.0.1:{port}"
        self.urls.append(url)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/readyz", timeout=5):
                return
            time.sleep(0.05)
        raise AssertionError((self.folder / "judge.log").read_text())

    def stop(self) -> None:
        for process in self.running:
            process.terminate()
        for process in self.running:
            process.wait(PATIENCE)


@pytest.fixture(scope="module")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judges]:
    made = Judges(tmp_path_factory.mktemp("judges"))
    yield made
    made.stop()


def with_store(folder: Path, work: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        store = open_store(folder / "data", folder / "keys", time.time, os.urandom)
        await store.start(serving=False)
        try:
            await work(store)
        finally:
            await store.stop()

    asyncio.run(run())


async def hand_in(store: Store, token: str) -> int:
    """A verification whose capture is complete, as a server leaves it: of one picture again and again."""
    known = await store.accounts.all()
    account = known[0] if known else await store.accounts.create("shop", time.time())
    now, jpeg = time.time(), bytes(simplejpeg.encode_jpeg(sample_picture(), 90, "BGR"))
    session_id = await store.sessions.create(
        account.id, token, Details(CompareLib.LOCAL), jpeg, Policy(), now, lifetime=600
    )
    number = await store.sessions.begin_attempt(session_id, 0, ("blink",), now)
    assert number == 1
    for index, action in enumerate(("neutral", "blink")):
        step = StepRecord(index, action, NONCE, now + index, now + index + 5)
        assert await store.sessions.reveal(session_id, 1, step, index == 1, None)
    frames = [
        (FrameRecord(n, n // 12, NONCE, now + n / 12, hashlib.sha256(b"%d" % n).digest()), jpeg) for n in range(24)
    ]
    assert await store.sessions.store_frames(session_id, 1, frames)
    assert await store.sessions.submit(session_id, 1, EndReason.COMPLETED, now + 3)
    return session_id


def row(folder: Path, sql: str, *given: object) -> tuple[object, ...]:
    with contextlib.closing(sqlite3.connect(folder / "data" / RECORDS_FILE)) as records:
        found = records.execute(sql, given).fetchone()
    assert found is not None
    return tuple(found)


def wait_for(folder: Path, sql: str, wanted: Callable[[tuple[object, ...]], bool], *given: object) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted(found := row(folder, sql, *given)):
        assert time.monotonic() < deadline, found
        time.sleep(0.002)


LEASED = "SELECT state, lease_until, epoch FROM sessions WHERE id = ?"


def test_judges_take_what_waits_and_whoever_waits_for_the_verdict_hears_it(judges: Judges) -> None:
    """The waiting side never looks by itself here: it is the other process's commit that wakes it."""

    async def work(store: Store) -> None:
        verdicts = Verdicts(store.sessions, poll=3600, news=store.database.news)
        verdicts.start()
        await hand_in(store, "TOKEN")
        waiting = asyncio.create_task(verdicts.decided("TOKEN"))
        await asyncio.to_thread(judges.start)
        async with asyncio.timeout(PATIENCE):
            session = await waiting
        assert session is not None
        assert session.state is not State.JUDGING

    with_store(judges.folder, work)


def test_a_judge_that_is_killed_in_the_middle_is_followed_by_another_and_there_is_one_verdict(judges: Judges) -> None:
    folder = judges.folder
    first, url = judges.running[-1], judges.urls[-1]
    with urllib.request.urlopen(f"{url}/metrics", timeout=PATIENCE) as reply:
        told = reply.read().decode()
    assert 'renzheng_nodes{kind="judge"} 1.0' in told
    assert "renzheng_judging_waiting 0.0" in told
    made: list[int] = []

    async def work(store: Store) -> None:
        made.append(await hand_in(store, "SECOND"))

    with_store(folder, work)
    wait_for(folder, LEASED, lambda found: found[1] is not None or found[0] != "judging", *made)
    first.kill()
    first.wait(PATIENCE)
    assert row(folder, LEASED, *made)[::2] == ("judging", 1), "it was to be killed in the middle"
    judges.start()
    wait_for(folder, LEASED, lambda found: found[0] != "judging", *made)
    assert row(folder, LEASED, *made)[2] == 2
    assert row(folder, "SELECT count(*) FROM verdicts WHERE session_id = ?", *made) == (1,)
