"""The console's pages over 100,000 verifications: wall time at the client and CPU of the process, a page.

The rows are of three accounts and spread over two days; the server is the shipped one with SQLite, and each page is
asked for as a browser does, by somebody who is signed in.
"""

from __future__ import annotations

import json
import os
import random
import re
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

import urllib3

from renzheng.store.files import RECORDS_FILE
from tests.support.server import Server

VERIFICATIONS, DAYS, ACCOUNTS = 100_000, 2, 3
ROUNDS = 15
MOST_SECONDS = 0.3
PASSWORD = "correct horse battery"
STATES = (("passed", "0"), ("failed", "2010"), ("failed", "1005"), ("expired", None))


def fill(server: Server) -> None:
    """Rows as verifications leave them, without what their pages alone would open."""
    drawn, now = random.Random(1), time.time()
    accounts = [server.json("account", "create", f"shop {n}")["id"] for n in range(ACCOUNTS)]
    sessions, verdicts = [], []
    for number in range(VERIFICATIONS):
        created = now - DAYS * 86_400 * (1 - number / VERIFICATIONS)
        session_id = int(created * 1_000_000)
        state, result = drawn.choice(STATES)
        row = (session_id, drawn.choice(accounts), drawn.randbytes(32), state, created, created + 600, 1, 1)
        sessions.append((*row, 3, "{}" * 150, drawn.randbytes(32), drawn.randbytes(400)))
        if result is not None:
            verdicts.append((session_id, result, "说明", 90.0, "", 1, created + 30, 1, drawn.randbytes(4000)))
    with closing(sqlite3.connect(server.data_dir / RECORDS_FILE)) as records, records:
        records.executemany(
            "INSERT INTO sessions (id, account_id, token, state, created_at, expires_at, attempt, counted,"
            " most_attempts, has_photo, policy, id_hash, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)",
            sessions,
        )
        records.executemany(
            "INSERT INTO verdicts (session_id, result, description, similarity, tags, attempt, judged_at, billed,"
            " measurement) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            verdicts,
        )


class Visitor:
    """Somebody who is signed in."""

    def __init__(self, server: Server) -> None:
        self._pool = urllib3.HTTPConnectionPool("127.0.0.1", server.operator_port, maxsize=1)
        self._url = server.operator_url
        self._cookie = ""
        link = re.findall(r"http\S+(/console/welcome/\S+)", server.log.read_text())[-1]
        form = {"name": "li.wei", "password": PASSWORD, "again": PASSWORD}
        made = self._pool.request(
            "POST",
            link,
            body=urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": self._url},
            redirect=False,
        )
        assert made.status == 303, made.status
        self._cookie = "; ".join(one.partition(";")[0] for one in made.headers.getlist("set-cookie"))

    def get(self, path: str) -> str:
        reply = self._pool.request("GET", path, headers={"Cookie": self._cookie}, redirect=False)
        assert reply.status == 200, (path, reply.status)
        return reply.data.decode()


def cpu(server: Server) -> float:
    """CPU seconds of the server's process, all its threads, by its own clock."""
    assert server.process is not None
    return time.clock_gettime((~server.process.pid << 3) | 2)


def main() -> None:
    day = time.strftime("%Y-%m-%dT00:00", time.localtime())
    pages = {
        "the newest": "/console/verifications",
        "failed alone": "/console/verifications?State=failed",
        "one account, one result, since a time": f"/console/verifications?AccountId=2&Result=2010&Since={day}",
        "nothing matches": "/console/verifications?Result=9999",
        "the last page": "/console/verifications?page=200",
        "overview": "/console",
        "usage": "/console/usage",
    }
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder)).start(as_shipped=True)
        try:
            fill(server)
            visitor, worst = Visitor(server), 0.0
            shown = json.dumps(visitor.get("/console/verifications"))
            assert str(VERIFICATIONS // 1000) in shown
            print(f"{VERIFICATIONS} verifications, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
            for name, path in pages.items():
                visitor.get(path)
                walls, costs = [], []
                for _ in range(ROUNDS):
                    begun, before = time.perf_counter(), cpu(server)
                    visitor.get(path)
                    walls.append(time.perf_counter() - begun)
                    costs.append(cpu(server) - before)
                wall = statistics.median(walls)
                worst = max(worst, wall)
                print(
                    f"{name:<40} {wall * 1e3:6.0f} ms (up to {max(walls) * 1e3:.0f}),"
                    f" {statistics.median(costs) * 1e3:.0f} ms of CPU"
                )
            print(f"slowest page   {worst * 1e3:.0f} ms   (at most {MOST_SECONDS * 1e3:.0f})")
        finally:
            server.stop()


if __name__ == "__main__":
    main()
