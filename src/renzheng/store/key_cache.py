"""What the running server answers requests by, in memory: accounts, keys, rules, standings, limits, key pairs."""

from __future__ import annotations

import asyncio
import sqlite3

from renzheng.accounts.billing import GOOD, Standing
from renzheng.accounts.keys import Account, Key
from renzheng.accounts.rules import Rule
from renzheng.store.accounts import ACCOUNT_COLUMNS, KEY_COLUMNS, account_of_row, open_key
from renzheng.store.billing import read_limits, read_standings
from renzheng.store.changes import BALANCES, TENANTS
from renzheng.store.database import Database, StoreError
from renzheng.store.encryption_keys import Generation, read_generations
from renzheng.store.rules import approved_rules
from renzheng.store.vault import Vault


class KeysUnavailable(StoreError):
    """The change counter could not be read for too long, so no key can be trusted to be still good."""


class KeyCache:
    """Read anew when the change counter has moved; a look-up costs one dictionary access.

    Authorising fails closed: when the counter could not be read for `failures` polls in a row, look-ups raise
    KeysUnavailable. An unchanged key stays the same object, so that what a caller derived from it can be kept
    with it; so does `generations`, the key pairs for sealed fields, newest first. `limits`: requests a second by
    account and action where they differ from the action's own; always the same dictionary.
    """

    def __init__(self, database: Database, vault: Vault, failures: int = 20) -> None:
        self._database = database
        self._vault = vault
        self._failures_allowed = failures
        self._failures = 0
        self._counter = -1
        self._keys: dict[str, Key] = {}
        self._accounts: dict[int, Account] = {}
        self._rules: dict[tuple[int, str], Rule] = {}
        self._standings: dict[int, Standing] = {}
        self._balances = -1
        self.generations: tuple[Generation, ...] = ()
        self.limits: dict[tuple[int, str], int] = {}
        self._task: asyncio.Task[None] | None = None

    def find(self, secret_id: str) -> Key | None:
        """The key of a SecretId, enabled or not; None for an unknown one."""
        if self._failures > self._failures_allowed:
            raise KeysUnavailable("the store's change counter cannot be read")
        return self._keys.get(secret_id)

    def account(self, account_id: int) -> Account | None:
        return self._accounts.get(account_id)

    def rule(self, account_id: int, rule_id: str) -> Rule | None:
        """An approved rule of this account; None for an unknown, another account's or an unapproved one alike."""
        return self._rules.get((account_id, rule_id))

    def standing(self, account_id: int) -> Standing:
        """Whether an account is served. A balance in it is exact only where it is zero or below."""
        return self._standings.get(account_id, GOOD)

    def origins(self) -> frozenset[str]:
        """The allowed origins of all accounts together."""
        return frozenset(origin for account in self._accounts.values() for origin in account.origins)

    def secret_keys(self) -> dict[str, str]:
        """All SecretKeys by SecretId, for explaining a wrong signature. Safe to call from any thread."""
        return {key.secret_id: key.secret_key for key in self._keys.values()}

    def refresh(self) -> bool:
        """Read the change counters, and what they stand for where they have moved. True if one had."""
        sql = "SELECT name, value FROM counters WHERE name IN (?, ?)"
        counters: dict[str, int] = dict(self._database.fetch_all(sql, (TENANTS, BALANCES)))
        tenants, balances = counters.get(TENANTS, -1), counters.get(BALANCES, -1)
        if tenants == self._counter and balances == self._balances:
            return False
        self._standings = read_standings(self._database)
        self._balances = balances
        if tenants != self._counter:
            self._read_tenants()
            self._counter = tenants
        return True

    def _read_tenants(self) -> None:
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
        self._rules = {(rule.account_id, rule.rule_id): rule for rule in approved_rules(self._database)}
        limits = read_limits(self._database)
        self.limits.clear()
        self.limits.update(limits)

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
