"""A newer version comes to servers that run: each version is processes of a program of its own.

The newer one is this program with one more revision of the schema, so that it needs no history of this repository.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import renzheng
from renzheng.evaluation.device import Device, DeviceLimits
from renzheng.evaluation.performance import Performance
from renzheng.store.migrations import BESIDE, HEAD
from tests.support.images import base64_of, sample
from tests.support.newer import ADDS, NEXT, add_revision
from tests.support.nginx import Nginx
from tests.support.postgres import cluster
from tests.support.puppets import sample_puppet
from tests.support.server import Server, free_port, result, second, until
from tests.support.server import token as issue

pytestmark = [pytest.mark.stress, pytest.mark.cluster, pytest.mark.timeout(500)]


def newer_program(folder: Path, change: str, *, is_additive: bool) -> Path:
    """The folder of a newer version's package, for PYTHONPATH."""
    program = folder / "newer"
    source = Path(renzheng.__file__).parent
    shutil.copytree(source, program / "renzheng", ignore=shutil.ignore_patterns("__pycache__"))
    migrations = program / "renzheng" / "store" / "migrations"
    add_revision(migrations, change)
    known = migrations / "__init__.py"
    text = known.read_text().replace(f'HEAD = "{HEAD}"', f'HEAD = "{NEXT}"')
    if not is_additive:
        text = text.replace(f'BESIDE = "{BESIDE}"', f'BESIDE = "{NEXT}"')
    known.write_text(text)
    return program


def run(server: Server, *words: str) -> tuple[int, str]:
    """A command of the server's version, as a process: exit code, and all that it says."""
    done = subprocess.run(
        [sys.executable, "-m", "renzheng", *words],
        env=server.environment, cwd=server.folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


class Versions:
    """An older server that runs, a newer one that does not yet, and a proxy in front of both."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("old", "new"):
            (folder / name).mkdir()
        records, keys = (cluster().create() for _ in range(2))
        ports = [free_port() for _ in range(2)]
        self.nginx = Nginx(folder / "nginx", free_port(), ports)
        self.nginx.start()
        self.url = f"https://127.0.0.1:{self.nginx.port}"
        given: dict[str, object] = {"public_url": self.url, "trusted_proxies": "127.0.0.1"}
        self.old = Server(folder / "old", database_url=records, keys_url=keys, port=ports[0], **given)
        self.new = second(self.old, folder / "new", port=ports[1], **given)
        for server, port in zip((self.old, self.new), ports, strict=True):
            server.port, server.url = port, f"http://127.0.0.1:{port}"
        self.old.start(as_shipped=True)
        self.key = self.old.key()

    def upgrade(self, change: str, *, is_additive: bool) -> None:
        program = newer_program(self.folder, change, is_additive=is_additive)
        self.new.environment["PYTHONPATH"] = str(program)

    def schema(self) -> str:
        with psycopg.connect(self.old.environment["RENZHENG_DATABASE_URL"]) as records:
            row = records.execute("SELECT version_num FROM alembic_version").fetchone()
        assert row is not None
        return str(row[0])

    def capturing(self) -> int:
        """How many people have been asked for an action."""
        with psycopg.connect(self.old.environment["RENZHENG_DATABASE_URL"]) as records:
            row = records.execute("SELECT count(*) FROM sessions WHERE state = 'capturing' AND counted = 1").fetchone()
        assert row is not None
        return int(row[0])

    def verify(self, at: Server, issued_at: Server) -> None:
        """A person, at one server, with a token of another."""
        for seed in range(3):  # on a busy machine too few frames may come
            token = self.token(issued_at)
            outcome = asyncio.run(device(at.url, token, seed).run())
            said = result(issued_at.sdk(self.key), token).Result
            if said not in ("1004", "1005"):
                break
        assert (outcome.passed, said) == (True, "0")

    def token(self, server: Server) -> str:
        return issue(server.sdk(self.key), CompareLib="LOCAL", ImageBase64=base64_of(sample()))

    def stop(self) -> None:
        self.new.stop()
        self.old.stop()
        self.nginx.kill()


def device(url: str, token: str, seed: int = 0) -> Device:
    return Device(
        url, token, Performance(sample_puppet(), "head", seed=seed), limits=DeviceLimits(reconnects=40, seconds=150)
    )


@pytest.fixture
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Versions]:
    made = Versions(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.nginx.chain))
    yield made
    made.stop()


def test_a_version_that_only_adds_to_the_schema_comes_beside_the_old_one(versions: Versions) -> None:
    old, new = versions.old, versions.new
    versions.upgrade(ADDS, is_additive=True)
    with pytest.raises(AssertionError, match=r"store migrate --beside"):
        new.start(as_shipped=True)
    code, said = run(new, "store", "migrate")
    assert (code, bool(re.search(rf"work on these records with the schema {HEAD}.*--beside", said))) == (1, True), said
    assert versions.schema() == HEAD
    versions.verify(old, old)
    code, said = run(new, "store", "migrate", "--beside")
    assert (code, said) == (0, f"the schema is {NEXT} now\n")
    versions.verify(old, old)
    new.start(as_shipped=True)
    versions.verify(old, new)
    versions.verify(new, old)
    leaves_while_people_are_at_it(versions)
    old.start(as_shipped=True)  # an older process that has to start again may
    versions.verify(old, new)
    old.stop()
    versions.verify(new, new)
    for log in (old.log, new.log):
        assert "Traceback" not in log.read_text()


def leaves_while_people_are_at_it(versions: Versions) -> None:
    """Whoever of them the proxy has sent to the old server goes on at the new one."""
    tokens = [versions.token(versions.old) for _ in range(2)]
    people = [threading.Thread(target=lambda t=token: asyncio.run(device(versions.url, t).run())) for token in tokens]
    for person in people:
        person.start()
    until(lambda: versions.capturing() == 2)
    versions.old.stop()
    for person in people:
        person.join()
    found = {str(result(versions.new.sdk(versions.key), token).Result) for token in tokens}
    assert found <= {"0", "1004", "1005"}


def test_a_version_that_the_old_one_cannot_go_on_with_waits_until_that_has_ended(versions: Versions) -> None:
    old, new = versions.old, versions.new
    versions.upgrade(ADDS, is_additive=False)
    with pytest.raises(AssertionError, match="stop all of them"):
        new.start(as_shipped=True)
    code, said = run(new, "store", "migrate", "--beside")
    assert (code, "stop all of them" in said) == (1, True), said
    versions.verify(old, old)
    old.stop()
    new.start(as_shipped=True)
    assert versions.schema() == NEXT
    versions.verify(new, new)
    with pytest.raises(AssertionError, match="newer renzheng"):
        old.start(as_shipped=True)
