"""The key pairs for sealed fields: an account's own, kept sealed, retired for good, seen by a running server."""

from __future__ import annotations

import asyncio

import pytest

from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.encryption_keys import FOR_EVER
from renzheng.store.sealer import Kind, Subject

from .conftest import OpenWorld, World

PEM = "-----BEGIN MARKEDPEM-----\nAAAA\n-----END MARKEDPEM-----\n"


async def pems(world: World, account_id: int | None = None) -> list[str]:
    return [made.pem for made in await world.store.encryption_keys.usable(account_id or world.account.id)]


async def share(world: World, *account_ids: int) -> None:
    """Bring about what an upgrade leaves: pairs of nobody, which these accounts use."""
    vault, database = world.store.vault, world.store.database
    drawn = vault.draw(Subject(Kind.ENCRYPTION, 7))
    await database.write(lambda _: vault.keep(drawn), keys=True)
    sealed = drawn.seal("key pairs", f"{PEM}shared".encode())
    world.force("INSERT INTO encryption_keys (id, created_at, sealed) VALUES (7, 1.0, ?)", sealed)
    for number in account_ids:
        world.force("UPDATE accounts SET shared_until = 9e999 WHERE id = ?", number)
    world.vouch()
    world.force("UPDATE counters SET value = value + 1 WHERE name = 'accounts'")


async def test_generations_come_newest_first_and_outlive_the_process(open_world: OpenWorld) -> None:
    world = await open_world("one")
    keys, own = world.store.encryption_keys, world.account.id
    assert await keys.add_first(own, PEM, 100.0)
    await keys.add(own, PEM + "2", 200.0)
    assert [(made.created_at, made.pem) for made in await keys.usable(own)] == [(200.0, PEM + "2"), (100.0, PEM)]
    again = await world.beside()
    assert await again.encryption_keys.usable(own) == await keys.usable(own)
    await again.stop()


async def test_sixteen_first_starts_make_one_generation(world: World) -> None:
    beside = await world.beside()
    stores = [world.store, beside]
    own = world.account.id
    made = await asyncio.gather(
        *(stores[n % 2].encryption_keys.add_first(own, f"{PEM}{n}", 100.0 + n) for n in range(16))
    )
    await beside.stop()
    assert made.count(True) == 1
    assert await pems(world) == [f"{PEM}{made.index(True)}"]


async def test_pairs_made_in_the_same_moment_have_numbers_of_their_own(world: World) -> None:
    keys, other = world.store.encryption_keys, await world.store.accounts.create("other", 1.0)
    await asyncio.gather(*(keys.add(number, f"{PEM}{number}", 100.0) for number in (world.account.id, other.id)))
    assert await pems(world) == [f"{PEM}{world.account.id}"]
    assert await pems(world, other.id) == [f"{PEM}{other.id}"]


async def test_private_keys_are_not_in_the_files_in_the_clear(world: World) -> None:
    await world.store.encryption_keys.add_first(world.account.id, PEM, 100.0)
    files = [path for path in world.root.rglob("*") if path.is_file()]
    assert not [path.name for path in files if b"MARKEDPEM" in path.read_bytes()]
    assert "MARKEDPEM" not in repr(await world.store.encryption_keys.usable(world.account.id))


async def test_a_running_server_sees_a_rotation_and_unseals_each_generation_once(world: World) -> None:
    keys, cache, own = world.store.encryption_keys, world.store.keys, world.account.id
    await keys.add_first(own, PEM, 100.0)
    await cache.refresh()
    first = cache.generations
    await world.store.accounts.create("other", world.clock())
    assert await cache.refresh()
    assert cache.generations is first
    await keys.add(own, PEM + "2", 200.0)
    assert await cache.refresh()
    assert [made.pem for made in cache.key_pairs(own, 300.0)] == [PEM + "2", PEM]
    assert cache.generations[1] is first[0]


async def test_a_generation_whose_data_key_is_gone_is_left_out(world: World) -> None:
    await world.store.encryption_keys.add_first(world.account.id, PEM, 100.0)
    await world.store.encryption_keys.add(world.account.id, PEM + "2", 200.0)
    await world.store.vault.erasures.destroy([Subject(Kind.ENCRYPTION, 200_000_000)])
    assert await pems(world) == [PEM]


async def test_an_accounts_pairs_are_no_other_accounts_not_even_by_a_changed_row(world: World) -> None:
    other = await world.store.accounts.create("other", world.clock())
    await world.store.encryption_keys.add_first(world.account.id, PEM, 100.0)
    await world.store.keys.refresh()
    assert await pems(world, other.id) == []
    assert world.store.keys.key_pairs(other.id, world.clock()) == ()
    assert await world.store.encryption_keys.listed(other.id) == []
    for owner in (other.id, None):
        world.force("UPDATE encryption_keys SET account_id = ?", owner)
        world.force("UPDATE accounts SET shared_until = 9e999")
        assert await pems(world, other.id) == []


async def test_shared_pairs_open_for_accounts_of_before_until_their_overlap_ends(world: World) -> None:
    keys, cache, own = world.store.encryption_keys, world.store.keys, world.account.id
    new = await world.store.accounts.create("new", world.clock())
    await share(world, own)
    assert await pems(world) == [f"{PEM}shared"]
    assert await pems(world, new.id) == []
    assert await keys.sharing() == {own: FOR_EVER}
    await keys.add_first(own, PEM, world.clock())
    await keys.leave_shared(own, world.clock() + 60)
    [event] = await world.store.audit.newest(1)
    assert (event.verb, event.subject) == ("moved to own key pairs", f"account {own}")
    await keys.leave_shared(own, world.clock() + 3600)  # said again, it lasts no longer
    await cache.refresh()
    assert [made.pem for made in cache.key_pairs(own, world.clock())] == [PEM, f"{PEM}shared"]  # the new is published
    assert len(cache.key_pairs(own, world.clock() + 59)) == 2
    assert [made.pem for made in cache.key_pairs(own, world.clock() + 60)] == [PEM]
    world.clock.now += 60
    assert await pems(world) == [PEM]
    assert await keys.sharing() == {}
    assert [pair.account_id for pair in await keys.listed(own)] == [own]
    await keys.leave_shared(new.id, world.clock() + 60)
    assert await pems(world, new.id) == []  # who shared nothing does not begin to
    with pytest.raises(NotFoundError):
        await keys.leave_shared(99, 0)


async def test_retired_pairs_open_nothing_and_no_backup_brings_them_back(world: World) -> None:
    keys, cache, own = world.store.encryption_keys, world.store.keys, world.account.id
    await keys.add_first(own, PEM, 100.0)
    await keys.add(own, PEM + "2", 200.0)
    await cache.refresh()
    newest, older = (pair.id for pair in await keys.listed(own))
    other = await world.store.accounts.create("other", world.clock())
    with pytest.raises(RefusedError, match="seal to"):
        await keys.retire(own, newest)
    with pytest.raises(NotFoundError):
        await keys.retire(other.id, older)
    await keys.retire(own, older)
    [event] = await world.store.audit.newest(1)
    assert (event.verb, event.subject) == ("key pairs retired", f"generation {older}")
    assert await cache.refresh()
    assert [made.pem for made in cache.key_pairs(own, 300.0)] == [PEM + "2"] == await pems(world)
    assert [(pair.id, pair.retired_at) for pair in await keys.listed(own)] == [(newest, None), (older, world.clock())]
    assert not await world.store.vault.has(Subject(Kind.ENCRYPTION, older))
    world.force("UPDATE encryption_keys SET retired_at = NULL")  # as a backup of the records would
    assert await pems(world) == [PEM + "2"]
    world.force("UPDATE encryption_keys SET retired_at = 1.0 WHERE id = ?", older)
    with pytest.raises(RefusedError, match="already"):
        await keys.retire(own, older)


async def test_of_retired_pairs_the_key_goes_before_the_row_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash in between leaves pairs that can be retired once more, and none that are said to be gone and open."""
    keys, own, erasures = world.store.encryption_keys, world.account.id, world.store.vault.erasures
    await keys.add_first(own, PEM, 100.0)
    await keys.add(own, PEM + "2", 200.0)
    older = (await keys.listed(own))[1].id
    destroy = erasures.destroy
    said: list[float | None] = []

    async def watched(subjects: list[Subject], **named: bool) -> bool:
        said.append(world.row("SELECT retired_at FROM encryption_keys WHERE id = ?", older)[0])
        return await destroy(subjects, **named)

    monkeypatch.setattr(erasures, "destroy", watched)
    await keys.retire(own, older)
    assert said == [None]


async def test_shared_pairs_are_retired_only_when_nobody_seals_to_them(world: World) -> None:
    keys, own = world.store.encryption_keys, world.account.id
    other = await world.store.accounts.create("other", world.clock())
    await share(world, own, other.id)
    await keys.add_first(own, PEM, world.clock())
    await keys.leave_shared(own, world.clock())
    with pytest.raises(RefusedError, match=f"account {other.id} seal"):
        await keys.retire(own, 7)
    await keys.add_first(other.id, PEM, world.clock())
    await keys.leave_shared(other.id, world.clock())
    await keys.retire(own, 7)
    assert not await world.store.vault.has(Subject(Kind.ENCRYPTION, 7))
