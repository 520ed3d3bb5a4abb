"""Accounts and keys; and that a change made by another process reaches a running server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from renzheng.accounts.keys import FIRST_ACCOUNT, AccountProfile, Key
from renzheng.store import accounts
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.key_cache import KeyCache, KeysUnavailableError
from renzheng.store.sealer import Kind, Sealer, Subject

from .conftest import OpenWorld, World

DISABLE = """
import asyncio, os, sys, time
from pathlib import Path
from renzheng.store.open import open_store
async def main():
    root, account, secret_id = sys.argv[1:]
    store = open_store(Path(root, "data"), Path(root, "keys"), time.time, os.urandom)
    await store.start(serving=False)
    await store.accounts.set_enabled(int(account), secret_id, False)
    await store.stop()
asyncio.run(main())
"""


@pytest.mark.sqlite
async def test_a_key_disabled_by_another_process_is_refused_by_the_server_soon(open_world: OpenWorld) -> None:
    world = await open_world(serving=True)
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    await world.store.keys.refresh()
    assert world.store.keys.find(key.secret_id) == key
    arguments = (sys.executable, "-c", DISABLE, str(world.root), str(world.account.id), key.secret_id)
    done = await asyncio.to_thread(subprocess.run, arguments, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for _ in range(4):  # four polls of the change counter make a second
        await asyncio.sleep(world.store._poll_seconds)
        found = world.store.keys.find(key.secret_id)
        if found is not None and not found.enabled:
            return
    pytest.fail("the server still takes the key")


async def test_the_server_polls_the_change_counter_at_least_every_half_second(world: World) -> None:
    assert world.store._poll_seconds <= 0.5


async def test_an_unchanged_key_stays_the_same_object_and_nothing_is_read_without_a_change(world: World) -> None:
    first = await world.store.accounts.create_key(world.account.id, world.clock())
    assert await world.store.keys.refresh()
    kept = world.store.keys.find(first.secret_id)
    assert not await world.store.keys.refresh()
    await world.store.accounts.create_key(world.account.id, world.clock())
    assert await world.store.keys.refresh()
    assert world.store.keys.find(first.secret_id) is kept


async def test_authorising_fails_closed_when_the_counter_cannot_be_read(world: World) -> None:
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    cache = KeyCache(world.store.database, world.store.vault, world.store.authenticity, failures=2)
    await cache.start(seconds=0.001)
    assert cache.find(key.secret_id) == key
    world.force("ALTER TABLE counters RENAME TO elsewhere")
    for _ in range(200):
        await asyncio.sleep(0.002)
        try:
            cache.find(key.secret_id)
        except KeysUnavailableError:
            break
    else:
        pytest.fail("the cache went on trusting old keys")
    world.force("ALTER TABLE elsewhere RENAME TO counters")
    await asyncio.sleep(0.05)
    assert cache.find(key.secret_id) == key
    await cache.stop()


async def test_a_key_keeps_all_that_it_was_made_with(world: World) -> None:
    key = Key("AKIDx", "secret", world.account.id, True, 5.0, "session-token", 900.0, True, ("10.0.0.0/8",))
    await world.store.accounts.add_key(key)
    assert await world.store.accounts.key(world.account.id, "AKIDx") == key
    with pytest.raises(RefusedError, match="already a key"):
        await world.store.accounts.add_key(key)


async def test_an_account_is_found_by_name_and_number_and_a_taken_or_odd_name_is_refused(world: World) -> None:
    accounts = world.store.accounts
    assert await accounts.named("shop") == await accounts.get(world.account.id) == world.account
    for name in ("shop", "", "x" * 65, "a/b"):
        with pytest.raises(RefusedError):
            await accounts.create(name, world.clock())
    with pytest.raises(NotFoundError):
        await accounts.get(99)


async def test_what_people_read_of_an_account_is_kept_and_reaches_the_cache(world: World) -> None:
    accounts = world.store.accounts
    face = AccountProfile(" 青禾银行 ", "Qinghe Bank", "https://shop.example/privacy?lang=en", "400 820 8820")
    await accounts.set_face(world.account.id, face)
    await world.store.keys.refresh()
    found = world.store.keys.account(world.account.id)
    assert found is not None
    assert found.face == replace(face, name_zh="青禾银行")
    assert found.shown_names() == {"zh-CN": "青禾银行", "en-US": "Qinghe Bank"}
    await accounts.set_face(world.account.id, AccountProfile(name_zh="青禾银行"))
    assert (await accounts.get(world.account.id)).shown_names()["en-US"] == "青禾银行"
    for odd in ("javascript:alert(1)", "shop.example", "https://", "https://a b/", "data:text/html,x", "https://u@h/"):
        with pytest.raises(RefusedError, match="privacy link"):
            await accounts.set_face(world.account.id, AccountProfile(privacy_url=odd))
    for odd in ("x" * 41, "a\nb", "a\u202eb"):
        with pytest.raises(RefusedError, match="display name"):
            await accounts.set_face(world.account.id, AccountProfile(name_en=odd))


async def test_the_first_account_s_internal_name_is_shown_to_nobody(world: World) -> None:
    first = await world.store.accounts.create(FIRST_ACCOUNT, world.clock())
    assert set(first.shown_names().values()) == {""}
    assert set(world.account.shown_names().values()) == {"shop"}


async def test_an_account_is_renamed_unless_the_name_is_taken(world: World) -> None:
    accounts = world.store.accounts
    await accounts.create("bank", world.clock())
    assert (await accounts.rename(world.account.id, "store")).name == "store"
    for name in ("bank", "a/b", ""):
        with pytest.raises(RefusedError):
            await accounts.rename(world.account.id, name)
    with pytest.raises(NotFoundError):
        await accounts.rename(99, "nobody")
    assert (await accounts.named("store")).id == world.account.id


async def test_origins_are_kept_as_browsers_send_them_and_reach_the_cache(world: World) -> None:
    await world.store.accounts.set_origins(world.account.id, ("https://Shop.example/", "http://localhost:3000"))
    await world.store.keys.refresh()
    found = world.store.keys.account(world.account.id)
    assert found is not None
    assert found.origins == ("https://shop.example", "http://localhost:3000")
    for odd in ("shop.example", "https://shop.example/path", "null", "*", "ftp://shop.example"):
        with pytest.raises(RefusedError, match="not a web origin"):
            await world.store.accounts.set_origins(world.account.id, (odd,))


async def test_what_the_server_holds_of_an_account_in_memory_is_bounded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own people add to these lists, and every server reads all of them again after each change of any."""
    made, account = world.store.accounts, world.account.id
    assert (accounts.MAX_KEYS, accounts.MAX_ORIGINS, accounts.MAX_NETWORKS) <= (1000, 100, 100)
    networks = tuple(f"10.0.{n}.0/24" for n in range(accounts.MAX_NETWORKS))
    key = await made.create_key(account, world.clock(), addresses=networks)
    for add in (
        lambda: made.set_addresses(account, key.secret_id, (*networks, "10.1.0.0/24")),
        lambda: made.create_key(account, world.clock(), addresses=(*networks, "10.1.0.0/24")),
        lambda: made.create_temporary_key(account, world.clock(), 60, addresses=(*networks, "10.1.0.0/24")),
    ):
        with pytest.raises(RefusedError, match="at most 100 networks"):
            await add()
    origins = tuple(f"https://shop{n}.example" for n in range(accounts.MAX_ORIGINS))
    assert len((await made.set_origins(account, origins)).origins) == accounts.MAX_ORIGINS
    with pytest.raises(RefusedError, match="at most 100 web origins"):
        await made.set_origins(account, (*origins, "https://shop.example"))
    with pytest.raises(RefusedError, match="at most 100 web origins"):
        await made.create("third", world.clock(), (*origins, "https://shop.example"))
    with pytest.raises(RefusedError, match="not a web origin"):
        await made.set_origins(account, ("https://" + "a" * 300,))
    held = len(await made.list_keys(account))
    monkeypatch.setattr(accounts, "MAX_KEYS", held + 2)
    await made.create_key(account, world.clock())
    await made.create_temporary_key(account, world.clock(), 60)
    for add in (
        lambda: made.create_key(account, world.clock()),
        lambda: made.create_temporary_key(account, world.clock(), 60),
    ):
        with pytest.raises(RefusedError, match="keys: delete those that are not used"):
            await add()
    world.clock.now += 2 * 86_400  # the one that ended gives its place back
    await made.create_temporary_key(account, world.clock(), 60)
    other = await made.create("other", world.clock())
    await made.create_key(other.id, world.clock())


async def test_keys_are_read_again_in_slices_and_unwrap_each_account_s_data_key_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(120):
        await world.store.accounts.create_key(world.account.id, world.clock())
    cache, turns = world.store.keys, 0
    unwrapped: list[Subject] = []
    of = type(world.store.vault).of

    async def counted(vault: Any, subject: Subject) -> Sealer:
        unwrapped.append(subject)
        return await of(vault, subject)

    async def another() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(type(world.store.vault), "of", counted)
    served = asyncio.create_task(another())
    await asyncio.sleep(0)
    begun = turns
    await cache.refresh()
    assert turns - begun >= 2
    served.cancel()
    assert unwrapped.count(Subject(Kind.ACCOUNT, world.account.id)) == 1
    await world.store.accounts.set_origins(world.account.id, ("https://shop.example",))
    await cache.refresh()
    assert cache.origins() == {"https://shop.example"}
    assert cache.origins() is cache.origins()  # nothing is gathered for whoever asks for a page


async def test_deeds_are_in_the_audit_log_without_people_s_data(world: World) -> None:
    key = await world.store.accounts.create_key(world.account.id, world.clock())
    await world.store.accounts.set_enabled(world.account.id, key.secret_id, False)
    with pytest.raises(NotFoundError):  # a deed that failed is not in it
        await world.store.accounts.set_enabled(world.account.id, "AKIDother", False)
    events = await world.store.audit.events()
    assert [(event.verb, event.actor) for event in events] == [
        ("account created", "test"),
        ("key created", "test"),
        ("key disabled", "test"),
    ]
    assert all(key.secret_key not in event.subject for event in events)
    assert events[2].subject == f"key {key.secret_id} of account {world.account.id}"


async def test_lists_are_by_age_and_not_by_name(world: World) -> None:
    accounts, own = world.store.accounts, world.account.id
    for name in ("zoo", "bank"):
        await accounts.create(name, world.clock())
    assert [account.name for account in await accounts.all()] == ["shop", "zoo", "bank"]
    made = [(await accounts.create_key(own, world.clock() + age)).secret_id for age in (3, 1, 2, 0, 5, 4)]
    assert [key.secret_id for key in await accounts.list_keys(own)] == [made[n] for n in (3, 1, 2, 0, 5, 4)]
