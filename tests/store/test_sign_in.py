"""Signing in: secrets are kept as keyed hashes, each is good for its owner alone, and for once where it says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from renzheng.accounts.operators import Operator, Role, SignInCredential
from renzheng.store.accounts import NotFoundError, RefusedError
from renzheng.store.authenticity import TamperedError
from renzheng.store.sealer import DamagedError

from .conftest import World


async def operators(world: World) -> tuple[Operator, Operator]:
    add, now = world.store.operators.add, world.clock()
    return await add("li.wei", Role.OWNER, now), await add("wang.fang", Role.AUDITOR, now)


async def test_a_role_that_others_have_changed_is_nobodys(world: World) -> None:
    _, auditor = await operators(world)
    world.force("UPDATE operators SET role = 'owner' WHERE id = ?", auditor.id)
    with pytest.raises(TamperedError):
        await world.store.operators.get(auditor.id)
    assert [one.name for one in await world.store.operators.all()] == ["li.wei"]


async def test_an_operators_name_is_its_own_and_a_merchants_person_has_an_account(world: World) -> None:
    owner, _ = await operators(world)
    assert await world.store.operators.named("li.wei") == owner
    for name, role, account in (
        ("li.wei", Role.OWNER, None), ("<b>", Role.OWNER, None), ("", Role.OWNER, None),
        ("shop", Role.MERCHANT, None), ("shop", Role.AUDITOR, world.account.id),
    ):  # fmt: skip
        with pytest.raises(RefusedError):
            await world.store.operators.add(name, role, world.clock(), account)
    for name in ("nobody", "li.wei\0", "\0", ""):  # whatever is typed at the sign-in
        with pytest.raises(NotFoundError):
            await world.store.operators.named(name)


@pytest.mark.sqlite
async def test_no_secret_is_in_the_records(world: World) -> None:
    owner, _ = await operators(world)
    sign_in = world.store.sign_in
    await sign_in.set_credential(
        owner.id, SignInCredential("$argon2id$MARKED", "MARKEDTOTP"), world.clock(), "password set"
    )
    await sign_in.set_recovery_codes(owner.id, ["MARKEDCODE"])
    secrets = [await sign_in.begin(owner.id, "whole", "firefox", world.clock()), await sign_in.offer_link(None, 9e9)]
    assert await sign_in.credential(owner.id) == SignInCredential("$argon2id$MARKED", "MARKEDTOTP")
    kept = b"".join(path.read_bytes() for path in (world.root / "data").iterdir() if path.is_file())
    assert b"wang.fang" in kept
    assert {len(secret.partition(".")[2]) for secret in secrets} == {43}, "256 bits in Base64"
    for secret in ("MARKED", *secrets, *(secret.partition(".")[2] for secret in secrets)):
        assert secret.encode() not in kept


async def test_a_session_is_its_operators_and_of_its_stage_whatever_the_records_say(world: World) -> None:
    owner, auditor = await operators(world)
    sign_in, now = world.store.sign_in, world.clock()
    secret = await sign_in.begin(auditor.id, "password", "firefox", now)
    found = await sign_in.session(secret)
    assert found is not None
    assert (found.operator_id, found.stage) == (auditor.id, "password")
    assert await sign_in.session(secret.replace(f"{auditor.id}.", f"{owner.id}.", 1)) is None
    world.force("UPDATE console_sessions SET stage = 'whole'")
    assert await sign_in.session(secret) is None
    world.force("UPDATE console_sessions SET stage = 'password', operator_id = ?", owner.id)
    assert await sign_in.session(secret) is None


async def test_a_credential_moved_to_another_operator_opens_for_nobody(world: World) -> None:
    owner, auditor = await operators(world)
    for one in (owner, auditor):
        await world.store.sign_in.set_credential(
            one.id, SignInCredential(f"hash {one.id}"), world.clock(), "password set"
        )
    world.force(
        "UPDATE operator_credentials SET sealed = (SELECT sealed FROM operator_credentials WHERE operator_id = ?)"
        " WHERE operator_id = ?",
        *(auditor.id, owner.id),
    )
    with pytest.raises(DamagedError):
        await world.store.sign_in.credential(owner.id)


async def test_who_has_signed_in_is_in_the_audit_and_half_a_sign_in_is_not(world: World) -> None:
    owner, auditor = await operators(world)
    await world.store.sign_in.begin(owner.id, "whole", "firefox", world.clock())
    await world.store.sign_in.begin(auditor.id, "password", "firefox", world.clock())
    signed_in = [event.subject for event in await world.store.audit.newest() if event.verb == "signed in"]
    assert signed_in == [f"operator {owner.id}"]


async def test_sessions_end_one_by_one_all_at_once_and_by_time(world: World) -> None:
    owner, auditor = await operators(world)
    sign_in, now = world.store.sign_in, world.clock()
    secrets = [await sign_in.begin(owner.id, "whole", "firefox", now + n) for n in range(3)]
    first = await sign_in.session(secrets[0])
    assert first is not None
    assert not await sign_in.end(auditor.id, first.digest), "another's"
    assert await sign_in.end(owner.id, first.digest)
    assert not await sign_in.end(owner.id, first.digest)
    await sign_in.touch((await sign_in.sessions(owner.id))[-1].digest, now + 50)
    await sign_in.forget(now + 10, now - 10, now)
    assert [one.created_at for one in await sign_in.sessions(owner.id)] == [now + 1]
    await sign_in.set_credential(owner.id, SignInCredential("other"), now, "password set")
    assert await sign_in.sessions(owner.id) == []


@pytest.mark.parametrize("what", ["link", "step", "recovery code"])
async def test_what_is_good_once_is_good_for_one_of_many_at_once(world: World, what: str) -> None:
    owner, _ = await operators(world)
    sign_in, now = world.store.sign_in, world.clock()
    await sign_in.set_credential(owner.id, SignInCredential("hash", "SECRET"), now, "password set")
    await sign_in.set_recovery_codes(owner.id, ["a code"])
    link = await sign_in.offer_link(owner.id, now + 60)
    uses: dict[str, Callable[[], Awaitable[object]]] = {
        "link": lambda: sign_in.use_link(link, now),
        "step": lambda: sign_in.use_step(owner.id, 7),
        "recovery code": lambda: sign_in.use_recovery_code(owner.id, "a code"),
    }
    assert sorted(map(bool, await asyncio.gather(*(uses[what]() for _ in range(16))))) == [False] * 15 + [True]


async def test_a_step_of_before_is_used_up_with_a_later_one(world: World) -> None:
    owner, _ = await operators(world)
    await world.store.sign_in.set_credential(
        owner.id, SignInCredential("hash", "SECRET"), world.clock(), "password set"
    )
    assert await world.store.sign_in.use_step(owner.id, 8)
    assert not await world.store.sign_in.use_step(owner.id, 7)


async def test_a_link_is_for_its_operator_until_it_expires_or_another_is_made(world: World) -> None:
    owner, auditor = await operators(world)
    sign_in, now = world.store.sign_in, world.clock()
    for_first, for_auditor = await sign_in.offer_link(None, now + 60), await sign_in.offer_link(auditor.id, now + 60)
    assert (await sign_in.link(for_first, now), await sign_in.link(for_auditor, now)) == (0, auditor.id)
    assert await sign_in.link(for_auditor, now + 61) is None
    assert await sign_in.use_link(for_auditor, now + 61) is None
    world.force("UPDATE sign_in_links SET operator_id = ? WHERE operator_id = ?", owner.id, auditor.id)
    assert await sign_in.use_link(for_auditor, now) is None
    await sign_in.offer_link(None, now + 60)
    assert await sign_in.link(for_first, now) is None


async def test_a_reset_leaves_nothing_to_sign_in_with(world: World) -> None:
    owner, _ = await operators(world)
    sign_in, now = world.store.sign_in, world.clock()
    assert not await sign_in.any_credential()
    await sign_in.set_credential(owner.id, SignInCredential("hash", "SECRET"), now, "password set")
    await sign_in.set_recovery_codes(owner.id, ["a", "b"])
    secret, link = await sign_in.begin(owner.id, "whole", "firefox", now), await sign_in.offer_link(owner.id, now + 9)
    assert await sign_in.any_credential()
    assert await sign_in.recovery_codes(owner.id) == 2
    await sign_in.reset(owner.id)
    left = (await sign_in.session(secret), await sign_in.link(link, now), await sign_in.credential(owner.id))
    assert left == (None, None, None)
    assert await sign_in.recovery_codes(owner.id) == 0
    assert [event.verb for event in await world.store.audit.newest()][-1] == "sign-in reset"
