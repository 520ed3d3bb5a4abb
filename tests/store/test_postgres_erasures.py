"""What is left of an erased key in the files of PostgreSQL; test_vault.py looks into those of SQLite."""

from __future__ import annotations

import asyncio
import contextlib
import time

import psycopg
import pytest

from renzheng.store.keyring import KeysRefusedError
from renzheng.store.postgres_vault import PostgresVault
from renzheng.store.sealer import Kind, Subject
from tests.support.postgres import cluster

from .conftest import World

pytestmark = pytest.mark.postgres


def is_in_tables(world: World, needle: bytes) -> bool:
    assert world.postgres is not None
    return any(needle in path.read_bytes() for path in cluster().files(world.postgres.keys))


def wrapped_key(world: World, session_id: int) -> bytes:
    assert world.postgres is not None
    with psycopg.connect(world.postgres.keys) as connection:
        row = connection.execute("SELECT wrapped FROM data_keys WHERE kind = 1 AND id = %s", (session_id,)).fetchone()
    assert row is not None
    return bytes(row[0])


async def test_no_byte_of_an_erased_key_is_left_in_the_table(world: World) -> None:
    erased, kept = await world.capture("A"), await world.capture("B")
    keys = {number: wrapped_key(world, number) for number in (erased, kept)}
    assert all(is_in_tables(world, key) for key in keys.values())
    assert await world.store.vault.erasures.destroy([Subject(Kind.SESSION, erased)])
    assert await world.store.vault.erasures.is_clean()
    assert not is_in_tables(world, keys[erased])
    assert is_in_tables(world, keys[kept])
    assert await world.store.vault.has(Subject(Kind.SESSION, kept))


async def test_a_reader_that_may_still_see_the_key_is_noticed_and_it_goes_with_the_next_try(world: World) -> None:
    assert world.postgres is not None
    session_id = await world.capture("A")
    key, erasures = wrapped_key(world, session_id), world.store.vault.erasures
    with contextlib.closing(psycopg.connect(world.postgres.keys)) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT 1 FROM meta").fetchone()
        old.execute("SELECT count(*) FROM pg_class").fetchone()
        assert not await erasures.destroy([Subject(Kind.SESSION, session_id)])
        assert not await erasures.is_clean()
        assert not await erasures.clean(), "it is not tried at every sweep"
        assert not await world.store.vault.has(Subject(Kind.SESSION, session_id)), "it is erased all the same"
    assert isinstance(world.store.vault, PostgresVault)
    assert await erasures.clean(1)
    assert await erasures.is_clean()
    assert not is_in_tables(world, key)


async def test_keys_that_retention_erases_ask_for_no_rewrite(world: World) -> None:
    session_id = await world.capture("A")
    assert await world.store.vault.erasures.destroy([Subject(Kind.SESSION, session_id)], listed=False)
    assert await world.store.vault.erasures.is_clean()
    assert not await world.store.vault.has(Subject(Kind.SESSION, session_id))


async def test_what_a_log_or_a_copy_still_holds_opens_no_more_after_a_rotation(world: World) -> None:
    session_id = await world.capture("A")
    subject, kept = Subject(Kind.SESSION, session_id), wrapped_key(world, session_id)
    vault = world.store.vault
    world.clock.now = time.time()
    await vault.erasures.destroy([subject])
    assert await vault.recoverable() == 1
    vault.check(subject, kept, 1)  # as whoever has the copy and the keys folder can
    await asyncio.to_thread(vault.rotate)
    assert await vault.recoverable() == 0
    other = await world.beside()
    with pytest.raises(KeysRefusedError):
        other.vault.check(subject, kept, 1)
    await other.stop()
