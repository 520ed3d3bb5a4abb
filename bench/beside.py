"""GetFaceIdToken beside judging: its latency on an idle server, and while judging keeps both cores busy.

    python -m bench.beside

One server with a judging process a core. Whole verifications of six seconds are put into its store, as a device would
have left them, and are judged while tokens are asked for: at a constant rate, each timed from the moment at which it
was due (so that a stall counts for every request that it held up), and one after another over a few connections.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.load import Target, is_token, percentile, renzheng, send_at, send_many, target_of, token_request
from renzheng.engine.measurement import Frame
from renzheng.store.open import open_store
from renzheng.verification.policy import Policy
from renzheng.verification.session import CompareLib, Details, EndReason, FrameRecord, StepRecord
from tests.support.server import Server

ROUNDS, SECONDS, RATE, CONNECTIONS, CLOSED = 3, 8.0, 80.0, 4, 2000
"""Rounds; seconds of the constant rate and requests a second of it; connections and requests of the closed loop."""
QUEUED = 60
"""Verifications that wait when the busy part of a round begins: more than two cores judge in that time."""
NONCE = b"n" * 16


async def hand_in(server: Server, frames: Sequence[Frame], count: int) -> None:
    """Put finished captures into the store, beside the running server."""
    store = open_store(server.data_dir, server.keys_dir, time.time, os.urandom, actor="bench")
    await store.start(serving=False)
    try:
        account = (await store.accounts.all())[0]
        actions = {frame.step: frame.action for frame in frames}
        details = Details(CompareLib.BUSINESS, "11204416541220243X", "韦小宝", "")
        for _ in range(count):
            now, sessions = time.time(), store.sessions
            number = await sessions.create(account.id, os.urandom(16).hex(), details, None, Policy(), now, 600)
            await sessions.begin_attempt(number, 0, tuple(list(actions.values())[1:]), now)
            for step, action in actions.items():
                await sessions.reveal(number, 1, StepRecord(step, action, NONCE, now, now + 10), step == 1, None)
            await sessions.store_frames(number, 1, list(_stored(frames, now)))
            await sessions.submit(number, 1, EndReason.COMPLETED, now)
    finally:
        await store.stop()


def _stored(frames: Sequence[Frame], now: float) -> Iterator[tuple[FrameRecord, bytes]]:
    for number, frame in enumerate(frames):
        digest = hashlib.sha256(frame.jpeg).digest()
        yield FrameRecord(number, frame.step, NONCE, now - frames[-1].at + frame.at, digest), frame.jpeg


def waiting(server: Server) -> int:
    """Verifications that no judge has begun."""
    for line in server.metrics().splitlines():
        if line.startswith("renzheng_judging_waiting"):
            return int(float(line.split()[-1]))
    raise SystemExit("the server does not say how many verifications wait")


def judging_cpu(server: Server) -> float:
    """CPU seconds of the workers so far."""
    assert server.process is not None
    times = [child.cpu_times() for child in psutil.Process(server.process.pid).children(recursive=True)]
    return float(sum(one.user + one.system for one in times))


def both(target: Target) -> dict[str, list[float]]:
    """Seconds that requests took: at the constant rate, and in the closed loop."""
    return {
        f"{RATE:.0f} a second": send_at(target, RATE, SECONDS, is_token),
        f"{CONNECTIONS} connections": send_many(target, CLOSED, CONNECTIONS, is_token),
    }


def main() -> None:
    console = Console(width=110)
    found: dict[tuple[str, str], list[list[float]]] = defaultdict(list)
    cores, unfinished = [], []
    with tempfile.TemporaryDirectory() as name, renzheng(judge_processes=os.cpu_count() or 1) as server:
        frames = _frames(Path(name))
        target = target_of(server, token_request(server))
        send_many(target, CLOSED, CONNECTIONS, is_token)
        for _ in range(ROUNDS):
            for load, seconds in both(target).items():
                found[load, "idle"].append(seconds)
            asyncio.run(hand_in(server, frames, QUEUED))
            before, began = judging_cpu(server), time.perf_counter()
            for load, seconds in both(target).items():
                found[load, "busy"].append(seconds)
            cores.append((judging_cpu(server) - before) / (time.perf_counter() - began))
            unfinished.append(waiting(server))
            while waiting(server):
                time.sleep(0.5)
            time.sleep(3)
    _show(console, found)
    console.print(f"cores that the workers kept busy, by round: {', '.join(f'{one:.2f}' for one in cores)}")
    if not all(unfinished):
        console.print("[red]the judges ran out of work within a busy part: these figures do not count[/red]")


def _frames(folder: Path) -> list[Frame]:
    """Rendered in a process of its own, as the models would hold threads and memory in this one."""
    command = "import sys, pathlib, bench.compare; bench.compare.recording(pathlib.Path(sys.argv[1]), 'blink')"
    subprocess.run([sys.executable, "-c", command, str(folder)], check=True)
    frames: list[Frame] = pickle.loads((folder / "blink").read_bytes())
    return frames


def _show(console: Console, found: dict[tuple[str, str], list[list[float]]]) -> None:
    table = Table("GetFaceIdToken", "", "p50 ms", "p99 ms", "p99 by round", title=f"{ROUNDS} rounds, one server")
    for (load, state), rounds in found.items():
        together = [one for seconds in rounds for one in seconds]
        each = ", ".join(f"{1000 * percentile(seconds, 0.99):.1f}" for seconds in rounds)
        p50, p99 = (f"{1000 * percentile(together, share):.1f}" for share in (0.5, 0.99))
        table.add_row(load, state, p50, p99, each)
    console.print(table)
    for load in dict.fromkeys(load for load, _ in found):
        pairs = zip(found[load, "busy"], found[load, "idle"], strict=True)
        ratio = statistics.median(percentile(busy, 0.99) / percentile(idle, 0.99) for busy, idle in pairs)
        console.print(f"{load}: p99 busy / idle, median of the rounds: {ratio:.1f} (at most 3, goal 2)")


if __name__ == "__main__":
    main()
