"""A database of an earlier version is brought up to date with what is in it."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from renzheng.accounts.billing import GOOD
from renzheng.store import schema
from renzheng.store.encryption_keys import FOR_EVER, Generation
from renzheng.store.migrations import HEAD
from renzheng.store.open import open_store
from renzheng.store.room import is_full
from renzheng.store.schema import migrate, revision
from renzheng.store.sealer import Kind, Subject
from renzheng.store.sqlite import connect
from renzheng.verification.policy import Policy
from renzheng.verification.records import SessionOutcome

from .conftest import DETAILS, Clock

# What each revision brought, as columns and as whole tables and indexes.
COLUMNS: dict[str, dict[str, tuple[str, ...]]] = {
    "0003": {
        "accounts": ("active", "balance", "limits"),
        "ledger": ("charged",),
        "sessions": ("rule_id", "evidence_until", "device_mismatch"),
    },
    "0005": {"encryption_keys": ("account_id", "retired_at"), "accounts": ("shared_until",)},
    "0006": {"accounts": ("evidence_bytes",), "sessions": ("evidence_bytes",)},
    "0007": {"sessions": ("to_bucket",)},
    "0008": {
        "accounts": ("name_zh", "name_en", "privacy_url", "contact"),
        "sessions": ("spared", "eased", "advice"),
    },
    "0009": {"accounts": ("mac",), "keys": ("mac",), "rules": ("mac",), "verdicts": ("mac",)},
    "0011": {"sessions": ("judged",)},
    "0015": {"sessions": ("excused",), "attempts": ("unwatched",)},
    "0022": {"sessions": ("node", "socket"), "imports": ("node",)},
    "0018": {"sessions": ("opened_at",)},
}
INDEXES = {
    "0021": ("day_counts_day",),
    "0020": ("sessions_account", "verdicts_result"),
    "0017": ("persons_account",),
    "0003": ("sessions_evidence_until",),
    "0004": ("sessions_capturing",),
    "0006": ("sessions_unused",),
    "0010": ("frames_digest",),
    "0011": ("sessions_lapsing",),
    "0014": ("ledger_at",),
}
TABLES = {
    "0002": ("encryption_keys",),
    "0003": ("rules", "top_ups"),
    "0007": ("deliveries", "buckets"),
    "0024": ("console_calls", "sent_forms", "sign_in_tries"),
    "0019": ("nodes",),
    "0016": ("session_calls", "call_counts"),
    "0013": ("import_parts", "imports", "rule_history", "key_scopes"),
    "0012": ("sign_in_links", "console_sessions", "recovery_codes", "operator_credentials", "operators"),
}


pytestmark = pytest.mark.sqlite


async def test_accounts_of_the_first_schema_are_activated_without_a_limit_and_their_tokens_live_on(
    tmp_path: Path,
) -> None:
    clock = Clock()
    data, keys = tmp_path / "data", tmp_path / "keys"
    store = open_store(data, keys, clock, os.urandom)
    account = await store.accounts.create("shop", clock())
    await store.sessions.create(account.id, "TOKEN", DETAILS, None, Policy(), clock(), 600)
    await store.stop()
    _take_back(data / "renzheng.db", "0001")
    assert schema.revision(data / "renzheng.db") == "0001"
    again = open_store(data, keys, clock, os.urandom)
    try:
        assert schema.revision(data / "renzheng.db") == HEAD
        await again.keys.refresh()
        assert again.keys.standing(account.id) == GOOD == await again.billing.standing(account.id)
        found = await again.sessions.result(account.id, "TOKEN")
        assert isinstance(found, SessionOutcome)
        assert (found.session.details, found.session.evidence_until) == (DETAILS, None)
        assert await again.encryption_keys.usable(account.id) == ()
        assert await again.encryption_keys.sharing() == {}  # there were no pairs to share
        await again.billing.set_prepaid(account.id)
        assert await again.rules.of_account(account.id) == []
    finally:
        await again.stop()


def _take_back(path: Path, revision: str) -> None:
    """Undo what the revisions after this one brought, as they have no way back of their own."""
    connection = connect(path, busy_timeout=5)
    for number in sorted((set(COLUMNS) | set(INDEXES) | set(TABLES)), reverse=True):
        if number <= revision:
            break
        for index in INDEXES.get(number, ()):
            connection.execute(f"DROP INDEX {index}")
        for table, columns in COLUMNS.get(number, {}).items():
            for column in columns:
                connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        for table in TABLES.get(number, ()):
            connection.execute(f"DROP TABLE {table}")
    if revision < "0003":
        connection.execute("DELETE FROM counters WHERE name = 'balances'")
    connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    if revision < "0009":
        connection.execute("DELETE FROM meta WHERE name = 'signed'")
        keys = connect(path.parent.parent / "keys" / "keys.db", busy_timeout=5)
        keys.execute("DELETE FROM meta WHERE name = 'signed'")
        keys.close()
    connection.close()


async def test_accounts_of_before_keep_the_key_pairs_that_all_shared_and_new_ones_do_not(tmp_path: Path) -> None:
    clock, pem = Clock(), "-----BEGIN PAIR-----"
    data, keys = tmp_path / "data", tmp_path / "keys"
    store = open_store(data, keys, clock, os.urandom)
    old = await store.accounts.create("old", clock())
    drawn = store.vault.draw(Subject(Kind.ENCRYPTION, 7))
    await store.database.write(lambda _: store.vault.keep(drawn), keys=True)
    sealed = drawn.seal("key pairs", pem.encode())
    await store.stop()
    _take_back(data / "renzheng.db", "0004")
    connection = connect(data / "renzheng.db", busy_timeout=5)
    connection.execute("INSERT INTO encryption_keys (id, created_at, sealed) VALUES (7, 1.0, ?)", (sealed,))
    connection.close()
    again = open_store(data, keys, clock, os.urandom)
    try:
        new = await again.accounts.create("new", clock())
        pairs = again.encryption_keys
        assert await pairs.usable(old.id) == (Generation(7, 1.0, pem),)
        assert await pairs.usable(new.id) == ()
        assert await pairs.sharing() == {old.id: FOR_EVER}
    finally:
        await again.stop()


def tables_of(path: Path) -> dict[str, str]:
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall())


@pytest.mark.parametrize("room", [1, 8, 20, 40])
def test_a_disk_that_is_full_while_the_schema_is_made_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    """`room`: pages of 4 KiB that fit."""
    path = tmp_path / "renzheng.db"

    def small(where: Path, *, busy_timeout: float) -> sqlite3.Connection:
        made = connect(where, busy_timeout=busy_timeout)
        made.execute(f"PRAGMA max_page_count = {room}")
        return made

    monkeypatch.setattr(schema, "connect", small)
    with pytest.raises(sqlite3.OperationalError, match="full") as told:
        migrate(path)
    assert is_full(told.value)
    assert tables_of(path) == {}
    monkeypatch.undo()
    migrate(path)
    assert revision(path) == HEAD


def test_a_database_that_cannot_be_read_is_not_taken_for_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "renzheng.db"
    migrate(path)
    before = tables_of(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("UPDATE alembic_version SET version_num = '0001'")
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            revision(path)
    path.write_bytes(os.urandom(8192))
    with pytest.raises(sqlite3.DatabaseError, match="not a database"):
        migrate(path)
    assert before
