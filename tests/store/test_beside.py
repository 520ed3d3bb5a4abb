"""A newer version's schema while processes of this version work on the records."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from renzheng.store import schema
from renzheng.store.engine import StoreError
from renzheng.store.migrations import BESIDE, HEAD
from renzheng.store.nodes import DEAD_SECONDS, JUDGE, Membership, Nodes
from renzheng.store.postgres import PostgresDatabase
from renzheng.store.postgres_session import PostgresSettings
from renzheng.store.schema import migrate_postgres
from tests.support.newer import ADDS, NEXT, TAKES_AWAY, add_revision
from tests.support.postgres import cluster, migrated

SETTINGS = PostgresSettings()


class Versions:
    """Makes this process the newer program, or the older one again."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self._patch = patch
        self._folder = folder

    def newer(self, change: str, *, is_additive: bool) -> None:
        migrations = self._folder / "migrations"
        shutil.copytree(schema.MIGRATIONS, migrations, ignore=shutil.ignore_patterns("__pycache__"))
        add_revision(migrations, change)
        self._patch.setattr(schema, "MIGRATIONS", migrations)
        self._patch.setattr(schema, "HEAD", NEXT)
        self._patch.setattr(schema, "BESIDE", HEAD if is_additive else NEXT)

    def older(self) -> None:
        self._patch.undo()


@pytest.fixture
def versions(tmp_path: Path) -> Versions:
    return Versions(pytest.MonkeyPatch(), tmp_path)


@pytest.fixture
async def old(versions: Versions) -> AsyncIterator[tuple[Membership, str, list[bool]]]:
    """A process of this version that is there, and how often it was told to end."""
    database = PostgresDatabase(cluster().create(migrated()))
    ended: list[bool] = []

    async def identity() -> str:
        return ""

    member = Membership(Nodes(database, os.urandom), JUDGE, identity, is_outdated=lambda: ended.append(True))
    await member.join()
    yield member, database.url, ended
    versions.older()
    await database.stop()
    cluster().drop(database.url)


def silence(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as records:
        records.execute("UPDATE nodes SET seen_at = seen_at - %s", (DEAD_SECONDS + 1,))


def version(url: str) -> str:
    with psycopg.connect(url) as records:
        row = records.execute("SELECT version_num FROM alembic_version").fetchone()
    assert row is not None
    return str(row[0])


async def test_a_schema_that_only_adds_comes_beside_older_processes_when_somebody_says_so(
    versions: Versions, old: tuple[Membership, str, list[bool]]
) -> None:
    member, url, ended = old
    versions.newer(ADDS, is_additive=True)
    with pytest.raises(StoreError, match=r"work on these records .* store migrate --beside"):
        migrate_postgres(url, SETTINGS)
    assert version(url) == HEAD
    assert migrate_postgres(url, SETTINGS, beside=True)
    assert version(url) == NEXT
    await member.beat()
    assert (member.outdated, ended) == (None, [])
    versions.older()
    assert not migrate_postgres(url, SETTINGS), "an older process that has to start again may"


async def test_a_schema_that_takes_away_waits_until_older_processes_have_ended(
    versions: Versions, old: tuple[Membership, str, list[bool]]
) -> None:
    member, url, ended = old
    versions.newer(TAKES_AWAY, is_additive=False)
    for beside in (False, True):
        with pytest.raises(StoreError, match="stop all of them"):
            migrate_postgres(url, SETTINGS, beside=beside)
    assert version(url) == HEAD
    silence(url)  # it stands still, and is taken for dead
    assert migrate_postgres(url, SETTINGS)
    versions.older()
    with pytest.raises(StoreError, match="newer renzheng"):
        migrate_postgres(url, SETTINGS)
    for _ in range(2):
        await member.beat()
    assert ended == [True], "one that wakes up ends, and is told once"
    assert NEXT in str(member.outdated)


def test_the_oldest_schema_beside_is_no_newer_than_the_newest() -> None:
    assert BESIDE <= HEAD
    assert (schema.MIGRATIONS / "versions").is_dir()
