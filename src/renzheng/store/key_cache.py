"""What the running server answers requests by, in memory: accounts, keys, and the key pairs for sealed fields."""

from __future__ import annotations

import asyncio
import sqlite3

from renzheng.accounts.keys import Account, Key
from renzheng.store.accounts import ACCOUNT_COLUMNS, KEY_COLUMNS, account_of_row, open_key
from renzheng.store.changes import TENANTS
from renzheng.store.database import Database, StoreError
from renzheng.store.encryption_keys import Generation, read_generations
from renzheng.store.vault import Vault


class KeysUnavailable(StoreError):
    """The change counter could not be read for too long, so no key can be trusted to be still good."""


class KeyCache:
    """Read anew when the change counter has moved; a look-up costs one dictionary access.

    Authorising fails closed: when the counter could not be read for `failures` polls in a row, look-ups raise
    KeysUnavailable. An unchanged key stays the same object, so that what a caller derived from it can be kept
    with it; so does `generations`, the key pairs for sealed fields, newest first.
    """

    def __init__(self, database: Database, vault: Vault, failures: int = 20) -> None:
        self._database = database
        self._vault = vault
        self._failures_allowed = failures
        self._failures = 0
        self._counter = -1
        self._keys: dict[str, Key] = {}
        self._accounts: dict[int, Account] = {}
        self.generations: tuple[Generation, ...] = ()
        self._task: asyncio.Task[None] | None = None

    def find(self, secret_id: str) -> Key | None:
        """The key of a SecretId, enabled or not; None for an unknown one."""
        if self._failures > self._failures_allowed:
            raise KeysUnavailable("the store's change counter cannot be read")
        return self._keys.get(secret_id)

    def account(self, account_id: int) -> Account | None:
        return self._accounts.get(account_id)

    def origins(self) -> frozenset[str]:
        """The allowed origins of all accounts together."""
        return frozenset(origin for account in self._accounts.values() for origin in account.origins)

    def secret_keys(self) -> dict[str, str]:
        """All SecretKeys by SecretId, for explaining a wrong signature. Safe to call from any thread."""
        return {key.secret_id: key.secret_key for key in self._keys.values()}

    def refresh(self) -> bool:
        """Read the change counter, and everything else if it has moved. True if it had."""
        row = self._database.fetch_one("SELECT value FROM counters WHERE name = ?", (TENANTS,))
        counter = int(row[0]) if row else -1
        if counter == self._counter:
            return False
        accounts = [account_of_row(r) for r in self._database.fetch_all(f"SELECT {ACCOUNT_COLUMNS} FROM accounts")]  # noqa: S608
        keys: dict[str, Key] = {}
        for key_row in self._database.fetch_all(f"SELECT {KEY_COLUMNS} FROM keys"):  # noqa: S608
            key = open_key(self._vault, key_row)
            known = self._keys.get(key.secret_id)
            keys[key.secret_id] = known if known == key else key
        generations = read_generations(self._database, self._vault, self.generations)
        if generations != self.generations:
            self.generations = generations
        self._keys = keys
        self._accounts = {account.id: account for account in accounts}
        self._counter = counter
        return True

    async def start(self, seconds: float = 0.25) -> None:
        """Read all, then poll the counter every `seconds`."""
        self.refresh()
        self._task = asyncio.create_task(self._poll(seconds))

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _poll(self, seconds: float) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                self.refresh()
                self._failures = 0
            except (sqlite3.Error, StoreError):
                self._failures += 1
