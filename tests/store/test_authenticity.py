"""A row that decides and was changed by other means is noticed, logged, counted and not obeyed."""

from __future__ import annotations

import os
from typing import Any

import pytest

from renzheng.accounts.billing import BillingRefusal
from renzheng.accounts.operators import Role
from renzheng.accounts.rules import RuleTerms
from renzheng.store import authenticity
from renzheng.store.authenticity import TABLES, TamperedError
from renzheng.store.engine import StoreError
from renzheng.store.open import open_store
from renzheng.store.records import pack_details, policy_text
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.verification.decision import PASSED, Verdict
from renzheng.verification.policy import Policy
from renzheng.verification.records import SessionOutcome

from .conftest import DETAILS, OpenWorld, World
from .test_sweeper import judged


async def everything(world: World) -> dict[str, Any]:
    """One row of each kind; their ids."""
    key = await world.store.accounts.create_key(world.account.id, world.clock(), addresses=("10.0.0.0/8",))
    rule = await world.store.rules.create(world.account.id, "rule", RuleTerms(Policy(threshold=90)), world.clock())
    for move in ("submit", "approve"):
        await world.store.rules.move(world.account.id, rule.id, move, world.clock())
    verdict = await judged(world)
    await world.store.operator_keys.set_scopes(world.account.id, key.secret_id, ("faceid", "renzheng"))
    person = await world.store.operators.add("Wei", Role.MERCHANT, world.clock(), world.account.id)
    row = await world.store.database.one("SELECT id FROM rule_history")
    assert row is not None
    await world.store.keys.refresh()
    return {
        "accounts": world.account.id,
        "key_scopes": key.secret_id,
        "keys": key.secret_id,
        "operators": person.id,
        "rule_history": row[0],
        "rules": rule.id,
        "verdicts": verdict,
    }


CHANGES = [
    ("accounts", "active", 2),
    ("accounts", "balance", 1_000_000),
    ("accounts", "limits", '{"GetFaceIdToken": 9}'),
    ("accounts", "origins", '["https://evil.example"]'),
    ("accounts", "name", "bank"),
    ("accounts", "shared_until", 9e99),
    ("keys", "enabled", 2),
    ("keys", "account_id", 2),
    ("keys", "created_at", 1.0),
    ("keys", "expires_at", 9e9),
    ("keys", "unsigned_payload", 1),
    ("keys", "addresses", "[]"),
    ("key_scopes", "services", '["renzheng"]'),
    ("operators", "name", "other"),
    ("operators", "role", "owner"),
    ("operators", "account_id", None),
    ("operators", "disabled", 1),
    ("operators", "created_at", 1.0),
    ("rule_history", "rule_id", 2),
    ("rule_history", "version", 2),
    ("rule_history", "author", "other"),
    ("rule_history", "name", "other"),
    ("rule_history", "policy", '{"threshold":60.0}'),
    ("rule_history", "evidence_days", 3000.0),
    ("rule_history", "created_at", 1.0),
    ("rules", "account_id", 2),
    ("rules", "name", "other"),
    ("rules", "state", "submitted"),
    ("rules", "policy", '{"threshold":60.0}'),
    ("rules", "evidence_days", 3000.0),
    ("verdicts", "result", "2016"),
    ("verdicts", "description", "other"),
    ("verdicts", "similarity", 80.001),
    ("verdicts", "tags", "02"),
    ("verdicts", "best_frame", 2),
    ("verdicts", "attempt", 2),
    ("verdicts", "judged_at", 1.0),
    ("verdicts", "billed", 0),
    *((table, "mac", value) for table in TABLES for value in (None, b"", b"0123456789abcdef")),
]


ANOTHERS = (("keys", "account_id"), ("rules", "account_id"), ("rule_history", "rule_id"))


async def trusted(world: World, ids: dict[str, Any]) -> dict[str, bool]:
    """Return, for each kind of row, whether the operator's and the merchant's ways to it still return it."""
    store, own = world.store, world.account.id

    async def given(awaitable: Any) -> bool:
        try:
            await awaitable
        except TamperedError:
            return False
        return True

    return {
        "accounts": await given(store.billing.standing(own)),
        "key_scopes": ids["key_scopes"] in await store.operator_keys.scopes(),
        "keys": await given(store.accounts.key(own, ids["keys"])),
        "operators": await given(store.operators.get(ids["operators"])),
        "rule_history": await given(store.rules.versions(own, ids["rules"])),
        "rules": await given(store.rules.get(own, ids["rules"])),
        "verdicts": await given(store.sessions.result(own, "TOKEN")),
    }


async def test_each_column_that_decides_is_signed(world: World) -> None:
    ids = await everything(world)
    other = await world.store.accounts.create("other", world.clock())
    await world.store.rules.create(other.id, "another's", RuleTerms(Policy()), world.clock())
    world.force("DELETE FROM rule_history WHERE rule_id = 2")
    assert await trusted(world, ids) == dict.fromkeys(TABLES, True)
    covered = {(table, column) for table, column, _ in CHANGES}
    wanted = {(table, column) for table, signed in TABLES.items() for column in signed.columns if column != signed.key}
    assert wanted <= covered
    for table, column, value in CHANGES:
        where = f"WHERE {TABLES[table].key} = ?"
        named = where.replace("?", ":id")
        before = await world.store.database.one(f"SELECT {column} FROM {table} {named}", id=ids[table])
        assert before is not None
        world.force(f"UPDATE {table} SET {column} = ? {where}", value, ids[table])
        if (table, column) not in ANOTHERS:  # there it is another's: unknown
            found = await trusted(world, ids)
            assert [name for name, good in found.items() if not good] == [table], column
        assert ids[table] in world.store.authenticity.found[table] or (table, column) in ANOTHERS
        world.force(f"UPDATE {table} SET {column} = ? {where}", before[0], ids[table])
        assert await trusted(world, ids) == dict.fromkeys(TABLES, True), column
        assert not world.store.authenticity.found[table] - {"", None}


async def test_a_signature_is_of_its_own_row_and_account(world: World) -> None:
    one, two = await judged(world, "ONE"), await judged(world, "TWO")
    other = await world.store.accounts.create("other", world.clock())
    world.force("UPDATE verdicts SET (result, mac) = ('1', (SELECT mac FROM verdicts WHERE session_id = ?))", one)
    with pytest.raises(TamperedError):
        await world.store.sessions.result(world.account.id, "TWO")
    world.vouch()
    world.force("UPDATE sessions SET account_id = ? WHERE id = ?", other.id, two)
    with pytest.raises(TamperedError):  # neither the verdict nor the sealed details are another account's
        await world.store.sessions.result(other.id, "TWO")
    row = await world.store.database.one("SELECT id FROM sessions WHERE id = :id", id=two)
    assert row is not None
    with pytest.raises(TamperedError):
        await world.store.sessions._verdict(two)


async def test_a_signature_is_compared_to_its_last_byte(world: World) -> None:
    number, billing = world.account.id, world.store.billing
    mac = bytes(world.row("SELECT mac FROM accounts WHERE id = ?", number)[0])
    near = [mac[:at] + bytes([mac[at] ^ 1]) + mac[at + 1 :] for at in range(len(mac))]
    for wrong in (*near, mac[:-1], mac + b"0", b"", None):
        world.force("UPDATE accounts SET mac = ? WHERE id = ?", wrong, number)
        with pytest.raises(TamperedError):
            await billing.standing(number)
    world.force("UPDATE accounts SET mac = ? WHERE id = ?", mac, number)
    await billing.standing(number)


async def test_a_running_server_obeys_no_changed_row_and_says_so_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[dict[str, object]] = []

    class Log:
        def error(self, event: str, **values: object) -> None:
            said.append({"event": event, **values})

    monkeypatch.setattr(authenticity, "log", Log())
    ids = await everything(world)
    cache = world.store.keys
    assert cache.find(ids["keys"]) is not None
    assert cache.rule(world.account.id, str(ids["rules"])) is not None
    world.force("UPDATE keys SET addresses = '[]'")
    world.force("UPDATE rules SET policy = replace(policy, '90', '60')")
    for _ in range(2):
        world.force("UPDATE counters SET value = value + 1 WHERE name = 'accounts'")
        assert await cache.refresh()
    assert cache.find(ids["keys"]) is None
    assert cache.rule(world.account.id, str(ids["rules"])) is None
    assert await world.store.accounts.list_keys() == []
    assert await world.store.rules.of_account(world.account.id) == []
    assert said == [
        {"event": "row_was_changed", "table": "keys", "row": ids["keys"]},
        {"event": "row_was_changed", "table": "rules", "row": ids["rules"]},
    ]
    assert cache.standing(world.account.id).to_issue is None
    world.force("UPDATE accounts SET origins = '[\"https://evil.example\"]', shared_until = 9e99, active = 1")
    world.force("UPDATE counters SET value = value + 1 WHERE name = 'accounts'")
    await cache.refresh()
    assert cache.standing(world.account.id).to_issue is BillingRefusal.NOT_ACTIVATED
    assert cache.standing(world.account.id).to_fetch is BillingRefusal.NOT_ACTIVATED
    assert cache.origins() == frozenset()
    assert cache._shared_until == {}
    assert cache.account(world.account.id) is None


async def test_what_others_changed_is_not_signed_along_with_an_operators_change(world: World) -> None:
    ids = await everything(world)
    store, own, now = world.store, world.account.id, world.clock()
    world.force("UPDATE accounts SET balance = 5")
    world.force("UPDATE keys SET unsigned_payload = 1")
    world.force("UPDATE rules SET policy = replace(policy, '90', '60')")
    for change in (
        store.accounts.set_origins(own, ("https://shop.example",)),
        store.billing.set_active(own, True),
        store.billing.top_up(own, 1, now),
        store.billing.set_limit(own, "GetFaceIdToken", 1),
        store.accounts.set_enabled(own, ids["keys"], True),
        store.accounts.set_addresses(own, ids["keys"], ()),
        store.rules.move(own, ids["rules"], "disable", now),
    ):
        with pytest.raises(TamperedError, match="vault adopt"):
            await change
    changed = ("accounts", "keys", "rules")
    assert await trusted(world, ids) == {table: table not in changed for table in TABLES}


async def test_a_verdict_stands_and_charges_nothing_where_its_account_was_changed(world: World) -> None:
    await world.store.billing.set_prepaid(world.account.id)
    await world.hand_in()
    world.force("UPDATE accounts SET balance = 5")
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert await world.store.sessions.record_verdict(
        job.session.id, job.epoch, Verdict(PASSED, 80.0), "{}", 1, world.clock()
    )
    (entry,) = await world.store.ledger.entries(world.account.id)
    assert (entry.billed, entry.charged) == (True, False)
    assert world.count("SELECT balance FROM accounts") == 5
    with pytest.raises(TamperedError):
        await world.store.billing.standing(world.account.id)


async def test_a_session_whose_policy_was_changed_is_neither_judged_nor_answered(world: World) -> None:
    changed, good = await world.hand_in("CHANGED"), await world.hand_in("GOOD")
    world.force("UPDATE sessions SET policy = ? WHERE id = ?", policy_text(Policy(threshold=61)), changed)
    for look in (world.store.sessions.find("CHANGED"), world.store.sessions.result(world.account.id, "CHANGED")):
        with pytest.raises(TamperedError):
            await look
    job = await world.store.sessions.claim_judging(world.clock(), 15)
    assert job is not None
    assert job.session.id == good
    assert world.store.authenticity.found["sessions"] == {changed}


@pytest.mark.sqlite
async def test_records_of_before_are_signed_once_and_never_again_unasked(open_world: OpenWorld) -> None:
    world = await open_world()
    ids = await everything(world)
    await world.store.stop()
    data, keys = world.root / "data", world.root / "keys"
    vault = connect(keys / "keys.db", busy_timeout=5)
    records = connect(data / "renzheng.db", busy_timeout=5)

    def take_back(*, in_keys: bool) -> None:
        """Make the records those of a version without signatures. `in_keys`: its keys too."""
        for table in TABLES:
            records.execute(f"UPDATE {table} SET mac = NULL")
        records.execute("DELETE FROM meta WHERE name = 'signed'")
        if in_keys:
            vault.execute("DELETE FROM meta WHERE name = 'signed'")

    take_back(in_keys=True)
    store = open_store(data, keys, world.clock, os.urandom)
    assert await trusted(World(world.root, world.clock, store, world.account), ids) == dict.fromkeys(TABLES, True)
    await store.stop()
    take_back(in_keys=False)
    with pytest.raises(StoreError, match="not signed, though these keys have signed before"):
        open_store(data, keys, world.clock, os.urandom)
    store = open_store(data, keys, world.clock, os.urandom, adopt=True)
    assert await trusted(World(world.root, world.clock, store, world.account), ids) == dict.fromkeys(TABLES, True)
    await store.stop()
    vault.close()
    records.close()


@pytest.mark.sqlite
async def test_a_crash_between_the_two_marks_is_made_good_at_the_next_start(open_world: OpenWorld) -> None:
    world = await open_world()
    await world.store.stop()
    vault = connect(world.root / "keys" / "keys.db", busy_timeout=5)
    vault.execute("DELETE FROM meta WHERE name = 'signed'")
    vault.close()
    again = await open_world()
    assert again.store.vault.mark("signed")


@pytest.mark.sqlite
async def test_sessions_of_before_are_bound_to_their_account_and_policy(world: World) -> None:
    session_id = await world.issue()
    sealer = await world.store.vault.of(Subject(Kind.SESSION, session_id))
    world.force("UPDATE sessions SET sealed = ?", sealer.seal("details", pack_details(DETAILS)))
    with pytest.raises(TamperedError):
        await world.store.sessions.find("TOKEN")
    world.vouch()
    found = await world.store.sessions.result(world.account.id, "TOKEN")
    assert isinstance(found, SessionOutcome)
    assert (found.session.id, found.session.details) == (session_id, DETAILS)
