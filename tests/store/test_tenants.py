"""Accounts are apart: every public method takes an account, or is the operator's, or the device's and judge's."""

from __future__ import annotations

import inspect

import pytest

from renzheng.store.accounts import Accounts, Refused, Unknown
from renzheng.store.audit import Audit
from renzheng.store.billing import Billing
from renzheng.store.encryption_keys import EncryptionKeys
from renzheng.store.identities import Identities, NewPerson
from renzheng.store.key_cache import KeyCache
from renzheng.store.ledger import Ledger
from renzheng.store.rules import Rules
from renzheng.store.sessions import Sessions

from .conftest import ID_CARD, World

OPERATORS = {
    "Accounts.create", "Accounts.named", "Accounts.all", "Accounts.list_keys", "Accounts.add_key",
    "Audit.add", "Audit.events", "Audit.newest", "Audit.record",
    "EncryptionKeys.add", "EncryptionKeys.add_first", "EncryptionKeys.all",
    "Identities.prepare", "Sessions.expire", "Sessions.run_out", "Sessions.waiting", "Sessions.measurement",
}  # fmt: skip
# What runs before a request or a page has named its account.
SERVERS = {
    "KeyCache.find", "KeyCache.origins", "KeyCache.secret_keys", "KeyCache.refresh", "KeyCache.start", "KeyCache.stop",
}  # fmt: skip
# They hold the token, or the id of a session that the token or the judging queue gave them.
DEVICES_AND_JUDGES = {
    "Sessions.find", "Sessions.is_gone", "Sessions.claim_device", "Sessions.touch_device", "Sessions.offer_handover",
    "Sessions.note_device_mismatch",
    "Sessions.begin_attempt", "Sessions.attempt", "Sessions.reveal", "Sessions.store_frames", "Sessions.submit",
    "Sessions.claim_judging", "Sessions.renew_judging", "Sessions.release_judging", "Sessions.record_verdict",
    "Sessions.frames", "Sessions.newest_frames", "Sessions.kept",
    "Sessions.frame", "Sessions.photo", "Sessions.video", "Sessions.keep_video",
}  # fmt: skip


def public_methods() -> dict[str, list[str]]:
    found = {}
    for part in (Accounts, Audit, Billing, EncryptionKeys, Identities, KeyCache, Ledger, Rules, Sessions):
        for name, method in inspect.getmembers(part, inspect.isfunction):
            if not name.startswith("_"):
                found[f"{part.__name__}.{name}"] = list(inspect.signature(method).parameters)
    return found


def test_every_method_takes_an_account_or_is_the_operators_or_the_devices() -> None:
    methods = public_methods()
    without = {name for name, parameters in methods.items() if parameters[1:2] != ["account_id"]}
    listed = OPERATORS | SERVERS | DEVICES_AND_JUDGES
    assert without == listed - {"Accounts.list_keys"}  # which takes an account, or none for the operator
    assert listed <= set(methods)


async def test_another_accounts_token_person_and_key_are_as_unknown_ones(world: World) -> None:
    store = world.store
    other = await store.accounts.create("other", world.clock())
    await world.issue("TOKEN")
    assert await store.sessions.result(other.id, "TOKEN") is None
    key = await store.accounts.create_key(world.account.id, world.clock())
    with pytest.raises(Unknown):
        await store.accounts.key(other.id, key.secret_id)
    with pytest.raises(Unknown):
        await store.accounts.set_enabled(other.id, key.secret_id, False)
    person = await store.identities.add(world.account.id, NewPerson(ID_CARD, "name", None))
    assert await store.identities.lookup(other.id, ID_CARD) is None
    assert await store.identities.list(other.id) == []
    with pytest.raises(Unknown):
        await store.identities.remove(other.id, ID_CARD)
    with pytest.raises(Unknown):
        await store.identities.remove_by_id(other.id, person)
    await store.identities.add(other.id, NewPerson(ID_CARD, "other", None))
    found = await store.identities.lookup(world.account.id, ID_CARD)
    assert found is not None
    assert found.name == "name"


async def test_a_token_for_an_account_that_is_not_there_is_no_token(world: World) -> None:
    import sqlite3

    from renzheng.verification.policy import Policy

    from .conftest import DETAILS

    with pytest.raises(sqlite3.IntegrityError):
        await world.store.sessions.create(99, "T", DETAILS, None, Policy(), world.clock(), 600)
    assert await world.store.sessions.find("T") is None
    with pytest.raises(Refused):
        await world.store.identities.add(world.account.id, NewPerson("not a number", "name", None))
