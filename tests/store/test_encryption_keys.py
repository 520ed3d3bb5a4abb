"""The key pairs for sealed fields: kept sealed, never overwritten, seen by a running server."""

from __future__ import annotations

import asyncio
import os

from renzheng.store.open import open_store
from renzheng.store.sealer import Kind, Subject

from .conftest import OpenWorld, World

PEM = "-----BEGIN MARKEDPEM-----\nAAAA\n-----END MARKEDPEM-----\n"


async def test_generations_come_newest_first_and_outlive_the_process(open_world: OpenWorld) -> None:
    world = await open_world("one")
    keys = world.store.encryption_keys
    assert await keys.add_first(PEM, 100.0)
    assert await keys.add(PEM + "2", 200.0)
    assert [(made.created_at, made.pem) for made in await keys.all()] == [(200.0, PEM + "2"), (100.0, PEM)]
    again = open_store(world.root / "data", world.root / "keys", world.clock, os.urandom)
    assert await again.encryption_keys.all() == await keys.all()
    await again.stop()


async def test_sixteen_first_starts_make_one_generation(world: World) -> None:
    beside = open_store(world.root / "data", world.root / "keys", world.clock, os.urandom)
    stores = [world.store, beside]
    made = await asyncio.gather(*(stores[n % 2].encryption_keys.add_first(f"{PEM}{n}", 100.0 + n) for n in range(16)))
    await beside.stop()
    assert made.count(True) == 1
    (kept,) = await world.store.encryption_keys.all()
    assert kept.pem == f"{PEM}{made.index(True)}"


async def test_private_keys_are_not_in_the_files_in_the_clear(world: World) -> None:
    await world.store.encryption_keys.add_first(PEM, 100.0)
    files = [path for path in world.root.rglob("*") if path.is_file()]
    assert not [path.name for path in files if b"MARKEDPEM" in path.read_bytes()]
    assert "MARKEDPEM" not in repr(await world.store.encryption_keys.all())


async def test_a_running_server_sees_a_rotation_and_unseals_each_generation_once(world: World) -> None:
    keys, cache = world.store.encryption_keys, world.store.keys
    await keys.add_first(PEM, 100.0)
    cache.refresh()
    first = cache.generations
    await world.store.accounts.create("other", world.clock())
    assert cache.refresh()
    assert cache.generations is first
    await keys.add(PEM + "2", 200.0)
    assert cache.refresh()
    assert [made.pem for made in cache.generations] == [PEM + "2", PEM]
    assert cache.generations[1] is first[0]


async def test_a_generation_whose_data_key_is_gone_is_left_out(world: World) -> None:
    await world.store.encryption_keys.add_first(PEM, 100.0)
    await world.store.encryption_keys.add(PEM + "2", 200.0)
    await world.store.vault.erasures.destroy([Subject(Kind.ENCRYPTION, 200_000_000)])
    assert [made.pem for made in await world.store.encryption_keys.all()] == [PEM]
