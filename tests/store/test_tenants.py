"""Accounts are apart: every public method takes an account, or is the operator's, or the device's and judge's."""

from __future__ import annotations

import inspect

import pytest

from renzheng.accounts.buckets import BucketKey, cos_bucket
from renzheng.store.accounts import Accounts, NotFoundError, RefusedError
from renzheng.store.audit import Audit
from renzheng.store.billing import Billing
from renzheng.store.customer_buckets import Buckets
from renzheng.store.deliveries import Deliveries
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.engine import ConflictError
from renzheng.store.identities import Identities, NewPerson
from renzheng.store.imports import Imports
from renzheng.store.key_cache import KeyCache
from renzheng.store.ledger import Ledger
from renzheng.store.rules import Rules
from renzheng.store.sessions import Sessions
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.session import EndReason

from .conftest import DETAILS, ID_CARD, World
from .test_sweeper import judged

OF_ONE_OR_ALL = {"Accounts.list_keys", "Deliveries.unfinished"}  # an account, or None for the operator
OPERATORS = {
    "Accounts.create", "Accounts.named", "Accounts.all", "Accounts.list_keys", "Accounts.add_key",
    "Audit.add", "Audit.events", "Audit.newest", "Audit.record",
    "EncryptionKeys.sharing",
    "Deliveries.claim", "Deliveries.finish", "Deliveries.put_off",
    "Deliveries.unfinished", "Deliveries.waiting",
    "Deliveries.forget",
    "Imports.end_stale", "Imports.interrupt",
    "Identities.prepare", "Sessions.expire", "Sessions.lapse", "Sessions.run_out", "Sessions.waiting",
    "Sessions.longest_wait", "Sessions.backlog",
    "Sessions.measurement", "Sessions.outcome",
}  # fmt: skip
# What runs before a request or a page has named its account.
SERVERS = {
    "KeyCache.buckets",
    "KeyCache.find", "KeyCache.operator", "KeyCache.origins", "KeyCache.secret_keys", "KeyCache.refresh",
    "KeyCache.start", "KeyCache.stop",
}  # fmt: skip
PARTS = (
    *(Accounts, Audit, Billing, Buckets, Deliveries, EncryptionKeys, Identities, Imports, KeyCache, Ledger, Rules),
    Sessions,
)
# They hold the token, or the id of a session that the token or the judging queue gave them.
DEVICES_AND_JUDGES = {
    "Sessions.find", "Sessions.is_gone", "Sessions.claim_device", "Sessions.touch_device", "Sessions.offer_handover",
    "Sessions.is_device", "Sessions.return_device",
    "Sessions.note_device_mismatch",
    "Sessions.begin_attempt", "Sessions.attempt", "Sessions.reveal", "Sessions.store_frames", "Sessions.submit",
    "Sessions.spare", "Sessions.ease", "Sessions.excuse", "Sessions.outcome",
    "Sessions.again", "Sessions.mark_interrupted",
    "Sessions.claim_judging", "Sessions.renew_judging", "Sessions.release_judging", "Sessions.record_verdict",
    "Sessions.frames", "Sessions.has_frames", "Sessions.newest_frames", "Sessions.stored_frames",
    "Sessions.seen_before",
    "Sessions.frame", "Sessions.photo", "Sessions.video", "Sessions.keep_video",
    "Sessions.keep_measured", "Sessions.measured", "Sessions.forget_measured",
}  # fmt: skip


def public_methods() -> dict[str, list[str]]:
    found = {}
    for part in PARTS:
        for name, method in inspect.getmembers(part, inspect.isfunction):
            if not name.startswith("_"):
                found[f"{part.__name__}.{name}"] = list(inspect.signature(method).parameters)
    return found


def test_every_method_takes_an_account_or_is_the_operators_or_the_devices() -> None:
    methods = public_methods()
    without = {name for name, parameters in methods.items() if parameters[1:2] != ["account_id"]}
    listed = OPERATORS | SERVERS | DEVICES_AND_JUDGES
    assert without == listed - OF_ONE_OR_ALL
    assert listed <= set(methods)


async def test_another_accounts_token_person_and_key_are_as_unknown_ones(world: World) -> None:
    store = world.store
    other = await store.accounts.create("other", world.clock())
    await world.issue("TOKEN")
    assert await store.sessions.result(other.id, "TOKEN") is None
    key = await store.accounts.create_key(world.account.id, world.clock())
    with pytest.raises(NotFoundError):
        await store.accounts.key(other.id, key.secret_id)
    with pytest.raises(NotFoundError):
        await store.accounts.set_enabled(other.id, key.secret_id, False)
    person = await store.identities.add(world.account.id, NewPerson(ID_CARD, "name", None))
    assert await store.identities.lookup(other.id, ID_CARD) is None
    assert await store.identities.list(other.id) == []
    with pytest.raises(NotFoundError):
        await store.identities.remove(other.id, ID_CARD)
    with pytest.raises(NotFoundError):
        await store.identities.remove_by_id(other.id, person)
    await store.identities.add(other.id, NewPerson(ID_CARD, "other", None))
    found = await store.identities.lookup(world.account.id, ID_CARD)
    assert found is not None
    assert found.name == "name"


async def test_a_token_for_an_account_that_is_not_there_is_no_token(world: World) -> None:
    with pytest.raises(ConflictError):
        await world.store.sessions.create(99, "T", DETAILS, None, Policy(), world.clock(), 600)
    assert await world.store.sessions.find("T") is None
    with pytest.raises(RefusedError):
        await world.store.identities.add(world.account.id, NewPerson("not a number", "name", None))


async def test_lists_and_counts_are_of_one_account(world: World) -> None:
    store, own, now = world.store, world.account.id, world.clock()
    other = (await store.accounts.create("other", now)).id
    keys = {number: (await store.accounts.create_key(number, now)).secret_id for number in (own, other)}
    for number in (own, other):
        assert [key.secret_id for key in await store.accounts.list_keys(number)] == [keys[number]]
        assert await store.ledger.billed(number) == 0
    assert {key.secret_id for key in await store.accounts.list_keys()} == set(keys.values())
    await judged(world)
    assert (await store.ledger.billed(own), await store.ledger.billed(other)) == (1, 0)
    assert [entry.account_id for entry in await store.ledger.entries(own)] == [own]
    assert await store.ledger.entries(other) == []
    await store.billing.set_prepaid(own)
    await store.billing.top_up(own, 5, now)
    assert [top_up.amount for top_up in await store.billing.top_ups(own)] == [5]
    assert await store.billing.top_ups(other) == []
    assert [found.account_id for found in await store.listing.newest(account_id=own)] == [own]
    assert await store.listing.newest(account_id=other) == []


async def test_a_change_of_one_account_leaves_the_others(world: World) -> None:
    """Each is made on the account of the lower id, so that a condition that lost its `=` reaches the other."""
    store, own, now = world.store, world.account.id, world.clock()
    other = (await store.accounts.create("other", now, ("https://other.example",))).id
    await store.billing.set_prepaid(other)
    await store.billing.top_up(other, 7, now)
    await store.billing.set_limit(other, "GetFaceIdToken", 3)
    before = (await store.accounts.get(other), await store.billing.standing(other), await store.billing.limits(other))
    await store.accounts.set_origins(own, ("https://own.example",))
    await store.billing.set_prepaid(own)
    await store.billing.top_up(own, 2, now)
    await store.billing.set_limit(own, "GetFaceIdToken", 9)
    await store.billing.set_active(own, False)
    await store.accounts.rename(own, "renamed")
    await judged(world)
    after = (await store.accounts.get(other), await store.billing.standing(other), await store.billing.limits(other))
    assert after == before
    assert (await store.billing.standing(own)).balance == 1


async def test_what_is_counted_for_an_account_is_its_own(world: World) -> None:
    store, own, now = world.store, world.account.id, world.clock()
    other = (await store.accounts.create("other", now)).id
    await judged(world)
    store.calls.count(own, "GetFaceIdToken", "")
    await store.calls.flush(now)
    first = await store.identities.add(own, NewPerson(ID_CARD, "name", None))
    search, period = store.search, (now - 1, now + 1)
    assert [(row.account_id, row.verifications) for row in await search.usage(*period, 8, own)] == [(own, 1)]
    assert await search.usage(*period, 8, other) == []
    assert [row.calls for row in await store.calls.counts(*period, own)] == [1]
    assert await store.calls.counts(*period, other) == []
    assert (await search.count_people(own), await search.count_people(other)) == (1, 0)
    assert (await search.person_at(own, 0), await search.person_at(other, 0)) == (first, None)


async def test_a_bucket_is_revoked_and_authorised_for_one_account(world: World) -> None:
    store, own, now = world.store, world.account.id, world.clock()
    other = (await store.accounts.create("other", now)).id
    bucket, key = cos_bucket("faces-1250000000", "ap-guangzhou"), BucketKey("id", "secret")
    waits = {}
    for owner, token in ((own, "OWN"), (other, "OTHER")):
        await store.buckets.authorise(owner, bucket, key, now)
        waits[owner] = number = await store.sessions.create(
            owner, token, DETAILS, None, Policy(), now, 600, to_bucket=True
        )
        assert await store.sessions.begin_attempt(number, 0, ("blink",), now) == 1
        assert await store.sessions.submit(number, 1, EndReason.COMPLETED, now)
        job = await store.sessions.claim_judging(now, 15)
        assert job is not None
        assert await store.sessions.record_verdict(number, job.epoch, Verdict(PASSED, 80.0), "{}", None, now)
    deliveries = store.deliveries
    assert [one.session_id for one in await deliveries.unfinished(own)] == [waits[own]]
    assert not await deliveries.again(own, waits[other], now + 5), "another account's"
    assert await deliveries.again(own, waits[own], now + 5)
    world.force("UPDATE deliveries SET due_at = ?", now + 900)
    await store.buckets.authorise(own, bucket, key, now + 9)
    due = {one.account_id: one.due_at for one in await deliveries.unfinished()}
    assert due == {own: now + 9, other: now + 900}
    assert await store.buckets.revoke(own)
    assert await store.buckets.get(own) is None
    assert await store.buckets.get(other) is not None


async def test_a_key_is_granted_services_by_its_own_account_and_loses_them_with_its_row(world: World) -> None:
    store, own, now = world.store, world.account.id, world.clock()
    other = (await store.accounts.create("other", now)).id
    key = await store.accounts.create_key(own, now)
    with pytest.raises(NotFoundError):
        await store.operator_keys.set_scopes(other, key.secret_id, ("faceid", "renzheng"))
    assert await store.operator_keys.scopes() == {}
    await store.operator_keys.set_scopes(own, key.secret_id, ("faceid", "renzheng"))
    await store.accounts.delete_key(own, key.secret_id)
    await store.accounts.add_key(key)  # as from a backup
    assert await store.operator_keys.scopes() == {}


async def test_another_accounts_temporary_keys_are_not_forgotten_with_ones_own(world: World) -> None:
    store, own, now = world.store, world.account.id, world.clock()
    other = (await store.accounts.create("other", now)).id
    for number, begun in ((own, now), (other, now), (own, now + 86_399)):
        await store.accounts.create_temporary_key(number, begun, 1)
    assert len(await store.accounts.list_keys(own)) == 2  # a day after its end it is still there
    await store.accounts.create_temporary_key(own, now + 86_402, 1)
    assert len(await store.accounts.list_keys(own)) == 2
    assert len(await store.accounts.list_keys(other)) == 1
    for seconds in (0, 129_601):
        with pytest.raises(RefusedError):
            await store.accounts.create_temporary_key(own, now, seconds)
