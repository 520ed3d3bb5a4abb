"""A database of an earlier version is brought up to date with what is in it."""

from __future__ import annotations

import os
from pathlib import Path

from renzheng.accounts.billing import GOOD
from renzheng.store import schema
from renzheng.store.database import connect
from renzheng.store.migrations import HEAD
from renzheng.store.open import open_store
from renzheng.verification.policy import Policy
from renzheng.verification.records import Outcome

from .conftest import DETAILS, Clock

ADDED = {
    "accounts": ("active", "balance", "limits"),
    "ledger": ("charged",),
    "sessions": ("rule_id", "evidence_until", "device_mismatch"),
}


async def test_accounts_of_the_first_schema_are_activated_without_a_limit_and_their_tokens_live_on(
    tmp_path: Path,
) -> None:
    clock = Clock()
    data, keys = tmp_path / "data", tmp_path / "keys"
    store = open_store(data, keys, clock, os.urandom)
    account = await store.accounts.create("shop", clock())
    await store.sessions.create(account.id, "TOKEN", DETAILS, None, Policy(), clock(), 600)
    await store.stop()
    _take_back_to_the_first(data / "renzheng.db")
    assert schema.revision(data / "renzheng.db") == "0001"
    again = open_store(data, keys, clock, os.urandom)
    try:
        assert schema.revision(data / "renzheng.db") == HEAD
        again.keys.refresh()
        assert again.keys.standing(account.id) == GOOD == await again.billing.standing(account.id)
        found = await again.sessions.result(account.id, "TOKEN")
        assert isinstance(found, Outcome)
        assert (found.session.details, found.session.evidence_until) == (DETAILS, None)
        assert await again.encryption_keys.all() == ()
        await again.billing.set_prepaid(account.id)
        assert await again.rules.of_account(account.id) == []
    finally:
        await again.stop()


def _take_back_to_the_first(path: Path) -> None:
    connection = connect(path, busy_timeout=5)
    for index in ("sessions_evidence_until", "sessions_capturing"):
        connection.execute(f"DROP INDEX {index}")
    for table, columns in ADDED.items():
        for column in columns:
            connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table in ("encryption_keys", "rules", "top_ups"):
        connection.execute(f"DROP TABLE {table}")
    connection.execute("DELETE FROM counters WHERE name = 'balances'")
    connection.execute("UPDATE alembic_version SET version_num = '0001'")
    connection.close()
