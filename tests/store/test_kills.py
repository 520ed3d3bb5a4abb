"""What was acknowledged outlives the death of the process."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from renzheng.store.sealer import Kind
from renzheng.verification.records import SessionOutcome

from .conftest import PHOTO, OpenWorld, jpeg

# Makes sessions with a photo and frames, eight at a time, and says on stdout what was acknowledged.
CHILD = r"""
import asyncio, os, sys, time
from pathlib import Path
from tests.store.conftest import PHOTO, Clock, World
from renzheng.store.open import open_store
async def main():
    root, run = Path(sys.argv[1]), sys.argv[2]
    store = open_store(root / "data", root / "keys", time.time, os.urandom)
    await store.start()
    world = World(root, Clock(), store, (await store.accounts.all())[0])
    async def client(number):
        for count in range(10_000):
            token = f"{run}-{number}-{count}"
            await world.issue(token)
            os.write(1, f"issued {token} 0\n".encode())  # one write: a line is there whole or not at all
            session_id = await world.capture(token + "-frames", photo=PHOTO)
            os.write(1, f"frames {token}-frames {session_id}\n".encode())
    await asyncio.gather(*(client(number) for number in range(8)))
asyncio.run(main())
"""


pytestmark = pytest.mark.sqlite


@pytest.mark.parametrize(
    "rounds", [pytest.param(3, id="sample"), pytest.param(30, id="full", marks=[pytest.mark.stress, pytest.mark.races])]
)
async def test_killed_at_any_moment_the_store_keeps_what_it_acknowledged(
    open_world: OpenWorld, rounds: int, pytestconfig: pytest.Config
) -> None:
    world = await open_world()
    root, acknowledged = world.root, []
    await world.store.stop()
    for run in range(rounds):
        acknowledged += await asyncio.to_thread(_run_and_kill, root, f"run{run}", pytestconfig.rootpath)
    assert len(acknowledged) >= rounds * 2
    again = await open_world()
    for what, token, session_id in acknowledged:
        outcome = await again.store.sessions.result(again.account.id, token)
        assert isinstance(outcome, SessionOutcome), token
        assert outcome.session.details.id_card  # its data key is there and opens it
        if what == "frames":
            frames = await again.store.sessions.frames(int(session_id), 1)
            assert [content for _, content in frames] == [jpeg(number) for number in range(3)]
            assert await again.store.sessions.photo(int(session_id)) == PHOTO
    for _ in range(10):  # the search for orphans walks on, a bounded portion a round
        await again.store.sweeper.sweep(again.clock() + 7200)
    keys = await again.store.vault.subjects(Kind.SESSION, 0, again.clock() + 1e6, 1_000_000)
    assert len(keys) == again.count("SELECT count(*) FROM sessions")


def _run_and_kill(root: Path, run: str, repository: Path) -> list[tuple[str, str, str]]:
    environment = os.environ | {"PYTHONPATH": f"{repository}{os.pathsep}{repository / 'src'}"}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(root), run], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert child.stdout is not None
    seen: list[tuple[str, str, str]] = []
    wanted = random.randint(4, 60)
    for line in child.stdout:
        what, token, session_id = line.split()
        seen.append((what, token, session_id))
        if len(seen) == wanted:
            child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    child.stdout.close()
    return seen
