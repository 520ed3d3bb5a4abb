"""What is behind an open store, for tests that look at it there."""

from __future__ import annotations

from renzheng.store.open import Store
from renzheng.store.sqlite import Database
from renzheng.store.sqlite_vault import SqliteVault


def sqlite_of(store: Store) -> Database:
    assert isinstance(store.database, Database)
    return store.database


def vault_of(store: Store) -> SqliteVault:
    assert isinstance(store.vault, SqliteVault)
    return store.vault
