"""What tests of the vault share: a whole verification, the bytes of a folder, a process that reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from renzheng.verification.decision import PASSED, Verdict

from .conftest import PHOTO, World


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


async def whole_verification(world: World) -> int:
    session_id = await world.hand_in(photo=PHOTO)
    await world.store.sessions.keep_video(session_id, b"MARKEDVIDEO" * 100)
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    measurement = '{"MARKEDMEASUREMENT": 1}'
    assert await world.store.sessions.record_verdict(
        session_id, job.epoch, Verdict(PASSED, 80.0), measurement, 1, world.clock()
    )
    return session_id


def reading_process(path: Path) -> subprocess.Popen[bytes]:
    """Another process that reads until its standard input ends."""
    reading = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN');"
        "c.execute('SELECT count(*) FROM data_keys').fetchone(); print('reading', flush=True); sys.stdin.read()"
    )
    reader = subprocess.Popen([sys.executable, "-c", reading, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert reader.stdout is not None
    assert reader.stdout.readline() == b"reading\n"
    return reader
